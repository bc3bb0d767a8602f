"""ELAN .eaf and Praat TextGrid: a tier for each stream, more where its intervals overlap.

The tier's name tells the stream; the text of an interval is a line of `label.py` without it.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from praatio import textgrid
from pympi import Eaf

from deeploc.annotations.annotation import (
    Annotation,
    Interval,
    Media,
)
from deeploc.annotations.formats.captions import labelled
from deeploc.annotations.label import (
    escape_lines,
    format_label,
    stream_in_text,
)
from deeploc.scores import STREAMS

DEFAULT_TIER = "default"  # pympi makes it


def write_elan(annotation: Annotation, path: Path) -> None:
    """Times are whole milliseconds."""
    eaf = Eaf(author=escape_lines(annotation.author) or "DeepLoc")
    name = annotation.media.name
    kind = mimetypes.guess_type(name)[0] or "video/mp4"
    eaf.add_linked_file(f"file:///{quote(name)}", f"./{quote(name)}", kind)
    for key, value in annotation.provenance.items():
        eaf.add_property(f"deeploc {key}", escape_lines(value))
    for tier, intervals in to_tiers(annotation.intervals).items():
        eaf.add_tier(tier)
        for one in intervals:
            start, end = round(one.start_s * 1000), round(one.end_s * 1000)
            eaf.add_annotation(tier, start, max(end, start + 1), format_label(one, stream=False))
    eaf.remove_tier(DEFAULT_TIER)
    eaf.to_file(str(path))


def read_elan(path: Path, media: Media) -> list[Interval]:
    """What is aligned to time; tiers that only refer to others say nothing of their own."""
    if b"<!ENTITY" in path.read_bytes():
        raise ValueError("it defines entities, which no .eaf needs")
    eaf = Eaf(str(path), suppress_version_warning=True)
    return [
        interval
        for tier, (aligned, *_) in eaf.tiers.items()
        for start, end, text, _ in aligned.values()
        for interval in labelled(
            media,
            eaf.timeslots[start] / 1000,
            eaf.timeslots[end] / 1000,
            text,
            stream_in_text(tier),
        )
    ]


def write_praat(annotation: Annotation, path: Path) -> None:
    duration_s = max([annotation.media.duration_s, *(one.end_s for one in annotation.intervals)])
    grid = textgrid.Textgrid(0, duration_s)
    for tier, intervals in to_tiers(annotation.intervals).items():
        entries = [(one.start_s, one.end_s, format_label(one, stream=False)) for one in intervals]
        grid.addTier(textgrid.IntervalTier(tier, entries, 0, duration_s))
    grid.save(str(path), "short_textgrid", includeBlankSpaces=True, minimumIntervalLength=None)


def read_praat(path: Path, media: Media) -> list[Interval]:
    """Interval tiers; points have no length."""
    grid = textgrid.openTextgrid(
        str(path), includeEmptyIntervals=False, reportingMode="silence", duplicateNamesMode="rename"
    )
    return [
        interval
        for tier in grid.tiers
        if isinstance(tier, textgrid.IntervalTier)
        for start, end, text in tier.entries
        for interval in labelled(media, start, end, text, stream_in_text(tier.name))
    ]


def to_tiers(intervals: Iterable[Interval]) -> dict[str, list[Interval]]:
    """Sorted intervals by tier, those of a tier disjoint. Every stream has one, be it empty."""
    tiers: dict[str, list[Interval]] = {stream: [] for stream in STREAMS}
    for one in intervals:
        number = 1
        while True:
            name = one.stream if number == 1 else f"{one.stream} {number}"
            own = tiers.setdefault(name, [])
            if not own or own[-1].end_s <= one.start_s:
                own.append(one)
                break
            number += 1
    return tiers
