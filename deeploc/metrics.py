"""How good localizations are: AP at a temporal IoU, AR at N proposals, and AUC of steps and clips.

AP and AR follow the definition that the LAV-DF and AV-Deepfake1M papers share, IoUs in float32
included. Nothing here knows how scores or proposals were made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from deeploc.report import Localization
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid, Segment, Timeline

Truth = Mapping[str, Timeline | Sequence[Segment]]
Proposals = Mapping[str, Sequence[Localization]]
AR_TIOUS = tuple(0.5 + 0.05 * step for step in range(10))


def average_precision(truth: Truth, proposals: Proposals, tiou: float) -> float:
    """AP at one tIoU over all clips of `truth`; authentic clips count through their false alarms.

    Each true segment, in order, takes the most confident unused proposal of its clip whose IoU is
    above `tiou`; every other proposal is a false alarm. Clips are then pooled and ranked (ties keep
    the order of `truth`), and precision is interpolated at all points. NaN without a true segment.
    Raises `ValueError` for proposals of a clip that `truth` doesn't list.
    """
    _refuse_strangers(truth, proposals)
    scores, hits = [np.zeros(0)], [np.zeros(0, bool)]
    for clip, segments in truth.items():
        ranked = _ranked(proposals.get(clip, ()))
        scores.append(np.array([item.score for item in ranked]))
        hits.append(_hits(_ious(ranked, segments), tiou))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    n_true = sum(len(segments) for segments in truth.values())
    return _area(np.concatenate(hits)[order], n_true)


def average_recall(truth: Truth, proposals: Proposals, n: int, drop_empty: bool = False) -> float:
    """AR at the `n` most confident proposals a clip, the mean over tIoU 0.50, 0.55, ... 0.95.

    A true segment is found when any of them overlaps it by more than the tIoU. Authentic clips add
    nothing. A forged clip without proposals counts as missed, or not at all with `drop_empty` (as
    the avdeepfake1m package does). NaN without a true segment that counts.
    Raises `ValueError` for proposals of a clip that `truth` doesn't list.
    """
    _refuse_strangers(truth, proposals)
    best = [np.zeros(0, np.float32)]
    for clip, segments in truth.items():
        ranked = _ranked(proposals.get(clip, ()))[:n]
        if ranked or not drop_empty:
            best.append(_ious(ranked, segments).max(axis=0, initial=0.0))
    ious = np.concatenate(best)
    if not len(ious):
        return float("nan")
    return float(np.mean([(ious > np.float32(tiou)).mean() for tiou in AR_TIOUS]))


def step_labels(truth: Iterable[Segment], grid: FrameGrid) -> np.ndarray:
    """`(T,) bool`: the steps of the grid whose middle lies in a forged segment."""
    middles = (np.arange(grid.n_frames) + 0.5) / grid.rate_hz
    labels = np.zeros(grid.n_frames, bool)
    for segment in truth:
        labels |= (middles >= segment.start) & (middles < segment.end)
    return labels


def frame_auc(truth: Truth, scores: Mapping[str, FrameScores]) -> float:
    """ROC AUC of forged against authentic steps, pooled over the clips of `scores`.

    Steps without a score don't count. NaN unless both kinds of steps are there.
    Raises `ValueError` for scores of a clip that `truth` doesn't list.
    """
    _refuse_strangers(truth, scores)
    labels = [step_labels(truth[clip], item.grid) for clip, item in scores.items()]
    values = [item.values for item in scores.values()]
    return clip_auc(np.concatenate([[], *labels]), np.concatenate([[], *values]))


def clip_auc(labels: Sequence[bool] | np.ndarray, scores: Sequence[float] | np.ndarray) -> float:
    """The chance that a forged item scores above an authentic one, ties counting half.

    `labels (N,)`: true = forged. `scores (N,)`: NaN doesn't count. NaN unless both kinds are there.
    """
    values = np.asarray(scores, float)
    forged = np.asarray(labels, bool)[~np.isnan(values)]
    values = values[~np.isnan(values)]
    n_forged, n_authentic = int(forged.sum()), int((~forged).sum())
    if not n_forged or not n_authentic:
        return float("nan")
    _, value_of, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[value_of]  # ties share their mean rank
    return float((ranks[forged].sum() / n_forged - (n_forged + 1) / 2) / n_authentic)


def _ranked(proposals: Sequence[Localization]) -> list[Localization]:
    return sorted(proposals, key=lambda item: -item.score)


def _ious(ranked: Sequence[Localization], truth: Iterable[Segment]) -> np.ndarray:
    """`(P, G) float32`: tIoU of each proposal with each true segment."""
    found = np.array([(p.segment.start, p.segment.end) for p in ranked], np.float32)
    true = np.array([(segment.start, segment.end) for segment in truth], np.float32)
    start, end = found.reshape(-1, 2).T[:, :, None]
    true_start, true_end = true.reshape(-1, 2).T
    shared = np.maximum(0, np.minimum(end, true_end) - np.maximum(start, true_start))
    return shared / (np.maximum(end, true_end) - np.minimum(start, true_start))


def _hits(ious: np.ndarray, tiou: float) -> np.ndarray:
    """`(P,) bool`: which proposals are matched, given their IoUs `(P, G)`."""
    hits = np.zeros(len(ious), bool)
    for column in ious.T:
        passing = np.flatnonzero((column > np.float32(tiou)) & ~hits)
        hits[passing[:1]] = True
    return hits


def _area(hits: np.ndarray, n_true: int) -> float:
    """Area under precision against recall of ranked hits, precision interpolated at all points."""
    if not n_true:
        return float("nan")
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / n_true)


def _refuse_strangers(truth: Mapping, others: Mapping) -> None:
    strangers = set(others) - set(truth)
    if strangers:
        raise ValueError(f"no truth for {sorted(strangers)[0]} ({len(strangers)} such clips)")
