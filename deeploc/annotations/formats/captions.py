"""Audacity labels and WebVTT: times with a line of text, as `label.py` has it."""

from __future__ import annotations

import html
from pathlib import Path

import webvtt
from webvtt.models import Timestamp

from deeploc.annotations.annotation import (
    Annotation,
    Interval,
    Media,
)
from deeploc.annotations.label import (
    escape_lines,
    format_label,
    parse_label,
)
from deeploc.scores import Stream


def write_audacity(annotation: Annotation, path: Path) -> None:
    """A label track: start TAB end TAB text, seconds."""
    lines = [
        f"{one.start_s:.6f}\t{one.end_s:.6f}\t{format_label(one)}\n" for one in annotation.intervals
    ]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def read_audacity(path: Path, media: Media) -> list[Interval]:
    """Raises `ValueError`. The lines of a spectral selection, which begin with \\, say no times."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        start, _, rest = line.partition("\t")
        end, _, text = rest.partition("\t")
        try:
            found += labelled(media, float(start), float(end), text)
        except ValueError as error:
            raise ValueError(
                f"line {number} is no label of start, tab, end, tab and text ({error})"
            ) from error
    return found


def write_webvtt(annotation: Annotation, path: Path) -> None:
    """One cue an interval; where it comes from is in a comment before the first."""
    captions = [
        webvtt.Caption(
            str(Timestamp.from_seconds(one.start_s)),
            str(Timestamp.from_seconds(one.end_s)),
            html.escape(format_label(one), quote=False),
            identifier=str(number),
        )
        for number, one in enumerate(annotation.intervals, start=1)
    ]
    told = (f"{key}: {escape_lines(value)}" for key, value in annotation.provenance.items())
    comment = "\n".join(told).replace("-->", "->")
    webvtt.WebVTT(captions=captions, header_comments=[comment]).save(str(path))


def read_webvtt(path: Path, media: Media) -> list[Interval]:
    text = path.read_text(encoding="utf-8-sig")
    return [
        interval
        for cue in webvtt.from_string(text, strict=True).captions
        for interval in labelled(
            media,
            cue.start_time.in_milliseconds() / 1000,
            cue.end_time.in_milliseconds() / 1000,
            html.unescape(cue.text),
        )
    ]


def labelled(
    media: Media, start_s: float, end_s: float, text: str, stream: Stream | None = None
) -> list[Interval]:
    """The interval, or none where its label says authentic. Raises `ValueError`."""
    said = parse_label(text, stream)
    return [] if said is None else [media.interval(start_s, end_s, **said)]
