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
    clip: Clip, detector: FaceDetector, progress: Callable[[int, int], None]
) -> list[FaceTrack]:
    """Every face that stays for at least 0.64 s, the longest-present largest one first.

    Detection runs on every 6th step of the 25 Hz grid; boxes between are interpolated over gaps of
    at most 0.5 s, longer ones stay invisible. `progress(done, total)` counts grid steps. Raises
    `NoFace` when there is none.
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
    tracks = [_interpolate(sightings, n_frames, shown, scale) for sightings in found]
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
    sightings: _Sightings, n_frames: int, shown: tuple[int, int], scale: float
) -> FaceTrack:
    """Sightings -> one box a step: interpolated over short gaps, smoothed, NaN where unseen.

    `scale`: from pixels of the sightings to those of the clip. `shown`: the steps `[start, end)`
    for which the file really holds a picture.
    """
    frames = np.array(sightings.frames)
    visible = np.zeros(n_frames, bool)
    for begin, end in pairwise(frames):
        if end - begin <= MAX_GAP_FRAMES:
            visible[begin : end + 1] = True
    reach = DETECT_EVERY // 2
    for frame in frames:
        visible[max(0, frame - reach) : frame + reach] = True
    if n_frames - 1 - frames[-1] < DETECT_EVERY:
        visible[frames[-1] :] = True
    visible[: shown[0]] = visible[shown[1] :] = False
    steps = np.arange(n_frames)
    boxes = np.stack(
        [np.interp(steps, frames, column) for column in np.stack(sightings.boxes).T], axis=1
    )
    boxes[~visible] = np.nan
    columns = [smoothed(column, SMOOTH_FRAMES) for column in boxes.T]  # so that no crop trembles
    boxes = (scale * np.stack(columns, axis=1)).astype(np.float32)
    confidence = np.interp(steps, frames, sightings.confidence).astype(np.float32)
    confidence = np.where(visible, confidence, 0).astype(np.float32)
    landmarks = (scale * np.stack(sightings.landmarks)).astype(np.float32)
    return FaceTrack(0, boxes, confidence, visible, frames, landmarks)
