"""Time: segments, disjoint timelines, and the one converter between seconds and steps.

Standard library only. Nothing here knows about scores, media or models.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SLACK = 1e-6


@dataclass(frozen=True, order=True)
class Segment:
    """A half-open span `[start, end)` in seconds. Raises `ValueError` unless `0 <= start < end`."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"not a segment: [{self.start}, {self.end})")

    @property
    def duration(self) -> float:
        return self.end - self.start

    def overlap(self, other: Segment) -> float:
        """Seconds that both segments cover."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))

    def iou(self, other: Segment) -> float:
        """Temporal intersection over union (tIoU), 0..1."""
        shared = self.overlap(other)
        return shared / (self.duration + other.duration - shared)


@dataclass(frozen=True)
class Timeline:
    """Sorted, disjoint segments; `Timeline.of` merges what overlaps or touches."""

    segments: tuple[Segment, ...] = ()

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> Timeline:
        merged: list[Segment] = []
        for segment in sorted(segments):
            if merged and segment.start <= merged[-1].end + SLACK:
                end = max(merged[-1].end, segment.end)
                merged[-1] = Segment(merged[-1].start, end)
            else:
                merged.append(segment)
        return cls(tuple(merged))

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def duration(self) -> float:
        """Seconds covered."""
        return sum(segment.duration for segment in self.segments)

    def overlap(self, segment: Segment) -> float:
        """Seconds of `segment` that the timeline covers."""
        return sum(own.overlap(segment) for own in self.segments)


@dataclass(frozen=True)
class FrameGrid:
    """`n_frames` uniform steps: step `i` covers `[i / rate_hz, (i + 1) / rate_hz)` seconds."""

    rate_hz: float
    n_frames: int

    @property
    def duration(self) -> float:
        return self.n_frames / self.rate_hz

    def segment(self, start: int, end: int) -> Segment:
        """The seconds that the steps `[start, end)` cover."""
        return Segment(start / self.rate_hz, end / self.rate_hz)

    def span(self, segment: Segment) -> tuple[int, int]:
        """The steps `[start, end)` that a segment touches, clipped to the grid."""
        start = math.floor(segment.start * self.rate_hz + SLACK)
        end = math.ceil(segment.end * self.rate_hz - SLACK)
        return min(max(start, 0), self.n_frames), min(max(end, 0), self.n_frames)

    def runs(self, steps: Iterable[bool]) -> Timeline:
        """The runs of true steps, as seconds."""
        found, begin = [], None
        for index, on in enumerate([*steps, False]):
            if on and begin is None:
                begin = index
            elif not on and begin is not None:
                found.append(self.segment(begin, index))
                begin = None
        return Timeline(tuple(found))
