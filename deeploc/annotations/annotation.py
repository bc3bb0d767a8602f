"""What a person says about one clip: the "deeploc-annotation" JSON, version 1, checked.

Times are seconds and source frames at once, half-open: `end_frame` is the first frame after. Knows
no other file format; `registry.py` has them.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from deeploc.errors import BadAnnotations
from deeploc.report import (
    ModelInfo,
    Report,
)
from deeploc.scores import (
    STREAMS,
    Stream,
)
from deeploc.timeline import Segment

FORMAT, VERSION = "deeploc-annotation", 1
Timing = Literal["pts", "even"]
Origin = Literal["proposal", "drawn", "file"]
Status = Literal["accepted", "adjusted", "added", "rejected", "proposed"]
ORIGINS, STATUSES = get_args(Origin), get_args(Status)
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
    timing: Timing = "even"
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

    def interval(self, start_s: float, end_s: float, **said: Any) -> Interval:
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
        return Interval(start_s, end_s, self.frame(start_s), self.frame(end_s), **said)


def media_of(report: Report) -> Media:
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


@dataclass(frozen=True)
class Change:
    """One line of the history: when (ISO 8601), and what."""

    at: str
    action: str


@dataclass(frozen=True)
class Annotation:
    """Intervals of a clip, and who said so on which evidence. Sorted by time."""

    media: Media
    intervals: tuple[Interval, ...] = ()
    model: ModelInfo | None = None
    threshold: float | None = None
    author: str = ""
    created: str = ""
    modified: str = ""
    history: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        ordered = sorted(self.intervals, key=lambda one: (one.start_s, one.end_s))
        object.__setattr__(self, "intervals", tuple(ordered))

    @property
    def provenance(self) -> dict[str, str]:
        """Which file, and which model and person looked at it, in words; what is known of it."""
        model = f"{self.model.name}@{self.model.revision}" if self.model else ""
        threshold = "" if self.threshold is None else f"{self.threshold:g}"
        told = {
            "clip": self.media.name,
            "sha256": self.media.sha256 or "",
            "model": model,
            "threshold": threshold,
            "author": self.author,
        }
        return {key: value for key, value in told.items() if value}

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
            "history": [asdict(change) for change in self.history],
        }


def from_report(report: Report) -> Annotation:
    """What a model found: nothing of it is a person's word yet."""
    media = media_of(report)
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


def write_own(annotation: Annotation, path: Path) -> None:
    text = json.dumps(annotation.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def to_annotation(content: Any, name: str = "The annotation") -> Annotation:
    """Plain data -> `Annotation`. Raises `BadAnnotations`: `name`, the place, and what is wrong."""
    try:
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"it is no JSON of the format '{FORMAT}'")
        if content.get("version") != VERSION:
            raise ValueError(
                f"it is of version {content.get('version')!r}, this DeepLoc reads {VERSION}"
            )
        rows = _list(content, "segments")
        return Annotation(
            media=_at("media", to_media, content.get("media")),
            intervals=tuple(_at(f"segment {n}", _interval, row) for n, row in enumerate(rows, 1)),
            model=None if content.get("model") is None else _at("model", _model, content["model"]),
            threshold=_number(content, "threshold", least=None, optional=True),
            author=_text(content, "author"),
            created=_text(content, "created"),
            modified=_text(content, "modified"),
            history=tuple(_at("history", _change, row) for row in _list(content, "history")),
        )
    except ValueError as error:
        raise BadAnnotations(f"{name}: {error}.") from error


def to_media(row: Any) -> Media:
    """The clip that the JSON names; `pts`, its frame times, may be there. Raises `ValueError`."""
    _check_object(row)
    sha256, pts_s = row.get("sha256"), tuple(_list(row, "pts"))
    if not all(isinstance(time, int | float) for time in pts_s):
        raise ValueError("pts is no list of numbers")
    media = Media(
        name=_text(row, "name"),
        duration_s=_number(row, "duration_s"),
        fps=_number(row, "fps"),
        frames=int(_number(row, "frames")),
        sha256=None if sha256 is None else _text(row, "sha256"),
        timing=_one_of(row, "timing", ("pts", "even"), "even"),
        pts_s=pts_s,
    )
    if not (media.name and media.duration_s > 0 and media.fps > 0):
        raise ValueError("name, duration_s or fps is empty")
    return media


def interval_details(row: Mapping[str, Any]) -> dict[str, Any]:
    """Origin, status, score, confidence and note of a row, checked; what is not there is left to
    the defaults of `Interval`. Raises `ValueError`."""
    return {
        "origin": _one_of(row, "origin", ORIGINS, "file"),
        "status": _one_of(row, "status", STATUSES, "added"),
        "score": _number(row, "score", most=1, optional=True),
        "confidence": _number(row, "confidence", most=1, optional=True),
        "note": _text(row, "note"),
    }


def _interval(row: Any) -> Interval:
    _check_object(row)
    start_s, end_s = _number(row, "start_s"), _number(row, "end_s")
    start, end = int(_number(row, "start_frame")), int(_number(row, "end_frame"))
    if not (start_s < end_s and start <= end):
        raise ValueError("it ends before it begins")
    stream = _one_of(row, "stream", STREAMS, "fused")
    return Interval(start_s, end_s, start, end, stream, **interval_details(row))


def _model(row: Any) -> ModelInfo:
    _check_object(row)
    return ModelInfo(*(_text(row, key) for key in ("name", "revision", "sha256")))


def _change(row: Any) -> Change:
    _check_object(row)
    return Change(_text(row, "at"), _text(row, "action"))


def _at(place: str, make: Any, row: Any) -> Any:
    """Says where in the file something is wrong."""
    try:
        return make(row)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _check_object(row: Any) -> None:
    if not isinstance(row, Mapping):
        raise ValueError(f"expected an object, got {row!r:.40}")


def _list(row: Mapping, key: str) -> list:
    value = row.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} is no list")
    return value


def _text(row: Mapping, key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r:.40}, expected text")
    return value.encode("utf-8", "ignore").decode()  # half a character can be in no file


def _one_of(row: Mapping, key: str, known: tuple[str, ...], default: str) -> Any:
    value = row.get(key) or default
    if value not in known:
        raise ValueError(f"{key} is {value!r:.40}, expected one of {', '.join(known)}")
    return value


def _number(
    row: Mapping,
    key: str,
    least: float | None = 0,
    most: float | None = None,
    optional: bool = False,
) -> Any:
    value = row.get(key)
    if optional and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} is {value!r:.40}, expected a number")
    if (least is not None and value < least) or (most is not None and value > most):
        raise ValueError(
            f"{key} is {value:g}, expected {least:g} {f'to {most:g}' if most else 'or more'}"
        )
    return value
