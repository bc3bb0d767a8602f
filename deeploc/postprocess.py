"""From scores of steps to the score of a clip, to proposals, and to the timeline that a user sees.

Works on one stream of one clip. Nothing here knows which model made the scores, nor which
threshold is a good one (the checkpoint's calibration does).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from deeploc.config import PostprocessConfig
from deeploc.curves import Curve
from deeploc.report import Localization
from deeploc.scores import FrameScores, Stream, smoothed
from deeploc.timeline import SLACK, Timeline

UNDECIDED = 0.5
LEAST_SEEN, FEWEST_SEEN = 0.5, 50  # share of the clip and steps that a verdict takes


def to_proposals(
    scores: FrameScores, config: PostprocessConfig = PostprocessConfig()
) -> list[Localization]:
    """At most `max_proposals` intervals that may overlap, sorted by score (0..1), best first.

    Runs above many thresholds are scored by the geometric mean of their height and their contrast
    to the margins (contrast finds the borders, height ranks across clips), then thinned by Gaussian
    soft-NMS. No proposal holds an unscored step. Values of a curve without an upper end are
    squashed by `v / (1 + v)` first. Any curve can be given: `proposals_of` asks its definition.
    """
    if not scores.scored.any():
        return []
    values = _unit(scores.values.astype(np.float64), scores.curve)
    rate = scores.grid.rate_hz
    fine = smoothed(values, config.smoothing_s * rate)
    coarse = smoothed(values, config.coarse_smoothing_s * rate)
    runs = np.concatenate([_candidates(curve, config, rate) for curve in (fine, coarse)])
    runs = np.unique(runs, axis=0)
    rank = _rank(fine, runs, config)
    best = np.argsort(-rank, kind="stable")[: config.max_candidates]
    kept, rank = _soft_nms(runs[best], rank[best], config)
    return [
        Localization(scores.grid.segment(int(start), int(end)), float(score), scores.stream)
        for (start, end), score in zip(kept, rank, strict=True)
    ]


def proposals_of(
    scores: Iterable[FrameScores], config: PostprocessConfig = PostprocessConfig()
) -> tuple[Localization, ...]:
    """The proposals of every curve that proposes, best first; others propose nothing."""
    found = [item for one in scores if one.curve.proposes for item in to_proposals(one, config)]
    return tuple(sorted(found, key=lambda item: -item.score))


def to_timeline(
    scores: FrameScores, threshold: float, config: PostprocessConfig = PostprocessConfig()
) -> Timeline:
    """The disjoint intervals whose smoothed score is at least `threshold`.

    Each holds a run of at least `min_length_s`. Runs are joined over gaps shorter than
    `merge_gap_s`, unless a step in the gap is unscored.
    """
    rate = scores.grid.rate_hz
    on = smoothed(scores.values.astype(np.float64), config.smoothing_s * rate) >= threshold
    solid = np.zeros(len(on), bool)
    for start, end in _at_least(_runs(on), config.min_length_s * rate):
        solid[start:end] = True
    gaps = _runs(~on & scores.scored)
    inner = (gaps[:, 0] > 0) & (gaps[:, 1] < len(on))
    for start, end in gaps[inner & (_length(gaps) < config.merge_gap_s * rate - SLACK)]:
        on[start:end] = on[start - 1] and on[end]
    runs = [(int(start), int(end)) for start, end in _runs(on) if solid[start:end].any()]
    return Timeline(tuple(scores.grid.segment(start, end) for start, end in runs))


def clip_score(
    scores: FrameScores, config: PostprocessConfig = PostprocessConfig()
) -> float | None:
    """The clip's own score: the highest threshold at which `to_timeline` still finds an interval.

    So a clip score and an interval can't contradict each other. None if no run of `min_length_s`
    was scored.
    """
    rate = scores.grid.rate_hz
    curve = smoothed(scores.values.astype(np.float64), config.smoothing_s * rate)
    length = max(1, math.ceil(config.min_length_s * rate - SLACK))
    if len(curve) < length:
        return None
    floors = np.lib.stride_tricks.sliding_window_view(curve, length).min(axis=1)
    return None if np.isnan(floors).all() else float(np.nanmax(floors))


def verdict_score(
    forgery: Mapping[Stream, FrameScores], config: PostprocessConfig = PostprocessConfig()
) -> float | None:
    """The clip score that a verdict is made from, of the forgery scores by stream.

    None where too little could be judged: the picture in less than half of the clip, or for less
    than 2 s, in which nothing can be said to be usual.
    """
    seen = forgery["visual"].scored
    if seen.sum() < max(FEWEST_SEEN, LEAST_SEEN * len(seen)):
        return None
    return clip_score(forgery["fused"], config)


def _unit(values: np.ndarray, curve: Curve) -> np.ndarray:
    """Values on the curve's axis -> 0..1."""
    low, high = curve.range
    if high is not None:
        return (values - low) / (high - low)
    above = np.maximum(values - low, 0)
    share: np.ndarray = above / (1 + above)
    return share


def _runs(on: np.ndarray) -> np.ndarray:
    """`(R, 2) int`: the spans `[start, end)` of true steps."""
    edges = np.diff(np.concatenate([[0], on.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def _length(runs: np.ndarray) -> np.ndarray:
    length: np.ndarray = runs[:, 1] - runs[:, 0]
    return length


def _at_least(runs: np.ndarray, n_steps: float) -> np.ndarray:
    return runs[_length(runs) >= n_steps - SLACK]


def _candidates(curve: np.ndarray, config: PostprocessConfig, rate_hz: float) -> np.ndarray:
    """`(R, 2) int`: the runs above each threshold that are long enough, in steps."""
    low, high = np.nanmin(curve), np.nanmax(curve)
    thresholds = np.concatenate(
        [
            low + (high - low) * np.array(config.range_thresholds),
            np.nanquantile(curve, config.quantile_thresholds),
            config.absolute_thresholds,
        ]
    )
    runs = np.concatenate([_runs(curve > threshold) for threshold in np.unique(thresholds)])
    return _at_least(runs, config.min_proposal_s * rate_hz)


def _rank(curve: np.ndarray, runs: np.ndarray, config: PostprocessConfig) -> np.ndarray:
    """`(R,)`, 0..1: geometric mean of each run's height and of its contrast to its margins.

    A run with no scored step around it is held against the clip's median, or against 0.5 where the
    median is higher, so that neither a dull clip nor one that is forged throughout misleads.
    """
    scored = ~np.isnan(curve)
    total = np.concatenate([[0.0], np.cumsum(np.where(scored, curve, 0.0))])
    count = np.concatenate([[0], np.cumsum(scored)])
    start, end = runs.T
    margin = np.maximum(1, np.round(config.margin * (end - start))).astype(int)
    left, right = np.maximum(start - margin, 0), np.minimum(end + margin, len(curve))
    inside = (total[end] - total[start]) / (end - start)
    n_outside = (count[right] - count[left]) - (end - start)
    around = (total[right] - total[left]) - (total[end] - total[start])
    alone = np.full(len(runs), min(np.nanmedian(curve), UNDECIDED))
    outside = np.divide(around, n_outside, out=alone, where=n_outside > 0)
    contrast: np.ndarray = np.sqrt(np.clip(inside, 0, 1) * np.clip(inside - outside, 0, 1))
    return contrast


def _soft_nms(
    runs: np.ndarray, rank: np.ndarray, config: PostprocessConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The best runs `(P, 2)` and scores `(P,)`, each lowered by its overlap with better ones."""
    start, end = runs.T
    rank, kept, scores = rank.copy(), [], []
    for _ in range(min(len(runs), config.max_proposals)):
        best = int(np.argmax(rank))
        if rank[best] <= 0:
            break
        kept.append(best)
        scores.append(rank[best])
        shared = np.maximum(0, np.minimum(end, end[best]) - np.maximum(start, start[best]))
        iou = shared / (end - start + end[best] - start[best] - shared)
        rank *= np.exp(-(iou**2) / config.suppression)
        rank[best] = 0
    return runs[kept], np.array(scores)
