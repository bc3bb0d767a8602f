"""A person's annotation as the truth of a dataset row, and back.

Datasets know when and in which stream a clip was forged, nothing else: what was rejected is left
out, and so are notes, scores and who said so; segments of a stream that touch become one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deeploc.annotations.annotation import (
    Annotation,
    Interval,
    Media,
)
from deeploc.annotations.truth import (
    ClipTruth,
    segments_with_stream,
    with_fused,
)
from deeploc.errors import BadAnnotations
from deeploc.timeline import Timeline


def annotation_to_truth(annotation: Annotation) -> ClipTruth:
    """The row of the clip. `fused` intervals are forged in picture and in sound."""
    forged = [one for one in annotation.intervals if one.forged]
    visual, audio = (
        Timeline.of(one.segment for one in forged if one.stream in (stream, "fused"))
        for stream in ("visual", "audio")
    )
    return ClipTruth(
        annotation.media.name,
        with_fused({"visual": visual, "audio": audio}),
        duration_s=annotation.media.duration_s,
        labels={"visual": bool(visual), "audio": bool(audio)},
    )


def truth_to_intervals(clip: ClipTruth, media: Media) -> list[Interval]:
    """The intervals of a row. Raises `ValueError` where it doesn't say when the clip is forged."""
    if clip.forged and not clip.segments["fused"]:
        raise ValueError(f"it calls {clip.file} forged, but doesn't say when")
    return [
        media.interval(part.start, part.end, stream=stream)
        for stream, part in segments_with_stream(clip.segments)
    ]


def find_clip(rows: Iterable[ClipTruth], name: str) -> ClipTruth | None:
    """The row of the clip with that file name or id, else the only row."""
    rows = list(rows)
    named = [row for row in rows if Path(row.file).name in (name, Path(name).stem)]
    if len(named) == 1:
        return named[0]
    return rows[0] if len(rows) == 1 else None


def select_clip(path: Path, rows: Iterable[ClipTruth], name: str) -> ClipTruth:
    """As `find_clip`. Raises `BadAnnotations` where there is none."""
    row = find_clip(rows, name)
    if row is None:
        raise BadAnnotations(f"{path.name} holds no row for {name}. Add one with that file name.")
    return row
