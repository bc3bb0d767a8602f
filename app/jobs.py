"""What a visitor asks for: which clip, which part of it, and what to do with it.

No path that a browser sends is trusted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from app.truth import Truth, find_truth
from app.wording import NOT_ARRIVED
from deeploc.annotations import media_from_report
from deeploc.calibration import Calibration
from deeploc.errors import UnreadableMedia
from deeploc.media.clip import open_clip
from deeploc.media.trim import Cut, trim_clip
from deeploc.report import ModelInfo, Report, Timing
from deeploc.report_files import read_report
from deeploc.timeline import Segment, Timeline

JobKind = Literal["analyse", "label", "report", "batch"]
MAX_BATCH = 48  # clips in one job; app/viewer/upload/batch-upload.js says the same


@dataclass(frozen=True)
class Job:
    """What is to be done with the clip at `path`.

    `kind`: "analyse" it, open it for "label"ling without a model, open a saved "report" of it, or
    analyse a "batch" of clips. `part`: seconds of the clip, or None for all of it. `report`: the
    saved one. `model`: the picked one, "" for the page's own. `paths`: all clips of a batch.
    """

    path: str
    kind: JobKind = "analyse"
    part: tuple[float, float] | None = None
    report: str | None = None
    model: str = ""
    paths: tuple[str, ...] = ()

    def cut(self, folder: Path) -> Cut:
        """The file to analyse, written to `folder` if it is a part. Raises as `trim_clip` does."""
        if self.part is None:
            return Cut(Path(self.path), 0.0)
        return trim_clip(self.path, *self.part, folder)


def read_job(data: Mapping[str, Any], uploads: Path) -> Job:
    """What the browser sent. Raises `UnreadableMedia` for files that nobody uploaded."""
    kind = data.get("kind")
    start, end = data.get("start"), data.get("end")
    return Job(
        path=str(_uploaded_file(data.get("path"), uploads)),
        kind=kind if kind in ("label", "report", "batch") else "analyse",
        part=None if start is None or end is None else (float(start), float(end)),
        report=str(_uploaded_file(data.get("report"), uploads)) if kind == "report" else None,
        paths=tuple(str(_uploaded_file(path, uploads)) for path in _batch_paths(data, kind)),
    )


def _batch_paths(data: Mapping[str, Any], kind: object) -> list:
    paths = data.get("paths") if kind == "batch" else None
    return paths[:MAX_BATCH] if isinstance(paths, list) else []


def _uploaded_file(path: object, uploads: Path) -> Path:
    found = Path(str(path)).resolve()
    if not found.is_relative_to(uploads.resolve()) or not found.is_file():
        raise UnreadableMedia(NOT_ARRIVED)
    return found


def unanalysed_report(path: str | Path, max_minutes: float = math.inf) -> Report:
    """The report of a clip that no model has analysed. Raises as `open_clip` does."""
    clip = open_clip(path, max_minutes)
    return Report(
        media=clip.info,
        model=ModelInfo("", "", ""),
        calibration=Calibration(),
        video_score=None,
        band="unscored",
        timeline=(),
        proposals=(),
        scores=(),
        unscored=(),
        warnings=clip.warnings,
        timing=Timing(0.0, {}),
        pts_s=clip.pts_s,
    )


def saved_report(job: Job, max_minutes: float = math.inf) -> Report:
    """The saved report of a clip, with a warning if it was made of another file."""
    assert job.report
    report = read_report(job.report)
    clip = unanalysed_report(job.path, max_minutes)
    if report.pts_s is None:
        report = replace(report, pts_s=clip.pts_s)
    off_s = report.media.duration_s - clip.media.duration_s
    if report.media.name != clip.media.name or abs(off_s) > 0.1:
        made_of = f"{report.media.name}, {report.media.duration_s:.1f} s long"
        warning = f"This report was made of {made_of}."
        report = replace(report, warnings=(warning, *report.warnings))
    return report


def with_part_warning(report: Report, cut: Cut, job: Job) -> Report:
    """The report, with a warning that names the part of the clip that was analysed."""
    if job.part is None:
        return report
    end_s = cut.start_s + report.media.duration_s
    warning = (
        f"Only {cut.start_s:.2f} s to {end_s:.2f} s of the file was analysed, its pictures "
        f"unchanged. Times here count from {cut.start_s:.2f} s of the file."
    )
    settings = replace(report.settings, part=Segment(cut.start_s, end_s))
    return replace(report, warnings=(warning, *report.warnings), settings=settings)


def truth_of_job(job: Job, cut: Cut, report: Report, file: str | None) -> tuple[Truth | None, str]:
    """The truth of the analysed part, or None, and a sentence about it."""
    media = media_from_report(report) if job.part is None else None
    truth, note = find_truth(job.path, file, media)
    if truth is None or job.part is None:
        return truth, note
    moved = {
        stream: Timeline.of(
            Segment(max(0.0, item.start - cut.start_s), item.end - cut.start_s)
            for item in timeline
            if item.end > cut.start_s
        )
        for stream, timeline in truth.items()
    }
    return moved, note
