"""ActivityNet-style JSON, and the dictionary that the BSN and BMN localizers train on.

Understood is exactly this: an object keyed by the clip's id, either at the top (BSN, BMN) or under
`database` (ActivityNet 1.3; `version` and `taxonomy` beside it are not used). Each value holds
- `annotations`: a list of `{"segment": [start, end], "label": ...}` in seconds; empty = authentic;
- `subset`: training, validation or testing (may be missing);
- `duration`, or `duration_second`, in seconds (may be missing);
- `file`: the clip's path (may be missing: then the id is the name, with or without `v_` before it
  and a suffix behind it).

A label that holds the word audio, sound, voice or speech is a forgery of the sound; visual, video,
picture, face or lip, of the picture. Real, authentic, genuine, original or pristine is none.
Any other label leaves the stream open: its segments are in `fused` alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from deeploc.annotations.annotation import Annotation
from deeploc.annotations.conversion import annotation_to_truth
from deeploc.annotations.format import Format, Source
from deeploc.annotations.json_clips import read_entries
from deeploc.annotations.label import AUTHENTIC_WORDS, STREAM_WORDS
from deeploc.annotations.truth import (
    ClipTruth,
    segments_with_stream,
    to_seconds,
    to_segment,
    to_split,
    with_fused,
)
from deeploc.scores import Stream
from deeploc.timeline import Segment, Timeline

SUBSETS = {"train": "training", "dev": "validation", "test": "testing"}
DURATIONS = {"duration_second", "duration_frame"}  # as ForgeryNet's JSON has them
FORGED_WORDS = {"fake", "forged", "forgery", "modified", "manipulated", "tampered"}


def activitynet_clip(key: str, row: Any, unnamed: Stream = "fused") -> ClipTruth:
    """The clip of one value. `unnamed`: the stream of a label that names none."""
    if not isinstance(row, dict) or not isinstance(row.get("annotations"), list):
        raise ValueError("expected an object with a list 'annotations'")
    found: dict[Stream, list[Segment]] = {"visual": [], "audio": [], "fused": []}
    for entry in row["annotations"]:
        if not isinstance(entry, dict) or "segment" not in entry:
            raise ValueError(f"expected {{'segment': [start, end], 'label': ...}}, got {entry!r}")
        segment = to_segment(entry["segment"])
        for stream in _streams(str(entry.get("label", "")), unnamed):
            found[stream].append(segment)
    return ClipTruth(
        str(row.get("file") or key),
        with_fused({stream: Timeline.of(segments) for stream, segments in found.items()}),
        to_split(row.get("subset")),
        to_seconds(row.get("duration", row.get("duration_second"))),
    )


def _streams(label: str, unnamed: Stream) -> list[Stream]:
    words = set(re.findall(r"[a-z]+", label.lower()))
    if words & AUTHENTIC_WORDS:
        if words & FORGED_WORDS:
            raise ValueError(f"the label '{label}' says both authentic and forged")
        return []
    return [stream for stream, own in STREAM_WORDS.items() if words & own] or [unnamed]


def read_clips(source: Source, _: Path | None = None) -> list[ClipTruth]:
    return read_entries(source, "activitynet", activitynet_clip)


def matches(source: Source) -> bool:
    if not isinstance(source.json, dict):
        return False
    return "database" in source.json or (
        "annotations" in source.first_row and not DURATIONS & set(source.first_row)
    )


def write(annotation: Annotation, path: Path) -> None:
    """One clip in the layout of ActivityNet 1.3, its id the file's name without suffix."""
    clip = annotation_to_truth(annotation)
    spans = [
        {"segment": [part.start, part.end], "label": stream}
        for stream, part in segments_with_stream(clip.segments)
    ]
    entry = {"file": clip.file, "duration": clip.duration_s, "annotations": spans}
    if clip.split:
        entry["subset"] = SUBSETS[clip.split]
    content = {"version": "VERSION 1.3", "database": {Path(clip.file).stem: entry}}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


FORMAT = Format(
    key="activitynet",
    label="ActivityNet JSON",
    suffixes=(".activitynet.json",),
    mime="application/json",
    keeps="when, and in which stream; intervals of a stream that touch become one",
    matches=matches,
    read_clips=read_clips,
    write=write,
)
