"""Calibration: thresholds and percentiles of a checkpoint, from authentic validation clips alone.

    python -m train calibrate RUN/model RUN/cache --forged "real generators" SPLICES

`discover` does it at its end; this verb does it anew, without training, and counts misses on forged
clips of other caches. Neither forged clips nor test clips set anything: thresholds state how often
an authentic clip is flagged, not how well forgeries are found.

**The rule.** A level lies as low as it can while, of each of these, at most the stated share of the
clips reaches it: all clips; all groups, each of which counts alike, however many clips it has; the
clips of each footage as they are. A group is a footage as it is, or a kind of everyday change. One
more clip, which nobody has seen and which is flagged, is counted among them: so 3 of 41 may be
flagged at 10 %, since 4 of 42 are less and 5 of 42 are more. A footage of so few clips that no
level could keep that promise (fewer than 9 at 10 %, 49 at 2 %) only counts among the others; where
even all clips together are so few, the level lies above every one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from deeploc.calibration import ALL, FOOTAGES, Calibration
from deeploc.checkpoints import load_checkpoint
from deeploc.errors import DeepLocError
from deeploc.evidence import Evidence, error_scores, forgery_scores
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.postprocess import clip_score, verdict_score
from deeploc.scores import STREAMS
from train.config import CachePath
from train.data.cache import CachedClip, load_cache
from train.data.evidence_store import measure_clips
from train.engine.checkpointing import save_model
from train.everyday.kinds import is_held_out, without_held_out

MARKS = (50, 95, 99)
FALSE_ALARMS = {"some": 0.1, "strong": 0.02}
SAMPLED = 20_000_000  # values that a percentile is taken of; with fewer, of all
SELF_MADE = "self-made"
ABOVE = 1e-4  # how far a level lies above the highest score that it may not flag


def calibrate(
    model: RTDeepLoc, clips: Sequence[CachedClip], evidence: Sequence[Evidence]
) -> Calibration:
    """Levels by the rule of this module, and how many clips reach them, by group; error percentiles
    by stream, of untouched authentic clips.

    `evidence` of each of `clips`. Every clip that counts is read once, and only the evidence of
    untouched clips needs an error. Percentiles of many clips are taken over a random part of each.
    Raises `DeepLocError` where no authentic clip has a score.
    """
    honest = _honest(clips)
    marks = _ErrorMarks(sum(clip.pristine for clip, _ in honest))
    scores: dict[str, list[float]] = {stream: [] for stream in STREAMS}
    for clip, number in honest:
        found = evidence[number]
        if clip.pristine:
            marks.add(found)
        for stream, score in clip_scores(model, found).items():
            scores[stream].append(score)
    groups = np.array([clip.honest_group for clip, _ in honest])
    people = np.array([clip.person for clip, _ in honest])
    by_stream = {stream: np.array(values) for stream, values in scores.items()}
    fused = by_stream["fused"]
    bands = {band: level(fused, groups, rate) for band, rate in FALSE_ALARMS.items()}
    bands["strong"] = max(bands.values())  # a noisy footage may lift "some" alone
    thresholds = {
        stream: level(values, groups, FALSE_ALARMS["some"])
        for stream, values in by_stream.items()
        if not np.isnan(values).all()
    }
    known = ~np.isnan(fused)
    members = {ALL: known} | {
        group: known & (groups == group) for group in sorted(set(groups), key=_in_order)
    }
    return Calibration(
        error_marks=marks.percentiles(),
        thresholds=thresholds | {"fused": bands["some"]},
        bands=bands,
        honest={
            group: count_clips(fused[own], people[own], bands)
            for group, own in members.items()
            if own.any()
        },
        forged=count_forged(model, clips, evidence, bands, SELF_MADE),
    )


def some_level(
    model: RTDeepLoc, clips: Sequence[CachedClip], evidence: Sequence[Evidence]
) -> float:
    """The level of "some" alone, as `calibrate` sets it."""
    honest = _honest(clips)
    scores = [clip_scores(model, evidence[number])["fused"] for _, number in honest]
    groups = [clip.honest_group for clip, _ in honest]
    return level(np.array(scores), np.array(groups), FALSE_ALARMS["some"])


def _honest(clips: Sequence[CachedClip]) -> list[tuple[CachedClip, int]]:
    """The clips that set levels, with their numbers."""
    kinds = {clip.annotation.change for clip in clips}
    assert not any(map(is_held_out, kinds)), "a held-out kind is never calibrated on"
    return [(clip, number) for number, clip in enumerate(clips) if clip.honest_group]


def level(scores: np.ndarray, groups: np.ndarray, rate: float) -> float:
    """The lowest level that keeps the rule of this module at a `rate` of flagged clips.

    `scores (C,)`, NaN where a clip has none; `groups (C,)` names. Raises `DeepLocError` where no
    clip has a score.
    """
    known = ~np.isnan(scores)
    if not known.any():
        raise DeepLocError("No authentic validation clip has a score: nothing to calibrate on.")
    scores, groups = scores[known], groups[known]
    order = np.argsort(-scores, kind="stable")
    alike = np.zeros(len(scores))
    promises = [(np.ones(len(scores)), True)]
    for group in set(groups):
        own = (groups == group).astype(float)
        alike += own / own.sum()
        if group in FOOTAGES:
            promises.append((own, False))
    promises.append((alike, True))
    highest = [
        scores[order][np.argmax(np.cumsum(weights[order]) > allowed)]
        for weights, always in promises
        if (allowed := _allowed(weights, rate)) >= 0 or always
    ]
    return round(float(min(1.0, max(highest) + ABOVE)), 4)


def _allowed(weights: np.ndarray, rate: float) -> float:
    """How much of the weight may be flagged, so that it is at most `rate` of all when one more clip
    is flagged, of the largest weight."""
    return float(rate * (weights.sum() + weights.max()) - weights.max()) + 1e-9


def clip_scores(model: RTDeepLoc, evidence: Evidence) -> dict[str, float]:
    """The score of a clip by stream, NaN where too little was scored; `fused` is the verdict's."""
    curves = forgery_scores(model, evidence)
    found = {stream: clip_score(curve) for stream, curve in curves.items()}
    found["fused"] = verdict_score(curves)
    return {stream: np.nan if score is None else score for stream, score in found.items()}


def count_clips(scores: np.ndarray, people: np.ndarray, bands: dict[str, float]) -> dict[str, int]:
    """How many clips there are, and reach each band; NaN reaches none. See `Calibration.honest`."""
    reached = {band: scores >= height for band, height in bands.items()}
    return {
        "clips": len(scores),
        "people": len(set(people)),
        "independent": independent_clips(reached["some"], people),
        **{band: int(flagged.sum()) for band, flagged in reached.items()},
    }


def independent_clips(flagged: np.ndarray, people: np.ndarray) -> int:
    """How many clips of different people would tell the share of `flagged (C,) bool` as exactly.

    By the variance of the share between the `people (C,)`; where all or no clips are flagged, as
    though all clips of a person were one.
    """
    _, own = np.unique(people, return_inverse=True)
    clips = np.bincount(own).astype(float)
    if len(clips) in (1, len(people)):
        return len(clips)
    share = flagged.mean()
    apart = np.bincount(own, flagged) - share * clips
    variance = len(clips) / (len(clips) - 1) * np.square(apart).sum() / len(people) ** 2
    if not 0 < share < 1:
        return int(len(people) ** 2 / np.square(clips).sum())
    return int(np.clip(share * (1 - share) / max(variance, 1e-12), 1, len(people)))


def count_forged(
    model: RTDeepLoc,
    clips: Sequence[CachedClip],
    evidence: Sequence[Evidence],
    bands: dict[str, float],
    name: str,
) -> dict[str, dict[str, int]]:
    """How many forged clips reach each band, under `name`; nothing where there are none. Clips of
    sound alone and those under an everyday change don't count."""
    forged = [
        (clip, number)
        for number, clip in enumerate(clips)
        if clip.annotation.forged and not (clip.annotation.change or clip.audio_only)
    ]
    if not forged:
        return {}
    scores = [clip_scores(model, evidence[number])["fused"] for _, number in forged]
    people = [clip.person for clip, _ in forged]
    return {name: count_clips(np.array(scores), np.array(people), bands)}


class _ErrorMarks:
    """Percentiles of the error of `clips` clips, of which a random part is kept."""

    def __init__(self, clips: int) -> None:
        self.rng = np.random.default_rng(0)
        self.limit = max(1, SAMPLED // max(1, clips))
        self.sampled: dict[str, list[np.ndarray]] = {name: [] for name in (*STREAMS, "cell", "row")}

    def add(self, evidence: Evidence) -> None:
        curves: dict[str, np.ndarray] = {
            stream: curve.values for stream, curve in error_scores(evidence).items()
        }
        curves |= {"cell": evidence.face_error.ravel(), "row": evidence.sound_error.ravel()}
        for name, values in curves.items():
            few = len(values) <= self.limit
            self.sampled[name].append(values if few else self.rng.choice(values, self.limit))

    def percentiles(self) -> dict[str, list[float]]:
        """By name, where anything was measured."""
        values = {name: np.concatenate(own) for name, own in self.sampled.items() if own}
        return {
            name: [round(float(v), 4) for v in np.nanpercentile(own, MARKS)]
            for name, own in values.items()
            if not np.isnan(own).all()
        }


def _in_order(group: str) -> tuple[int, str]:
    """Footages first, then kinds by name."""
    return (FOOTAGES.index(group) if group in FOOTAGES else len(FOOTAGES)), group


def recalibrate(
    checkpoint: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CHECKPOINT")],
    cache: CachePath,
    forged: tyro.conf.UseAppendAction[tuple[tuple[str, Path], ...]] = (),
    evidence: Path | None = None,
    out: Path | None = None,
    workers: int = 1,
) -> None:
    """Set the levels of a checkpoint anew, on the validation split of a cache.

    Args:
        checkpoint: checkpoint folder
        forged: name and folder of another cache whose forged validation clips are counted
        evidence: folder of measured clips (default: CACHE/evidence)
        out: folder of the result (default: CHECKPOINT)
        workers: processes that measure evidence
    """
    model, info = load_checkpoint(checkpoint)
    clips = without_held_out(load_cache(cache, "dev"))
    measured = measure_clips(checkpoint, clips, evidence or cache / "evidence", workers)
    scale = calibrate(model, clips, measured.standardised(model))
    for name, folder in forged:
        others = without_held_out(load_cache(folder, "dev"))
        raw = measure_clips(checkpoint, others, folder / "evidence", workers)
        found = count_forged(model, others, raw.standardised(model), scale.bands, name)
        scale = replace(scale, forged=scale.forged | found)
    save_model(model.calibrated(scale, info.name).half(), out or checkpoint)
    print("\n".join(summary(scale)))


def summary(scale: Calibration) -> list[str]:
    """The levels and the counts, as lines of text."""
    lines = [f"{band} from {height}" for band, height in scale.bands.items()]
    for group, counts in scale.honest.items():
        rate = scale.alarms("some", group)
        if rate:
            low, high = rate.interval
            lines.append(
                f"{group}: {counts['some']} of {counts['clips']} authentic clips at some "
                f"({100 * low:.1f}-{100 * high:.1f} %), {counts['strong']} at strong"
            )
    for name, counts in scale.forged.items():
        lines.append(f"{name}: {counts['some']} of {counts['clips']} forged clips at some")
    return lines


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(recalibrate, args=arguments, prog="python -m train calibrate", description=__doc__)
