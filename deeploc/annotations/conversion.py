"""A person's annotation as the truth of a clip, and back.

A truth knows when and in which stream a clip was forged, nothing else: what was rejected is left
out, and so are notes, scores and authors; segments of a stream that touch become one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deeploc.annotations.annotation import Annotation, Interval, Media
from deeploc.annotations.truth import ClipTruth, segments_with_stream, with_fused
from deeploc.errors import BadAnnotations
from deeploc.timeline import Timeline


def annotation_to_truth(annotation: Annotation) -> ClipTruth:
    """The truth of the clip. `fused` intervals are forged in picture and in sound."""
    forged = [interval for interval in annotation.intervals if interval.forged]
    visual, audio = (
        Timeline.of(interval.segment for interval in forged if interval.stream in (stream, "fused"))
        for stream in ("visual", "audio")
    )
    return ClipTruth(
        annotation.media.name,
        with_fused({"visual": visual, "audio": audio}),
        duration_s=annotation.media.duration_s,
        labels={"visual": bool(visual), "audio": bool(audio)},
    )


def truth_to_intervals(truth: ClipTruth, media: Media) -> list[Interval]:
    """The intervals of a clip. Raises `ValueError` where the truth doesn't say when it is forged,
    or where an interval lies outside of the clip."""
    if truth.forged and not truth.segments["fused"]:
        raise ValueError(f"it calls {truth.file} forged, but doesn't say when")
    return [
        media.interval(part.start, part.end, stream=stream)
        for stream, part in segments_with_stream(truth.segments)
    ]


def select_clip(file: str, truths: Iterable[ClipTruth], clip: str) -> ClipTruth:
    """The truth with the clip's file name or id, else the only one.

    Raises `BadAnnotations`, naming the annotation file, where there is none.
    """
    truths = list(truths)
    named = [truth for truth in truths if Path(truth.file).name in (clip, Path(clip).stem)]
    if len(named) == 1:
        return named[0]
    if len(truths) == 1:
        return truths[0]
    raise BadAnnotations(f"{file} holds no row for {clip}. Add one with that file name.")
