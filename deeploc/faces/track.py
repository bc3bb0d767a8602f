"""One followed face on the 25 Hz grid. It knows nothing about detectors or pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


def _nowhere() -> np.ndarray:
    return np.zeros(0, int)


def _no_landmarks() -> np.ndarray:
    return np.zeros((0, 5, 2), np.float32)


@dataclass(frozen=True)
class FaceTrack:
    """One face, `number` 1 being the one that is scored by default.

    `boxes (T, 4) float32` xyxy source pixels, `confidence (T,) float32`, `visible (T,) bool`.
    Where `visible` is False the face was not there and its box is NaN. `sighted (n,) int`: the
    steps at which the detector found it, and `landmarks (n, 5, 2) float32`, source pixels, what it
    found there; both are empty in a track that was loaded from a report.
    """

    number: int
    boxes: np.ndarray
    confidence: np.ndarray
    visible: np.ndarray
    sighted: np.ndarray = field(default_factory=_nowhere)
    landmarks: np.ndarray = field(default_factory=_no_landmarks)

    @property
    def presence(self) -> float:
        """Share of the clip in which the face is visible, 0..1."""
        return float(self.visible.mean()) if len(self.visible) else 0.0

    @property
    def height(self) -> float:
        """Median height in source pixels while visible."""
        boxes = self.boxes[self.visible]
        return float(np.median(boxes[:, 3] - boxes[:, 1])) if len(boxes) else 0.0
