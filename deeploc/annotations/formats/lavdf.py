"""LAV-DF metadata (`metadata.json`, `metadata.min.json`), read and written.

A JSON list, one object a clip: `file`, `n_fakes`, `fake_periods` (seconds, one list for both
streams), `duration`, `original`, `modify_video`, `modify_audio`, `split`, `video_frames`; the full
file's `timestamps` and `transcript` are not used. Its times are frame / 25, and `duration` is the
container's, which the sound lengthens: a clip lasts `video_frames` / 25.

Our own files (of `train.forge` and in every cache) are in this layout with more keys:
`visual_periods`, `audio_periods`, `identity`, `family_visual`, `family_audio`, `footage` and
`change` where they are known, and `labels` where the two flags don't say it all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deeploc.annotations.annotation import Annotation
from deeploc.annotations.conversion import annotation_to_truth
from deeploc.annotations.format import Format, Source
from deeploc.annotations.json_clips import read_rows
from deeploc.annotations.truth import (
    DATASET_RATE_HZ,
    ClipTruth,
    row_file,
    to_identity,
    to_seconds,
    to_split,
    to_timeline,
    with_fused,
)
from deeploc.scores import STREAMS, Stream
from deeploc.timeline import Timeline

OWN: tuple[Stream, Stream] = ("visual", "audio")
TOLD = ("footage", "change")  # written only where they are known


def lavdf_clip(row: Any) -> ClipTruth:
    """The clip of one object. Raises `ValueError` where it contradicts itself."""
    keys = set(row) if isinstance(row, dict) else set()
    if "modify_type" in keys:
        raise ValueError("it is avdeepfake1m, not lavdf metadata")
    if "file" in keys and not keys & {"modify_video", "fake_periods"}:
        raise ValueError(
            "neither LAV-DF ('modify_video') nor AV-Deepfake1M ('modify_type') metadata"
        )
    file = row_file(row)
    labels = _labels(row)
    shared = to_timeline(row.get("fake_periods"))
    segments: dict[Stream, Timeline] = {
        stream: to_timeline(row[f"{stream}_periods"])
        if f"{stream}_periods" in row
        else (shared if labels.get(stream) else Timeline())
        for stream in OWN
    }
    if shared and "labels" not in row and not any(labels.values()):
        raise ValueError("it has fake_periods, but modify_video and modify_audio are both false")
    for stream in OWN:
        if segments[stream] and labels.get(stream) is False:
            raise ValueError(f"it has {stream}_periods, but the label of that stream is false")
    families = {stream: row.get(f"family_{stream}") for stream in STREAMS}
    return ClipTruth(
        file,
        with_fused({**segments, "fused": shared}),
        to_split(row.get("split")),
        to_seconds(row.get("duration"), row.get("video_frames")),
        row.get("original"),
        to_identity(row.get("identity")),
        {stream: str(family) for stream, family in families.items() if family},
        labels,
        row.get("footage") or None,
        row.get("change") or None,
    )


def read_clips(source: Source, _: Path | None = None) -> list[ClipTruth]:
    return read_rows(source, "lavdf", lavdf_clip)


def matches(source: Source) -> bool:
    """Any list of rows that is not another format's: `lavdf_clip` says what is wrong with it."""
    return isinstance(source.json, list) and not {"modify_type", "data"} & set(source.first_row)


def write(annotation: Annotation, path: Path) -> None:
    write_lavdf([annotation_to_truth(annotation)], path)


def write_lavdf(truths: Iterable[ClipTruth], path: str | Path) -> None:
    """Writes our layout of LAV-DF metadata, one clip a line, whole or not at all.

    Reading the file back gives the same truths.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, clip in enumerate(truths):
            file.write(",\n" if number else "\n")
            file.write(json.dumps(_row(clip), ensure_ascii=False))
        file.write("\n]\n")
    os.replace(partial, path)


def _row(clip: ClipTruth) -> dict[str, Any]:
    spans = {
        stream: [[segment.start, segment.end] for segment in timeline]
        for stream, timeline in clip.segments.items()
    }
    flags = {"visual": clip.modify_visual, "audio": clip.modify_audio}
    row: dict[str, Any] = {
        "file": clip.file,
        "n_fakes": max(len(spans["fused"]), int(clip.forged)),
        "fake_periods": spans["fused"],
        "duration": clip.duration_s,
        "original": clip.original,
        "modify_video": flags["visual"],
        "modify_audio": flags["audio"],
        "split": clip.split,
        "video_frames": _frames(clip.duration_s),
        "visual_periods": spans["visual"],
        "audio_periods": spans["audio"],
        "identity": clip.identity,
    }
    row |= {f"family_{stream}": family for stream, family in clip.families.items()}
    row |= {name: value for name in TOLD if (value := getattr(clip, name))}
    return row if clip.labels == flags else {**row, "labels": dict(clip.labels)}


def _frames(duration_s: float | None) -> int | None:
    """The frames that give exactly this duration when they are read back, if there are."""
    frames = round((duration_s or 0) * DATASET_RATE_HZ)
    return frames if frames / DATASET_RATE_HZ == duration_s else None


def _labels(row: dict[str, Any]) -> dict[Stream, bool]:
    if "labels" not in row:
        return {"visual": _flag(row, "modify_video"), "audio": _flag(row, "modify_audio")}
    labels = row["labels"]
    known = isinstance(labels, dict) and set(labels) <= set(STREAMS)
    if not known or not all(isinstance(forged, bool) for forged in labels.values()):
        raise ValueError(f"labels is {labels!r}, expected streams with true or false")
    return {stream: labels[stream] for stream in STREAMS if stream in labels}


def _flag(row: dict[str, Any], key: str) -> bool:
    value = row.get(key)
    if value not in (True, False):  # 0 and 1 compare equal
        raise ValueError(f"{key} is {value!r}, expected true or false")
    return bool(value)


FORMAT = Format(
    key="lavdf",
    label="LAV-DF metadata",
    suffixes=(".lavdf.json",),
    mime="application/json",
    keeps="when, and in which stream; intervals of a stream that touch become one",
    matches=matches,
    read_clips=read_clips,
    write=write,
)
