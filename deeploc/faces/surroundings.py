"""What surrounds a face: how sharp, how bright and how lively the picture is around its crop.

A generator makes the face anew and leaves the rest alone. A lens, a light, a codec or a fade
changes both. So what happens to the face alone is evidence, and what happens to all of it is none.
It knows nothing about files or models.
"""

from __future__ import annotations

import cv2
import numpy as np

from deeploc.media.clip import LazyFrame

WIDER = 2  # sides of the measured square, in sides of the crop
CELLS = 12  # on each side of that square
FLOOR = 1e-5
UNIT = 255 / 4  # grey values
LEAST_INSIDE = 0.25  # of a zone that must lie in the picture
VALUES = ("level", "fine", "change", "detail")


def _zones() -> np.ndarray:
    """`(2, 144) bool`: the cells next to the crop, and those at the outer edge."""
    distance = np.abs(np.arange(CELLS) - (CELLS - 1) / 2)
    ring = np.maximum(distance[:, None], distance[None, :])
    edge = CELLS / 2 / WIDER
    return np.stack([(ring > edge) & (ring < edge + 2), ring > edge + 2]).reshape(2, -1)


ZONES = _zones()


class SurroundingsMeter:
    """Measures around the face, picture by picture; `size`: pixels of a side of its crop."""

    def __init__(self, size: int) -> None:
        self.side = WIDER * size
        self._before: np.ndarray | None = None

    def __call__(self, frame: LazyFrame | None, square: np.ndarray) -> np.ndarray:
        """Values `(2, 4) float32` around the crop `square (4,)` xyxy of the next picture: of both
        zones the mean level and log energies, `VALUES`.

        fine: Laplacian at half the resolution of the crop; change: difference from the step before;
        detail: Laplacian. NaN without a picture, and where most of a zone lies outside of it.
        """
        values = np.full((len(ZONES), len(VALUES)), np.nan, np.float32)
        if frame is None or np.isnan(square[0]):
            self._before = None
            return values
        left, top, right, bottom = _widened(square)
        luma = frame.luma
        grey, before = (
            None if picture is None else self._cut(picture, left, top, right, bottom)
            for picture in (luma, self._before)
        )
        self._before = luma
        assert grey is not None
        half = _halved(grey)
        change = None if before is None else half - _halved(before)
        cells = np.stack(
            [
                _means(grey) / UNIT,
                _log_energy(cv2.Laplacian(half, cv2.CV_32F)),
                np.full(CELLS**2, np.nan) if change is None else _log_energy(change),
                _log_energy(cv2.Laplacian(grey, cv2.CV_32F)),
            ],
            axis=1,
        )
        height, width = luma.shape
        columns, rows = np.linspace(left, right, CELLS + 1), np.linspace(top, bottom, CELLS + 1)
        across = (columns[:-1] >= -1) & (columns[1:] <= width + 1)
        down = (rows[:-1] >= -1) & (rows[1:] <= height + 1)
        inside = (down[:, None] & across[None, :]).ravel()
        for zone, row in zip(ZONES, values, strict=True):
            if (zone & inside).sum() >= LEAST_INSIDE * zone.sum():
                row[:] = cells[zone & inside].mean(0)
        return values

    def _cut(self, luma: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        """The square `(W, W) float32`, with the edge of the picture repeated outside of it."""
        height, width = luma.shape
        part = luma[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        outside = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
        part = cv2.copyMakeBorder(part, *outside, borderType=cv2.BORDER_REPLICATE)
        smaller = right - left > self.side
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        cut: np.ndarray = cv2.resize(part.astype(np.float32), (self.side,) * 2, interpolation=how)
        return cut


def _widened(square: np.ndarray) -> tuple[int, int, int, int]:
    """The square around it that is measured, in whole pixels."""
    x, y = (square[:2] + square[2:]) / 2
    half = WIDER * (square[2] - square[0]) / 2
    left, top, side = round(float(x - half)), round(float(y - half)), max(1, round(float(2 * half)))
    return left, top, left + side, top + side


def _halved(grey: np.ndarray) -> np.ndarray:
    half: np.ndarray = cv2.resize(grey, (len(grey) // 2,) * 2, interpolation=cv2.INTER_AREA)
    return half


def _means(values: np.ndarray) -> np.ndarray:
    """`(W, W) float32` -> `(144,)`: means of the cells."""
    means: np.ndarray = cv2.resize(values, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return means.ravel()


def _log_energy(values: np.ndarray) -> np.ndarray:
    energy: np.ndarray = np.log(_means(np.square(values / UNIT)) + FLOOR)
    return energy
