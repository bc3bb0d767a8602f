"""Scores that carry their time grid, so that no bare array travels through DeepLoc.

Nothing here knows how a score was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deeploc.timeline import (
    FrameGrid,
    Timeline,
)

Stream = Literal["visual", "audio", "fused"]  # fused: whichever of the two is forged
STREAMS: tuple[Stream, ...] = ("visual", "audio", "fused")
Kind = Literal["error", "forgery"]


@dataclass(frozen=True)
class FrameScores:
    """One value a step: `values (T,) float32`, NaN where the step could not be scored.

    `kind` is `"error"` (two-sided surprise of the MAE, against the rest of the clip: 0 = as usual
    there, unbounded above) or `"forgery"` (score of the forgery discovery network, 0..1).
    """

    grid: FrameGrid
    stream: Stream
    kind: Kind
    values: np.ndarray

    def __post_init__(self) -> None:
        assert self.values.shape == (self.grid.n_frames,), self.values.shape

    @property
    def scored(self) -> np.ndarray:
        """`(T,) bool`, True where there is a value."""
        return ~np.isnan(self.values)

    @property
    def unscored(self) -> Timeline:
        return self.grid.runs(np.isnan(self.values))
