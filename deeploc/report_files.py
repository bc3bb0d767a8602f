"""Reports in files, to be looked at later: without a model, without computing anything anew.

A `.json` is what the page and the command line write (schema 1): scores, intervals, no evidence of
face and sound. A `.npz` keeps that too, except the inspection clip. Neither can run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from deeploc.calibration import Calibration
from deeploc.errors import DeepLocError
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import MediaInfo
from deeploc.report import (
    SCHEMA,
    FaceEvidence,
    Localization,
    ModelInfo,
    Report,
    SoundEvidence,
    Timing,
    Unscored,
)
from deeploc.scores import FrameScores
from deeploc.timeline import (
    FrameGrid,
    Segment,
)

SOUND = ("mel", "error", "peaks", "rebuilt")


class BadReport(DeepLocError):
    """A file that holds no report of ours."""


def save_report(report: Report, path: str | Path) -> None:
    """Writes a `.npz` with everything that a view needs but the clip and the inspection clip."""
    arrays: dict[str, np.ndarray] = {}
    if report.pts_s is not None:
        arrays["pts_s"] = report.pts_s
    if report.evidence:
        face = report.evidence
        arrays |= {"heat": face.heat.astype(np.float16), "crops": face.crops}
        for track in face.tracks or (face.track,):
            arrays[f"boxes_{track.number}"] = track.boxes
            arrays[f"confidence_{track.number}"] = track.confidence
    if report.sound:
        kept = {name: getattr(report.sound, name) for name in SOUND}
        arrays |= {f"sound_{name}": one for name, one in kept.items() if one is not None}
    face_number = report.evidence.track.number if report.evidence else None
    text = report.to_dict() | {"face": face_number}
    arrays["report"] = np.array(json.dumps(text))
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def read_report(path: str | Path) -> Report:
    """A report from a `.json` or `.npz` file. Raises `BadReport` with a sentence."""
    path = Path(path)
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return _report(json.loads(str(arrays["report"])), dict(arrays))
        return _report(json.loads(path.read_text(encoding="utf-8")), {})
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        AssertionError,
        EOFError,
    ) as error:
        raise BadReport(
            f"{path.name} is no DeepLoc report. Choose the JSON that this page or the command line "
            "saved for a clip."
        ) from error


def _report(data: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Report:
    if data["schema"] != SCHEMA:
        raise ValueError(data["schema"])
    return Report(
        media=_made(MediaInfo, data["media"]),
        model=_made(ModelInfo, data["model"]),
        calibration=_made(Calibration, data.get("calibration", {})),
        video_score=data["video_score"],
        verdict=str(data["verdict"]),
        timeline=_timeline(data),
        proposals=tuple(
            Localization(_segment(item), float(item["score"]), item["stream"])
            for item in data["proposals"]
        ),
        scores=tuple(_scores(data)),
        unscored=tuple(
            Unscored(_segment(item), str(item["reason"]), item.get("stream", "fused"))
            for item in data["unscored"]
        ),
        warnings=tuple(map(str, data["warnings"])),
        timing=_made(Timing, data["timing"]),
        evidence=_face(data, arrays),
        pts_s=arrays.get("pts_s"),
        sound=_sound(arrays),
    )


def _made(kind: type, values: Mapping[str, Any]) -> Any:
    """A dataclass of the values that it knows: newer writers may add more."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in known})


def _segment(item: Mapping[str, Any]) -> Segment:
    return Segment(float(item["start_s"]), float(item["end_s"]))


def _scores(data: Mapping[str, Any]) -> list[FrameScores]:
    found = []
    for item in data["scores"]:
        values = np.array([np.nan if one is None else one for one in item["values"]], np.float32)
        grid = FrameGrid(item["rate_hz"], len(values))
        found.append(FrameScores(grid, item["stream"], item["kind"], values))
    return found


def _timeline(data: Mapping[str, Any]) -> tuple[Localization, ...]:
    """The intervals; their score, which schema 1 leaves out, is the peak of the fused curve."""
    fused = [one for one in _scores(data) if (one.kind, one.stream) == ("forgery", "fused")]
    found = []
    for item in data["timeline"]:
        segment, score = _segment(item), 0.0
        if fused:
            start, end = fused[0].grid.span(segment)
            score = float(np.nan_to_num(fused[0].values[start:end]).max(initial=0.0))
        found.append(Localization(segment, score, item["stream"]))
    return tuple(found)


def _face(data: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> FaceEvidence | None:
    if "heat" not in arrays:
        return None
    numbers = sorted(int(name[6:]) for name in arrays if name.startswith("boxes_"))
    tracks = {number: _track(number, arrays) for number in numbers}
    return FaceEvidence(
        track=tracks[data["face"]],
        heat=arrays["heat"].astype(np.float32),
        crops=arrays["crops"],
        tracks=tuple(tracks.values()),
    )


def _track(number: int, arrays: Mapping[str, np.ndarray]) -> FaceTrack:
    boxes = arrays[f"boxes_{number}"]
    return FaceTrack(number, boxes, arrays[f"confidence_{number}"], ~np.isnan(boxes[:, 0]))


def _sound(arrays: Mapping[str, np.ndarray]) -> SoundEvidence | None:
    if "sound_mel" not in arrays:
        return None
    return SoundEvidence(**{name: arrays.get(f"sound_{name}") for name in SOUND})  # type: ignore[arg-type]
