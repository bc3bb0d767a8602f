"""Rows of several seeds held against one row, on the same clips and the same draws of them.

It knows neither how rows were trained nor how tables look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deeploc.scores import (
    STREAMS,
    Stream,
)
from train.data.cache import CachedClip
from train.evaluate.methods import Method
from train.evaluate.protocol import prepare

COLUMNS = ("mean AP", "AP@0.5", "AR@10", "frame AUC")
DIFFERENCES = ("mean AP", "AP@0.5")
SEED = 1


@dataclass(frozen=True)
class Contender:
    """One row: its setting and name, what `train.discover` was told, and one method a seed."""

    setting: str
    name: str
    flags: str
    methods: Sequence[Method]


@dataclass(frozen=True)
class Numbers:
    """One column of one row: `seeds (S,)` on all clips, and `draws (D,)`, the mean over seeds of
    each draw of clips, for which seeds were drawn with replacement too."""

    seeds: np.ndarray
    draws: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.seeds.mean())

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN from a single one."""
        return float(self.seeds.std(ddof=1)) if len(self.seeds) > 1 else float("nan")


def compare(
    samples: list[CachedClip],
    contenders: Iterable[Contender],
    draws: np.ndarray,
    reference: tuple[str, str],
) -> list[dict]:
    """One record a row: every column by stream with spread and 95 % interval, and how far the
    `reference` (setting, name) is ahead of it, as a difference and as a ratio of mean AP.

    Differences are taken draw by draw. Of a ratio, draws where the row has 0 don't count.
    """
    rng = np.random.default_rng(SEED)
    measured = [
        (item, {stream: _numbers(samples, item, stream, draws, rng) for stream in STREAMS})
        for item in contenders
    ]
    (best,) = (found for item, found in measured if (item.setting, item.name) == reference)
    return [
        {
            "setting": item.setting,
            "row": item.name,
            "flags": item.flags,
            "seeds": len(item.methods),
            "streams": {
                stream: {name: _record(numbers) for name, numbers in columns.items()}
                for stream, columns in found.items()
            },
            "ahead": None
            if (item.setting, item.name) == reference
            else {stream: _ahead(best[stream], found[stream]) for stream in STREAMS},
        }
        for item, found in measured
    ]


def _numbers(
    samples: list[CachedClip],
    item: Contender,
    stream: Stream,
    draws: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Numbers]:
    trials = [prepare(samples, method, stream) for method in item.methods]
    picks = rng.integers(len(trials), size=(len(trials), len(draws)))
    found = {}
    for name in COLUMNS:
        measures = [trial.measures[name] for trial in trials]
        everything = np.array([measure(np.ones(len(samples))) for measure in measures])
        drawn = np.array([[measure(weights) for weights in draws] for measure in measures])
        found[name] = Numbers(everything, np.take_along_axis(drawn, picks, axis=0).mean(axis=0))
    return found


def _record(numbers: Numbers) -> dict:
    return {
        "mean": numbers.mean,
        "spread": numbers.spread,
        "interval": _interval(numbers.draws),
        "seeds": numbers.seeds.tolist(),
    }


def _ahead(best: Mapping[str, Numbers], other: Mapping[str, Numbers]) -> dict:
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
