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

from app.jobs import Job
from app.runtime.results import Result, ResultStore
from app.verdict import band_words, why_unscored
from deeploc.media.trim import Cut
from deeploc.report import Report
from deeploc.report_files import report_to_dict

HEADERS = ("#", "File", "Verdict", "Score", "Forged, s", "Intervals", "Length, s", "Notes")
WIDTHS: list[str | int] = [48, 200, 230, 90, 100, 100, 100, 340]  # pixels
TEXT_COLUMNS = ("File", "Verdict", "Notes")
TYPES: list[Literal["str", "number"]] = [
    "str" if name in TEXT_COLUMNS else "number" for name in HEADERS
]
CSV_HEADERS = (
    "number",
    "file",
    "band",
    "video_score",
    "forged_s",
    "intervals",
    "duration_s",
    "notes",
)
Cell = str | float | None


@dataclass(frozen=True)
class BatchRow:
    """A clip that is done: its report and the ticket that opens it, or why there is none."""

    name: str
    report: Report | None = None
    ticket: str = ""
    problem: str = ""

    def cells(self, number: int) -> list[Cell]:
        """The row of the table, under `HEADERS`."""
        if self.report is None:
            return [number, self.name, "not analysed", None, None, None, None, self.problem]
        report = self.report
        forged_s = sum(item.segment.duration for item in report.timeline)
        return [
            number,
            self.name,
            band_words(report),
            None if report.video_score is None else round(report.video_score, 3),
            round(forged_s, 2),
            len(report.timeline),
            round(report.media.duration_s, 2),
            " ".join([*why_unscored(report), *report.warnings]),
        ]


def analysed_row(path: str, job: Job, report: Report, results: ResultStore) -> BatchRow:
    """The row of an analysed clip, whose result can be opened from now on."""
    own = Job(path, model=job.model)
    ticket = results.keep(Result(report, Path(path), own, Cut(Path(path), 0.0)))
    return BatchRow(Path(path).name, report, ticket)


def table_cells(rows: list[BatchRow]) -> list[list[Cell]]:
    """All rows of the table, numbered from 1."""
    return [row.cells(number) for number, row in enumerate(rows, 1)]


def write_zip(rows: list[BatchRow], target: Path) -> None:
    """Writes all reports as JSON, and the table as CSV."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        archive.writestr("reports.csv", _csv(rows))
        for name, report in _named_reports(rows):
            archive.writestr(name, json.dumps(report_to_dict(report)))


def _csv(rows: list[BatchRow]) -> str:
    """The table for programs: the band by its key, "" for a clip that failed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADERS)
    for row, (number, name, _, *numbers) in zip(rows, table_cells(rows), strict=True):
        writer.writerow([number, name, row.report.band if row.report else "", *numbers])
    return text.getvalue()


def _named_reports(rows: list[BatchRow]) -> Iterator[tuple[str, Report]]:
    """Each report with its file name; clips of one name are told apart by their row numbers."""
    stems = [Path(row.name).stem for row in rows]
    for number, (row, stem) in enumerate(zip(rows, stems, strict=True), 1):
        if row.report is not None:
            suffix = f"-{number}" if stems.count(stem) > 1 else ""
            yield f"{stem}{suffix}.deeploc.json", row.report
