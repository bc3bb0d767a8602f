"""Bootstrap of rows that were trained with several seeds: means, intervals, and differences to a
reference row on the same draws of clips.

It knows neither how rows were trained nor how tables look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deeploc.scores import STREAMS, Stream
from train.data.cache import CachedClip
from train.evaluate.methods import Method
from train.evaluate.protocol import evaluate_stream

COLUMNS = ("mean AP", "AP@0.5", "AR@10", "frame AUC")
DIFFERENCES = ("mean AP", "AP@0.5")
SEED = 1


@dataclass(frozen=True)
class SeededRow:
    """One row: the labels it was trained with (`setting`), its name, the options of `discover` that
    train it, and the scores of each seed. `flagged`: for each seed which of all clips, those under
    everyday changes among them, are flagged at its own level, `(C,)`, NaN without a verdict."""

    setting: str
    name: str
    flags: str
    methods: Sequence[Method]
    flagged: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Bootstrap:
    """One column of one row: its value for each seed on all clips, `seeds (S,)`, and for each draw
    of clips and of seeds, both with replacement, the mean over the drawn seeds, `draws (D,)`."""

    seeds: np.ndarray
    draws: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.seeds.mean())

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN from a single one."""
        return float(self.seeds.std(ddof=1)) if len(self.seeds) > 1 else float("nan")


def summarise_rows(
    samples: list[CachedClip],
    rows: Iterable[SeededRow],
    draws: np.ndarray,
    reference: tuple[str, str],
) -> list[dict]:
    """One record a row: every column by stream with its standard deviation and 95 % interval, and
    how far the `reference` (setting, name) is ahead of it, as a difference and as a ratio of mean
    AP.

    `draws (D, C)`: how often each clip counts. Differences are taken draw by draw; a ratio leaves
    out the draws where the row has 0.
    """
    rng = np.random.default_rng(SEED)
    evaluated = [
        (row, {stream: _columns(samples, row, stream, draws, rng) for stream in STREAMS})
        for row in rows
    ]
    (best,) = (columns for row, columns in evaluated if (row.setting, row.name) == reference)
    return [
        {
            "setting": row.setting,
            "row": row.name,
            "flags": row.flags,
            "seeds": len(row.methods),
            "streams": {
                stream: {name: _record(column) for name, column in of_stream.items()}
                for stream, of_stream in columns.items()
            },
            "ahead": None
            if (row.setting, row.name) == reference
            else {stream: _ahead(best[stream], columns[stream]) for stream in STREAMS},
        }
        for row, columns in evaluated
    ]


def summarise_flagged(
    groups: Mapping[str, np.ndarray],
    rows: Iterable[SeededRow],
    draws: np.ndarray,
    reference: tuple[str, str],
) -> list[dict]:
    """One record a trained row: by group of clips (`(C,) bool`) the share that is flagged, and how
    much more the row flags than the `reference`, on the same `draws (D, C)`."""
    rng = np.random.default_rng(SEED)
    shares = [
        (row, {name: _share(row, own, draws, rng) for name, own in groups.items() if own.any()})
        for row in rows
        if row.flagged
    ]
    (base,) = (found for row, found in shares if (row.setting, row.name) == reference)
    return [
        {
            "setting": row.setting,
            "row": row.name,
            "shares": {name: _record(column) for name, column in found.items()},
            "more": {
                name: {
                    "mean": column.mean - base[name].mean,
                    "interval": _interval(column.draws - base[name].draws),
                }
                for name, column in found.items()
            },
        }
        for row, found in shares
    ]


def _share(
    row: SeededRow, members: np.ndarray, draws: np.ndarray, rng: np.random.Generator
) -> Bootstrap:
    flagged = np.array(row.flagged)[:, members]
    known = ~np.isnan(flagged)
    weights = np.concatenate([np.ones((1, members.sum())), draws[:, members]])
    count, total = np.nan_to_num(flagged) @ weights.T, known @ weights.T
    shares = np.divide(count, total, out=np.full(count.shape, np.nan), where=total > 0)
    seeds = rng.integers(len(shares), size=(len(shares), len(draws)))
    return Bootstrap(shares[:, 0], np.take_along_axis(shares[:, 1:], seeds, axis=0).mean(axis=0))


def _columns(
    samples: list[CachedClip],
    row: SeededRow,
    stream: Stream,
    draws: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Bootstrap]:
    evaluations = [evaluate_stream(samples, method, stream) for method in row.methods]
    seeds = rng.integers(len(evaluations), size=(len(evaluations), len(draws)))
    columns = {}
    for name in COLUMNS:
        metrics = [evaluation.metrics[name] for evaluation in evaluations]
        all_clips = np.array([metric(np.ones(len(samples))) for metric in metrics])
        drawn = np.array([[metric(weights) for weights in draws] for metric in metrics])
        columns[name] = Bootstrap(all_clips, np.take_along_axis(drawn, seeds, axis=0).mean(axis=0))
    return columns


def _record(column: Bootstrap) -> dict:
    return {
        "mean": column.mean,
        "spread": column.spread,
        "interval": _interval(column.draws),
        "seeds": column.seeds.tolist(),
    }


def _ahead(best: Mapping[str, Bootstrap], other: Mapping[str, Bootstrap]) -> dict:
    differences = {
        name: {
            "mean": best[name].mean - other[name].mean,
            "interval": _interval(best[name].draws - other[name].draws),
        }
        for name in DIFFERENCES
    }
    one, two = best["mean AP"], other["mean AP"]
    below = np.where(two.draws > 0, two.draws, np.nan)
    ratio = {
        "mean": one.mean / two.mean if two.mean else float("nan"),
        "interval": _interval(one.draws / below),
    }
    return {**differences, "ratio": ratio}


def _interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval; NaN unless most values are defined."""
    known = values[~np.isnan(values)]
    if len(known) <= len(values) / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
