"""The fixed scale of a checkpoint, from authentic validation clips alone.

Nothing forged is looked at, and no test clip: thresholds state how often an authentic clip is
flagged, not how well forgeries are found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deeploc.calibration import Calibration
from deeploc.discover import discover, errors
from deeploc.measure import Evidence
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.postprocess import clip_score
from deeploc.scores import STREAMS

MARKS = (50, 95, 99)
FALSE_ALARMS = {"some": 0.2, "strong": 0.05}


def calibrate(model: RTDeepLoc, authentic: Sequence[Evidence]) -> Calibration:
    """Error percentiles by stream, and the clip scores that the stated share of authentic clips
    reaches: a fifth for "some" evidence, a twentieth for "strong"."""
    curves = [errors(evidence) for evidence in authentic]
    marks: dict[str, np.ndarray] = {
        stream: np.nanpercentile(np.concatenate([clip[stream].values for clip in curves]), MARKS)
        for stream in STREAMS
    }
    marks["cell"] = np.nanpercentile(np.concatenate([e.face_error for e in authentic]), MARKS)
    found = [discover(model, evidence) for evidence in authentic]
    wholes = {stream: [clip_score(clip[stream]) for clip in found] for stream in STREAMS}
    scores = {
        stream: np.array([score for score in values if score is not None])
        for stream, values in wholes.items()
    }
    bands = {
        band: round(min(1.0, np.quantile(scores["fused"], 1 - rate, method="higher") + 1e-4), 4)
        for band, rate in FALSE_ALARMS.items()
    }
    thresholds: dict[str, float] = {
        stream: round(float(np.quantile(values, 1 - FALSE_ALARMS["some"])), 4)
        for stream, values in scores.items()
    }
    thresholds["fused"] = bands["some"]
    return Calibration(
        error_marks={stream: [round(float(v), 4) for v in mark] for stream, mark in marks.items()},
        thresholds=thresholds,
        bands=bands,
        false_alarms={
            band: round(float((scores["fused"] >= level).mean()), 4)
            for band, level in bands.items()
        },
        clips=len(authentic),
    )
