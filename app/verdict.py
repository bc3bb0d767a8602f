"""Report -> the words of the verdict strip. Wording only: every number comes from the report."""

from __future__ import annotations

from app.wording import (
    NO_PROOF,
    NOT_ANALYSED_RATE,
)
from deeploc.calibration import (
    NONE,
    SOME,
    STRONG,
)
from deeploc.report import Report
from deeploc.timeline import Timeline

LEVELS = {NONE: 1, SOME: 2, STRONG: 3}  # 0: no verdict


def headline(report: Report) -> dict:
    """`level` 0..3, `band`, `facts` (label, value), `rate`, `note` and `model`, all plain text."""
    return {
        "level": LEVELS.get(report.verdict, 0),
        "band": report.verdict[:1].upper() + report.verdict[1:],
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
    level = "strong" if report.verdict == STRONG else "some"
    share = calibration.false_alarms.get(level)
    if share is None:
        return "The false-alarm rate of this model is not known."
    of_clips = f"{share:.1%} of {calibration.clips} authentic validation clips".replace(".0%", "%")
    if report.verdict in (SOME, STRONG):
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
    """Share of the clip's steps, 0..1, with a forgery score of the picture and of the sound."""
    shares = {
        item.stream: float(item.scored.mean()) for item in report.scores if item.kind == "forgery"
    }
    return [("picture", shares.get("visual", 0.0)), ("sound", shares.get("audio", 0.0))]


def _model(report: Report) -> str:
    if not report.model.name:
        return ""
    sha = f" · {report.model.sha256[:8]}" if report.model.sha256 else ""
    return f"{report.model.name}@{report.model.revision}{sha}"
