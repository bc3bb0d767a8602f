"""The results on visitors' pages, kept in memory for as long as their files are.

A result is kept under a ticket that only its page knows, and whoever got the page's link.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from app.jobs import Job
from deeploc.media.trim import Cut
from deeploc.report import ModelInfo, Report

MAX_RESULTS = 128


@dataclass(frozen=True)
class Result:
    """What a visitor's page shows. `video`: the clip, or a proxy that browsers play. `cut`: the
    file that was analysed."""

    report: Report
    video: Path
    job: Job
    cut: Cut


class ResultStore:
    """The results of all visitors. Files made from them are written to `folder`, where browsers may
    fetch them and from which Gradio deletes them when they are `age_s` old."""

    def __init__(self, folder: Path, age_s: float) -> None:
        self.folder = folder
        self.age_s = age_s
        self._results: dict[str, tuple[float, Result]] = {}  # ticket -> since when, result

    def keep(self, result: Result) -> str:
        """The ticket under which the result can be found."""
        now = time.monotonic()
        fresh = [item for item in self._results.items() if now - item[1][0] < self.age_s]
        self._results = dict(fresh[-MAX_RESULTS + 1 :])
        ticket = secrets.token_urlsafe(16)
        self._results[ticket] = now, result
        return ticket

    def find(self, ticket: str) -> Result | None:
        """The result of a ticket, while it and its video are kept."""
        since_s, result = self._results.get(str(ticket), (0.0, None))
        if result is None or time.monotonic() - since_s > self.age_s or not result.video.exists():
            return None
        return result

    def find_report(self, sha256: str, model: ModelInfo, face: int | None) -> Report | None:
        """The report that a model made of a face of a file, while it is kept."""
        for ticket in reversed(self._results):
            result = self.find(ticket)
            report = result and result.report
            if not report or not report.evidence or not report.inspection:
                continue
            made = (report.media.sha256, report.model.sha256, report.evidence.track.number)
            if made == (sha256, model.sha256, face or 1) and report.inspection.exists():
                return report
        return None
