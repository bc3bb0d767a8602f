"""What a visitor saves of their report: made when asked for, from the report that is on their page.

Reports are kept in memory under a ticket that only their page knows, and whoever got its link; they
are forgotten with its files.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.choice import Choice
from app.html_report import write_html
from app.wording import (
    BROKEN,
    GONE,
)
from deeploc.errors import DeepLocError
from deeploc.export.films import (
    write_annotated,
    write_inspected,
)
from deeploc.export.table import (
    write_frames_csv,
    write_frames_parquet,
)
from deeploc.media.trim import Cut
from deeploc.report import (
    ModelInfo,
    Report,
)
from deeploc.report_files import save_report

logger = logging.getLogger(__name__)

MOST = 128  # reports in memory


def write_json(report: Report, target: Path) -> None:
    target.write_text(json.dumps(report.to_dict(), indent=1), encoding="utf-8")


Write = Callable[[Report, Path, Path], None]


def _of(write: Callable[[Report, Path], None]) -> Write:
    """A writer that needs no video."""
    return lambda report, _, target: write(report, target)


# key -> (label, suffix of the file, writer)
WRITERS: dict[str, tuple[str, str, Write]] = {
    "json": ("Report, JSON", ".deeploc.json", _of(write_json)),
    "npz": ("Report with evidence, NPZ", ".deeploc.npz", _of(save_report)),
    "html": ("Page that stands alone, HTML", ".report.html", _of(write_html)),
    "frames": ("Scores by frame, CSV", ".frames.csv", _of(write_frames_csv)),
    "parquet": ("Scores by frame, Parquet", ".frames.parquet", _of(write_frames_parquet)),
    "annotated": ("Film with what was found, MP4", ".annotated.mp4", write_annotated),
    "inspected": ("Film with reconstructions, MP4", ".inspected.mp4", write_inspected),
}
DOWNLOADS = [(key, label) for key, (label, _, _) in WRITERS.items()]


@dataclass(frozen=True)
class Shown:
    """What is on a visitor's page. `video`: the clip, or a proxy that browsers play."""

    report: Report
    video: Path
    choice: Choice
    cut: Cut


class Downloads:
    """The reports on all visitors' pages. Files are written to `folder`, where browsers may fetch
    them and from which Gradio deletes them when they are `age_s` old."""

    def __init__(self, folder: Path, age_s: float) -> None:
        self.folder = folder
        self.age_s = age_s
        self._kept: dict[str, tuple[float, Shown]] = {}  # since when, what

    def keep(self, shown: Shown) -> str:
        """The ticket under which the report can be saved, and looked at again."""
        now = time.monotonic()
        fresh = [item for item in self._kept.items() if now - item[1][0] < self.age_s]
        self._kept = dict(fresh[-MOST + 1 :])
        ticket = secrets.token_urlsafe(16)
        self._kept[ticket] = now, shown
        return ticket

    def find(self, ticket: str) -> Shown | None:
        """What the ticket stands for, while it and its video are kept."""
        since_s, shown = self._kept.get(str(ticket), (0.0, None))
        if shown is None or time.monotonic() - since_s > self.age_s or not shown.video.exists():
            return None
        return shown

    def known(self, sha256: str, model: ModelInfo, face: int | None) -> Report | None:
        """The report that this model has made of this face of this file, while it is kept."""
        for ticket in reversed(self._kept):
            shown = self.find(ticket)
            report = shown and shown.report
            if not report or not report.evidence or not report.inspection:
                continue
            made = (report.media.sha256, report.model.sha256, report.evidence.track.number)
            if made == (sha256, model.sha256, face or 1) and report.inspection.exists():
                return report
        return None

    def write(self, ticket: str, key: str) -> dict:
        """`{"name", "path"}` of the file, for the browser to fetch, or `{"error"}`, a sentence."""
        shown = self.find(ticket)
        if shown is None:
            return {"error": GONE}
        if key not in WRITERS:
            return {"error": BROKEN}
        _, suffix, writer = WRITERS[key]
        name = Path(shown.report.media.name).stem + suffix
        target = self.folder / secrets.token_urlsafe(16) / name
        target.parent.mkdir(parents=True)
        try:
            writer(shown.report, shown.video, target)
        except DeepLocError as error:
            return {"error": str(error)}
        except Exception:
            logger.exception("a report could not be saved")
            return {"error": BROKEN}
        return {"name": name, "path": target.as_posix()}
