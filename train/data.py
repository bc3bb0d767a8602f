"""Clips as training sees them: the tensors of a dataset, cut once and read window by window.

`python -m train.extract` turns a dataset of any known format into a cache folder: one `.npz` a
clip, made by the same media, faces and sound code as the localizer, and `metadata.json`, the truth
of all clips in our layout of LAV-DF, each with a split. Nothing here knows another format, nor
networks and losses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import IterableDataset

from deeploc.annotations import ClipAnnotation, read_annotations
from deeploc.sound import MEL_PER_STEP

METADATA = "metadata.json"
PATIENCE = 1000


@dataclass(frozen=True)
class ClipTensors:
    """What the model needs of one clip of T steps.

    `faces (T, H, W, 3) uint8` (zeros where unseen), `mel (4T, 90) float32` as `log_mel` gives it;
    `seen`, `heard` are `(T,) bool`.
    """

    faces: np.ndarray
    mel: np.ndarray
    seen: np.ndarray
    heard: np.ndarray

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part.npz")
        np.savez(
            partial,
            faces=self.faces,
            mel=self.mel.astype(np.float16),
            seen=self.seen,
            heard=self.heard,
        )
        partial.rename(path)

    @classmethod
    def load(cls, path: Path) -> ClipTensors:
        with np.load(path) as stored:
            mel = stored["mel"].astype(np.float32)
            return cls(stored["faces"], mel, stored["seen"], stored["heard"])

    def stream(self) -> Iterator[np.ndarray | None]:
        """Faces one by one, None where unseen: what `deeploc.measure` reads."""
        for face, seen in zip(self.faces, self.seen, strict=True):
            yield face if seen else None


@dataclass(frozen=True)
class Sample:
    """One clip of a cache: its labels and where its tensors lie."""

    annotation: ClipAnnotation
    path: Path

    @property
    def untouched(self) -> bool:
        """Authentic by its label, and no null forgery (authentic, but re-blended) either."""
        return not self.annotation.forged and not self.annotation.families

    @property
    def tensors(self) -> ClipTensors:
        return ClipTensors.load(self.path)


def cached_path(cache: Path, file: str) -> Path:
    return cache / f"{file}.npz"


def load_cache(cache: Path, split: str) -> list[Sample]:
    """The clips of one split (train, dev, test) whose tensors are there, in a fixed order."""
    samples = [
        Sample(annotation, cached_path(cache, annotation.file))
        for annotation in read_annotations(cache / METADATA)
        if annotation.split == split
    ]
    present = [sample for sample in samples if sample.path.exists()]
    if not present:
        raise FileNotFoundError(f"no extracted {split} clips in {cache}; run train.extract first")
    return sorted(present, key=lambda sample: sample.annotation.file)


class AuthenticWindows(IterableDataset):
    """Endless random windows of clips whose label says authentic; null forgeries are left out.

    Yields (faces (K, H, W, 3) uint8, mel (4K, M) float32), every step seen and heard. An identity
    is drawn first, then a clip, so that nobody is learned by heart. Faces are mirrored at random.
    """

    def __init__(self, samples: list[Sample], length: int, seed: int, per_clip: int = 4) -> None:
        authentic = [sample for sample in samples if sample.untouched]
        assert authentic, "no authentic clips"
        self.length, self.seed, self.per_clip = length, seed, per_clip
        self.people: dict[str, list[Sample]] = {}
        for sample in authentic:
            person = sample.annotation.identity or sample.annotation.file
            self.people.setdefault(person, []).append(sample)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        rng = np.random.default_rng(self.seed)
        names = sorted(self.people)
        vain = 0
        while vain < PATIENCE:
            clips = self.people[names[rng.integers(len(names))]]
            clip = clips[rng.integers(len(clips))].tensors
            known = np.convolve(clip.seen & clip.heard, np.ones(self.length), "valid")
            starts = np.flatnonzero(known > self.length - 0.5)
            vain = 0 if len(starts) else vain + 1
            for start in rng.choice(starts, min(self.per_clip, len(starts)), replace=False):
                faces = clip.faces[start : start + self.length]
                if rng.random() < 0.5:
                    faces = faces[:, :, ::-1]
                rows = slice(MEL_PER_STEP * start, MEL_PER_STEP * (start + self.length))
                yield torch.from_numpy(faces.copy()), torch.from_numpy(clip.mel[rows].copy())
        raise ValueError(f"no authentic clip has {self.length} steps on end with face and sound")
