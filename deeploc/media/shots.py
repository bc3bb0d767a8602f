"""Where the picture is cut, which shots are alike, and where it stands still.

PySceneDetect finds the cuts. Nothing here knows faces or models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from deeploc.media.clip import VIDEO_RATE_HZ, Clip
from deeploc.timeline import FrameGrid, Segment

WIDTH = 128  # pixels of the pictures that are compared
SHORTEST_SHOT = 5  # steps
THUMBNAIL = (9, 16)
ALIKE = 0.8  # correlation of two thumbnails that show the same scene
CUT_MARGIN = 2  # steps on either side of a cut that belong to the transition
STILL_MEAN, STILL_MOST = 0.2, 2.0  # grey values from step to step, of 255: mean, 99.5 % of pixels
SHORTEST_FREEZE = 5  # steps; pictures that are repeated to reach 25 a second last less
LONGEST_BLINK = 2  # steps of change in a still picture, as where an encoder draws it anew


@dataclass(frozen=True)
class Shots:
    """The shots of a clip of T steps.

    `starts (N,) int`: the first step of each, the first one 0. `alike (N,) int`: shots with the
    same number show the same scene, as both parts of a jump cut do. `frozen (T,) bool`: steps at
    which the picture stands still for 0.2 s or longer.
    """

    starts: np.ndarray
    alike: np.ndarray
    frozen: np.ndarray

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The steps `[start, end)` of each shot."""
        return list(pairwise([*self.starts.tolist(), len(self.frozen)]))

    @cached_property
    def scenes(self) -> np.ndarray:
        """`(T,) int`: of each step the number of its scene, `alike` of its shot."""
        return np.repeat(self.alike, np.diff([*self.starts, len(self.frozen)]))

    @cached_property
    def cuts(self) -> np.ndarray:
        """`(T,) bool`: steps that belong to the transition from one shot to the next."""
        near = np.zeros(len(self.frozen), bool)
        for start in self.starts[1:]:
            near[max(0, start - CUT_MARGIN) : start + CUT_MARGIN] = True
        return near

    def segments(self, grid: FrameGrid) -> tuple[Segment, ...]:
        """The shots in seconds."""
        return tuple(grid.segment(*span) for span in self.spans)


def find_shots(clip: Clip) -> Shots:
    """The shots of a clip; decodes its pictures once, and keeps one small one of each shot."""
    return shots_of(_small_pictures(clip), clip.grid.n_frames)


def _small_pictures(clip: Clip) -> Iterator[np.ndarray]:
    """The picture of each step; the same array again where the same picture is still shown."""
    shown, picture = None, np.zeros(0)
    for frame in clip.lazy_frames():
        if frame is not shown:
            shown, picture = frame, frame.no_wider_than(WIDTH)
        yield picture


def shots_of(pictures: Iterable[np.ndarray], n_frames: int) -> Shots:
    """The shots of small pictures `(H, W, 3) uint8` RGB, one a step; a file that ends early counts
    as one that shows its last picture on."""
    from scenedetect import FrameTimecode  # half a second to import
    from scenedetect.detectors import AdaptiveDetector

    detector = AdaptiveDetector(min_scene_len=SHORTEST_SHOT)
    cuts: list[int] = []
    thumbnails: list[np.ndarray] = []
    still = np.ones(n_frames, bool)
    shown, grey = np.zeros(0), np.zeros((0, 0))
    for step, picture in enumerate(pictures):
        if picture is not shown:
            timecode = FrameTimecode(step, VIDEO_RATE_HZ)
            found = detector.process_frame(timecode, np.ascontiguousarray(picture[..., ::-1]))
            cuts.extend(cut.frame_num for cut in found)
            before, grey = grey, picture.mean(axis=-1, dtype=np.float32)
            still[step] = _stands_still(grey, before)
            shown, thumbnail = picture, _thumbnail(grey)
        thumbnails.append(thumbnail)
    if not thumbnails:
        return Shots(np.zeros(1, int), np.zeros(1, int), still)
    still[:1] = still[1:2]
    starts = np.array([0, *sorted({cut for cut in cuts if 0 < cut < n_frames})])
    middles = np.minimum((starts + np.append(starts[1:], n_frames)) // 2, len(thumbnails) - 1)
    scenes = _scenes([thumbnails[middle] for middle in middles])
    return Shots(starts, scenes, _frozen(still))


def _thumbnail(grey: np.ndarray) -> np.ndarray:
    """`(H, W)` -> `(144,)`: means of a coarse grid, without their mean, of length 1."""
    rows, columns = (
        np.linspace(0, side, parts + 1).astype(int)[:-1]
        for side, parts in zip(grey.shape, THUMBNAIL, strict=True)
    )
    sums = np.add.reduceat(np.add.reduceat(grey, rows, axis=0), columns, axis=1)
    counts = np.outer(np.diff([*rows, grey.shape[0]]), np.diff([*columns, grey.shape[1]]))
    means = (sums / counts).ravel()
    means -= means.mean()
    unit: np.ndarray = means / max(float(np.linalg.norm(means)), 1e-6)
    return unit


def _stands_still(grey: np.ndarray, before: np.ndarray) -> bool:
    if grey.shape != before.shape:
        return False
    change = np.abs(grey - before)
    return bool(change.mean() <= STILL_MEAN and np.quantile(change, 0.995) <= STILL_MOST)


def _scenes(thumbnails: list[np.ndarray]) -> np.ndarray:
    """`(N,) int`: of each shot the first one that it resembles, or its own number."""
    found: list[int] = []
    for number, own in enumerate(thumbnails):
        likeness = [float(own @ thumbnails[other]) for other in range(number)]
        best = int(np.argmax(likeness)) if likeness else number
        found.append(found[best] if likeness and likeness[best] >= ALIKE else number)
    return np.array(found)


def _frozen(still: np.ndarray) -> np.ndarray:
    """Still steps `(T,) bool`, without what is too short, and with the blinks in between."""
    steps = FrameGrid(1.0, len(still))
    frozen = np.zeros(len(still), bool)
    runs = [steps.span(run) for run in steps.runs(still)]
    runs = [run for run in runs if run[1] - run[0] >= SHORTEST_FREEZE]
    for start, end in runs:
        frozen[start:end] = True
    for (_, end), (start, _) in pairwise(runs):
        if start - end <= LONGEST_BLINK:
            frozen[end:start] = True
    return frozen
