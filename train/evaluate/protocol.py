"""The protocol of every evaluation: the metrics of one stream of one method, and the draws of clips
that their intervals come from.

Each metric is a function of how often each clip counts, so that resampling and subsets of clips are
cheap. It knows neither families nor tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deeploc.metrics import Metric, Overlaps, Ranking, interval, resample, step_ranking
from deeploc.postprocess import clip_score, to_proposals, to_timeline, verdict_score
from deeploc.scores import FrameScores, Stream
from train.data.cache import CachedClip
from train.evaluate.methods import Method

MEAN_AP_TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
AP_TIOUS = (*MEAN_AP_TIOUS, 0.75, 0.95)
AR_COUNTS = (100, 50, 20, 10, 5, 2)
ALARMS = "false alarms/min"
Split = Literal["train", "dev", "test"]
SEED = 0


@dataclass(frozen=True)
class StreamEvaluation:
    """One stream of one method on C clips.

    `forged (C,) bool`: whether that stream of the clip is forged. `metrics` by column of the
    tables: functions of weights `(C,)`, how often each clip counts.
    """

    forged: np.ndarray
    overlaps: Overlaps
    metrics: Mapping[str, Metric]

    def all_metrics(self, weights: np.ndarray) -> dict[str, float]:
        return {name: metric(weights) for name, metric in self.metrics.items()}

    def intervals(self, names: Sequence[str], draws: np.ndarray) -> dict[str, tuple[float, float]]:
        return {name: interval(self.metrics[name], draws) for name in names}


def evaluate_stream(samples: list[CachedClip], method: Method, stream: Stream) -> StreamEvaluation:
    """All metrics of one stream, authentic clips included; NaN: undefined here.

    `frame AUC inside` pools forged clips only. False alarms are the intervals above the stored
    threshold in clips without any forgery, by the minute.
    """
    truth = {sample.annotation.file: sample.annotation.segments[stream] for sample in samples}
    own = {file: method.scores[file][stream] for file in truth}
    forged = np.array([len(segments) > 0 for segments in truth.values()])
    overlaps = Overlaps.of(truth, {file: to_proposals(item) for file, item in own.items()})
    steps = step_ranking(truth, own)
    inside = step_ranking(truth, {file: item for file, item in own.items() if len(truth[file])})
    clips = Ranking.of(forged, clip_scores(list(own.values())))
    precisions = {tiou: overlaps.average_precision(tiou) for tiou in AP_TIOUS}
    metrics: dict[str, Metric] = {
        "mean AP": lambda w: float(np.mean([precisions[tiou](w) for tiou in MEAN_AP_TIOUS])),
        **{f"AP@{tiou}": metric for tiou, metric in precisions.items()},
        **{f"AR@{n}": overlaps.average_recall(n) for n in AR_COUNTS},
        "frame AUC": steps.auc,
        "frame AUC inside": inside.auc,
        "clip AUC": clips.auc,
        "clip EER": clips.eer,
        ALARMS: alarm_rate(samples, list(own.values()), method.thresholds.get(stream)),
    }
    return StreamEvaluation(forged, overlaps, metrics)


def alarm_rate(
    samples: list[CachedClip], scores: Sequence[FrameScores], threshold: float | None
) -> Metric:
    """Intervals above the threshold in authentic clips, by the minute of such clips; NaN without a
    threshold."""
    authentic = np.array([not sample.annotation.forged for sample in samples])
    minutes = authentic * np.array([item.grid.duration / 60 for item in scores])
    if threshold is None:
        return lambda weights: float("nan")
    alarms = authentic * np.array([len(to_timeline(item, threshold)) for item in scores])

    def metric(weights: np.ndarray) -> float:
        total = weights @ minutes
        return float(weights @ alarms / total) if total else float("nan")

    return metric


def clip_scores(scores: Sequence[FrameScores]) -> np.ndarray:
    """`(C,)` the score of each clip, NaN where too little was scored."""
    found = [clip_score(item) for item in scores]
    return np.array([np.nan if score is None else score for score in found], float)


def verdict_scores(curves: Sequence[Mapping[Stream, FrameScores]]) -> np.ndarray:
    """`(C,)` the score that the verdict on each clip is made from, NaN where there is none."""
    found = [verdict_score(own) for own in curves]
    return np.array([np.nan if score is None else score for score in found], float)


def draw_clips(samples: list[CachedClip], n: int) -> tuple[str, np.ndarray]:
    """What is drawn for bootstraps, and `n` draws of it `(n, C)`, how often each clip counts:
    identities where every clip names its own, clips otherwise."""
    people = [sample.annotation.identity for sample in samples]
    units = [person for person in people if person]
    if len(units) == len(samples):
        return "identities", resample(units, n, SEED)
    return "clips", resample([sample.annotation.file for sample in samples], n, SEED)


def describe_protocol(samples: list[CachedClip], drawn: str, n: int) -> dict:
    """The clips and the rules of an evaluation, as plain data."""
    forged = sum(sample.annotation.forged for sample in samples)
    people = {item.annotation.identity or item.annotation.file for item in samples}
    return {
        "clips": len(samples),
        "forged": forged,
        "authentic": len(samples) - forged,
        "null forgeries among them": sum(
            not (sample.annotation.forged or sample.pristine or sample.reencoded)
            for sample in samples
        ),
        "re-encoded among them": sum(sample.reencoded for sample in samples),
        "identities": len(people),
        "empty_rule": "a forged clip without proposals counts as missed",
        "tiou": "AP is strict (IoU > t); AR averages 0.50:0.05:0.95",
        "area": "AP counts from recall 0 (the avdeepfake1m package from its first recall on)",
        "intervals": f"95 % bootstrap over {drawn}, {n} draws, seed {SEED}",
    }
