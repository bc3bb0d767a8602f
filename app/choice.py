"""What a visitor asked for: which clip, which part of it, and what to do. It trusts no path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from app.truth import (
    Truth,
    find_truth,
)
from deeploc.calibration import Calibration
from deeploc.errors import UnreadableMedia
from deeploc.media.clip import open_clip
from deeploc.media.trim import (
    Cut,
    trim_clip,
)
from deeploc.report import (
    ModelInfo,
    Report,
    Timing,
)
from deeploc.report_files import read_report
from deeploc.timeline import (
    Segment,
    Timeline,
)

Kind = Literal["analyse", "look", "report", "batch"]
NOT_ANALYSED = "not analysed"
MOST = 48  # clips at once; app/viewer/upload/several.js says the same


@dataclass(frozen=True)
class Choice:
    """`part`: seconds of the clip, or None for all of it. `report`: a saved one, for "report".
    `model`: the picked one, "" for the page's own. `paths`: all clips, for "batch".
    """

    path: str
    kind: Kind = "analyse"
    part: tuple[float, float] | None = None
    report: str | None = None
    model: str = ""
    paths: tuple[str, ...] = ()

    def cut(self, folder: Path) -> Cut:
        """The file to analyse. Raises what `trim_clip` raises."""
        if self.part is None:
            return Cut(Path(self.path), 0.0)
        return trim_clip(self.path, *self.part, folder)


def chosen(data: Mapping[str, Any], uploads: Path) -> Choice:
    """What the page sent. Raises `UnreadableMedia` for files that nobody uploaded."""
    kind = data.get("kind")
    part = data.get("start"), data.get("end")
    return Choice(
        path=str(_uploaded(data.get("path"), uploads)),
        kind=kind if kind in ("look", "report", "batch") else "analyse",
        part=None if None in part else (float(part[0]), float(part[1])),  # type: ignore[arg-type]
        report=str(_uploaded(data.get("report"), uploads)) if kind == "report" else None,
        paths=tuple(str(_uploaded(path, uploads)) for path in _several(data, kind)),
    )


def _several(data: Mapping[str, Any], kind: object) -> list:
    paths = data.get("paths") if kind == "batch" else None
    return paths[:MOST] if isinstance(paths, list) else []


def _uploaded(path: object, uploads: Path) -> Path:
    found = Path(str(path)).resolve()
    if not found.is_relative_to(uploads.resolve()) or not found.is_file():
        raise UnreadableMedia("The clip did not arrive. Choose it again.")
    return found


def bare_report(path: str | Path) -> Report:
    """A clip that no model has looked at, for labelling. Raises what `open_clip` raises."""
    clip = open_clip(path)
    return Report(
        media=clip.info,
        model=ModelInfo("", "", ""),
        calibration=Calibration(),
        video_score=None,
        verdict=NOT_ANALYSED,
        timeline=(),
        proposals=(),
        scores=(),
        unscored=(),
        warnings=clip.warnings,
        timing=Timing(0.0, {}),
        pts_s=clip.pts_s,
    )


def opened_report(choice: Choice) -> Report:
    """The saved report of a clip, with a warning where it was made of another file."""
    assert choice.report
    report, clip = read_report(choice.report), bare_report(choice.path)
    if report.pts_s is None:
        report = replace(report, pts_s=clip.pts_s)
    off_s = report.media.duration_s - clip.media.duration_s
    if report.media.name != clip.media.name or abs(off_s) > 0.1:
        said = f"This report was made of {report.media.name}, {report.media.duration_s:.1f} s long."
        report = replace(report, warnings=(said, *report.warnings))
    return report


def of_part(report: Report, cut: Cut, choice: Choice) -> Report:
    """The report, with a sentence about the part that it is of."""
    if choice.part is None:
        return report
    end_s = cut.start_s + report.media.duration_s
    said = (
        f"Only {cut.start_s:.2f} s to {end_s:.2f} s of the file was analysed, its pictures "
        f"unchanged. Times here count from {cut.start_s:.2f} s of the file."
    )
    return replace(report, warnings=(said, *report.warnings))


def truth_of(choice: Choice, cut: Cut, file: str | None) -> tuple[Truth | None, str]:
    """The truth of the analysed part, or None, and a sentence about it."""
    truth, note = find_truth(choice.path, file)
    if truth is None or choice.part is None:
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
