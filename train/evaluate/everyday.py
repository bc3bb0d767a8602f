"""How often a checkpoint flags honest clips: as they are, by footage, and under each kind of
everyday change; and how many forged clips it still finds there.

It reads forgery scores alone. It knows neither how they were made nor how tables look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeploc.calibration import FOOTAGES, Calibration, Rate
from deeploc.checkpoints import load_checkpoint
from deeploc.evidence import forgery_scores
from deeploc.postprocess import to_timeline, verdict_score
from deeploc.scores import STREAMS, FrameScores, Stream
from train.calibrate import count_clips
from train.data.cache import CachedClip
from train.data.evidence_store import EvidenceStore
from train.evaluate.protocol import ALARMS
from train.everyday.kinds import KINDS, is_held_out

AS_THEY_ARE, TRAINED, HELD_OUT, ALL_KINDS, FORGED = (
    "all clips as they are",
    "all kinds trained on",
    "all held-out kinds",
    "all kinds",
    "forged clips",
)


@dataclass(frozen=True)
class Verdict:
    """What a checkpoint says of one clip: its score, NaN where it gives none, the intervals that it
    finds by stream, and how many minutes it looked at."""

    clip: CachedClip
    score: float
    alarms: Mapping[Stream, int]
    minutes: float

    @property
    def group(self) -> str | None:
        """The group that it is counted in; of a forged clip that of an authentic one like it."""
        if self.clip.annotation.forged and not self.clip.audio_only:
            return self.clip.annotation.change or self.clip.footage
        return self.clip.honest_group


def verdict(
    clip: CachedClip, curves: Mapping[Stream, FrameScores], calibration: Calibration
) -> Verdict:
    """The verdict on a clip, from its forgery scores."""
    score = verdict_score(curves)
    alarms = {
        stream: len(to_timeline(curves[stream], calibration.thresholds[stream]))
        for stream in STREAMS
        if stream in calibration.thresholds
    }
    minutes = curves["fused"].grid.duration / 60
    return Verdict(clip, np.nan if score is None else score, alarms, minutes)


def verdicts(
    checkpoint: Path, clips: Sequence[CachedClip], measured: EvidenceStore
) -> tuple[list[Verdict], Calibration]:
    """The verdicts of a checkpoint on clips, by their raw evidence, and its calibration; none of a
    checkpoint that was never calibrated. No error is needed."""
    model, _ = load_checkpoint(checkpoint)
    if not model.calibration.clips:
        return [], model.calibration
    pairs = zip(clips, measured.standardised(model), strict=True)
    found = [verdict(clip, forgery_scores(model, own), model.calibration) for clip, own in pairs]
    return found, model.calibration


def by_change(found: Sequence[Verdict], calibration: Calibration) -> list[dict[str, Any]]:
    """One record for each footage as it is and each kind of everyday change, then for several
    together; nothing where no clip is changed and no footage is named.

    `clips` are authentic ones that get a verdict; `unscored` get none. Shares have Wilson's
    interval (`deeploc.calibration.Rate`). "as they are": how many of the very same clips are
    flagged without the change. `footage`: the clips of each footage among them. `forged`: how many
    forged clips are flagged.
    """
    named = {item.group for item in found if item.group}
    if not named - {FOOTAGES[-1]}:
        return []
    kinds = [kind for kind in KINDS if kind in named]
    kinds += sorted(named - {*kinds, *FOOTAGES})
    unseen = set(filter(is_held_out, kinds))
    groups = {name: {name} for name in (*FOOTAGES, *kinds)} | {
        AS_THEY_ARE: set(FOOTAGES),
        TRAINED: set(kinds) - unseen,
        HELD_OUT: unseen,
        ALL_KINDS: set(kinds),
    }
    untouched = {
        item.clip.annotation.file: item for item in found if item.clip.honest_group in FOOTAGES
    }
    return [
        {
            "name": name,
            "group": KINDS[name].group if name in KINDS else None,
            "held_out": bool(group) and group <= unseen,
            **_record(members, untouched, calibration),
        }
        for name, group in groups.items()
        if (members := [item for item in found if item.group in group])
    ]


def clip_groups(clips: Sequence[CachedClip]) -> dict[str, np.ndarray]:
    """By name the clips of several groups together, `(C,) bool`: honest ones as they are, of each
    named footage, under kinds that are trained on or held out; and forged ones as they are."""
    own = [clip.honest_group for clip in clips]
    named = np.array([group is not None for group in own])
    as_they_are = np.array([group in FOOTAGES for group in own])
    unseen = np.array([is_held_out(clip.annotation.change) for clip in clips])
    forged = [clip.annotation.forged and not clip.annotation.change for clip in clips]
    return {
        AS_THEY_ARE: as_they_are,
        **{name: np.array([group == name for group in own]) for name in FOOTAGES[:-1]},
        TRAINED: named & ~as_they_are & ~unseen,
        HELD_OUT: named & unseen,
        ALL_KINDS: named & ~as_they_are,
        FORGED: np.array(forged),
    }


def _record(
    members: Sequence[Verdict], untouched: Mapping[str, Verdict], calibration: Calibration
) -> dict[str, Any]:
    honest = [item for item in members if not item.clip.annotation.forged]
    judged = [item for item in honest if not np.isnan(item.score)]
    forged = [item for item in members if item.clip.annotation.forged]
    counts = _counts(judged, calibration)
    minutes = sum(item.minutes for item in judged)
    originals = {item.clip.annotation.original for item in judged if item.clip.annotation.change}
    same = [item for file, item in untouched.items() if file in originals]
    rates = {
        f"clips at {band}": Rate(counts[band], counts["clips"], counts["independent"])
        for band in calibration.bands
        if judged
    }
    return {
        **counts,
        "unscored": len(honest) - len(judged),
        "minutes": minutes,
        **{name: rate.share for name, rate in rates.items()},
        "intervals": {name: list(rate.interval) for name, rate in rates.items()},
        **{
            f"{ALARMS}, {stream}": float(sum(item.alarms[stream] for item in judged) / minutes)
            for stream in STREAMS
            if minutes and stream in calibration.thresholds
        },
        "as they are": _flagged([item for item in same if not np.isnan(item.score)], calibration),
        "footage": {
            footage: _flagged(own, calibration)
            for footage in FOOTAGES
            if (own := [item for item in judged if item.clip.footage == footage])
        },
        "forged": _flagged(forged, calibration),
    }


def _counts(found: Sequence[Verdict], calibration: Calibration) -> dict[str, int]:
    if not found:
        return {"clips": 0, "people": 0, "independent": 0, **dict.fromkeys(calibration.bands, 0)}
    scores = np.array([item.score for item in found])
    return count_clips(scores, np.array([item.clip.person for item in found]), calibration.bands)


def _flagged(found: Sequence[Verdict], calibration: Calibration) -> dict[str, int]:
    flagged = sum(item.score >= calibration.bands["some"] for item in found)
    return {"clips": len(found), "some": int(flagged)}
