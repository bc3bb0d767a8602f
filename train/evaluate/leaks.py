"""`python -m train leaks CORPUS ...`: can nuisances tell what is forged?

A logistic regression on nuisances (`leak_features`: sizes, levels, silence, edges) is trained on
some people and tested on others, and must stay at chance. Exits with 1 where it doesn't. Clips
under everyday changes are asked about apart, and so is which change a clip has: laid over one class
more than over the other, a change would be a label. Nothing here looks at faces or words, so it
can't say that a corpus has no leak, only that it found none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import pandas as pd
import tyro
from scipy.ndimage import uniform_filter1d
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from deeploc.annotations import ClipTruth, read_dataset
from deeploc.errors import DeepLocError
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.metrics import step_labels
from deeploc.scores import STREAMS, Stream
from deeploc.timeline import FrameGrid
from train.data.cache import cached_path
from train.data.datasets import in_one
from train.data.splits import Split
from train.evaluate.leak_features import Nuisances, read_nuisances

FOLDS = 5
DRAWS = 2000
RIDGE = 10.0
NEAR_STEPS = 13  # half a second
FEWEST_PEOPLE = 5
LEAK = "LEAK"
CONTENT = "codec step"  # at one quality, bits follow from what is shown: no leak
CODEC = re.compile("packet|key frame|P-frame")


@dataclass(frozen=True)
class CorpusClip:
    """A clip of the corpus: its truth and its nuisances."""

    truth: ClipTruth
    nuisances: Nuisances

    @property
    def source(self) -> str:
        """The authentic clip that all its variants share."""
        return self.truth.original or self.truth.file

    @property
    def person(self) -> str:
        return self.truth.identity or self.source


@dataclass(frozen=True)
class Rows:
    """`values (N, F)` of clips or steps, with `labels (N,) bool`: forged, and `people (N,) str`.

    `twins (N, F)`: the same of the authentic originals, at the same steps; NaN without one.
    """

    names: list[str]
    values: np.ndarray
    labels: np.ndarray
    people: np.ndarray
    twins: np.ndarray

    def only(self, pattern: re.Pattern[str], keep: bool = True) -> Rows:
        """The same rows with only the nuisances whose name holds the pattern."""
        chosen = [bool(pattern.search(name)) is keep for name in self.names]
        names = [name for name, taken in zip(self.names, chosen, strict=True) if taken]
        values, twins = self.values[:, chosen], self.twins[:, chosen]
        return replace(self, names=names, values=values, twins=twins)

    def without(self, pattern: re.Pattern[str]) -> Rows:
        return self.only(pattern, keep=False)

    def of_twins(self) -> Rows:
        """The same of the originals: what forging did is gone, where it did it stays."""
        known = ~np.isnan(self.twins).all(1)
        return replace(
            self, values=self.twins[known], labels=self.labels[known], people=self.people[known]
        )


def clip_rows(samples: list[CorpusClip], stream: Stream, family: str | None = None) -> Rows:
    """Clips that are forged in a stream (by one family) beside authentic ones of the same sources.

    For `fused`: forged anywhere, and the nuisances of both streams.
    """
    forged = [sample for sample in samples if _is_forged(sample, stream, family)]
    sources = {sample.source for sample in forged}
    plain = [sample for sample in samples if sample.source in sources and _is_plain(sample, stream)]
    originals = {sample.truth.file: sample for sample in samples}
    names = _names((sample.nuisances.clip for sample in [*forged, *plain]), stream)
    return Rows(
        names,
        _stacked([sample.nuisances.clip for sample in [*forged, *plain]], names),
        np.arange(len(forged) + len(plain)) < len(forged),
        np.array([sample.person for sample in [*forged, *plain]]),
        _stacked([_twin(sample, originals).clip for sample in [*forged, *plain]], names),
    )


def step_rows(samples: list[CorpusClip], stream: Stream, family: str | None = None) -> Rows:
    """Every step of the clips that are forged in a stream (by one family), each value beside its
    mean over half a second."""
    forged = [
        sample
        for sample in samples
        if _is_forged(sample, stream, family) and sample.truth.segments[stream].segments
    ]
    originals = {sample.truth.file: sample for sample in samples}
    names = _names((sample.nuisances.steps for sample in forged), stream)
    values, twins, labels, people = [], [], [], []
    for sample in forged:
        own = sample.nuisances.steps
        n_steps = len(next(iter(own.values())))
        grid = FrameGrid(VIDEO_RATE_HZ, n_steps)
        values.append(_series(own, names, n_steps))
        twins.append(_series(_twin(sample, originals).steps, names, n_steps))
        labels.append(step_labels(sample.truth.segments[stream], grid))
        people.append(np.full(n_steps, sample.person, object))
    if not forged:
        return Rows(names, np.zeros((0, 0)), np.zeros(0, bool), np.zeros(0), np.zeros((0, 0)))
    return Rows(
        names + [f"{name}, nearby" for name in names],
        np.concatenate(values),
        np.concatenate(labels),
        np.concatenate(people).astype(str),
        np.concatenate(twins),
    )


def changed_rows(samples: list[CorpusClip], stream: Stream) -> Rows:
    """Clips under everyday changes: forged ones beside untouched ones of the same people."""
    changed = [sample for sample in samples if sample.truth.change]
    forged = [sample for sample in changed if _is_forged(sample, stream, None)]
    people = {sample.person for sample in forged}
    plain = [s for s in changed if s.person in people and _is_plain(s, stream)]
    names = _names((sample.nuisances.clip for sample in [*forged, *plain]), stream)
    values = _stacked([sample.nuisances.clip for sample in [*forged, *plain]], names)
    return _rows(forged, plain, names, values)


def change_rows(samples: list[CorpusClip]) -> Rows:
    """Which everyday change each clip has, if any: forged clips beside authentic ones of the same
    people. Null forgeries are authentic."""
    forged = [sample for sample in samples if sample.truth.forged]
    people = {sample.person for sample in forged}
    honest = [s for s in samples if s.person in people and not s.truth.forged]
    kinds = np.array([sample.truth.change or "" for sample in [*forged, *honest]])
    names = sorted(set(kinds) - {""})
    values = np.column_stack([kinds == name for name in names] + [kinds != ""]).astype(float)
    return _rows(forged, honest, [*names, "any"], values)


def _rows(
    forged: list[CorpusClip], others: list[CorpusClip], names: list[str], values: np.ndarray
) -> Rows:
    """Rows of clips without twins."""
    labels = np.arange(len(forged) + len(others)) < len(forged)
    people = np.array([sample.person for sample in [*forged, *others]])
    return Rows(names, values, labels, people, np.full_like(values, np.nan))


def count_changes(samples: list[CorpusClip]) -> pd.DataFrame:
    """Authentic and forged clips by everyday change, and as they are."""
    rows = [(s.truth.change or "as it is", s.truth.forged) for s in samples]
    table = pd.DataFrame(rows, columns=["change", "forged"])
    counts = table.groupby("change").forged.agg(["size", "sum"])
    return pd.DataFrame({"authentic": counts["size"] - counts["sum"], "forged": counts["sum"]})


def _is_forged(sample: CorpusClip, stream: Stream, family: str | None) -> bool:
    truth = sample.truth
    if family is not None:
        return truth.families.get(stream) == family
    flags = {"visual": truth.modify_visual, "audio": truth.modify_audio, "fused": truth.forged}
    return flags[stream]


def _is_plain(sample: CorpusClip, stream: Stream) -> bool:
    """Whether nothing was done to the stream, by a null forgery either."""
    families = sample.truth.families
    touched = bool(families) if stream == "fused" else stream in families
    return not touched and not _is_forged(sample, stream, None)


def _twin(sample: CorpusClip, originals: dict[str, CorpusClip]) -> Nuisances:
    found = originals.get(sample.truth.original or "")
    return found.nuisances if found else Nuisances({}, {})


def _names(found: Iterable[dict], stream: Stream) -> list[str]:
    names = {name: None for values in found for name in values}
    return [name for name in names if stream == "fused" or name.startswith(stream)]


def _stacked(found: list[dict[str, float]], names: list[str]) -> np.ndarray:
    return np.array([[values.get(name, np.nan) for name in names] for values in found])


def _series(steps: dict[str, np.ndarray], names: list[str], n_steps: int) -> np.ndarray:
    missing = np.full(n_steps, np.nan)
    rows = np.stack([np.resize(steps.get(name, missing), n_steps) for name in names], axis=1)
    return np.hstack([rows, uniform_filter1d(rows, NEAR_STEPS, axis=0, mode="nearest")])


def fit(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights `(F,)` of a ridge logistic regression in which both labels count the same."""
    model = LogisticRegression(
        C=1 / RIDGE, class_weight="balanced", solver="newton-cholesky", tol=1e-8
    )
    return model.fit(values, labels).coef_[0]


def held_out_scores(rows: Rows, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Every row's score `(N,)` by a model that never saw the person, and its fold."""
    people = np.random.default_rng(seed).permutation(np.unique(rows.people))
    fold_of = {person: number % FOLDS for number, person in enumerate(people)}
    folds = np.array([fold_of[person] for person in rows.people])
    scores = np.full(len(folds), np.nan)
    for fold in range(FOLDS):
        inside = folds == fold
        labels = rows.labels[~inside]
        if not inside.any() or labels.all() or not labels.any():
            continue
        known = rows.values[~inside]
        middle, spread = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
        weights = fit(_standardise(known, middle, spread), labels)
        scores[inside] = _standardise(rows.values[inside], middle, spread) @ weights
    return scores, folds


def _standardise(values: np.ndarray, middle: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """`(N, 2F)`: standardised values, and how unusual they are in either direction."""
    units = np.clip((values - middle) / (spread + 1e-9), -4, 4) * (spread > 1e-9)
    units = np.nan_to_num(units)
    return np.column_stack([units, units**2 - 1])


def wins(
    scores: np.ndarray, labels: np.ndarray, people: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The counts of the Mann-Whitney statistic between people, for bootstraps of people.

    `(P, P)`: pairs of a forged row of one person and an authentic row of another (or the same)
    in which the forged one scores higher (ties count half), and all such pairs, inside a fold."""
    names, owner = np.unique(people, return_inverse=True)
    fold_of = np.zeros(len(names), int)
    fold_of[owner] = folds
    known = ~np.isnan(scores)
    forged, whose = scores[labels & known], owner[labels & known]
    won, pairs = np.zeros((2, len(names), len(names)))
    for index in range(len(names)):
        own = np.sort(scores[known & ~labels & (owner == index)])
        below = np.searchsorted(own, forged, "left") + np.searchsorted(own, forged, "right")
        same = fold_of[whose] == fold_of[index]
        np.add.at(won[:, index], whose[same], below[same] / 2)
        np.add.at(pairs[:, index], whose[same], len(own))
    return won, pairs


def auc_of(scores: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """AUC over all pairs of a forged and an authentic row inside a fold; NaN without any."""
    aucs, pairs = [], []
    for fold in np.unique(folds):
        inside = (folds == fold) & ~np.isnan(scores)
        count = labels[inside].sum() * (~labels[inside]).sum()
        if count:
            aucs.append(roc_auc_score(labels[inside], scores[inside]))
            pairs.append(count)
    return float(np.average(aucs, weights=pairs)) if pairs else float("nan")


def interval_of(won: np.ndarray, pairs: np.ndarray, level: float, seed: int) -> tuple[float, float]:
    """The middle `level` of the AUCs of people drawn with replacement."""
    count = len(won)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS)
    top = np.einsum("di,ij,dj->d", draws, won, draws, optimize=True)
    bottom = np.einsum("di,ij,dj->d", draws, pairs, draws, optimize=True)
    aucs = top[bottom > 0] / bottom[bottom > 0]
    low, high = np.quantile(aucs, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def judge(rows: Rows, level: float, tolerance: float, seed: int) -> dict[str, Any]:
    """AUC in percent, its interval, the strongest single nuisance, and what to make of it."""
    scores, folds = held_out_scores(rows, seed)
    counts = wins(scores, rows.labels, rows.people, folds)
    low, high = interval_of(*counts, level, seed)
    one_fold = np.zeros_like(folds)
    single = np.array([auc_of(column, rows.labels, one_fold) for column in rows.values.T])
    best = int(np.argmax(np.nan_to_num(np.abs(single - 0.5))))
    if low <= 0.5 <= high:
        verdict = "at chance"
    elif high < 0.5:
        verdict = "below chance"
    else:
        verdict = LEAK if low >= 0.5 + tolerance else "slight"
    return {
        "AUC": 100 * auc_of(scores, rows.labels, folds),
        "low": 100 * low,
        "high": 100 * high,
        "verdict": verdict,
        "strongest nuisance": rows.names[best],
        "its AUC": 100 * single[best],
    }


def find_leaks(samples: list[CorpusClip], tolerance: float = 0.02, seed: int = 0) -> pd.DataFrame:
    """A row for every question, stream and family, with enough clips and people to answer it.

    The intervals of the families of one stream hold jointly: each is wider for their number.
    """
    table = []
    for question, stream, family, rows, level in _questions(samples):
        enough = rows.names and rows.labels.any() and not rows.labels.all()
        if not enough or len(set(rows.people[rows.labels])) < FEWEST_PEOPLE:
            continue
        named = {"question": question, "stream": stream, "family": family or "all"}
        found = {"forged": int(rows.labels.sum()), "people": len(set(rows.people))}
        result = judge(rows, level, tolerance, seed)
        if question == CONTENT and result["verdict"] in (LEAK, "slight"):
            result["verdict"] = "content"
        table.append(named | found | result)
    return pd.DataFrame(table)


def _questions(
    everything: list[CorpusClip],
) -> Iterator[tuple[str, Stream, str | None, Rows, float]]:
    samples = [sample for sample in everything if not sample.truth.change]
    for stream in STREAMS:
        families = sorted({s.truth.families[stream] for s in samples if stream in s.truth.families})
        level = 1 - 0.05 / max(1, len(families))
        for family in (None, *families):
            rows = clip_rows(samples, stream, family)
            yield "clip", stream, family, rows, level if family else 0.95
        if stream == "fused":
            continue
        for family in (None, *families):
            rows = step_rows(samples, stream, family)
            yield "step", stream, family, rows.without(CODEC), level if family else 0.95
        rows = step_rows(samples, stream)
        yield "place", stream, None, rows.without(CODEC).of_twins(), 0.95
        yield CONTENT, stream, None, rows.only(CODEC), 0.95
    if len(samples) < len(everything):
        for stream in STREAMS:
            yield "changed clip", stream, None, changed_rows(everything, stream), 0.95
        yield "which change", "fused", None, change_rows(everything), 0.95


def corpus_nuisances(
    corpora: Sequence[Path], cache: Path, splits: Collection[str], workers: int
) -> list[CorpusClip]:
    """Every readable clip of the splits with its nuisances, from the cache where they are there.

    Raises `BadAnnotations` where a corpus can't be read."""
    found_clips, found_paths = in_one([read_dataset(corpus) for corpus in corpora])
    pairs = zip(found_clips, found_paths, strict=True)
    chosen = [(clip, path) for clip, path in pairs if not splits or clip.split in splits]
    clips = [clip for clip, _ in chosen]
    work = partial(_measure, cache=cache)
    with ExitStack() as stack:
        run: Any = map
        if workers > 1:
            pool = ProcessPoolExecutor(workers, get_context("spawn"))
            run = stack.enter_context(pool).map
        said = run(work, [clip.file for clip in clips], [path for _, path in chosen])
        found = list(tqdm(said, total=len(clips), unit="clip"))
    return [
        CorpusClip(clip, item) for clip, item in zip(clips, found, strict=True) if item is not None
    ]


def _measure(file: str, path: Path, cache: Path) -> Nuisances | None:
    kept = cached_path(cache, file)
    if kept.exists():
        return Nuisances.load(kept)
    try:
        found = read_nuisances(path)
    except DeepLocError as error:
        tqdm.write(f"skipped {file}: {error}")
        return None
    found.save(kept)
    return found


def leaks(
    corpora: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="CORPUS", help="folders with metadata.json and their clips"),
    ],
    split: Annotated[
        tuple[Split, ...], tyro.conf.arg(help="splits to look at; without this option all")
    ] = (),
    cache: Annotated[Path | None, tyro.conf.arg(help="folder that keeps what was measured")] = None,
    workers: Annotated[int, tyro.conf.arg(help="processes")] = 1,
    seed: Annotated[int, tyro.conf.arg(help="seed of folds and bootstraps")] = 0,
    tolerance: Annotated[
        float, tyro.conf.arg(help="percent above chance that is no leak yet")
    ] = 2.0,
) -> None:
    """Look for leaks in what is trained on together and print a table of them."""
    with TemporaryDirectory() as passing:
        samples = corpus_nuisances(corpora, cache or Path(passing), split, workers)
    table = find_leaks(samples, tolerance / 100, seed)
    if table.empty:
        raise SystemExit("There are too few forged clips or people to look for leaks.")
    if any(sample.truth.change for sample in samples):
        print(count_changes(samples).to_string(), end="\n\n")
    print(table.to_string(index=False, float_format="%.1f"))
    n_leaks = int((table.verdict == LEAK).sum())
    print(f"{n_leaks} of {(table.question != CONTENT).sum()} questions show a leak.")
    if n_leaks:
        raise SystemExit(1)


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(leaks, args=arguments, prog="python -m train leaks", description=__doc__)


if __name__ == "__main__":
    main()
