"""Audacity's label track: start TAB end TAB text, seconds, a line of `label.py` each."""

from __future__ import annotations

from pathlib import Path

from deeploc.annotations.annotation import Annotation, Interval, Media
from deeploc.annotations.format import Format, Source
from deeploc.annotations.label import format_label, labelled_intervals


def write(annotation: Annotation, path: Path) -> None:
    lines = [
        f"{interval.start_s:.6f}\t{interval.end_s:.6f}\t{format_label(interval)}\n"
        for interval in annotation.intervals
    ]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def read(source: Source, media: Media) -> list[Interval]:
    """The lines of a spectral selection, which begin with \\, say no times."""
    found = []
    for number, line in enumerate(source.text.split("\n"), start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        start, _, rest = line.partition("\t")
        end, _, text = rest.partition("\t")
        try:
            found += labelled_intervals(media, float(start), float(end), text)
        except ValueError as error:
            raise ValueError(
                f"line {number} is no label of start, tab, end, tab and text ({error})"
            ) from error
    return found


def matches(source: Source) -> bool:
    """A track without labels is an empty file."""
    return source.suffix == ".txt" and (not source.text.strip() or "\t" in source.first_line)


FORMAT = Format(
    key="audacity",
    label="Audacity labels",
    suffixes=(".txt",),
    mime="text/plain",
    keeps="a line of text, as in WebVTT",
    matches=matches,
    read=read,
    write=write,
)
