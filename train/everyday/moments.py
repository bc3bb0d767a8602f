"""When a change of the picture happens, how softly it comes and goes, and where the face is then.

Nothing here changes a clip.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from train.everyday.recording import Recording, steps_of

LARGEST_SHARE = 0.6  # of a clip, of a change that comes and goes
SMOOTH_STEPS = 2.0


def draw_span(
    n_steps: int, seconds: tuple[float, float], rng: np.random.Generator
) -> tuple[int, int]:
    """The steps `[start, end)` of a change of that many seconds, anywhere in the clip."""
    longest = max(1, int(LARGEST_SHARE * n_steps))
    length = int(np.clip(steps_of(rng.uniform(*seconds)), 1, longest))
    start = int(rng.integers(n_steps - length + 1))
    return start, start + length


def draw_scope(
    n_steps: int, seconds: tuple[float, float], whole: float, rng: np.random.Generator
) -> tuple[int, int]:
    """`draw_span`, or the whole clip with the probability `whole`."""
    span = draw_span(n_steps, seconds, rng)
    return (0, n_steps) if rng.random() < whole else span


def eased(length: int, ease: int) -> np.ndarray:
    """Weights `(length,) float32`, over 0: up to 1 within `ease` steps, and down again."""
    steps, ease = np.arange(length), min(ease, (length - 1) // 2)
    ramp = np.clip((np.minimum(steps, steps[::-1]) + 1) / (ease + 1), 0, 1)
    return smooth_ramp(ramp).astype(np.float32)


def smooth_ramp(ramp: np.ndarray) -> np.ndarray:
    """`ramp` in 0..1, without its corners."""
    return ramp * ramp * (3 - 2 * ramp)


def runs(changed: np.ndarray) -> tuple[tuple[int, int], ...]:
    """The stretches `[start, end)` of steps at which `changed (T,) bool` holds."""
    edges = np.flatnonzero(np.diff(np.pad(changed.astype(np.int8), 1)))
    return tuple((int(start), int(end)) for start, end in edges.reshape(-1, 2))


def followed_face(recording: Recording) -> np.ndarray:
    """`(T, 4) float64`: the face's boxes, smoothed, and interpolated where it is not seen.

    Without any face it is the place where a face would be: people film themselves in the middle.
    """
    seen = np.flatnonzero(np.isfinite(recording.face).all(axis=1))
    height, width = recording.frames.shape[1:3]
    if not len(seen):
        half_width, half_height = 0.2 * min(height, width), 0.26 * min(height, width)
        x, y = width / 2, 0.45 * height
        box = np.array([x - half_width, y - half_height, x + half_width, y + half_height])
        return np.tile(box, (recording.n_steps, 1))
    steps = np.arange(recording.n_steps)
    boxes = np.stack(
        [np.interp(steps, seen, side) for side in recording.face[seen].T.astype(np.float64)], axis=1
    )
    return gaussian_filter1d(boxes, SMOOTH_STEPS, axis=0, mode="nearest")
