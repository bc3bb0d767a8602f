"""What `metadata.json` says of a clip: the keys of LAV-DF, and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.preprocess.audio import STEP_SAMPLES
from deeploc.timeline import Segment, Timeline
from train.forge.config import null_families
from train.forge.plan import Plan, SourceClip


def clip_record(
    plan: Plan,
    source: SourceClip,
    name: str,
    original: str | None,
    n_frames: int,
    made: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """One entry of `metadata.json`.

    `made`: of each stream that was worked on the family, the spans in steps, and the parameters of
    each.
    """
    nulls = null_families()
    forged = {stream: how for stream, how in made.items() if how["family"] not in nulls}
    periods = {
        stream: [[start / VIDEO_RATE_HZ, end / VIDEO_RATE_HZ] for start, end in how["spans"]]
        for stream, how in forged.items()
    }
    union = Timeline.of(Segment(*period) for rows in periods.values() for period in rows)
    return {
        "file": name,
        "n_fakes": len(union),
        "fake_periods": [[segment.start, segment.end] for segment in union],
        "duration": n_frames / VIDEO_RATE_HZ,
        "original": original,
        "modify_video": "visual" in forged,
        "modify_audio": "audio" in forged,
        "split": source.split,
        "video_frames": n_frames,
        "audio_channels": 1,
        "audio_frames": n_frames * STEP_SAMPLES,
        "identity": source.identity,
        "footage": plan.config.footage,
        "family_visual": made["visual"]["family"] if "visual" in made else None,
        "family_audio": made["audio"]["family"] if "audio" in made else None,
        "visual_periods": periods.get("visual", []),
        "audio_periods": periods.get("audio", []),
        "seed": plan.config.seed,
        "params": made,
        "source": {"file": Path(source.path).name, "start": source.start / VIDEO_RATE_HZ},
    }
