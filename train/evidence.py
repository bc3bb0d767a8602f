"""The evidence of every clip of a cache under one frozen MAE, measured once and kept on disk.

What is kept is raw, so that its statistics over authentic clips can be taken before anything is
standardised. Clips are read when they are asked for: a split need not fit into memory. It knows
nothing about labels beyond authentic or forged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from deeploc.checkpoints import WEIGHTS, load_checkpoint
from deeploc.measure import Evidence, measure
from deeploc.models.rt_deeploc import RTDeepLoc
from train.data import Sample, cached_path
from train.ranks import Ranks, alone

MIN_SPREAD = 0.05
KEPT = ("visual", "audio", "mel")

_models: dict[Path, RTDeepLoc] = {}


@dataclass(frozen=True)
class Scale:
    """Mean and spread of every value of the evidence, as a model holds them."""

    face_mean: np.ndarray
    face_std: np.ndarray
    sound_mean: np.ndarray
    sound_std: np.ndarray

    @classmethod
    def of(cls, model: RTDeepLoc) -> Scale:
        buffers = (model.face_mean, model.face_std, model.sound_mean, model.sound_std)
        return cls(*(buffer.cpu().numpy() for buffer in buffers))

    def standardised(self, raw: Evidence) -> Evidence:
        return Evidence(
            (raw.visual - self.face_mean) / self.face_std,
            (raw.audio - self.sound_mean) / self.sound_std,
            raw.mel,
        )


@dataclass(frozen=True)
class Measured(Sequence[Evidence]):
    """Evidence of clips as a sequence that lies on disk: each is read whenever it is asked for."""

    paths: Sequence[Path]
    scale: Scale | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> Measured: ...
    def __getitem__(self, index: int | slice) -> Evidence | Measured:
        if isinstance(index, slice):
            return Measured(self.paths[index], self.scale)
        with np.load(self.paths[index]) as stored:
            raw = Evidence(*(stored[name].astype(np.float32) for name in KEPT))
        return self.scale.standardised(raw) if self.scale else raw

    def standardised(self, model: RTDeepLoc) -> Measured:
        """The same clips under the statistics that `set_statistics` put into the model."""
        return Measured(self.paths, Scale.of(model))

    def untouched(self, samples: Sequence[Sample]) -> Measured:
        """Those of the clips, which are `samples`, that define "authentic"."""
        pairs = zip(samples, self.paths, strict=True)
        return Measured([path for sample, path in pairs if sample.untouched], self.scale)


def measure_samples(
    checkpoint: Path,
    samples: Sequence[Sample],
    folder: Path,
    workers: int = 1,
    ranks: Ranks | None = None,
) -> Measured:
    """Evidence of each sample by the checkpoint's own statistics, which an MAE alone has not.

    Measured clips are kept under `folder`, by the hash of the weights. Ranks divide the work.
    """
    ranks = ranks or alone()
    digest = hashlib.sha256((checkpoint / WEIGHTS).read_bytes()).hexdigest()[:12]
    work = partial(_measure, checkpoint=checkpoint, folder=folder / digest, device=ranks.device)
    own = ranks.own(samples)
    bar = partial(tqdm, total=len(own), unit="clip", disable=not ranks.first)
    if workers == 1:
        for sample in bar(own):
            work(sample)
    else:
        spawn = get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, torch.set_num_threads, (1,)) as pool:
            for _ in bar(pool.map(work, own, chunksize=8)):
                pass
    ranks.wait()
    return Measured([cached_path(folder / digest, sample.annotation.file) for sample in samples])


def _measure(sample: Sample, checkpoint: Path, folder: Path, device: torch.device) -> None:
    path = cached_path(folder, sample.annotation.file)
    if path.exists():
        return
    if folder not in _models:
        _models[folder] = load_checkpoint(checkpoint)[0].to(device)
    clip = sample.tensors
    found = measure(_models[folder], clip.stream(), clip.mel, clip.heard)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_name(path.name + ".part.npz")
    np.savez(partial_path, **{name: getattr(found, name).astype(np.float16) for name in KEPT})
    partial_path.rename(path)


class Moments:
    """Mean and spread of values `(N, *shape)` that come clip by clip, of which none is kept."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._sums = np.zeros((3, *shape))

    def add(self, values: np.ndarray) -> None:
        """Count the values that are not NaN."""
        known = ~np.isnan(values)
        filled = np.where(known, values, 0).astype(np.float64)
        self._sums += [known.sum(0), filled.sum(0), np.square(filled).sum(0)]

    def over(self, ranks: Ranks) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of what all ranks have added; every rank must ask."""
        count, first, second = ranks.total(torch.from_numpy(self._sums))
        mean = first / count
        return mean.float(), (second / count - mean.square()).clamp(min=0).sqrt().float()


def set_statistics(
    model: RTDeepLoc, authentic: Sequence[Evidence], ranks: Ranks | None = None
) -> None:
    """Mean and spread of raw evidence over authentic clips, into the model's buffers."""
    ranks = ranks or Ranks()
    face, sound = Moments(model.face_mean.shape), Moments(model.sound_mean.shape)
    for evidence in ranks.own(authentic):
        face.add(evidence.visual)
        sound.add(evidence.audio)
    for name, moments in (("face", face), ("sound", sound)):
        mean, spread = moments.over(ranks)
        getattr(model, f"{name}_mean").copy_(mean)
        getattr(model, f"{name}_std").copy_(spread.clamp(min=MIN_SPREAD))


def standardised(model: RTDeepLoc, raw: Evidence) -> Evidence:
    """Raw evidence under the statistics that `set_statistics` put into the model."""
    return Scale.of(model).standardised(raw)
