"""WebVTT: a cue an interval, its text a line of `label.py`."""

from __future__ import annotations

import html
from pathlib import Path

import webvtt
from webvtt.models import Timestamp

from deeploc.annotations.annotation import Annotation, Interval, Media
from deeploc.annotations.format import Format, Source
from deeploc.annotations.label import escape_lines, format_label, labelled_intervals


def write(annotation: Annotation, path: Path) -> None:
    """Where the annotation comes from is in a comment before the first cue."""
    captions = [
        webvtt.Caption(
            str(Timestamp.from_seconds(interval.start_s)),
            str(Timestamp.from_seconds(interval.end_s)),
            html.escape(format_label(interval), quote=False),
            identifier=str(number),
        )
        for number, interval in enumerate(annotation.intervals, start=1)
    ]
    lines = (f"{key}: {escape_lines(value)}" for key, value in annotation.provenance.items())
    comment = "\n".join(lines).replace("-->", "->")
    content = webvtt.WebVTT(captions=captions, header_comments=[comment]).content
    path.write_text(content, encoding="utf-8")


def read(source: Source, media: Media) -> list[Interval]:
    return [
        interval
        for cue in webvtt.from_string(source.text, strict=True).captions
        for interval in labelled_intervals(
            media,
            cue.start_time.in_milliseconds() / 1000,
            cue.end_time.in_milliseconds() / 1000,
            html.unescape(cue.text),
        )
    ]


FORMAT = Format(
    key="webvtt",
    label="WebVTT",
    suffixes=(".vtt",),
    mime="text/vtt",
    keeps="a line of text, `visual; accepted; proposal; score 0.91; note: lips lag`; clip, model "
    "and author in a comment",
    read=read,
    write=write,
)
