"""Windows: the fixed-length pieces that the MAE sees, and steps put together again from them.

Used the same way by the localizer and by training. It knows nothing about networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from deeploc.preprocess.audio import MEL_PER_STEP


@dataclass(frozen=True)
class Window:
    """K consecutive steps from step `start` of a clip.

    `faces (K, H, W, 3) uint8` (zeros where unseen), `mel (4K, M) float32`; `seen`, `heard` are
    `(K,) bool`.
    """

    start: int
    faces: np.ndarray
    mel: np.ndarray
    seen: np.ndarray
    heard: np.ndarray


def window_starts(n_frames: int, length: int, stride: int) -> list[int]:
    """First steps of windows that cover all `n_frames >= length` steps; the last ends there."""
    assert n_frames >= length, (n_frames, length)
    starts = list(range(0, n_frames - length + 1, stride))
    if starts[-1] != n_frames - length:
        starts.append(n_frames - length)
    return starts


def cut_windows(
    faces: Iterable[np.ndarray | None],
    mel: np.ndarray,
    heard: np.ndarray,
    size: int,
    length: int,
    stride: int,
) -> Iterator[Window]:
    """Cut a stream of `len(heard)` faces (None = unseen) and its log-mel into windows.

    Holds one window of faces at a time, whatever the length of the clip.
    """
    n_frames = len(heard)
    starts = window_starts(n_frames, length, stride)
    held: list[np.ndarray | None] = []
    first, upcoming = 0, iter(faces)
    for start in starts:
        held = held[start - first :]
        first = start
        while len(held) < length:
            held.append(next(upcoming))
        seen = np.array([face is not None for face in held])
        blank = np.zeros((size, size, 3), np.uint8)
        yield Window(
            start,
            np.stack([blank if face is None else face for face in held]),
            mel[MEL_PER_STEP * start : MEL_PER_STEP * (start + length)],
            seen,
            heard[start : start + length],
        )


class OverlapAdd:
    """Means of overlapping pieces: `add(start, (K, ...))`, then `mean() (T, ...)`.

    NaN values do not count; a value that no piece gave stays NaN.
    """

    def __init__(self, n_frames: int, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros((n_frames, *shape), np.float32)
        self._count = np.zeros((n_frames, *shape), np.uint8)

    def add(self, start: int, values: np.ndarray) -> None:
        known = ~np.isnan(values)
        span = slice(start, start + len(values))
        self._sum[span] += np.where(known, values, 0)
        self._count[span] += known

    def mean(self, start: int = 0, end: int | None = None) -> np.ndarray:
        """Means of the steps `[start, end)`, of all of them by default."""
        total, count = self._sum[start:end], self._count[start:end]
        with np.errstate(invalid="ignore"):
            return np.where(count > 0, total / np.maximum(count, 1), np.nan)
