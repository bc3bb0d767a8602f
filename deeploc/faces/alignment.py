"""Faces turned, scaled and moved so that eyes and mouth are always in the same place.

A similarity transform for every 25 Hz step, from the landmarks of a track, smoothed over time. What
is cut out with it holds the surroundings too: hair, chin, and background on either side. Training
and inference align in the same way. Nothing here detects, and nothing here knows about models.

Places are in units of the side of the aligned square, x to the right and y down, from its top left
corner; `TEMPLATE` says where the landmarks lie in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from deeploc.faces.track import FaceTrack
from deeploc.media.clip import Clip, LazyFrame

# left eye, right eye, nose, left and right corner of the mouth, as seen in the picture
TEMPLATE = np.array(
    [(0.365, 0.420), (0.635, 0.420), (0.500, 0.574), (0.388, 0.732), (0.612, 0.732)]
)
MIDDLE = TEMPLATE.mean(0)
MOVE_FRAMES, TURN_FRAMES = 4.0, 12.0  # smoothing of where the face is; of its size and tilt
NEIGHBOURS = 5  # sightings, among which one that stands out is a mistake
FARTHEST = 0.12  # of the square's side, how far a sighting may lie from what its neighbours say
MOST_SCALED, MOST_TURNED = 0.15, 0.2  # likewise: log of the size, radians


@dataclass(frozen=True)
class Alignment:
    """Where the aligned square lies in the picture, step by step.

    `middle (T, 2)`: source pixels of `MIDDLE`; `side (T,)`: source pixels along the square; `tilt
    (T,)`: radians, clockwise as seen. All are finite: where the face is missing they are
    interpolated. `seen (T,) bool` says where it is there.
    """

    middle: np.ndarray
    side: np.ndarray
    tilt: np.ndarray
    seen: np.ndarray

    def matrices(self, size: int, margin: float = 0.0) -> np.ndarray:
        """`(T, 2, 3) float64`: from pixels of an aligned picture of `size` pixels a side to pixels
        of the source, both counted from the corner of the picture. `margin`: how much more than
        the square is shown beyond each of its sides, as a share of it."""
        scale = self.side * (1 + 2 * margin) / size
        turn = np.stack([np.cos(self.tilt), -np.sin(self.tilt)], axis=-1) * scale[:, None]
        linear = np.stack([turn, np.stack([-turn[:, 1], turn[:, 0]], axis=-1)], axis=1)
        centre = (MIDDLE + margin) / (1 + 2 * margin) * size
        shift = self.middle - linear @ centre
        return np.concatenate([linear, shift[:, :, None]], axis=2)

    def corners(self) -> np.ndarray:
        """`(T, 4, 2) float64`: the turned square in source pixels, clockwise from the top left."""
        square = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
        matrices = self.matrices(1)
        turned = square @ matrices[:, :, :2].transpose(0, 2, 1)
        corners: np.ndarray = turned + matrices[:, None, :, 2]
        return corners


def align_track(track: FaceTrack) -> Alignment:
    """The alignment of every step of a track that holds its landmarks."""
    assert len(track.sighted), "a track without landmarks can't be aligned"
    return align(track.sighted, track.landmarks, track.visible)


def align(sighted: np.ndarray, landmarks: np.ndarray, seen: np.ndarray) -> Alignment:
    """Landmarks `(n, 5, 2)` found at the ascending steps `sighted (n,)` -> one place a step.

    `seen (T,) bool` is kept as it is. Sightings that contradict their neighbours are left out.
    """
    places = np.array([_place(points) for points in landmarks.astype(float)])
    places[:, 3] = np.unwrap(places[:, 3])
    usable = _usable(places)
    sighted, places = sighted[usable], places[usable]
    steps = np.arange(len(seen))
    every = np.stack([np.interp(steps, sighted, column) for column in places.T], axis=1)
    widths = (MOVE_FRAMES, MOVE_FRAMES, TURN_FRAMES, TURN_FRAMES)
    smooth = [_smooth(column, width) for column, width in zip(every.T, widths, strict=True)]
    return Alignment(np.stack(smooth[:2], axis=1), np.exp(smooth[2]), smooth[3], seen)


def aligned_faces(
    clip: Clip, alignment: Alignment, size: int, margin: float = 0.0
) -> Iterator[np.ndarray | None]:
    """One `(size, size, 3) uint8` face a step of the clip, None where the face is unseen.

    Yields exactly as many items as the alignment has steps, None too where the picture can't be
    decoded. What lies outside of the picture repeats its edge. `margin` as in `matrices`.
    """
    matrices = alignment.matrices(size, margin)
    steps = 0
    for frame, matrix, seen in zip(clip.lazy_frames(), matrices, alignment.seen, strict=False):
        steps += 1
        yield _cut(frame, matrix, size) if seen else None
    for _ in range(steps, len(matrices)):
        yield None


def _place(points: np.ndarray) -> np.ndarray:
    """Landmarks `(5, 2)` -> x and y of the middle, log of the side, tilt: the similarity transform
    that fits best in the sense of least squares."""
    wanted = TEMPLATE - MIDDLE
    middle = points.mean(0)
    found = points - middle
    along = (wanted * found).sum()
    across = (wanted[:, 0] * found[:, 1] - wanted[:, 1] * found[:, 0]).sum()
    side = np.hypot(along, across) / np.square(wanted).sum()
    return np.array([*middle, np.log(max(side, 1e-6)), np.arctan2(across, along)])


def _usable(places: np.ndarray) -> np.ndarray:
    """`(n,) bool`: sightings that lie near the median of their neighbours."""
    reach = NEIGHBOURS // 2
    padded = np.pad(places, ((reach, reach), (0, 0)), mode="edge")
    usual = np.median(sliding_window_view(padded, NEIGHBOURS, axis=0), axis=-1)
    away = np.abs(places - usual)
    side = np.exp(usual[:, 2])
    limits = np.stack(
        [
            FARTHEST * side,
            FARTHEST * side,
            np.full(len(side), MOST_SCALED),
            np.full(len(side), MOST_TURNED),
        ],
        axis=1,
    )
    # a head that really moves fast is not a mistake: its neighbours on both sides are far too
    step = np.abs(np.diff(places, axis=0, prepend=places[:1], append=places[-1:]))
    alone = np.minimum(step[:-1], step[1:])
    alone[0], alone[-1] = step[1:2].sum(0), step[-2:-1].sum(0)
    good = ((away <= limits) | (alone <= limits)).all(1)
    return good if good.any() else np.ones(len(places), bool)


def _smooth(values: np.ndarray, width_frames: float) -> np.ndarray:
    """`(T,)` smoothed by a Gaussian; before the first and after the last step nothing changes."""
    reach = round(3 * width_frames)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width_frames) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), "valid")


def _cut(frame: LazyFrame, matrix: np.ndarray, size: int) -> np.ndarray:
    """The aligned square of one picture. What is larger in the source is averaged first."""
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)]) @ matrix[:, :2].T
    corners += matrix[:, 2]
    low, high = np.floor(corners.min(0) - 2).astype(int), np.ceil(corners.max(0) + 2).astype(int)
    limits = np.array([frame.width, frame.height])
    begin, end = np.clip(low, 0, limits - 1), np.clip(high, 1, limits)
    end = np.maximum(end, begin + 1)
    inside = frame.region((*begin.tolist(), *end.tolist()))
    before, after = begin - low, np.maximum(high - end, 0)
    pads = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    source = Image.fromarray(np.pad(inside, pads, mode="edge"))
    wide = np.array(source.size)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale > 1:
        source = source.resize(tuple(np.maximum(np.round(wide / scale), 1).astype(int).tolist()))
    by = np.array(source.size) / wide
    inner = by[:, None] * np.concatenate([matrix[:, :2], (matrix[:, 2] - low)[:, None]], axis=1)
    cut = source.transform(
        (size, size), Image.Transform.AFFINE, inner.flatten().tolist(), Image.Resampling.BICUBIC
    )
    return np.asarray(cut)
