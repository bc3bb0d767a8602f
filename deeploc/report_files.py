"""Reports in files: written, and looked at later without a model. Nothing is computed anew.

A `.json` is what the page and the command line write (schema 2, `report.schema.json`): scores and
intervals, no evidence of face and sound. A `.npz` keeps that too, except the inspection clip.
Neither can run code. Files of schema 1 still read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from deeploc.calibration import BANDS, Band, Calibration
from deeploc.config import PostprocessConfig, Settings
from deeploc.curves import CURVES, Curve, Mark
from deeploc.errors import DeepLocError
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import MediaInfo
from deeploc.report import (
    FaceEvidence,
    Localization,
    ModelInfo,
    Report,
    SoundEvidence,
    Timing,
    Unscored,
)
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid, Segment

SCHEMA = 2
SCHEMA_FILE = Path(__file__).parent / "report.schema.json"
SOUND = ("mel", "error", "peaks", "rebuilt")


class BadReport(DeepLocError):
    """A file that holds no report of ours."""


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report as plain data, JSON schema 2: seconds and scores rounded, NaN as None."""
    return {
        "schema": SCHEMA,
        "version": report.version,
        "media": {**asdict(report.media), "duration_s": round(report.media.duration_s, 3)},
        "model": asdict(report.model),
        "settings": _written_settings(report.settings),
        "video_score": None if report.video_score is None else round(float(report.video_score), 4),
        "band": report.band,
        "timeline": [_localization(item) for item in report.timeline],
        "proposals": [_localization(item) for item in report.proposals],
        "curves": [_curve(curve) for curve in report.curves],
        "scores": [_values(item) for item in report.scores],
        "shots": [[round(shot.start, 3), round(shot.end, 3)] for shot in report.shots],
        "unscored": [
            _span(item.segment) | {"reason": item.reason, "stream": item.stream}
            for item in report.unscored
        ],
        "warnings": list(report.warnings),
        "timing": asdict(report.timing),
        "calibration": asdict(report.calibration),
    }


def _span(segment: Segment) -> dict[str, Any]:
    return {"start_s": round(segment.start, 3), "end_s": round(segment.end, 3)}


def _written_settings(settings: Settings) -> dict[str, Any]:
    knobs = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(settings.postprocess).items()
    }
    part = None if settings.part is None else _span(settings.part)
    return {"face": settings.face, "part": part, "device": settings.device, "postprocess": knobs}


def _localization(item: Localization) -> dict[str, Any]:
    return _span(item.segment) | {"score": round(float(item.score), 4), "stream": item.stream}


def _curve(curve: Curve) -> dict[str, Any]:
    """A definition; its marks stand with the values, for each stream has its own."""
    fields = {key: value for key, value in asdict(curve).items() if key != "marks"}
    return fields | {"range": list(curve.range)}


def _values(item: FrameScores) -> dict[str, Any]:
    values = [None if np.isnan(value) else round(float(value), 4) for value in item.values]
    return {
        "kind": item.kind,
        "stream": item.stream,
        "rate_hz": item.grid.rate_hz,
        "marks": [
            {"name": mark.name, "level": round(float(mark.level), 4)} for mark in item.curve.marks
        ],
        "values": values,
    }


def write_report(report: Report, path: str | Path) -> None:
    """Writes a `.npz` with everything that a view needs but the clip and the inspection clip, or
    JSON for any other suffix."""
    path = Path(path)
    if path.suffix.lower() == ".npz":
        with path.open("wb") as file:
            np.savez_compressed(file, **_arrays(report))
        return
    text = json.dumps(report_to_dict(report), ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _arrays(report: Report) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
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
    arrays["report"] = np.array(json.dumps(report_to_dict(report) | {"face": face_number}))
    return arrays


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
    if data["schema"] not in (1, SCHEMA):
        raise ValueError(data["schema"])
    calibration = Calibration.of(data.get("calibration", {}))
    scores = _scores(data, calibration)
    return Report(
        media=MediaInfo(**_known(MediaInfo, data["media"])),
        model=ModelInfo(**_known(ModelInfo, data["model"])),
        calibration=calibration,
        video_score=data["video_score"],
        band=_band(data, calibration),
        timeline=tuple(_interval(item, scores) for item in data["timeline"]),
        proposals=tuple(_interval(item, scores) for item in data["proposals"]),
        scores=scores,
        unscored=tuple(
            Unscored(_segment(item), str(item["reason"]), item.get("stream", "fused"))
            for item in data["unscored"]
        ),
        warnings=tuple(map(str, data["warnings"])),
        timing=Timing(**_known(Timing, data["timing"])),
        version=str(data.get("version", "")),
        settings=_settings(data.get("settings", {}), data.get("face")),
        evidence=_face(data, arrays),
        pts_s=arrays.get("pts_s"),
        sound=_sound(arrays),
        shots=tuple(Segment(float(start), float(end)) for start, end in data.get("shots", ())),
    )


def _band(data: Mapping[str, Any], calibration: Calibration) -> Band:
    """Schema 1 has a sentence instead, which no program should read."""
    if data["schema"] == 1:
        return calibration.band(data["video_score"])
    return BANDS[BANDS.index(data["band"])]


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a dataclass has fields for: newer writers may add more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _settings(values: Mapping[str, Any], face: int | None) -> Settings:
    part, knobs = values.get("part"), _known(PostprocessConfig, values.get("postprocess", {}))
    tuples: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in knobs.items()
    }
    return Settings(
        face=values.get("face", face),
        part=None if part is None else _segment(part),
        device=str(values.get("device", "")),
        postprocess=PostprocessConfig(**tuples),
    )


def _segment(item: Mapping[str, Any]) -> Segment:
    return Segment(float(item["start_s"]), float(item["end_s"]))


def _scores(data: Mapping[str, Any], calibration: Calibration) -> tuple[FrameScores, ...]:
    """The curves with their values; schema 1 knows two kinds and has the marks elsewhere."""
    if "curves" in data:
        curves = {item["kind"]: _definition(item) for item in data["curves"]}
    else:
        curves = {curve.kind: curve for curve in CURVES}
    found = []
    for item in data["scores"]:
        curve, stream = curves[item["kind"]], item["stream"]
        if "marks" in item:
            marks = (Mark(str(mark["name"]), float(mark["level"])) for mark in item["marks"])
            curve = replace(curve, marks=tuple(marks))
        elif curve.usual:
            curve = curve.with_percentiles(calibration.error_marks.get(stream, ()))
        values = np.array([np.nan if one is None else one for one in item["values"]], np.float32)
        found.append(FrameScores(FrameGrid(item["rate_hz"], len(values)), stream, curve, values))
    return tuple(found)


def _definition(item: Mapping[str, Any]) -> Curve:
    low, high = item["range"]
    known = _known(Curve, item) | {"range": (float(low), None if high is None else float(high))}
    return Curve(**known)


def _interval(item: Mapping[str, Any], scores: tuple[FrameScores, ...]) -> Localization:
    """Where an interval has no score, as in timelines of schema 1: the peak of the fused curve."""
    segment, score = _segment(item), item.get("score")
    if score is None:
        fused = (one for one in scores if one.curve.proposes and one.stream == "fused")
        score = max((_peak(one, segment) for one in fused), default=0.0)
    return Localization(segment, float(score), item["stream"])


def _peak(scores: FrameScores, segment: Segment) -> float:
    start, end = scores.grid.span(segment)
    return float(np.nan_to_num(scores.values[start:end]).max(initial=0.0))


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
    return SoundEvidence(
        mel=arrays["sound_mel"],
        error=arrays["sound_error"],
        peaks=arrays["sound_peaks"],
        rebuilt=arrays.get("sound_rebuilt"),
    )
