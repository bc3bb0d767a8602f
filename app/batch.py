"""Several clips of one visitor: a row each, as they are done, and a zip of all reports.

A clip that fails is a row with its sentence; whatever ends the run, the rows that are there stay.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import ZIP_DEFLATED, ZipFile

from app.choice import Choice
from app.runtime.downloads import (
    Downloads,
    Shown,
)
from deeploc.media.trim import Cut
from deeploc.report import Report

HEADERS = ("#", "File", "Verdict", "Score", "Forged, s", "Intervals", "Length, s", "Notes")
WIDTHS: list[str | int] = [48, 200, 230, 90, 100, 100, 100, 340]  # pixels
TEXTS = ("File", "Verdict", "Notes")
TYPES: list[Literal["str", "number"]] = ["str" if name in TEXTS else "number" for name in HEADERS]


@dataclass(frozen=True)
class Entry:
    """A clip that is done: its report and the ticket that opens it, or why there is none."""

    name: str
    report: Report | None = None
    ticket: str = ""
    problem: str = ""

    def cells(self, number: int) -> list[str | float | None]:
        """What the table shows, under `HEADERS`."""
        if self.report is None:
            return [number, self.name, "not analysed", None, None, None, None, self.problem]
        report = self.report
        forged_s = sum(item.segment.duration for item in report.timeline)
        return [
            number,
            self.name,
            report.verdict,
            None if report.video_score is None else round(report.video_score, 3),
            round(forged_s, 2),
            len(report.timeline),
            round(report.media.duration_s, 2),
            " ".join(report.warnings),
        ]


def done(path: str, choice: Choice, report: Report, downloads: Downloads) -> Entry:
    """The row of an analysed clip, which can be opened from now on."""
    own = Choice(path, model=choice.model)
    ticket = downloads.keep(Shown(report, Path(path), own, Cut(Path(path), 0.0)))
    return Entry(Path(path).name, report, ticket)


def rows(entries: list[Entry]) -> list[list[str | float | None]]:
    return [entry.cells(number) for number, entry in enumerate(entries, 1)]


def write_zip(entries: list[Entry], target: Path) -> None:
    """All reports as JSON, and the table as CSV."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        archive.writestr("reports.csv", _csv(entries))
        for name, report in _named(entries):
            archive.writestr(name, json.dumps(report.to_dict(), indent=1))


def _csv(entries: list[Entry]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([HEADERS, *rows(entries)])
    return text.getvalue()


def _named(entries: list[Entry]) -> Iterator[tuple[str, Report]]:
    """Files of one name are numbered by their rows."""
    stems = [Path(entry.name).stem for entry in entries]
    for number, (entry, stem) in enumerate(zip(entries, stems, strict=True), 1):
        if entry.report is not None:
            again = f"-{number}" if stems.count(stem) > 1 else ""
            yield f"{stem}{again}.deeploc.json", entry.report
