"""DeepLoc's own JSON, "deeploc-annotation" version 1: everything, checked when it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from deeploc.annotations.annotation import FORMAT as NAME
from deeploc.annotations.annotation import (
    TIMINGS,
    VERSION,
    Annotation,
    HistoryEntry,
    Interval,
    Media,
)
from deeploc.annotations.fields import (
    choice_field,
    interval_details,
    list_field,
    number_field,
    require_object,
    stream_field,
    text_field,
)
from deeploc.annotations.format import Format, Source
from deeploc.errors import BadAnnotations
from deeploc.report import ModelInfo

Parsed = TypeVar("Parsed")


def write(annotation: Annotation, path: Path) -> None:
    text = json.dumps(annotation.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def read(source: Source) -> Annotation:
    return parse_annotation(source.json, source.name)


def matches(source: Source) -> bool:
    return isinstance(source.json, dict) and source.json.get("format") == NAME


def parse_annotation(content: Any, name: str = "The annotation") -> Annotation:
    """Plain data -> `Annotation`. Raises `BadAnnotations`: `name`, the place, and what is wrong."""
    try:
        if not isinstance(content, dict) or content.get("format") != NAME:
            raise ValueError(f"it is no JSON of the format '{NAME}'")
        if content.get("version") != VERSION:
            raise ValueError(
                f"it is of version {content.get('version')!r}, this DeepLoc reads {VERSION}"
            )
        segments, history = list_field(content, "segments"), list_field(content, "history")
        model = content.get("model")
        return Annotation(
            media=_in_place("media", parse_media, content.get("media")),
            intervals=tuple(
                _in_place(f"segment {number}", _interval, row)
                for number, row in enumerate(segments, start=1)
            ),
            model=None if model is None else _in_place("model", _model, model),
            threshold=number_field(content, "threshold", least=-float("inf"), optional=True),
            author=text_field(content, "author"),
            created=text_field(content, "created"),
            modified=text_field(content, "modified"),
            history=tuple(_in_place("history", _history_entry, row) for row in history),
        )
    except ValueError as error:
        raise BadAnnotations(f"{name}: {error}.") from error


def parse_media(row: Any) -> Media:
    """The clip that the JSON names; `pts`, its frame times, may be there. Raises `ValueError`."""
    row = require_object(row)
    sha256, pts_s = row.get("sha256"), tuple(list_field(row, "pts"))
    if not all(isinstance(time, int | float) for time in pts_s):
        raise ValueError("pts is no list of numbers")
    media = Media(
        name=text_field(row, "name"),
        duration_s=number_field(row, "duration_s"),
        fps=number_field(row, "fps"),
        frames=int(number_field(row, "frames")),
        sha256=None if sha256 is None else text_field(row, "sha256"),
        timing=choice_field(row, "timing", TIMINGS, "even"),
        pts_s=pts_s,
    )
    if not (media.name and media.duration_s > 0 and media.fps > 0):
        raise ValueError("name, duration_s or fps is empty")
    return media


def _interval(row: Any) -> Interval:
    row = require_object(row)
    start_s, end_s = number_field(row, "start_s"), number_field(row, "end_s")
    start, end = int(number_field(row, "start_frame")), int(number_field(row, "end_frame"))
    if not (start_s < end_s and start <= end):
        raise ValueError("it ends before it begins")
    return Interval(start_s, end_s, start, end, stream_field(row), **interval_details(row))


def _model(row: Any) -> ModelInfo:
    row = require_object(row)
    return ModelInfo(*(text_field(row, key) for key in ("name", "revision", "sha256")))


def _history_entry(row: Any) -> HistoryEntry:
    row = require_object(row)
    return HistoryEntry(text_field(row, "at"), text_field(row, "action"))


def _in_place(place: str, parse: Callable[[Any], Parsed], row: Any) -> Parsed:
    """Says where in the file something is wrong."""
    try:
        return parse(row)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


FORMAT = Format(
    key="json",
    label="DeepLoc JSON",
    suffixes=(".annotation.json", ".json"),
    mime="application/json",
    keeps="everything: hash of the clip, model and revision, threshold, author, history",
    matches=matches,
    read_with_media=read,
    write=write,
)
