"""UMMAFormer's re-packs of TVIL and Psynd: a JSON object keyed by the clip's id.

Each value holds `file`, `split`, `duration`, `fake_periods` (seconds), and `fps`, `video_frames` or
`feature_frames` (Psynd). TVIL is inpainted picture. Psynd is edited sound, known by its
`feature_frames` or by the file's name; its test sets `test_cellular` and `test_landline` are test.
Values that have `modify_video` and `modify_audio` are read as LAV-DF.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deeploc.annotations.format import Format, Source
from deeploc.annotations.formats.lavdf import lavdf_clip
from deeploc.annotations.json_clips import read_entries
from deeploc.annotations.truth import ClipTruth, to_seconds, to_split, to_timeline, with_fused
from deeploc.media.formats import is_sound
from deeploc.scores import Stream


def ummaformer_clip(key: str, row: Any) -> ClipTruth:
    if not isinstance(row, dict):
        raise ValueError("expected an object")
    row = {"file": key, **row}
    if {"modify_video", "modify_audio"} <= set(row):
        return lavdf_clip(row)
    spoken = is_sound(str(row["file"]))
    stream: Stream = "audio" if spoken or "feature_frames" in row else "visual"
    if "fake_periods" not in row:
        raise ValueError("expected the key 'fake_periods'")
    return ClipTruth(
        str(row["file"]),
        with_fused({stream: to_timeline(row["fake_periods"])}),
        to_split(row.get("split")),
        _duration(row),
    )


def _duration(row: dict[str, Any]) -> float | None:
    if row.get("duration") is None and {"video_frames", "fps"} <= set(row):
        return to_seconds(None, row["video_frames"], row["fps"])
    return to_seconds(row.get("duration"))


def read_clips(source: Source, _: Path | None = None) -> list[ClipTruth]:
    return read_entries(source, "ummaformer", ummaformer_clip)


def matches(source: Source) -> bool:
    return isinstance(source.json, dict) and "fake_periods" in source.first_row


FORMAT = Format(
    key="ummaformer",
    label="TVIL and Psynd metadata",
    suffixes=(".json",),
    mime="application/json",
    keeps="when, and in which stream, as UMMAFormer re-packs both datasets",
    matches=matches,
    read_clips=read_clips,
)
