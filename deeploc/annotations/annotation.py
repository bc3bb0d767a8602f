"""What a person says about one clip: when it is forged, in which stream, and why they think so.

Times are seconds and source frames at once, half-open: `end_frame` is the first frame after. Knows
no file format; `registry.py` has them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from deeploc.media.clip import open_clip
from deeploc.report import ModelInfo, Report
from deeploc.scores import Stream
from deeploc.timeline import Segment

FORMAT, VERSION = "deeploc-annotation", 1  # of the JSON
FrameTiming = Literal["pts", "even"]
Origin = Literal["proposal", "drawn", "file"]
Status = Literal["accepted", "adjusted", "added", "rejected", "proposed"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)
STATUSES: tuple[Status, ...] = get_args(Status)
TIMINGS: tuple[FrameTiming, ...] = get_args(FrameTiming)
LATE_S = 0.5  # sound may outlast the picture by this, and intervals the clip


@dataclass(frozen=True)
class Interval:
    """A stretch of the clip that a person or a model called forged, or, by its status, did not.

    `score`: of the model, 0..1. `confidence`: of the person, 0..1. None where there is none.
    """

    start_s: float
    end_s: float
    start_frame: int
    end_frame: int
    stream: Stream = "fused"
    origin: Origin = "file"
    status: Status = "added"
    score: float | None = None
    note: str = ""
    confidence: float | None = None

    @property
    def segment(self) -> Segment:
        return Segment(self.start_s, self.end_s)

    @property
    def forged(self) -> bool:
        """All counts but what a person rejected."""
        return self.status != "rejected"


@dataclass(frozen=True)
class Media:
    """The clip that is annotated. `fps`: its average; `timing`: whether its frames are even.

    `pts_s`: when each frame is shown, where somebody knows; not part of the JSON.
    """

    name: str
    duration_s: float
    fps: float
    frames: int
    sha256: str | None = None
    timing: FrameTiming = "even"
    pts_s: tuple[float, ...] = field(default=(), compare=False, repr=False)

    def frame(self, seconds: float) -> int:
        """The frame whose beginning is nearest; `frames` for the end of the last one."""
        if not self.pts_s:
            return min(max(round(seconds * self.fps), 0), self.frames)
        edges = (*self.pts_s, self.duration_s)
        after = min(max(bisect_left(edges, seconds), 1), len(edges) - 1)
        return after - (seconds - edges[after - 1] <= edges[after] - seconds)

    def time(self, frame: int) -> float:
        """When a frame begins; for `frames`, when the last one ends."""
        if frame >= self.frames:
            return self.duration_s
        return self.pts_s[frame] if self.pts_s else frame / self.fps

    def interval(self, start_s: float, end_s: float, **details: Any) -> Interval:
        """An interval of this clip, its frames counted. Raises `ValueError` if it isn't inside."""
        if not (math.isfinite(start_s) and math.isfinite(end_s) and start_s < end_s):
            raise ValueError(f"{start_s:g} to {end_s:g} s is no interval")
        if start_s < -LATE_S or end_s > self.duration_s + LATE_S:
            raise ValueError(
                f"an interval reaches from {start_s:g} to {end_s:g} s, but {self.name} lasts "
                f"{self.duration_s:g} s"
            )
        start_s, end_s = max(start_s, 0.0), min(end_s, self.duration_s)
        if start_s >= end_s:
            raise ValueError(f"an interval begins at {start_s:g} s, where {self.name} ends")
        return Interval(start_s, end_s, self.frame(start_s), self.frame(end_s), **details)


def media_from_report(report: Report) -> Media:
    """The clip of a report."""
    info, pts_s = report.media, () if report.pts_s is None else tuple(report.pts_s.tolist())
    return Media(
        name=info.name,
        duration_s=info.duration_s,
        fps=info.fps,
        frames=len(pts_s) or round(info.duration_s * info.fps),
        sha256=info.sha256 or None,
        timing="pts" if pts_s else "even",
        pts_s=pts_s,
    )


def media_from_video(path: str | Path, max_minutes: float = math.inf) -> Media:
    """The clip of a video file. Raises what `open_clip` raises."""
    clip = open_clip(path, max_minutes)
    pts_s = tuple(clip.pts_s.tolist())
    return Media(
        name=clip.info.name,
        duration_s=clip.info.duration_s,
        fps=clip.info.fps,
        frames=len(pts_s),
        sha256=clip.info.sha256 or None,
        timing="pts",
        pts_s=pts_s,
    )


@dataclass(frozen=True)
class HistoryEntry:
    """A line of the history: when (ISO 8601), and what was done."""

    at: str
    action: str


@dataclass(frozen=True)
class Annotation:
    """Intervals of a clip, and who said so on which evidence.

    `intervals` are sorted by time. `model`, `threshold`: what the person saw while they annotated.
    """

    media: Media
    intervals: tuple[Interval, ...] = ()
    model: ModelInfo | None = None
    threshold: float | None = None
    author: str = ""
    created: str = ""
    modified: str = ""
    history: tuple[HistoryEntry, ...] = ()

    def __post_init__(self) -> None:
        ordered = sorted(self.intervals, key=lambda interval: (interval.start_s, interval.end_s))
        object.__setattr__(self, "intervals", tuple(ordered))

    @property
    def provenance(self) -> dict[str, str]:
        """Which file, and which model and person looked at it, in words; what is known of it."""
        model = f"{self.model.name}@{self.model.revision}" if self.model else ""
        threshold = "" if self.threshold is None else f"{self.threshold:g}"
        known = {
            "clip": self.media.name,
            "sha256": self.media.sha256 or "",
            "model": model,
            "threshold": threshold,
            "author": self.author,
        }
        return {key: value for key, value in known.items() if value}

    def to_dict(self) -> dict[str, Any]:
        """The JSON as plain data."""
        media = asdict(self.media)
        del media["pts_s"]
        return {
            "format": FORMAT,
            "version": VERSION,
            "media": media,
            "model": None if self.model is None else asdict(self.model),
            "threshold": self.threshold,
            "author": self.author,
            "created": self.created,
            "modified": self.modified,
            "segments": [asdict(interval) for interval in self.intervals],
            "history": [asdict(entry) for entry in self.history],
        }


def annotation_from_report(report: Report) -> Annotation:
    """What a model found: nothing of it is a person's word yet."""
    media = media_from_report(report)
    intervals = (
        media.interval(
            item.segment.start,
            item.segment.end,
            stream=item.stream,
            origin="proposal",
            status="proposed",
            score=item.score,
        )
        for item in report.timeline
    )
    threshold = report.calibration.thresholds.get("fused")
    model = report.model if report.model.name else None
    return Annotation(media, tuple(intervals), model, threshold)
