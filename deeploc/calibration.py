"""The fixed scale of a checkpoint, measured on authentic validation clips, stored with the weights.

Standard library only. Nothing here knows how the numbers were measured (`train/calibrate.py` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Band = Literal["none", "some", "strong", "unscored"]  # evidence of forgery in a clip
BANDS: tuple[Band, ...] = ("unscored", "none", "some", "strong")
UNCALIBRATED_MARKS = [1.0, 2.0, 3.0]


@dataclass(frozen=True)
class Calibration:
    """What "high" means for this checkpoint.

    `error_marks`: p50, p95, p99 of the error on authentic validation clips, by stream, and of a
    single cell of the face under "cell", of a single row of the sound under "row".
    `thresholds`: forgery score at which a step joins the timeline, by stream.
    `bands`: clip score from which evidence is called "some" and "strong".
    `false_alarms`: measured share of authentic validation clips at or above each band.
    `clips`: how many authentic validation clips these were measured on; 0 = untrained.
    """

    error_marks: dict[str, list[float]] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    bands: dict[str, float] = field(default_factory=dict)
    false_alarms: dict[str, float] = field(default_factory=dict)
    clips: int = 0

    def band(self, video_score: float | None) -> Band:
        """The band of a clip score; "unscored" too where this checkpoint is untrained."""
        if not self.clips or video_score is None:
            return "unscored"
        if video_score >= self.bands["strong"]:
            return "strong"
        return "some" if video_score >= self.bands["some"] else "none"


def heat_scale(marks: Mapping[str, list[float]], part: str = "cell") -> list[float]:
    """The one fixed scale of every heat map: p50, p95, p99 and 2 p99 of `part`, "cell" or "row".

    Nothing shows up to the first value; the last one is the hottest. A checkpoint without marks of
    the rows of the sound lends them those of the cells, which are standardised alike.
    """
    p50, p95, p99 = marks.get(part) or marks.get("cell") or UNCALIBRATED_MARKS
    return [round(mark, 3) for mark in (p50, p95, p99, 2 * p99)]
