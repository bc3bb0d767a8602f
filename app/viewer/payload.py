"""Report -> the one JSON that the browser gets: rounding and packing, no decisions.

Times are seconds, positions are source pixels. The report itself travels as its schema 1.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from app.verdict import headline
from deeploc.report import FaceEvidence, Report
from deeploc.scores import Stream
from deeploc.timeline import Timeline

LETTERS = {"visual": "V", "audio": "A", "fused": "VA"}
UNCALIBRATED_TOP = 6.0
NO_HEAT = 255  # packed value of a cell that was not scored; 254 is the top of the scale


def to_payload(
    report: Report, video: str | Path, truth: Mapping[Stream, Timeline] | None = None
) -> dict:
    """Everything the viewer shows. `video`: a file that browsers play. `truth`: None if unknown."""
    marks = report.calibration.error_marks
    return {
        "report": report.to_dict(),
        "video": str(video),
        "headline": headline(report),
        "marks": {stream: [round(mark, 4) for mark in row] for stream, row in marks.items()},
        "thresholds": dict(report.calibration.thresholds),
        "pts": [] if report.pts_s is None else np.round(report.pts_s, 4).tolist(),
        "intervals": [
            {
                "start": round(item.segment.start, 3),
                "end": round(item.segment.end, 3),
                "letter": LETTERS[item.stream],
                "stream": item.stream,
                "score": round(item.score, 3),
            }
            for item in report.timeline
        ],
        "truth": None if truth is None else truth_spans(truth),
        "heat": _heat(report),
    }


def _heat(report: Report) -> dict | None:
    if report.evidence is None:
        return None
    marks = report.calibration.error_marks
    return pack_heat(report.evidence, heat_scale(marks)) | {"calibrated": "cell" in marks}


def heat_scale(marks: Mapping[str, list[float]]) -> list[float]:
    """The fixed scale of the heat: transparent below the first value, hottest at the last one."""
    p50, p95, p99 = marks.get("cell", [1.0, 2.0, UNCALIBRATED_TOP / 2])
    return [round(mark, 3) for mark in (p50, p95, p99, 2 * p99)]


def pack_heat(evidence: FaceEvidence, scale: list[float]) -> dict:
    """Heat `(T, R, C)` as base64 bytes on the fixed scale, with the square of each step."""
    heat = evidence.heat
    known = ~np.isnan(heat)
    packed = np.full(heat.shape, NO_HEAT, np.uint8)
    packed[known] = np.clip(np.round(heat[known] / scale[-1] * 254), 0, 254)
    return {
        "rows": heat.shape[1],
        "cols": heat.shape[2],
        "scale": scale,
        "face": evidence.track.number,
        "cells": base64.b64encode(packed.tobytes()).decode("ascii"),
        "squares": [_square(row) for row in evidence.crops],
    }


def _square(row: np.ndarray) -> list[int] | None:
    return None if np.isnan(row).any() else [round(float(side)) for side in row]


def truth_spans(truth: Mapping[Stream, Timeline]) -> list[dict]:
    """Truth by stream -> spans with letters; what is forged in both streams at once is VA."""
    visual, audio = (set(truth.get(stream, Timeline())) for stream in ("visual", "audio"))
    alone = Timeline.of([*visual, *audio])
    fused = {part for part in truth.get("fused", Timeline()) if not alone.overlap(part)}
    letters = [("V", visual - audio), ("A", audio - visual), ("VA", visual & audio | fused)]
    spans = [
        {"start": round(part.start, 3), "end": round(part.end, 3), "letter": letter}
        for letter, parts in letters
        for part in parts
    ]
    return sorted(spans, key=lambda span: (span["start"], span["end"]))
