"""Metrics by group of clips: families of forgeries, seen and unseen in training, null forgeries,
verdict bands.

It knows neither how scores were made nor how tables look.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from deeploc.annotations import read_truths
from deeploc.calibration import BANDS, Calibration
from deeploc.metrics import Metric, interval, step_labels
from deeploc.scores import STREAMS, Stream
from train.data.cache import CachedClip
from train.evaluate.methods import Method
from train.evaluate.protocol import ALARMS, StreamEvaluation, alarm_rate, verdict_scores

FAMILY_COLUMNS = ("mean AP", "AP@0.5", "AR@10", "frame AUC inside", "clip AUC")
BOUNDED = ("AP@0.5", "frame AUC inside")
SEEN, UNSEEN = "seen families", "unseen families"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SCORE_BINS = 5


def seen_families(metadata: Path) -> dict[Stream, set[str]]:
    """The families that forged clips of the train split were made by, by stream."""
    training = [item for item in read_truths(metadata) if item.split == "train"]
    return {
        stream: {
            item.families[stream]
            for item in training
            if stream in item.families and len(item.segments[stream])
        }
        for stream in STREAMS
    }


def unseen(sample: CachedClip, seen: Mapping[Stream, set[str]], stream: Stream) -> bool | None:
    """Whether training lacked a family that this stream was forged by; None: unknown or authentic.

    For `fused`, one unseen family of picture or sound makes the clip unseen.
    """
    annotation = sample.annotation
    streams: tuple[Stream, ...] = ("visual", "audio") if stream == "fused" else (stream,)
    forged = [name for name in streams if len(annotation.segments[name])]
    if not forged or any(name not in annotation.families for name in forged):
        return None
    return any(annotation.families[name] not in seen[name] for name in forged)


def by_family(
    samples: list[CachedClip],
    evaluations: Mapping[Stream, StreamEvaluation],
    seen: Mapping[Stream, set[str]],
    draws: np.ndarray,
) -> list[dict]:
    """One record a stream and family, and one for its seen and its unseen families together.

    The clips of a record are compared with all clips whose stream is authentic.
    """
    records = []
    for stream, evaluation in evaluations.items():
        groups: dict[tuple[str, bool], np.ndarray] = {}
        for number, sample in enumerate(samples):
            new = unseen(sample, seen, stream)
            if new is None:
                continue
            names = [UNSEEN if new else SEEN]
            if stream != "fused":
                names.append(sample.annotation.families[stream])
            for name in names:
                groups.setdefault((name, not new), np.zeros(len(samples)))[number] = 1
        for (name, known), members in sorted(groups.items()):
            weights = members + ~evaluation.forged
            records.append(
                {
                    "stream": stream,
                    "family": name,
                    "seen": known,
                    "clips": int(members.sum()),
                    **{name: evaluation.metrics[name](weights) for name in FAMILY_COLUMNS},
                    "intervals": evaluation.intervals(BOUNDED, draws * weights),
                }
            )
    return records


def by_kind(
    samples: list[CachedClip], method: Method, calibration: Calibration, draws: np.ndarray
) -> list[dict]:
    """Alarms in authentic clips by kind, with intervals: pristine ones, null forgeries, re-encoded
    ones; all of them together come last."""
    authentic = np.array([not sample.annotation.forged for sample in samples])
    pristine = np.array([sample.pristine for sample in samples])
    scores = [method.scores[sample.annotation.file] for sample in samples]
    fused = np.nan_to_num(verdict_scores(scores))
    metrics: dict[str, Metric] = {
        f"{ALARMS}, {stream}": alarm_rate(
            samples, [item[stream] for item in scores], method.thresholds.get(stream)
        )
        for stream in STREAMS
    }
    for band, level in calibration.bands.items():
        metrics[f"clips at {band}"] = _share(fused >= level)
    minutes = np.array([item["fused"].grid.duration / 60 for item in scores])
    recoded = np.array([sample.reencoded for sample in samples])
    kinds = {
        "authentic clips": pristine,
        "null forgeries": authentic & ~pristine & ~recoded,
        "re-encoded authentic clips": recoded,
        "all of them": authentic,
    }
    return [
        {
            "kind": kind,
            "clips": int(members.sum()),
            "minutes": float(members @ minutes),
            **{name: metric(members.astype(float)) for name, metric in metrics.items()},
            "intervals": {
                name: interval(metric, draws * members) for name, metric in metrics.items()
            },
        }
        for kind, members in kinds.items()
        if members.any()
    ]


def reliability(samples: list[CachedClip], method: Method, calibration: Calibration) -> dict:
    """How many clips of each verdict band, and of each fifth of the clip scores, are forged."""
    fused = np.nan_to_num(verdict_scores([method.scores[item.annotation.file] for item in samples]))
    forged = np.array([sample.annotation.forged for sample in samples])
    bands = np.array([calibration.band(score) for score in fused])
    names = [calibration.band(level) for level in (0.0, *sorted(calibration.bands.values()))]
    parts = np.array_split(np.argsort(fused, kind="stable"), SCORE_BINS)
    return {
        "stated": {
            band: rate.share for band in BANDS if (rate := calibration.alarms(band)) is not None
        },
        "bands": [
            {"band": name, **_counts(forged[bands == name])} for name in dict.fromkeys(names)
        ],
        "scores": [
            {"mean score": float(fused[part].mean()), **_counts(forged[part])}
            for part in parts
            if len(part)
        ],
    }


def errors_by_family(samples: list[CachedClip], method: Method) -> list[dict]:
    """Quantiles of the reconstruction error inside and outside the forged steps of each family."""
    records = []
    for stream in ("visual", "audio"):
        families: dict[str, list[CachedClip]] = {}
        for sample in samples:
            if stream in sample.annotation.families and len(sample.annotation.segments[stream]):
                families.setdefault(sample.annotation.families[stream], []).append(sample)
        for family, members in sorted(families.items()):
            own = [method.scores[sample.annotation.file][stream] for sample in members]
            values = np.concatenate([item.values for item in own])
            inside = np.concatenate(
                [
                    step_labels(sample.annotation.segments[stream], item.grid)
                    for sample, item in zip(members, own, strict=True)
                ]
            )
            records.append(
                {
                    "stream": stream,
                    "family": family,
                    "clips": len(members),
                    "forged": _quantiles(values[inside]),
                    "authentic": _quantiles(values[~inside]),
                }
            )
    return records


def _share(chosen: np.ndarray) -> Metric:
    """The share of clips that are `chosen (C,) bool`."""
    return lambda weights: float(weights @ chosen / weights.sum()) if weights.any() else np.nan


def _counts(forged: np.ndarray) -> dict[str, int]:
    return {"clips": len(forged), "forged": int(forged.sum())}


def _quantiles(values: np.ndarray) -> list[float]:
    known = values[~np.isnan(values)]
    return [float(value) for value in np.quantile(known, QUANTILES)] if len(known) else []
