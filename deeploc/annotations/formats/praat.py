"""Praat's TextGrid: an interval tier for each stream, more where its intervals overlap.

The tier's name tells the stream; the text of an interval is a line of `label.py` without it.
"""

from __future__ import annotations

from pathlib import Path

from praatio import textgrid

from deeploc.annotations.annotation import Annotation, Interval, Media
from deeploc.annotations.format import Format, Source
from deeploc.annotations.label import format_label, labelled_intervals, stream_in_text
from deeploc.annotations.tiers import assign_tiers


def write(annotation: Annotation, path: Path) -> None:
    ends_s = [annotation.media.duration_s, *(one.end_s for one in annotation.intervals)]
    grid = textgrid.Textgrid(0, max(ends_s))
    for tier, intervals in assign_tiers(annotation.intervals).items():
        entries = [(one.start_s, one.end_s, format_label(one, stream=False)) for one in intervals]
        grid.addTier(textgrid.IntervalTier(tier, entries, 0, max(ends_s)))
    grid.save(str(path), "short_textgrid", includeBlankSpaces=True, minimumIntervalLength=None)


def read(source: Source, media: Media) -> list[Interval]:
    """Interval tiers; points have no length."""
    grid = textgrid.openTextgrid(
        str(source.path),
        includeEmptyIntervals=False,
        reportingMode="silence",
        duplicateNamesMode="rename",
    )
    return [
        interval
        for tier in grid.tiers
        if isinstance(tier, textgrid.IntervalTier)
        for start, end, text in tier.entries
        for interval in labelled_intervals(media, start, end, text, stream_in_text(tier.name))
    ]


FORMAT = Format(
    key="praat",
    label="Praat TextGrid",
    suffixes=(".TextGrid",),
    mime="text/plain",
    keeps="a tier for each stream, more where intervals overlap; the rest in the text",
    read=read,
    write=write,
)
