"""How good localizations are: AP at a temporal IoU, AR at N proposals, AUC and EER of steps and
clips, and how sure these numbers are.

AP and AR follow the definition that the LAV-DF and AV-Deepfake1M papers share, IoUs in float32
included. What is costly (`Overlaps`, `Ranking`) is made once; every number is then a function of
how often each clip counts, so that resampling and subsets of clips are cheap. Nothing here knows
how scores or proposals were made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deeploc.report import Localization
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid, Segment, Timeline

Truth = Mapping[str, Timeline | Sequence[Segment]]
Proposals = Mapping[str, Sequence[Localization]]
Metric = Callable[[np.ndarray], float]  # weights (C,), how often each clip counts -> the number
AR_TIOUS = tuple(0.5 + 0.05 * step for step in range(10))


@dataclass(frozen=True)
class Overlaps:
    """Proposals of C clips held against the truth: each clip's `scores (P,)`, best first, and its
    `ious (P, G) float32` with the true segments."""

    scores: tuple[np.ndarray, ...]
    ious: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, truth: Truth, proposals: Proposals) -> Overlaps:
        """Clips in the order of `truth`; one without proposals may be missing in `proposals`.

        Raises `ValueError` for proposals of a clip that `truth` doesn't list.
        """
        _refuse_strangers(truth, proposals)
        ranked = {clip: _ranked(proposals.get(clip, ())) for clip in truth}
        return cls(
            tuple(np.array([item.score for item in items], float) for items in ranked.values()),
            tuple(_ious(items, truth[clip]) for clip, items in ranked.items()),
        )

    def average_precision(self, tiou: float) -> Metric:
        """AP at one tIoU; authentic clips count through their false alarms.

        Each true segment, in order, takes the most confident unused proposal of its clip whose IoU
        is above `tiou`; every other proposal is a false alarm. Clips are then pooled and ranked
        (ties keep the order of clips), and precision is interpolated at all points. NaN without a
        true segment. The avdeepfake1m package leaves out the area up to its first recall: where the
        very best proposal is a hit, its AP is lower by that precision / number of true segments.
        """
        owner, at = self._pooled(tiou)
        hit_owner, n_true = owner[at], self._n_true()

        def metric(weights: np.ndarray) -> float:
            total = weights @ n_true
            if not total:
                return float("nan")
            gained = weights[hit_owner]
            precision = np.cumsum(gained) / np.maximum(np.cumsum(weights[owner])[at], 1)
            return float((_envelope(precision) * gained).sum() / total)

        return metric

    def average_recall(self, n: int, drop_empty: bool = False) -> Metric:
        """AR at the `n` most confident proposals a clip, the mean over tIoU 0.50, 0.55, ... 0.95.

        A true segment is found when any of them overlaps it by more than the tIoU. Authentic clips
        add nothing. A forged clip without proposals counts as missed, or not at all with
        `drop_empty` (as some published code has it). NaN without a true segment that counts.
        """
        tious = np.array(AR_TIOUS, np.float32)[:, None]
        best = [ious[:n].max(axis=0, initial=0.0) for ious in self.ious]
        found = np.array([(row > tious).sum() / len(AR_TIOUS) for row in best])
        counts = np.array([len(ious) > 0 or not drop_empty for ious in self.ious])
        n_true = self._n_true() * counts
        return lambda weights: _ratio(weights @ found, weights @ n_true)

    def curve(self, tiou: float) -> tuple[np.ndarray, np.ndarray]:
        """Recall and interpolated precision `(H,)` after each hit, best scored first."""
        _, at = self._pooled(tiou)
        hits = np.arange(1, len(at) + 1)
        return hits / max(1, self._n_true().sum()), _envelope(hits / (at + 1))

    def _n_true(self) -> np.ndarray:
        return np.array([ious.shape[1] for ious in self.ious], float)

    def _pooled(self, tiou: float) -> tuple[np.ndarray, np.ndarray]:
        """The clip of every proposal, best of all clips first, and which of them are hits."""
        owner = np.repeat(np.arange(len(self.scores)), [len(scores) for scores in self.scores])
        hits = np.concatenate([np.zeros(0, bool), *(_hits(ious, tiou) for ious in self.ious)])
        order = np.argsort(-np.concatenate([np.zeros(0), *self.scores]), kind="stable")
        return owner[order], np.flatnonzero(hits[order])


@dataclass(frozen=True)
class Ranking:
    """Scored items (steps or clips) in ascending order: whether each is `forged (N,) bool`, the
    `owner (N,) int` clip it belongs to, and where each group of equal scores `starts`."""

    forged: np.ndarray
    owner: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(
        cls,
        labels: Sequence[bool] | np.ndarray,
        scores: Sequence[float] | np.ndarray,
        owner: np.ndarray | None = None,
    ) -> Ranking:
        """`labels (N,)`: true = forged. `scores (N,)`: NaN doesn't count. `owner (N,)`: the number
        of the item's clip; by default every item is a clip of its own."""
        values = np.asarray(scores, float)
        whose = np.arange(len(values)) if owner is None else owner
        order = np.argsort(values, kind="stable")[: int((~np.isnan(values)).sum())]
        return cls(
            np.asarray(labels, bool)[order],
            whose[order],
            np.flatnonzero(np.diff(values[order], prepend=np.nan)),
        )

    def auc(self, weights: np.ndarray) -> float:
        """The chance that a forged item scores above an authentic one, ties counting half.

        NaN unless both kinds are there.
        """
        forged, authentic = self._groups(weights)
        below = np.cumsum(authentic) - authentic / 2
        return _ratio(float(forged @ below), float(forged.sum() * authentic.sum()))

    def eer(self, weights: np.ndarray) -> float:
        """The error rate where as many authentic items are flagged as forged ones are missed,
        interpolated between thresholds. NaN unless both kinds are there."""
        forged, authentic = self._groups(weights)
        if not forged.sum() or not authentic.sum():
            return float("nan")
        missed = np.concatenate([[0.0], np.cumsum(forged)]) / forged.sum()
        flagged = 1 - np.concatenate([[0.0], np.cumsum(authentic)]) / authentic.sum()
        ahead = missed - flagged  # rises from -1 to 1
        after = int(np.argmax(ahead >= 0))
        share = ahead[after] / (ahead[after] - ahead[after - 1])
        return float(missed[after] + share * (missed[after - 1] - missed[after]))

    def _groups(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weight of forged and of authentic items in each group of equal scores."""
        if not len(self.starts):
            return np.zeros(0), np.zeros(0)
        own = weights[self.owner]
        forged = np.add.reduceat(own * self.forged, self.starts)
        return forged, np.add.reduceat(own * ~self.forged, self.starts)


def average_precision(truth: Truth, proposals: Proposals, tiou: float) -> float:
    """`Overlaps.average_precision` with every clip counted once."""
    return Overlaps.of(truth, proposals).average_precision(tiou)(np.ones(len(truth)))


def average_recall(truth: Truth, proposals: Proposals, n: int, drop_empty: bool = False) -> float:
    """`Overlaps.average_recall` with every clip counted once."""
    return Overlaps.of(truth, proposals).average_recall(n, drop_empty)(np.ones(len(truth)))


def step_labels(truth: Iterable[Segment], grid: FrameGrid) -> np.ndarray:
    """`(T,) bool`: the steps of the grid whose middle lies in a forged segment."""
    middles = (np.arange(grid.n_frames) + 0.5) / grid.rate_hz
    labels = np.zeros(grid.n_frames, bool)
    for segment in truth:
        labels |= (middles >= segment.start) & (middles < segment.end)
    return labels


def step_ranking(truth: Truth, scores: Mapping[str, FrameScores]) -> Ranking:
    """The steps of all clips of `scores`, each owned by its clip's place in `truth`.

    Raises `ValueError` for scores of a clip that `truth` doesn't list.
    """
    _refuse_strangers(truth, scores)
    place = {clip: number for number, clip in enumerate(truth)}
    owner = [np.full(item.grid.n_frames, place[clip]) for clip, item in scores.items()]
    labels = [step_labels(truth[clip], item.grid) for clip, item in scores.items()]
    values = [item.values for item in scores.values()]
    return Ranking.of(
        np.concatenate([np.zeros(0, bool), *labels]),
        np.concatenate([[], *values]),
        np.concatenate([np.zeros(0, int), *owner]),
    )


def frame_auc(truth: Truth, scores: Mapping[str, FrameScores]) -> float:
    """ROC AUC of forged against authentic steps, pooled over the clips of `scores`.

    Steps without a score don't count. NaN unless both kinds of steps are there.
    Raises `ValueError` for scores of a clip that `truth` doesn't list.
    """
    return step_ranking(truth, scores).auc(np.ones(len(truth)))


def clip_auc(labels: Sequence[bool] | np.ndarray, scores: Sequence[float] | np.ndarray) -> float:
    """`Ranking.auc` of clips, each counted once; a score of NaN doesn't count."""
    return Ranking.of(labels, scores).auc(np.ones(len(labels)))


def equal_error_rate(
    labels: Sequence[bool] | np.ndarray, scores: Sequence[float] | np.ndarray
) -> float:
    """`Ranking.eer` of clips, each counted once; a score of NaN doesn't count."""
    return Ranking.of(labels, scores).eer(np.ones(len(labels)))


def resample(units: Sequence[str], n: int, seed: int) -> np.ndarray:
    """`(n, C) float`: how often each clip counts when units are drawn with replacement, n times.

    `units (C,)`: what each clip belongs to, its identity for instance; clips of one unit are drawn
    together, because they resemble each other. No draws (n = 0) from a single unit.
    """
    names, unit = np.unique(np.asarray(units), return_inverse=True)
    n = n if len(names) > 1 else 0
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n)
    return drawn[:, unit].astype(float)


def interval(metric: Metric, draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The percentile bootstrap interval of a metric over `draws (n, C)` of `resample`.

    Draws in which the metric is undefined don't count; NaN unless most of them do.
    """
    values = np.array([metric(weights) for weights in draws])
    values = values[~np.isnan(values)]
    if len(values) <= len(draws) / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ranked(proposals: Sequence[Localization]) -> list[Localization]:
    return sorted(proposals, key=lambda item: -item.score)


def _ious(ranked: Sequence[Localization], truth: Iterable[Segment]) -> np.ndarray:
    """`(P, G) float32`: tIoU of each proposal with each true segment."""
    found = np.array([(p.segment.start, p.segment.end) for p in ranked], np.float32)
    true = np.array([(segment.start, segment.end) for segment in truth], np.float32)
    start, end = found.reshape(-1, 2).T[:, :, None]
    true_start, true_end = true.reshape(-1, 2).T
    shared = np.maximum(0, np.minimum(end, true_end) - np.maximum(start, true_start))
    iou: np.ndarray = shared / (np.maximum(end, true_end) - np.minimum(start, true_start))
    return iou


def _hits(ious: np.ndarray, tiou: float) -> np.ndarray:
    """`(P,) bool`: which proposals are matched, given their IoUs `(P, G)`."""
    hits = np.zeros(len(ious), bool)
    for column in ious.T:
        passing = np.flatnonzero((column > np.float32(tiou)) & ~hits)
        hits[passing[:1]] = True
    return hits


def _envelope(precision: np.ndarray) -> np.ndarray:
    """The highest precision at this or any later rank."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _refuse_strangers(truth: Mapping[str, object], others: Mapping[str, object]) -> None:
    strangers = set(others) - set(truth)
    if strangers:
        raise ValueError(f"no truth for {sorted(strangers)[0]} ({len(strangers)} such clips)")
