"""Following faces through a clip: detections a few times a second, linked by overlap.

It does not recognise people: whoever appears where a face was last seen continues its track.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from deeploc.errors import NoFace
from deeploc.faces.detector import DETECT_WIDTH, Detections, FaceDetector
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import Clip
from deeploc.media.shots import Shots
from deeploc.scores import smoothed

DETECT_EVERY = 6
DETECT_BATCH = 8
LINK_IOU = 0.3
MAX_GAP_FRAMES = 2 * DETECT_EVERY
MIN_FRAMES = 16
SMOOTH_FRAMES = 5.0


@dataclass
class _Sightings:
    frames: list[int] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)


def track_faces(
    clip: Clip, shots: Shots, detector: FaceDetector, progress: Callable[[int, int], None]
) -> list[FaceTrack]:
    """Every face that stays for at least 0.64 s, the longest-present largest one first.

    Detection runs on every 6th step of the 25 Hz grid; boxes between are interpolated over gaps of
    at most 0.5 s, but never over a cut; longer ones stay invisible. `progress(done, total)` counts
    grid steps. Raises `NoFace` when there is none.
    """
    n_frames = clip.grid.n_frames
    found: list[_Sightings] = []
    batch: list[np.ndarray] = []
    seen = 0
    for number, frame in enumerate(clip.lazy_frames(every=DETECT_EVERY)):
        batch.append(frame.no_wider_than(DETECT_WIDTH))
        seen = number + 1
        if len(batch) == DETECT_BATCH:
            _link_batch(found, detector(batch), seen - len(batch))
            batch = []
            progress(min(seen * DETECT_EVERY, n_frames), n_frames)
    _link_batch(found, detector(batch), seen - len(batch))
    progress(n_frames, n_frames)
    decoded = min(seen * DETECT_EVERY, n_frames)
    shown = (round(float(clip.pts_s[0]) * clip.grid.rate_hz), decoded)
    scale = max(1.0, clip.info.width / DETECT_WIDTH)
    tracks = [_interpolate(sightings, shots, shown, scale) for sightings in found]
    tracks = [track for track in tracks if track.visible.sum() >= MIN_FRAMES]
    if not tracks:
        raise NoFace(
            f"No face could be followed in {clip.info.name}. DeepLoc scores talking faces that are "
            "turned to the camera, for 0.7 s or longer, at least 12 % of the picture's shorter "
            "side high."
        )
    tracks.sort(key=lambda track: -track.presence * track.height)
    return [replace(track, number=number) for number, track in enumerate(tracks, start=1)]


def _link_batch(found: list[_Sightings], batch: list[Detections], first: int) -> None:
    for offset, detections in enumerate(batch):
        _link(found, detections, (first + offset) * DETECT_EVERY)


def _link(found: list[_Sightings], detections: Detections, frame: int) -> None:
    """Give each detection to the track whose last box overlaps it most; start new tracks."""
    pairs = [
        (_iou(sightings.boxes[-1], box), track, index)
        for track, sightings in enumerate(found)
        for index, box in enumerate(detections.boxes)
    ]
    taken: set[int] = set()
    fed: set[int] = set()
    for overlap, track, index in sorted(pairs, reverse=True):
        if overlap >= LINK_IOU and track not in fed and index not in taken:
            fed.add(track)
            taken.add(index)
            _append(found[track], detections, index, frame)
    for index in range(len(detections.boxes)):
        if index not in taken:
            found.append(_Sightings())
            _append(found[-1], detections, index, frame)


def _append(sightings: _Sightings, detections: Detections, index: int, frame: int) -> None:
    sightings.frames.append(frame)
    sightings.boxes.append(detections.boxes[index])
    sightings.confidence.append(float(detections.confidence[index]))
    sightings.landmarks.append(detections.landmarks[index])


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    left, top = np.maximum(one[:2], other[:2])
    right, bottom = np.minimum(one[2:], other[2:])
    shared = max(0.0, float(right - left)) * max(0.0, float(bottom - top))
    areas = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other))
    return shared / (areas - shared)


def _interpolate(
    sightings: _Sightings, shots: Shots, shown: tuple[int, int], scale: float
) -> FaceTrack:
    """Sightings -> one box a step: in each shot interpolated over short gaps and smoothed, NaN
    where unseen.

    `scale`: from pixels of the sightings to those of the clip. `shown`: the steps `[start, end)`
    for which the file really holds a picture.
    """
    frames = np.array(sightings.frames)
    values = np.column_stack([np.stack(sightings.boxes), sightings.confidence])
    n_frames = len(shots.frozen)
    visible = np.zeros(n_frames, bool)
    found = np.full((n_frames, 5), np.nan)
    for start, end in shots.spans:
        own = (frames >= start) & (frames < end)
        if own.any():
            visible[start:end] = _visible(frames[own], start, end)
            steps = np.arange(start, end)
            for column in range(5):
                found[start:end, column] = np.interp(steps, frames[own], values[own, column])
    visible[: shown[0]] = visible[shown[1] :] = False
    found[~visible] = np.nan
    for start, end in shots.spans:  # so that no crop trembles
        for column in range(4):
            found[start:end, column] = smoothed(found[start:end, column], SMOOTH_FRAMES)
    boxes = (scale * found[:, :4]).astype(np.float32)
    confidence = np.nan_to_num(found[:, 4]).astype(np.float32)
    landmarks = (scale * np.stack(sightings.landmarks)).astype(np.float32)
    return FaceTrack(0, boxes, confidence, visible, frames, landmarks)


def _visible(frames: np.ndarray, start: int, end: int) -> np.ndarray:
    """`(end - start,) bool`: the steps of a shot at which a face sighted at `frames` is there."""
    visible = np.zeros(end - start, bool)
    places = frames - start
    for begin, stop in pairwise(places):
        if stop - begin <= MAX_GAP_FRAMES:
            visible[begin : stop + 1] = True
    reach = DETECT_EVERY // 2
    for place in places:
        visible[max(0, place - reach) : place + reach] = True
    if places[0] < DETECT_EVERY:
        visible[: places[0]] = True
    if len(visible) - 1 - places[-1] < DETECT_EVERY:
        visible[places[-1] :] = True
    return visible
