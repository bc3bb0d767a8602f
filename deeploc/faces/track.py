"""One followed face on the 25 Hz grid. It knows nothing about detectors or pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FaceTrack:
    """One face, `number` 1 being the one that is scored by default.

    `boxes (T, 4) float32` xyxy source pixels, `confidence (T,) float32`, `visible (T,) bool`.
    Where `visible` is False the face was not there and its box is NaN.
    """

    number: int
    boxes: np.ndarray
    confidence: np.ndarray
    visible: np.ndarray

    @property
    def presence(self) -> float:
        """Share of the clip in which the face is visible, 0..1."""
        return float(self.visible.mean()) if len(self.visible) else 0.0

    @property
    def height(self) -> float:
        """Median height in source pixels while visible."""
        boxes = self.boxes[self.visible]
        return float(np.median(boxes[:, 3] - boxes[:, 1])) if len(boxes) else 0.0
