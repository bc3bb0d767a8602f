"""A small, fixed report, for tests of what shows or writes one."""

from dataclasses import replace

import numpy as np

from deeploc.calibration import Calibration
from deeploc.config import Settings
from deeploc.curves import FORGERY_SCORE, RECONSTRUCTION_ERROR
from deeploc.media.clip import MediaInfo
from deeploc.report import Localization, ModelInfo, Report, Timing, Unscored
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid, Segment

GRID = FrameGrid(rate_hz=25, n_frames=50)


def forgery(stream="visual"):
    """0.1 with a peak of 0.9 in [0.8, 1.2), the last 10 steps unscored."""
    values = np.full(GRID.n_frames, 0.1, np.float32)
    values[20:30] = 0.8
    values[24] = 0.91234
    values[40:] = np.nan
    return FrameScores(GRID, stream, FORGERY_SCORE, values)


def fake_report(name="clip.mp4", **changes) -> Report:
    """Two seconds of clip with one forged interval in the picture."""
    report = Report(
        media=MediaInfo(
            name=name, duration_s=2.00044, fps=25.0, width=640, height=360, has_audio=True
        ),
        model=ModelInfo("tiny", "main", "ab" * 32),
        calibration=Calibration(bands={"some": 0.5, "strong": 0.8}, honest={"all": {"clips": 120}}),
        video_score=0.71239,
        band="some",
        timeline=(Localization(Segment(0.8, 1.2), 0.91234, "visual"),),
        proposals=(
            Localization(Segment(0.8, 1.2), 0.6, "visual"),
            Localization(Segment(0.76, 1.28), 0.4, "fused"),
        ),
        scores=(forgery(), replace(forgery("fused"), curve=RECONSTRUCTION_ERROR)),
        unscored=(Unscored(Segment(1.6, 2.0), "no face"),),
        warnings=("The sound ends before the picture.",),
        timing=Timing(0.5, {"decode": 0.1, "faces": 0.4}),
        version="0.2.0",
        settings=Settings(face=1, device="cpu"),
        shots=(Segment(0, 0.8), Segment(0.8, 2.0)),
    )
    return replace(report, **changes)
