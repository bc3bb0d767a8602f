"""Scores that carry their time grid and their meaning, so that no bare array travels through
DeepLoc.

Nothing here knows how a score was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deeploc.curves import Curve
from deeploc.timeline import FrameGrid, Timeline

Stream = Literal["visual", "audio", "fused"]  # fused: whichever of the two is forged
STREAMS: tuple[Stream, ...] = ("visual", "audio", "fused")
# What people read; the viewer has the same words in app/viewer/core/streams.js.
STREAM_LABELS: dict[Stream, str] = {
    "visual": "picture",
    "audio": "sound",
    "fused": "picture and sound",
}


@dataclass(frozen=True)
class FrameScores:
    """One value a step: `values (T,) float32`, NaN where the step could not be scored.

    `curve`: what the values mean (`deeploc.curves`), with the marks of this stream.
    """

    grid: FrameGrid
    stream: Stream
    curve: Curve
    values: np.ndarray

    def __post_init__(self) -> None:
        assert self.values.shape == (self.grid.n_frames,), self.values.shape

    @property
    def kind(self) -> str:
        return self.curve.kind

    @property
    def scored(self) -> np.ndarray:
        """`(T,) bool`, True where there is a value."""
        scored: np.ndarray = ~np.isnan(self.values)
        return scored

    @property
    def unscored(self) -> Timeline:
        return self.grid.runs(np.isnan(self.values))


def smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of the scored neighbours `(T,)`, sigma in steps; NaN stays NaN."""
    radius = int(np.ceil(3 * sigma))
    if not radius or not len(values):
        return values
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    scored = ~np.isnan(values)
    total, weight = (
        np.convolve(track, kernel)[radius : radius + len(values)]
        for track in (np.where(scored, values, 0.0), scored.astype(float))
    )
    mean: np.ndarray = np.divide(total, weight, out=np.full(len(values), np.nan), where=scored)
    return mean
