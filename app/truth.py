"""Finds the ground truth of a clip: in the visitor's file, or beside an example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.wording import (
    TRUTH_MISSING,
    TRUTH_SHOWN,
)
from deeploc.annotations import read_truths
from deeploc.annotations.conversion import find_clip
from deeploc.errors import BadAnnotations
from deeploc.scores import Stream
from deeploc.timeline import Timeline

TRUTH_NAME = "truth.csv"
Truth = Mapping[Stream, Timeline]


def find_truth(clip: str | Path, file: str | None) -> tuple[Truth | None, str]:
    """The truth by stream, or None, and a sentence about it for the visitor."""
    clip = Path(clip)
    beside = clip.parent / TRUTH_NAME
    source = Path(file) if file else beside
    if not file and not beside.exists():
        return None, ""
    try:
        truth = read_truth(source, clip.name)
    except BadAnnotations as error:
        return None, str(error)
    if truth is None:
        return None, TRUTH_MISSING.format(name=source.name, clip=clip.name)
    return truth, TRUTH_SHOWN.format(name=source.name)


def read_truth(source: Path, name: str) -> Truth | None:
    """The row with that file name or id, else the only row. Raises `BadAnnotations`."""
    row = find_clip(read_truths(source), name)
    return None if row is None else row.segments
