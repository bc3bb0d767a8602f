"""The fixed scale of a checkpoint, measured on authentic validation clips, stored with the weights.

Standard library only. Nothing here knows how the numbers were measured (`train/calibrate.py` does).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Band = Literal["none", "some", "strong", "unscored"]  # evidence of forgery in a clip
BANDS: tuple[Band, ...] = ("unscored", "none", "some", "strong")
UNCALIBRATED_MARKS = [1.0, 2.0, 3.0]
ALL = "all"
FOOTAGES = ("laboratory", "ordinary", "other")  # groups of clips as they are
NORMAL_95 = 1.959964  # two-sided


@dataclass(frozen=True)
class Rate:
    """`flagged` of `clips`, which say as much as `independent` clips of different people would."""

    flagged: int
    clips: int
    independent: int | None = None

    @property
    def share(self) -> float:
        return self.flagged / self.clips

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share; where clips depend on each other, of as many as are
        independent."""
        n = self.independent or self.clips
        shrink = 1 + NORMAL_95**2 / n
        middle = (self.share + NORMAL_95**2 / (2 * n)) / shrink
        spread = self.share * (1 - self.share) / n + (NORMAL_95 / (2 * n)) ** 2
        half = NORMAL_95 * math.sqrt(spread) / shrink
        low = max(0.0, middle - half) if self.flagged else 0.0
        return low, min(1.0, middle + half) if self.flagged < self.clips else 1.0


@dataclass(frozen=True)
class Calibration:
    """What "high" means for this checkpoint.

    `error_marks`: p50, p95, p99 of the error on authentic validation clips, by stream, and of a
    single cell of the face under "cell", of a single row of the sound under "row".
    `thresholds`: forgery score at which a step joins the timeline, by stream.
    `bands`: clip score from which evidence is called "some" and "strong".
    `honest`: by group, how many authentic validation clips there were ("clips") and how many reach
    each band ("some", "strong"); also how many people are in them ("people"), and how many
    clips of different people would say as much ("independent"). Groups: "all", then clips as they
    are by footage (`FOOTAGES`), then those under each kind of everyday change.
    `forged`: the same of forged validation clips, by where these come from.
    """

    error_marks: dict[str, list[float]] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    bands: dict[str, float] = field(default_factory=dict)
    honest: dict[str, dict[str, int]] = field(default_factory=dict)
    forged: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Calibration:
        """A calibration from plain data; what is not known is left out.

        Checkpoints and reports of before say only which share of how many clips was flagged.
        """
        known = {each.name: data[each.name] for each in fields(cls) if each.name in data}
        if data.get("clips") and "honest" not in data:
            shares: Mapping[str, float] = data.get("false_alarms", {})
            flagged = {band: round(share * data["clips"]) for band, share in shares.items()}
            known["honest"] = {ALL: {"clips": data["clips"], **flagged}}
        return cls(**known)

    @property
    def clips(self) -> int:
        """How many authentic validation clips the bands were set on; 0 = untrained."""
        return self.honest.get(ALL, {}).get("clips", 0)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of everyday change among the groups, those that are flagged most first."""
        rates = {name: self.alarms("some", name) for name in self.honest}
        shares = {name: rate.share for name, rate in rates.items() if rate}
        kinds = [name for name in shares if name not in (ALL, *FOOTAGES)]
        return tuple(sorted(kinds, key=lambda name: -shares[name]))

    def alarms(self, band: Band, group: str = ALL) -> Rate | None:
        """How many authentic validation clips of a group reach a band; None: not known."""
        return _rate(self.honest.get(group, {}), band)

    def misses(self, name: str) -> Rate | None:
        """How many forged validation clips don't even reach "some"; None: not known."""
        found = _rate(self.forged.get(name, {}), "some")
        return found and Rate(found.clips - found.flagged, found.clips, found.independent)

    def band(self, video_score: float | None) -> Band:
        """The band of a clip score; "unscored" too where this checkpoint is untrained."""
        if not self.clips or video_score is None:
            return "unscored"
        if video_score >= self.bands["strong"]:
            return "strong"
        return "some" if video_score >= self.bands["some"] else "none"


def _rate(counts: Mapping[str, int], band: Band) -> Rate | None:
    if not counts.get("clips") or band not in counts:
        return None
    return Rate(counts[band], counts["clips"], counts.get("independent"))


def heat_scale(marks: Mapping[str, list[float]], part: str = "cell") -> list[float]:
    """The one fixed scale of every heat map: p50, p95, p99 and 2 p99 of `part`, "cell" or "row".

    Nothing shows up to the first value; the last one is the hottest. A checkpoint without marks of
    the rows of the sound lends them those of the cells, which are standardised alike.
    """
    p50, p95, p99 = marks.get(part) or marks.get("cell") or UNCALIBRATED_MARKS
    return [round(mark, 3) for mark in (p50, p95, p99, 2 * p99)]
