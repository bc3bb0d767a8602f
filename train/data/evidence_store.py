"""The evidence of every clip of a cache under one frozen MAE, measured once and kept on disk.

What is kept is raw, so that its statistics over authentic clips can be taken before anything is
standardised. Clips are read when they are asked for: a split need not fit into memory. It knows
nothing about labels beyond authentic or forged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import overload

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from deeploc.checkpoints import CONFIG, WEIGHTS, load_checkpoint
from deeploc.evidence import Evidence, measure_evidence
from deeploc.models.rt_deeploc import RTDeepLoc
from train.data.cache import CachedClip, cached_path
from train.engine.ranks import Ranks, single_rank

MIN_SPREAD = 0.05
KEPT = ("visual", "audio", "lines", "surroundings")  # in half precision, beside scenes

_models: dict[Path, RTDeepLoc] = {}


@dataclass(frozen=True)
class EvidenceScaler:
    """Standardises evidence with the mean and deviation of each value, as a model holds them."""

    face_mean: np.ndarray
    face_std: np.ndarray
    sound_mean: np.ndarray
    sound_std: np.ndarray

    @classmethod
    def of(cls, model: RTDeepLoc) -> EvidenceScaler:
        buffers = (model.face_mean, model.face_std, model.sound_mean, model.sound_std)
        return cls(*(buffer.cpu().numpy() for buffer in buffers))

    def raw(self, standardised: Evidence) -> Evidence:
        """The raw evidence that `standardised` was made from."""
        return Evidence(
            standardised.visual * self.face_std + self.face_mean,
            standardised.audio * self.sound_std + self.sound_mean,
            standardised.lines,
            standardised.scenes,
            standardised.surroundings,
        )

    def standardised(self, raw: Evidence) -> Evidence:
        return Evidence(
            (raw.visual - self.face_mean) / self.face_std,
            (raw.audio - self.sound_mean) / self.sound_std,
            raw.lines,
            raw.scenes,
            raw.surroundings,
        )


@dataclass(frozen=True)
class EvidenceStore(Sequence[Evidence]):
    """The evidence of some clips on disk; an entry is read each time it is indexed.

    With `scale` the evidence is standardised when it is read, otherwise it is raw.
    """

    paths: Sequence[Path]
    scale: EvidenceScaler | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> EvidenceStore: ...
    def __getitem__(self, index: int | slice) -> Evidence | EvidenceStore:
        if isinstance(index, slice):
            return EvidenceStore(self.paths[index], self.scale)
        with np.load(self.paths[index]) as stored:
            if "surroundings" not in stored:
                raise ValueError(
                    f"{self.paths[index]} is of an earlier version: delete its folder, and these "
                    "clips are measured anew."
                )
            kept = {name: stored[name].astype(np.float32) for name in KEPT}
            raw = Evidence(**kept, scenes=stored["scenes"])
        return self.scale.standardised(raw) if self.scale else raw

    def standardised(self, model: RTDeepLoc) -> EvidenceStore:
        """The same clips under the statistics that `set_statistics` put into the model."""
        return EvidenceStore(self.paths, EvidenceScaler.of(model))

    def pristine(self, samples: Sequence[CachedClip]) -> EvidenceStore:
        """The evidence of the pristine clips; `samples` names the clip of each entry."""
        pairs = zip(samples, self.paths, strict=True)
        return EvidenceStore([path for sample, path in pairs if sample.pristine], self.scale)


@dataclass(frozen=True)
class EvidenceByFile(Mapping[str, Evidence]):
    """The evidence of some clips by file name, read from disk each time it is looked up."""

    places: Mapping[str, int]
    measured: EvidenceStore

    @classmethod
    def of(cls, samples: Sequence[CachedClip], measured: EvidenceStore) -> EvidenceByFile:
        return cls({sample.annotation.file: i for i, sample in enumerate(samples)}, measured)

    def __getitem__(self, file: str) -> Evidence:
        return self.measured[self.places[file]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def autoencoder_digest(checkpoint: Path) -> str:
    """Of all in a checkpoint that raw evidence depends on: the MAE's sizes, and its weights in half
    precision, for `RUN/model` is saved so and `RUN/mae` is not."""
    sizes = json.loads((checkpoint / CONFIG).read_text())["mae"]
    digest = hashlib.sha256(json.dumps(sizes, sort_keys=True).encode())
    with safe_open(checkpoint / WEIGHTS, "pt") as stored:
        for name in sorted(name for name in stored.keys() if name.startswith("mae.")):  # noqa: SIM118
            digest.update(name.encode() + stored.get_tensor(name).half().numpy().tobytes())
    return digest.hexdigest()[:12]


def measure_clips(
    checkpoint: Path,
    samples: Sequence[CachedClip],
    folder: Path,
    workers: int = 1,
    ranks: Ranks | None = None,
) -> EvidenceStore:
    """Raw evidence of each sample by the checkpoint's MAE. It has no surprises for clips under an
    everyday change, forged ones of the train split aside, in which they say where to look: of the
    others only scores are wanted, which are read off much faster.

    Measured clips are kept under `folder`, by the digest of the MAE: checkpoints that differ in
    anything else measure nothing anew. Ranks divide the work.
    """
    ranks = ranks or single_rank()
    digest = autoencoder_digest(checkpoint)
    work = partial(_measure, checkpoint=checkpoint, folder=folder / digest, device=ranks.device)
    own = ranks.share(samples)
    bar = partial(ranks.bar, total=len(own), unit="clip")
    if workers == 1:
        for sample in bar(own):
            work(sample)
    else:
        spawn = get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, torch.set_num_threads, (1,)) as pool:
            for _ in bar(pool.map(work, own, chunksize=8)):
                pass
    ranks.wait()
    return EvidenceStore(
        [cached_path(folder / digest, sample.annotation.file) for sample in samples]
    )


def _measure(sample: CachedClip, checkpoint: Path, folder: Path, device: torch.device) -> None:
    path = cached_path(folder, sample.annotation.file)
    if path.exists():
        return
    if folder not in _models:
        _models[folder] = without_statistics(load_checkpoint(checkpoint)[0]).to(device)
    clip = sample.tensors
    given = clip.stream(), clip.mel, clip.lines, clip.heard, clip.scenes, clip.surroundings
    a = sample.annotation
    surprises = not a.change or (a.forged and a.split == "train")
    found = measure_evidence(_models[folder], *given, surprises=surprises)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_name(path.name + ".part.npz")
    kept = {name: getattr(found, name).astype(np.float16) for name in KEPT}
    np.savez(partial_path, **kept, scenes=clip.scenes)
    partial_path.rename(path)


class RunningMoments:
    """Mean and standard deviation of values `(N, *shape)`, added clip by clip and not kept."""

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
    face, sound = RunningMoments(model.face_mean.shape), RunningMoments(model.sound_mean.shape)
    for evidence in ranks.share(authentic):
        face.add(evidence.visual)
        sound.add(evidence.audio)
    for name, moments in (("face", face), ("sound", sound)):
        mean, spread = moments.over(ranks)
        getattr(model, f"{name}_mean").copy_(mean)
        getattr(model, f"{name}_std").copy_(spread.clamp(min=MIN_SPREAD))


def without_statistics(model: RTDeepLoc) -> RTDeepLoc:
    """The model without statistics, whose evidence is raw, its MAE in half precision as the digest
    has it: so it doesn't matter whether `RUN/mae` or `RUN/model` measured a clip first."""
    model.mae.half().float()
    for name in ("face", "sound"):
        getattr(model, f"{name}_mean").zero_()
        getattr(model, f"{name}_std").fill_(1)
    return model
