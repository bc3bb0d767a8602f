"""Report -> the words of the verdict strip, those of the bands among them.

Wording only: every number comes from the report. Programs read `Report.band`.
"""

from __future__ import annotations

from typing import Any

from app.trust import false_alarms, trust
from deeploc.calibration import Band
from deeploc.report import Report
from deeploc.scores import STREAM_LABELS, Stream
from deeploc.timeline import Timeline

SINGLE: tuple[Stream, ...] = ("visual", "audio")
MOST_REASONS = 2
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
NOT_CALIBRATED = "This model was never calibrated: its scores mean nothing yet."
NO_PROOF = "Absence of evidence is not proof of authenticity."


def band_words(report: Report) -> str:
    """The band, and where nothing was scored why."""
    if not report.model.name:
        return NOT_ANALYSED
    return BAND_WORDS[report.band] if report.calibration.clips else UNTRAINED


def headline(report: Report) -> dict[str, Any]:
    """`level` 0..3, and as plain text `band`, `facts` (label, value), `rate`, `note`, `model`;
    `trust` and `warnings` are lists of sentences."""
    return {
        "level": LEVELS[report.band],
        "band": band_words(report),
        "facts": [{"label": label, "value": value} for label, value in _facts(report)],
        "rate": rate_words(report),
        "trust": _trust(report),
        "note": NO_PROOF if report.model.name else "",
        "model": _model(report),
        "warnings": list(report.warnings),
    }


def _trust(report: Report) -> list[str]:
    """How far the verdict can be trusted; nothing where there is none."""
    judged = report.model.name and report.calibration.clips and report.video_score is not None
    return trust(report.calibration, report.band) if judged else []


def rate_words(report: Report) -> str:
    """How often authentic clips are flagged, or why there is no verdict."""
    if not report.model.name:
        return NOT_ANALYSED_RATE
    if not report.calibration.clips:
        return NOT_CALIBRATED
    if report.video_score is None:
        return " ".join(why_unscored(report))
    return false_alarms(report.calibration, report.band)


def why_unscored(report: Report) -> list[str]:
    """A sentence on what was left to judge of each stream, and why no more; none where there is a
    verdict, and of clips that no model looked at."""
    if report.video_score is not None or not report.model.name:
        return []
    if all(share >= 1 for _, share in scored_shares(report)):
        return ["There is too little to judge in a clip as short as this."]
    parts = [_judged(report, stream) for stream in SINGLE]
    return [f"Too little could be judged: {' and '.join(parts)}."]


def _judged(report: Report, stream: Stream) -> str:
    """How much of a stream was scored, as "1.2 s of the picture (no usable face)"."""
    name = STREAM_LABELS[stream]
    share = dict(scored_shares(report))[name]
    if share >= 1:
        return f"all of the {name}"
    seconds = f"{share * report.media.duration_s:.1f} s" if share else "nothing"
    return f"{seconds} of the {name}{_reasons(report, stream)}"


def _reasons(report: Report, stream: Stream) -> str:
    """ " (no usable face, cut)", those that last longest first; "" where there is none."""
    seconds: dict[str, float] = {}
    for item in report.unscored:
        if item.stream in (stream, "fused"):
            seconds[item.reason] = seconds.get(item.reason, 0) + item.segment.duration
    names = sorted(seconds, key=lambda reason: -seconds[reason])[:MOST_REASONS]
    return f" ({', '.join(names)})" if names else ""


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
    return [(STREAM_LABELS[stream], shares.get(stream, 0.0)) for stream in SINGLE]


def _model(report: Report) -> str:
    if not report.model.name:
        return ""
    sha = f" · {report.model.sha256[:8]}" if report.model.sha256 else ""
    return f"{report.model.name}@{report.model.revision}{sha}"
