"""The square of the picture that the model looks at, cut out and scaled.

It knows nothing about detection: it is given a track.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from deeploc.faces.track import FaceTrack
from deeploc.media.clip import LazyFrame

CROP_MARGIN = 1.1


def crop_squares(track: FaceTrack) -> np.ndarray:
    """`(T, 4) float32` xyxy source pixels: squares 1.1 face heights wide, NaN where unseen.

    The mouth lies in the middle of the lowest third. Squares may reach outside the picture.
    """
    centre = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
    half = (track.boxes[:, 3:] - track.boxes[:, 1:2]) * CROP_MARGIN / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def crop_faces(
    frames: Iterable[LazyFrame], squares: np.ndarray, size: int
) -> Iterator[np.ndarray | None]:
    """One `(size, size, 3) uint8` face a step of a clip's `frames`, None where the face is unseen.

    Yields exactly `len(squares)` items, None too where the picture can't be decoded.
    """
    steps = 0
    for frame, square in zip(frames, squares, strict=False):
        steps += 1
        yield None if np.isnan(square[0]) else _cut(frame, square, size)
    for _ in range(steps, len(squares)):
        yield None


def _cut(frame: LazyFrame, square: np.ndarray, size: int) -> np.ndarray:
    left, top = np.floor(square[:2]).astype(int)
    right, bottom = np.ceil(square[2:]).astype(int)
    height, width = frame.height, frame.width
    inside = frame.region((max(left, 0), max(top, 0), min(right, width), min(bottom, height)))
    rows, columns = (max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0))
    patch = Image.fromarray(np.pad(inside, (rows, columns, (0, 0)), mode="edge"))
    x0, y0, x1, y1 = (float(edge) for edge in square)
    box = (x0 - left, y0 - top, x1 - left, y1 - top)
    return np.asarray(patch.resize((size, size), Image.Resampling.BILINEAR, box=box))
