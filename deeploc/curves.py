"""The curves that a report may hold: what each means, its unit and scale, whether it proposes.

A view draws a curve from its definition alone. A new one is a definition here and, in
`Report.scores`, its values (`deeploc.scores.FrameScores`); nothing else has to know of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

PERCENTILES = ("p50", "p95", "p99")  # of authentic validation clips


@dataclass(frozen=True)
class Mark:
    """A level on a curve's axis that has a name."""

    name: str
    level: float


@dataclass(frozen=True)
class Curve:
    """One kind of value a step.

    `kind`: the key in JSON and in the columns of tables. `label`, `description`: for people.
    `unit`: its symbol, "" for a pure number. `range`: lower and upper end of the axis; an upper end
    of None follows marks and values. `marks`: named levels from low to high. `usual`: the mark that
    authentic clips usually stay below, "" for none. `proposes`: whether proposals, clip score and
    timeline come from it; any other curve is only shown.
    """

    kind: str
    label: str
    description: str
    unit: str = ""
    range: tuple[float, float | None] = (0.0, None)
    marks: tuple[Mark, ...] = ()
    usual: str = ""
    proposes: bool = False

    @property
    def usual_level(self) -> float | None:
        """Where the usual mark is; None without one."""
        return next((mark.level for mark in self.marks if mark.name == self.usual), None)

    @property
    def title(self) -> str:
        """Label and unit, for an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def top(self, peak: float) -> float:
        """The upper end of the axis, for values up to `peak`; app/viewer/curves/axis.js agrees.

        Marks fix it, so that clips compare; only a clip that leaves the scale stretches it.
        """
        low, high = self.range
        if high is not None:
            return high + 0.02 * (high - low)
        fixed = 2 * self.marks[-1].level if self.marks else low + 1.0
        return max(fixed, 1.06 * peak)

    def column(self, stream: str) -> str:
        """The name of a column of this curve in one stream, such as `error_visual_sd`."""
        unit = re.sub(r"\W+", "_", self.unit.lower()).strip("_")
        return "_".join(part for part in (self.kind, stream, unit) if part)

    def with_percentiles(self, levels: Sequence[float]) -> Curve:
        """The same curve, its marks at the p50, p95 and p99 of authentic clips; none for none."""
        marks = (Mark(name, level) for name, level in zip(PERCENTILES, levels, strict=False))
        return replace(self, marks=tuple(marks))


RECONSTRUCTION_ERROR = Curve(
    kind="error",
    label="Reconstruction error",
    description="Two-sided surprise of the autoencoder against the rest of the clip, in standard "
    "deviations of authentic clips.",
    unit="sd",
    usual="p95",
)
FORGERY_SCORE = Curve(
    kind="forgery",
    label="Forgery score",
    description="What the forgery discovery network makes of the evidence: 1 = forged.",
    range=(0.0, 1.0),
    proposes=True,
)
CURVES = (RECONSTRUCTION_ERROR, FORGERY_SCORE)
