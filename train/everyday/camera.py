"""Everyday changes of what the camera looks at: it moves, zooms or shakes, or the head turns.

Every frame is resampled once, from its own pixels, and the face's box moves with it. The picture is
enlarged by as much as a move needs, so that no border shows. The sound stays as it is.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from train.everyday.moments import draw_scope, draw_span, eased, followed_face, smooth_ramp
from train.everyday.recording import Change, Recording, steps_of
from train.everyday.registry import everyday

FILTERS = {
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
}
LONGEST_BLUR = 0.06  # of the picture's width


@everyday("punch-in", "picture")
def punch_in(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """A cut to a part of the same picture, enlarged, for a while or until the end."""
    start, end = draw_span(recording.n_steps, (0.5, 4.0), rng)
    end = recording.n_steps if rng.random() < 0.3 else end
    scale, how = float(rng.uniform(1.06, 1.6)), _draw_filter(rng)
    size = recording.frames.shape[1:3]
    views = [_crop(size, scale, _middle(recording, start, end))] * (end - start)
    params = {"scale": round(scale, 3), "filter": how}
    return Change(_seen(recording, start, views, how), ((start, end),), params)


@everyday("slow-zoom", "picture", held_out=True)
def zoom_slowly(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The picture slowly larger, and so until the end; or from the beginning slowly smaller."""
    n_steps = recording.n_steps
    moves = int(np.clip(steps_of(rng.uniform(1.5, 8.0)), 2, n_steps))
    inwards, soft = bool(rng.random() < 0.6), bool(rng.random() < 0.5)
    length = n_steps - int(rng.integers(n_steps - moves + 1))
    largest, how = float(rng.uniform(1.05, 1.4)), _draw_filter(rng)
    zoomed = np.clip((np.arange(length) + 1) / moves, 0, 1)
    zoomed = smooth_ramp(zoomed) if soft else zoomed
    start = n_steps - length if inwards else 0
    scales = 1 + (largest - 1) * (zoomed if inwards else zoomed[::-1])
    middle = _middle(recording, start, start + length)
    views = [_crop(recording.frames.shape[1:3], scale, middle) for scale in scales]
    params = {"scale": round(largest, 3), "steps": moves, "inwards": inwards, "filter": how}
    span = (start, start + length)
    return Change(_seen(recording, start, views, how), (span,), params)


@everyday("camera-shake", "picture")
def shake(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """A camera in the hand, for a while or all the time: it sways, trembles and turns a little."""
    span = draw_scope(recording.n_steps, (0.5, 3.0), 0.4, rng)
    length, how = span[1] - span[0], _draw_filter(rng)
    height, width = recording.frames.shape[1:3]
    pace, tremor = float(rng.uniform(3, 10)), float(rng.uniform(0, 0.35))
    noise = rng.standard_normal((length + 64, 3))
    path = gaussian_filter1d(noise, pace, axis=0) * np.sqrt(pace)
    path += tremor * gaussian_filter1d(rng.standard_normal((length + 64, 3)), 1.0, axis=0)
    path = path[32:-32]
    path /= np.abs(path).max(0) + 1e-9
    reach = np.exp(rng.uniform(np.log(0.002), np.log(0.025), 2)) * width
    turn = float(rng.uniform(0, 0.02))
    whole = length == recording.n_steps
    weights = np.ones(length) if whole else eased(length, int(rng.integers(2, 9)))
    views = _moves((height, width), path * [*reach, turn], weights)
    shutter = float(rng.uniform(0.1, 0.7))
    params = {"reach_px": reach.round(3).tolist(), "turn": round(turn, 4), "filter": how}
    params["shutter"] = round(shutter, 3)
    return Change(_seen(recording, span[0], views, how, shutter), (span,), params)


@everyday("motion-blur", "picture", held_out=True)
def blur_by_motion(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """A knock or a quick swing of the camera, which blurs along its way while the shutter is open.

    Each frame is smeared over the way that the picture goes during the exposure.
    """
    span = draw_span(recording.n_steps, (0.24, 1.0), rng)
    length, how = span[1] - span[0], _draw_filter(rng)
    height, width = recording.frames.shape[1:3]
    reach, angle = float(rng.uniform(0.006, 0.05) * width), float(rng.uniform(0, np.pi))
    swings, shutter = float(rng.uniform(0.5, 2.5)), float(rng.uniform(0.4, 1.0))
    swing = np.sin(2 * np.pi * swings * (np.arange(length) + 1) / (length + 1))
    way = np.array([np.cos(angle), 0.6 * np.sin(angle), 0]) * reach
    views = _moves((height, width), swing[:, None] * way, eased(length, length // 3))
    params = {"reach_px": round(reach, 3), "angle": round(angle, 3), "swings": round(swings, 3)}
    told = {**params, "shutter": round(shutter, 3), "filter": how}
    return Change(_seen(recording, span[0], views, how, shutter), (span,), told)


@everyday("head-turn", "picture")
def turn_head(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The head turned aside, or nodding, and back: the face moves within the head's outline.

    It is an approximation: what a turn hides is squeezed, what it would show is stretched.
    """
    span = draw_span(recording.n_steps, (0.5, 3.0), rng)
    yaw = float(rng.uniform(0.12, 0.6) * rng.choice([-1, 1]))
    nod, how = float(rng.uniform(-0.25, 0.25)), _draw_filter(rng)
    ease = int(rng.integers(4, 16))
    boxes = followed_face(recording)
    frames, faces = recording.frames.copy(), recording.face.copy()
    for step, weight in zip(range(*span), eased(span[1] - span[0], ease), strict=True):
        low, high = boxes[step, :2], boxes[step, 2:]
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, 2)
        shift = half * np.sin(np.array([yaw, nod]) * weight)
        frames[step] = _turned(frames[step], middle, 1.7 * half, shift, FILTERS[how])
        sides = (1 - 1 / 1.7**2) ** 2 * shift  # of the middle of each side
        faces[step] = _inside(faces[step] + np.tile(sides, 2), frames.shape[1:3])
    params = {"yaw": round(yaw, 3), "nod": round(nod, 3), "ease_steps": ease, "filter": how}
    return Change(replace(recording, frames=frames, face=faces), (span,), params)


def _draw_filter(rng: np.random.Generator) -> str:
    return str(rng.choice(list(FILTERS)))


def _middle(recording: Recording, start: int, end: int) -> np.ndarray:
    """The middle `(2,)` of the face within a span."""
    boxes = followed_face(recording)[start:end]
    return (boxes[:, :2] + boxes[:, 2:]).mean(0) / 2


def _crop(size: tuple[int, int], scale: float, middle: np.ndarray) -> np.ndarray:
    """The matrix `(2, 3)` that enlarges a picture, as near to `middle` as its borders allow."""
    whole = np.array(size[::-1], float)
    corner = np.clip(middle - whole / scale / 2, 0, whole - whole / scale)
    offset = scale * (0.5 - corner) - 0.5  # pixels are counted from their middle
    return np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])


def _moves(size: tuple[int, int], path: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """Matrices of a path `(n, 3)` in pixels and radians, each enlarged by what its weight needs."""
    sides = np.array(size[::-1], float)
    x, y, angle = np.abs(path).max(0)
    tilt = np.cos(angle) + np.sin(angle) * sides[::-1] / sides
    largest = float((tilt / (1 - 2 * np.array([x, y]) / sides)).max())
    views = []
    for (x, y, angle), weight in zip(path, weights, strict=True):
        scale = 1 + weight * (largest - 1)
        centre = (sides - 1) / 2
        view = cv2.getRotationMatrix2D(centre.tolist(), float(np.degrees(weight * angle)), scale)
        view[:, 2] += [weight * x, weight * y]
        views.append(view)
    return views


def _seen(
    recording: Recording, start: int, views: list[np.ndarray], how: str, shutter: float = 0.0
) -> Recording:
    """The frames from `start` on, each moved by its matrix; `shutter`: the share of a step during
    which it is exposed, and moves."""
    frames, faces = recording.frames.copy(), recording.face.copy()
    height, width = frames.shape[1:3]
    centre = np.array([width / 2, height / 2, 1])
    way = np.array([view @ centre for view in views])
    speeds = np.gradient(way, axis=0) * shutter if len(way) > 1 else np.zeros_like(way)
    speeds = speeds.clip(-LONGEST_BLUR * width, LONGEST_BLUR * width)
    for step, (view, speed) in enumerate(zip(views, speeds, strict=True), start):
        frames[step] = cv2.warpAffine(
            frames[step],
            view,
            (width, height),
            flags=FILTERS[how],
            borderMode=cv2.BORDER_REFLECT_101,
        )
        if np.hypot(*speed) > 0.3:
            frames[step] = cv2.filter2D(
                frames[step], -1, motion_kernel(speed), borderType=cv2.BORDER_REFLECT_101
            )
        left, top, right, bottom = faces[step]
        corners = np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]])
        moved = corners @ view.T
        faces[step] = _inside(np.concatenate([moved.min(0), moved.max(0)]), (height, width))
    return replace(recording, frames=frames, face=faces)


def motion_kernel(way: np.ndarray) -> np.ndarray:
    """A line `(k, k) float32` along `way (2,)` in pixels, of sum 1: what a point becomes."""
    reach = int(np.ceil(np.abs(way).max() / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for place in np.linspace(-0.5, 0.5, 4 * reach + 1)[:, None] * way + reach:
        x, y = np.floor(place).astype(int)
        right, down = place - [x, y]
        kernel[y : y + 2, x : x + 2] += np.outer([1 - down, down], [1 - right, right])
    return kernel / kernel.sum()


def _inside(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part of a box that the picture shows; NaN where it shows none of it."""
    height, width = size
    cut = np.clip(box, 0, [width, height, width, height])
    return cut if cut[0] < cut[2] and cut[1] < cut[3] else np.full(4, np.nan)


def _turned(
    frame: np.ndarray, middle: np.ndarray, reach: np.ndarray, shift: np.ndarray, filter_: int
) -> np.ndarray:
    """A frame whose `middle` is moved by `shift`, less around it, and nothing beyond `reach`."""
    height, width = frame.shape[:2]
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    far = ((columns - middle[0]) / reach[0]) ** 2 + ((rows - middle[1]) / reach[1]) ** 2
    weight = np.clip(1 - far, 0, None).astype(np.float32) ** 2
    return cv2.remap(
        frame,
        columns - np.float32(shift[0]) * weight,
        rows - np.float32(shift[1]) * weight,
        filter_,
        borderMode=cv2.BORDER_REFLECT_101,
    )
