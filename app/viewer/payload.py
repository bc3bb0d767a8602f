"""Report -> the one JSON that the browser gets: rounding, no decisions.

Times are seconds, positions are source pixels. The report itself travels as its schema 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from app.verdict import headline
from app.viewer.packing import pack_heat, pack_sound, pack_track, pack_waveform
from app.wording import REASONS
from deeploc.annotations.truth import segments_with_stream
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.report import Report
from deeploc.report_files import report_to_dict
from deeploc.scores import Stream
from deeploc.timeline import Timeline

LETTERS = {"visual": "V", "audio": "A", "fused": "VA"}


def to_payload(
    report: Report, video: str | Path, truth: Mapping[Stream, Timeline] | None = None
) -> dict:
    """Everything the viewer shows. `video`: a file that browsers play. `truth`: None if unknown."""
    return {
        "report": report_to_dict(report),
        "video": str(video),
        "headline": headline(report),
        "reasons": {
            item.reason: REASONS[item.reason] for item in report.unscored if item.reason in REASONS
        },
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
        "sha256": report.media.sha256,
        **_evidence(report),
    }


def _evidence(report: Report) -> dict:
    """What the panels draw of face and sound; None where there is none."""
    marks, face, sound = report.calibration.error_marks, report.evidence, report.sound
    rate_hz = report.scores[0].grid.rate_hz if report.scores else VIDEO_RATE_HZ
    return {
        "heat": None if face is None else pack_heat(face, marks),
        "tracks": [] if face is None else [pack_track(track, rate_hz) for track in face.tracks],
        "sound": None if sound is None else pack_sound(sound, marks, rate_hz),
        "waveform": None if sound is None else pack_waveform(sound, rate_hz),
        "inspection": None if report.inspection is None else str(report.inspection),
    }


def truth_spans(truth: Mapping[Stream, Timeline]) -> list[dict]:
    """Truth by stream -> spans with letters; what is forged in both streams at once is VA."""
    return [
        {"start": round(part.start, 3), "end": round(part.end, 3), "letter": LETTERS[stream]}
        for stream, part in segments_with_stream(truth)
    ]
