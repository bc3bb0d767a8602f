"""Report -> the words of the verdict strip, those of the bands among them.

Wording only: every number comes from the report. Programs read `Report.band`.
"""

from __future__ import annotations

from typing import Any

from deeploc.calibration import Band
from deeploc.report import Report
from deeploc.scores import STREAM_LABELS, Stream
from deeploc.timeline import Timeline

LEVELS: dict[Band, int] = {"unscored": 0, "none": 1, "some": 2, "strong": 3}
BAND_WORDS: dict[Band, str] = {
    "unscored": "Not enough evidence to judge",
    "none": "No evidence of forgery found",
    "some": "Some evidence of forgery",
    "strong": "Strong evidence of forgery",
}
UNTRAINED = "Untrained model: no verdict"
NOT_ANALYSED = "Not analysed"
NOT_ANALYSED_RATE = "No model has looked at this clip. Label it in lane E, or import annotations."
NO_PROOF = "Absence of evidence is not proof of authenticity."


def band_words(report: Report) -> str:
    """The band, and where nothing was scored why."""
    if not report.model.name:
        return NOT_ANALYSED
    return BAND_WORDS[report.band] if report.calibration.clips else UNTRAINED


def headline(report: Report) -> dict[str, Any]:
    """`level` 0..3, and as plain text `band`, `facts` (label, value), `rate`, `note`, `model`."""
    return {
        "level": LEVELS[report.band],
        "band": band_words(report),
        "facts": [{"label": label, "value": value} for label, value in _facts(report)],
        "rate": false_alarm_rate(report),
        "note": NO_PROOF if report.model.name else "",
        "model": _model(report),
        "warnings": list(report.warnings),
    }


def false_alarm_rate(report: Report) -> str:
    """How often authentic validation clips reach this band, as a sentence."""
    calibration = report.calibration
    if not report.model.name:
        return NOT_ANALYSED_RATE
    if not calibration.clips:
        return "This model was never calibrated: its scores mean nothing yet."
    if report.video_score is None:
        return "Too little could be scored for a verdict."
    level: Band = "strong" if report.band == "strong" else "some"
    rate = calibration.alarms(level)
    if rate is None:
        return "The false-alarm rate of this model is not known."
    of_clips = f"{rate.share:.1%} of {rate.clips} authentic validation clips".replace(".0%", "%")
    if report.band in ("some", "strong"):
        return f"At this level {of_clips} are flagged."
    return f"{of_clips} are flagged by this model."


def _facts(report: Report) -> list[tuple[str, str]]:
    forged = Timeline.of(item.segment for item in report.timeline).duration
    count = len(report.timeline)
    found = [
        ("Flagged as forged", f"{forged:.1f} s of {report.media.duration_s:.1f} s"),
        ("Found", "1 interval" if count == 1 else f"{count} intervals"),
        ("Clip score", f"{report.video_score or 0:.2f}"),
    ]
    if not report.scores:
        return [("Length", f"{report.media.duration_s:.1f} s")]
    return [
        *(found if report.video_score is not None else []),
        ("Scored", ", ".join(f"{name} {share:.0%}" for name, share in scored_shares(report))),
        ("Work", f"{report.timing.seconds_per_second:.2f} s per second"),
    ]


def scored_shares(report: Report) -> list[tuple[str, float]]:
    """Share of the clip's steps, 0..1, that were judged, of the picture and of the sound."""
    shares = {
        item.stream: float(item.scored.mean()) for item in report.scores if item.curve.proposes
    }
    streams: tuple[Stream, ...] = ("visual", "audio")
    return [(STREAM_LABELS[stream], shares.get(stream, 0.0)) for stream in streams]


def _model(report: Report) -> str:
    if not report.model.name:
        return ""
    sha = f" · {report.model.sha256[:8]}" if report.model.sha256 else ""
    return f"{report.model.name}@{report.model.revision}{sha}"
