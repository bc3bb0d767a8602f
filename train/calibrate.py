"""Calibration: thresholds and percentiles of a checkpoint, from authentic validation clips alone.

Neither forged clips nor test clips are read: thresholds state how often an authentic clip is
flagged, not how well forgeries are found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deeploc.calibration import Calibration
from deeploc.evidence import Evidence, error_scores, forgery_scores
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.postprocess import clip_score
from deeploc.scores import STREAMS

MARKS = (50, 95, 99)
FALSE_ALARMS = {"some": 0.2, "strong": 0.05}
SAMPLED = 20_000_000  # values that a percentile is taken of; with fewer, of all


def calibrate(model: RTDeepLoc, authentic: Sequence[Evidence]) -> Calibration:
    """Error percentiles by stream, and the clip scores that a stated share of authentic clips
    reaches: a fifth for "some" evidence, a twentieth for "strong".

    Every clip is read once. Percentiles of many clips are taken over a random part of each.
    """
    rng = np.random.default_rng(0)
    limit = max(1, SAMPLED // len(authentic))
    sampled: dict[str, list[np.ndarray]] = {name: [] for name in (*STREAMS, "cell", "row")}
    clip_scores: dict[str, list[float]] = {stream: [] for stream in STREAMS}
    for evidence in authentic:
        curves: dict[str, np.ndarray] = {
            stream: curve.values for stream, curve in error_scores(evidence).items()
        }
        curves |= {"cell": evidence.face_error.ravel(), "row": evidence.sound_error.ravel()}
        for name, values in curves.items():
            sampled[name].append(values if len(values) <= limit else rng.choice(values, limit))
        for stream, curve in forgery_scores(model, evidence).items():
            score = clip_score(curve)
            if score is not None:
                clip_scores[stream].append(score)
    marks = {
        name: np.nanpercentile(np.concatenate(values), MARKS) for name, values in sampled.items()
    }
    scores = {stream: np.array(values) for stream, values in clip_scores.items()}
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
