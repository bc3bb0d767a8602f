"""Finds the ground truth of a clip: in the visitor's file, or beside an example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.wording import TRUTH_SHOWN
from deeploc.annotations import Media, read_clip_truth
from deeploc.errors import DeepLocError
from deeploc.scores import Stream
from deeploc.timeline import Timeline

TRUTH_NAME = "truth.csv"
Truth = Mapping[Stream, Timeline]


def find_truth(
    clip: str | Path, file: str | None, media: Media | None = None
) -> tuple[Truth | None, str]:
    """The truth by stream, or None, and a sentence about it for the visitor.

    `media`: length and frame rate of the clip, where they are known.
    """
    beside = Path(clip).parent / TRUTH_NAME
    source = Path(file) if file else beside
    if not file and not beside.exists():
        return None, ""
    try:
        truth = read_clip_truth(source, media or clip)
    except DeepLocError as error:
        return None, str(error)
    return truth.segments, TRUTH_SHOWN.format(name=source.name)
