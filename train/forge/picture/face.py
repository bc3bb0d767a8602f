"""Geometry of a face in a video: landmarks through time, regions, and patches warped onto it.

Nothing here forges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from skimage.transform import SimilarityTransform, warp

from deeploc.errors import NoFace
from deeploc.faces.detector import Detections, FaceDetector

DETECT_EVERY = 5
SMOOTH_FRAMES = 2.5
MIN_SEEN_SHARE = 0.7


@dataclass(frozen=True)
class FaceVideo:
    """A video of one talking face.

    `frames (T, H, W, 3) uint8`; `landmarks (T, 5, 2) float` in pixels: eyes, nose, mouth corners.
    """

    frames: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class Region:
    """An ellipse on a face, in units of the distance between eyes and mouth, from the mouth."""

    down: float
    half_width: float
    half_height: float
    feather: float

    def varied(self, rng: np.random.Generator) -> Region:
        """The region with other sides and another soft edge, as another tool would cut it."""
        width, height = rng.uniform(0.88, 1.12, 2)
        feather = float(rng.uniform(0.2, 0.5))
        return Region(self.down, self.half_width * width, self.half_height * height, feather)


MOUTH = Region(down=0.08, half_width=0.72, half_height=0.52, feather=0.35)
FACE = Region(down=-0.45, half_width=0.88, half_height=1.02, feather=0.3)
HEAD = Region(down=-0.45, half_width=1.3, half_height=1.5, feather=0.3)


def follow_landmarks(frames: np.ndarray, detector: FaceDetector) -> np.ndarray:
    """`frames (T, H, W, 3) uint8` -> `(T, 5, 2) float64`: landmarks of the largest face, smoothed.

    The face is looked for on every 5th frame and followed between them by interpolation.
    Raises `NoFace` when less than 70 % of these frames show a face.
    """
    sampled = np.unique([*range(0, len(frames), DETECT_EVERY), len(frames) - 1])
    found = detector([frames[step] for step in sampled])
    seen = [
        (step, _largest(faces))
        for step, faces in zip(sampled, found, strict=True)
        if len(faces.boxes)
    ]
    if len(seen) < max(2, MIN_SEEN_SHARE * len(sampled)):
        raise NoFace("the face is not visible long enough to forge it; use another clip")
    steps = np.array([step for step, _ in seen])
    points = np.stack([points for _, points in seen]).reshape(len(seen), 10)
    every = np.stack([np.interp(np.arange(len(frames)), steps, axis) for axis in points.T], axis=1)
    every = gaussian_filter1d(every, SMOOTH_FRAMES, axis=0, mode="nearest")
    return every.reshape(len(frames), 5, 2)


def _largest(faces: Detections) -> np.ndarray:
    areas = (faces.boxes[:, 2] - faces.boxes[:, 0]) * (faces.boxes[:, 3] - faces.boxes[:, 1])
    return faces.landmarks[int(np.argmax(areas))]


def place_face(landmarks: np.ndarray) -> SimilarityTransform:
    """Face units -> pixels: the origin at the mouth, one unit from the mouth to the eyes."""
    left_eye, right_eye, _, left_corner, right_corner = landmarks
    mouth, eyes = (left_corner + right_corner) / 2, (left_eye + right_eye) / 2
    across = right_eye + right_corner - left_eye - left_corner
    unit = (np.linalg.norm(eyes - mouth) + np.linalg.norm(right_eye - left_eye)) / 2
    return SimilarityTransform(
        scale=float(unit), rotation=float(np.arctan2(across[1], across[0])), translation=mouth
    )


def head_turn(video: FaceVideo, start: int, end: int) -> float:
    """Where the nose lies beside the middle of the face, in face units: the mean over a span."""
    points = video.landmarks[start:end].mean(0)
    return float(place_face(points).inverse(points[2])[0, 0])


def region_alpha(
    landmarks: np.ndarray, region: Region, shape: tuple[int, int]
) -> tuple[slice, slice, np.ndarray]:
    """Rows, columns and the `(h, w)` weight 0..1 of a region of a face in a picture of `shape`."""
    face = place_face(landmarks)
    middle = face((0.0, region.down))[0]
    turn = np.array([np.cos(face.rotation), np.sin(face.rotation)])
    sizes = np.array([region.half_width, region.half_height])
    reach = face.scale * np.array([np.hypot(*(turn * sizes)), np.hypot(*(turn[::-1] * sizes))]) + 1
    low = np.clip(np.floor(middle - reach), 0, [shape[1] - 1, shape[0] - 1]).astype(int)
    high = np.clip(np.ceil(middle + reach), low + 1, [shape[1], shape[0]]).astype(int)
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    grid = np.stack(np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1])), axis=-1)
    points = face.inverse(grid.reshape(-1, 2)).reshape(grid.shape) - [0, region.down]
    radius = np.hypot(points[..., 0] / region.half_width, points[..., 1] / region.half_height)
    ramp = np.clip((1 - radius) / region.feather, 0, 1)
    return rows, columns, ramp * ramp * (3 - 2 * ramp)


def warp_patch(
    frame: np.ndarray, place: Any, rows: slice, columns: slice, order: int
) -> np.ndarray:
    """The `(h, w, 3) float` pixels that `place` (target -> donor pixels) puts under the slices."""
    shift = SimilarityTransform(translation=(columns.start, rows.start))
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    moved = warp(
        frame.astype(np.float32),
        shift + place,
        output_shape=shape,
        order=order,
        mode="edge",
        preserve_range=True,
    )
    return np.clip(moved, 0, 255)
