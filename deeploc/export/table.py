"""A report as a table: one row a step, for spreadsheets and notebooks.

Nothing here computes a score.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.report import Report
from deeploc.report_files import report_to_dict
from deeploc.scores import Stream
from deeploc.timeline import FrameGrid

SINGLE: tuple[Stream, ...] = ("visual", "audio")


def frame_table(report: Report) -> pd.DataFrame:
    """The steps of the clip: `step`, `start_s`, `end_s`, `source_frame` (on display at the middle
    of the step), a column for each curve and stream, NaN where unscored, `flagged`, whether an
    interval of the report covers the middle, `unscored_visual` and `unscored_audio`, why the step
    was not scored, empty where it was, and `shot`, from 1, 0 where no shots are known.

    Columns are named kind, stream and unit: `error_visual_sd`, `forgery_fused`. Parquet files keep
    the curves' definitions as the attribute `curves`.
    """
    known = [item.grid for item in report.scores]
    duration_s = report.media.duration_s
    grid = known[0] if known else FrameGrid(VIDEO_RATE_HZ, round(duration_s * VIDEO_RATE_HZ))
    steps = np.arange(grid.n_frames)
    middle_s = (steps + 0.5) / grid.rate_hz
    flagged = np.zeros(grid.n_frames, bool)
    for item in report.timeline:
        flagged |= (item.segment.start <= middle_s) & (middle_s < item.segment.end)
    scores = {item.curve.column(item.stream): item.values for item in report.scores}
    table = pd.DataFrame(
        {
            "step": steps,
            "start_s": steps / grid.rate_hz,
            "end_s": (steps + 1) / grid.rate_hz,
            "source_frame": _frames_at(report, middle_s),
            **scores,
            "flagged": flagged,
            **{f"unscored_{stream}": _reasons(report, stream, middle_s) for stream in SINGLE},
            "shot": np.searchsorted([shot.start for shot in report.shots], middle_s, "right"),
        }
    )
    table.attrs["curves"] = report_to_dict(report)["curves"]
    return table


def write_frames_csv(report: Report, path: Path) -> None:
    """Scores with four decimals; unscored cells stay empty."""
    table = frame_table(report)
    times = {name: table[name].map("{:.3f}".format) for name in ("start_s", "end_s")}
    table.assign(**times).to_csv(path, index=False, float_format="%.4f", lineterminator="\n")


def write_frames_parquet(report: Report, path: Path) -> None:
    frame_table(report).to_parquet(path, index=False)


def _reasons(report: Report, stream: Stream, times_s: np.ndarray) -> np.ndarray:
    """Why a stream was not scored at some moments, None where it was."""
    found = np.full(len(times_s), None, dtype=object)
    for item in report.unscored:
        if item.stream in (stream, "fused"):
            start, end = np.searchsorted(times_s, [item.segment.start, item.segment.end])
            found[start:end] = item.reason
    return found


def _frames_at(report: Report, times_s: np.ndarray) -> np.ndarray:
    """The source frames on display at some moments; the first one also stands for before it."""
    if report.pts_s is None or not len(report.pts_s):
        return np.floor(times_s * report.media.fps).astype(int)
    return np.maximum(np.searchsorted(report.pts_s, times_s, "right") - 1, 0)
