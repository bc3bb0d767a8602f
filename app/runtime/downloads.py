"""The files that a visitor can save of a report, each written when it is asked for."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from app.html_report import write_html
from app.runtime.results import ResultStore
from app.wording import BROKEN, GONE
from deeploc.errors import DeepLocError
from deeploc.export.table import write_frames_csv, write_frames_parquet
from deeploc.export.video import write_annotated_video, write_inspection_video
from deeploc.report import Report
from deeploc.report_files import write_report

logger = logging.getLogger(__name__)


class Download(NamedTuple):
    """A file of a report. `write(report, video, target)` raises `DeepLocError` where it can't."""

    label: str
    suffix: str
    write: Callable[[Report, Path, Path], None]


def _without_video(write: Callable[[Report, Path], None]) -> Callable[[Report, Path, Path], None]:
    return lambda report, _, target: write(report, target)


DOWNLOADS = {
    "json": Download("Report, JSON", ".deeploc.json", _without_video(write_report)),
    "npz": Download("Report with evidence, NPZ", ".deeploc.npz", _without_video(write_report)),
    "html": Download("Page that stands alone, HTML", ".report.html", _without_video(write_html)),
    "frames": Download("Scores by frame, CSV", ".frames.csv", _without_video(write_frames_csv)),
    "parquet": Download(
        "Scores by frame, Parquet", ".frames.parquet", _without_video(write_frames_parquet)
    ),
    "annotated": Download(
        "Video with what was found, MP4", ".annotated.mp4", write_annotated_video
    ),
    "inspected": Download(
        "Video with reconstructions, MP4", ".inspected.mp4", write_inspection_video
    ),
}
LABELS = [(key, download.label) for key, download in DOWNLOADS.items()]


def write_download(results: ResultStore, ticket: str, key: str) -> dict:
    """`{"name", "path"}` of the file, for the browser to fetch, or `{"error"}`, a sentence."""
    result = results.find(ticket)
    if result is None:
        return {"error": GONE}
    if key not in DOWNLOADS:
        return {"error": BROKEN}
    download = DOWNLOADS[key]
    name = Path(result.report.media.name).stem + download.suffix
    target = results.folder / secrets.token_urlsafe(16) / name
    target.parent.mkdir(parents=True)
    try:
        download.write(result.report, result.video, target)
    except DeepLocError as error:
        return {"error": str(error)}
    except Exception:
        logger.exception("a report could not be saved")
        return {"error": BROKEN}
    return {"name": name, "path": target.as_posix()}
