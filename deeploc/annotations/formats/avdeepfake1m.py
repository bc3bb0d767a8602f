"""AV-Deepfake1M and AV-Deepfake1M++ metadata (`train_metadata.json`, `val_metadata.json`).

A JSON list, one object a clip, or one such object alone (the files of `train_metadata/`): `file`,
`original`, `split`, `modify_type`, `audio_model`, `video_model` (++ only), `fake_segments`,
`visual_fake_segments`, `audio_fake_segments` (seconds), `video_frames`, `audio_frames`. There is
no duration: a clip lasts `video_frames` / 25.

- `modify_type` is read with underscore and with hyphen.
- Thousands of clips of the release list a segment in the stream that `modify_type` calls
  untouched; it is dropped.
- `val` is dev. Identities are those of the paths: VoxCeleb2's speaker, LRS3's talk, the subject
  of a silent video.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from deeploc.annotations.annotation import Annotation
from deeploc.annotations.conversion import annotation_to_truth
from deeploc.annotations.format import Format, Source
from deeploc.annotations.json_clips import in_place, read_rows
from deeploc.annotations.truth import (
    DATASET_RATE_HZ,
    ClipTruth,
    row_file,
    to_seconds,
    to_split,
    to_timeline,
    with_fused,
)
from deeploc.media.clip import AUDIO_RATE_HZ
from deeploc.scores import Stream
from deeploc.timeline import Timeline

MODIFY_TYPES: dict[str, tuple[Stream, ...]] = {
    "real": (),
    "visual_modified": ("visual",),
    "audio_modified": ("audio",),
    "both_modified": ("visual", "audio"),
}
MODELS: dict[Stream, str] = {"visual": "video_model", "audio": "audio_model"}
PERSON = re.compile(r"(?:^|/)(id\d{4,6}|lrs3/[^/]+|silent_videos/subject_\d+)(?=[/_])")


def avdeepfake1m_clip(row: Any) -> ClipTruth:
    file = row_file(row)
    if "modify_type" not in row:
        raise ValueError("it has no modify_type, so it is no avdeepfake1m metadata")
    kind = str(row["modify_type"]).replace("-", "_")
    if kind not in MODIFY_TYPES:
        raise ValueError(f"unknown modify_type '{row['modify_type']}'")
    forged = MODIFY_TYPES[kind]
    person = PERSON.search(file)
    return ClipTruth(
        file,
        with_fused(_segments(row, forged)),
        to_split(row.get("split")),
        to_seconds(row.get("duration"), row.get("video_frames")),
        row.get("original"),
        person[1] if person else None,
        {stream: str(row[MODELS[stream]]) for stream in forged if row.get(MODELS[stream])},
        {stream: stream in forged for stream in MODELS},
    )


def _segments(row: dict[str, Any], forged: tuple[Stream, ...]) -> dict[Stream, Timeline]:
    """The lists of the forged streams; where none has its own, the clip's list serves them all."""
    own = {stream: to_timeline(row.get(f"{stream}_fake_segments")) for stream in forged}
    if any(own.values()):
        return own
    return dict.fromkeys(forged, to_timeline(row.get("fake_segments")))


def read_clips(source: Source, _: Path | None = None) -> list[ClipTruth]:
    if isinstance(source.json, dict) and "modify_type" in source.json:
        with in_place(source, "clip 1"):
            return [avdeepfake1m_clip(source.json)]
    return read_rows(source, "avdeepfake1m", avdeepfake1m_clip)


def matches(source: Source) -> bool:
    row = source.json if isinstance(source.json, dict) else source.first_row
    return "modify_type" in row


def write(annotation: Annotation, path: Path) -> None:
    """A list of one row. Where no stream is named, both count as forged."""
    clip = annotation_to_truth(annotation)
    named = any(clip.segments[stream] for stream in MODELS)
    spans = {
        stream: [[part.start, part.end] for part in clip.segments[stream if named else "fused"]]
        for stream in (*MODELS, "fused")
    }
    forged = tuple(stream for stream in MODELS if spans[stream])
    row = {
        "file": clip.file,
        "original": clip.original,
        "split": {"dev": "val"}.get(clip.split or "", clip.split),
        "modify_type": next(kind for kind, own in MODIFY_TYPES.items() if own == forged),
        "audio_model": clip.families.get("audio"),
        "video_model": clip.families.get("visual"),
        "fake_segments": spans["fused"],
        "visual_fake_segments": spans["visual"],
        "audio_fake_segments": spans["audio"],
        "video_frames": round((clip.duration_s or 0) * DATASET_RATE_HZ),
        "audio_frames": round((clip.duration_s or 0) * AUDIO_RATE_HZ),
    }
    path.write_text(json.dumps([row], ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


FORMAT = Format(
    key="avdeepfake1m",
    label="AV-Deepfake1M metadata",
    suffixes=(".avdeepfake1m.json",),
    mime="application/json",
    keeps="when, and in which stream; intervals of a stream that touch become one",
    matches=matches,
    read_clips=read_clips,
    write=write,
)
