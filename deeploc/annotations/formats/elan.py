"""ELAN's .eaf: a tier for each stream, more where its intervals overlap.

The tier's name tells the stream; the text of an annotation is a line of `label.py` without it.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from urllib.parse import quote

from pympi import Eaf

from deeploc.annotations.annotation import Annotation, Interval, Media
from deeploc.annotations.format import Format, Source
from deeploc.annotations.label import escape_lines, format_label, labelled_intervals, stream_in_text
from deeploc.annotations.tiers import assign_tiers

DEFAULT_TIER = "default"  # pympi makes it


def write(annotation: Annotation, path: Path) -> None:
    """Times are whole milliseconds."""
    eaf = Eaf(author=escape_lines(annotation.author) or "DeepLoc")
    name = annotation.media.name
    mime = mimetypes.guess_type(name)[0] or "video/mp4"
    eaf.add_linked_file(f"file:///{quote(name)}", f"./{quote(name)}", mime)
    for key, value in annotation.provenance.items():
        eaf.add_property(f"deeploc {key}", escape_lines(value))
    for tier, intervals in assign_tiers(annotation.intervals).items():
        eaf.add_tier(tier)
        for interval in intervals:
            start, end = round(interval.start_s * 1000), round(interval.end_s * 1000)
            text = format_label(interval, stream=False)
            eaf.add_annotation(tier, start, max(end, start + 1), text)
    eaf.remove_tier(DEFAULT_TIER)
    eaf.to_file(str(path))


def read(source: Source, media: Media) -> list[Interval]:
    """What is aligned to time; tiers that only refer to others say nothing of their own."""
    if b"<!ENTITY" in source.path.read_bytes():
        raise ValueError("it defines entities, which no .eaf needs")
    eaf = Eaf(str(source.path), suppress_version_warning=True)
    return [
        interval
        for tier, (aligned, *_) in eaf.tiers.items()
        for start, end, text, _ in aligned.values()
        for interval in labelled_intervals(
            media,
            eaf.timeslots[start] / 1000,
            eaf.timeslots[end] / 1000,
            text,
            stream_in_text(tier),
        )
    ]


FORMAT = Format(
    key="elan",
    label="ELAN",
    suffixes=(".eaf",),
    mime="application/xml",
    keeps="a tier for each stream, more where intervals overlap; the rest in the text, "
    "to the millisecond",
    read=read,
    write=write,
)
