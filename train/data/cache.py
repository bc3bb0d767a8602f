"""Clips as training sees them: the tensors of a dataset, cut once and read window by window.

`python -m train extract` turns a dataset of any known format into a cache folder: for every clip an
`.npz` with its sound and, if it has a picture, a `.faces.npy` with its encoded faces, made by the
same media, faces and sound code as the localizer; and `metadata.json`, the truth of all clips in
our layout of LAV-DF, each with a split. Nothing here knows another format, nor networks and losses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from deeploc.annotations import ClipTruth, read_truths
from deeploc.calibration import FOOTAGES
from deeploc.media.formats import is_sound
from deeploc.preprocess.audio import MEL_PER_STEP
from train.data.face_images import EncodedFaces, encode_faces

METADATA = "metadata.json"
PATIENCE = 1000


@dataclass(frozen=True)
class ClipTensors:
    """What the model needs of one clip of T steps.

    `faces (T, H, W, 3) uint8` (zeros where unseen; of speech without a picture, no pixels), `mel
    (4T, 90)` and `lines (T, 6) float32` as `log_mel` and `vocoder_lines` give them; `seen`, `heard`
    are `(T,) bool`, `scenes (T,) int` (`Shots.scenes`), `surroundings (T, 2, 4) float32` those of
    `SurroundingsMeter`. On disk faces are encoded losslessly.
    """

    faces: np.ndarray | EncodedFaces
    mel: np.ndarray
    lines: np.ndarray
    seen: np.ndarray
    heard: np.ndarray
    scenes: np.ndarray
    surroundings: np.ndarray

    def save(self, path: Path) -> None:
        """Writes `path`, and its faces beside it before, so that a clip is there whole or not."""
        path.parent.mkdir(parents=True, exist_ok=True)
        faces = np.asarray(self.faces)
        face_ends = np.zeros(0, np.int64)
        if faces.size:
            data, face_ends = encode_faces(faces)
            partial = path.with_name(path.name + ".part.npy")
            np.save(partial, data, allow_pickle=False)
            partial.rename(_faces_path(path))
        partial = path.with_name(path.name + ".part.npz")
        np.savez(
            partial,
            mel=self.mel.astype(np.float16),
            lines=self.lines.astype(np.float16),
            seen=self.seen,
            heard=self.heard,
            scenes=self.scenes,
            surroundings=self.surroundings.astype(np.float16),
            face_ends=face_ends,
            allow_pickle=False,
        )
        partial.rename(path)

    @classmethod
    def load(cls, path: Path) -> ClipTensors:
        """Reads all but the faces, which are mapped: what is indexed of them is read then.

        Raises `ValueError` for a file of an earlier version.
        """
        with np.load(path) as stored:
            if "surroundings" not in stored:
                raise ValueError(
                    f"{path} is of an earlier version: run python -m train extract anew, into "
                    "an empty folder."
                )
            ends = stored["face_ends"]
            faces: np.ndarray | EncodedFaces = np.zeros((len(stored["seen"]), 0, 0, 3), np.uint8)
            if len(ends):
                faces = EncodedFaces(np.load(_faces_path(path), mmap_mode="r"), ends)
            mel, lines = (stored[name].astype(np.float32) for name in ("mel", "lines"))
            seen, heard, scenes = (stored[name] for name in ("seen", "heard", "scenes"))
            around = stored["surroundings"].astype(np.float32)
            return cls(faces, mel, lines, seen, heard, scenes, around)

    @staticmethod
    def load_mel(path: Path) -> np.ndarray:
        """The sound alone, without reading the faces."""
        with np.load(path) as stored:
            return stored["mel"].astype(np.float32)

    def stream(self) -> Iterator[np.ndarray | None]:
        """Faces one by one, None where unseen: what `deeploc.evidence` reads."""
        for face, seen in zip(self.faces, self.seen, strict=True):
            yield face if seen else None


@dataclass(frozen=True)
class CachedClip:
    """One clip of a cache: its annotation, and the file that holds its tensors."""

    annotation: ClipTruth
    path: Path

    @property
    def audio_only(self) -> bool:
        """Whether the clip is speech without a picture."""
        return is_sound(self.annotation.file)

    @property
    def pristine(self) -> bool:
        """Whether it is an authentic talking face that nothing was done to.

        A null forgery is authentic by its label too, but was blended or re-encoded; an everyday
        change is no forgery either.
        """
        a = self.annotation
        return not (a.forged or a.families or a.change or self.audio_only)

    @property
    def honest_group(self) -> str | None:
        """The group that its false alarms are counted in: of a clip as it is its footage, of one
        under an everyday change the kind. None where it is forged, a null forgery or coded once
        more, or without a picture."""
        a = self.annotation
        if a.forged or a.families or self.audio_only:
            return None
        return a.change or self.footage

    @property
    def footage(self) -> str:
        """The kind of recording, one of `FOOTAGES`."""
        named = self.annotation.footage
        return named if named in FOOTAGES else FOOTAGES[-1]

    @property
    def person(self) -> str:
        """Who speaks; where nobody is named, the clip that this one was made from."""
        a = self.annotation
        return a.identity or a.original or a.file

    @property
    def reencoded(self) -> bool:
        """Whether it is authentic, and went through one more lossy codec, whole or in part."""
        return not self.annotation.forged and "recoded" in self.annotation.families.values()

    @property
    def tensors(self) -> ClipTensors:
        return ClipTensors.load(self.path)


def _faces_path(path: Path) -> Path:
    return path.with_suffix(".faces.npy")


def cached_path(folder: Path, file: str) -> Path:
    """Where `folder` keeps what was made of a clip: in one of 4096 folders, by the name's hash."""
    return folder / hashlib.sha256(file.encode()).hexdigest()[:3] / f"{file}.npz"


def load_cache(cache: Path, split: str) -> list[CachedClip]:
    """The clips of one split (train, dev, test) whose tensors are there, in a fixed order."""
    samples = [
        CachedClip(annotation, cached_path(cache, annotation.file))
        for annotation in read_truths(cache / METADATA)
        if annotation.split == split
    ]
    present = [sample for sample in samples if sample.path.exists()]
    if not present:
        raise FileNotFoundError(
            f"no extracted {split} clips in {cache}; run python -m train extract first"
        )
    return sorted(present, key=lambda sample: sample.annotation.file)


class AuthenticWindows(Dataset):
    """Endless random windows of clips whose label says authentic; null forgeries are left out.

    Window n is (faces (K, H, W, 3) uint8, mel (4K, M) float32), every step seen and heard. An
    identity is drawn first, then a clip, so that nobody is learned by heart; `per_clip` windows in
    a row are of the same clip. Faces are mirrored at random. `seed` and n alone decide: whoever
    asks, in whatever process or order, gets the same window.
    """

    def __init__(
        self, samples: list[CachedClip], length: int, seed: int, per_clip: int = 4
    ) -> None:
        authentic = [sample for sample in samples if sample.pristine]
        assert authentic, "no authentic clips"
        self.length, self.seed, self.per_clip = length, seed, per_clip
        self.people: dict[str, list[CachedClip]] = {}
        for sample in authentic:
            person = sample.annotation.identity or sample.annotation.file
            self.people.setdefault(person, []).append(sample)
        self._names = sorted(self.people)
        self._held: tuple[int, list[tuple[torch.Tensor, torch.Tensor]]] = (-1, [])

    def __getitem__(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        draw, place = divmod(n, self.per_clip)
        if self._held[0] != draw:
            self._held = (draw, self._windows(draw))
        return self._held[1][place]

    def _windows(self, draw: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        rng = np.random.default_rng([self.seed, draw])
        for _ in range(PATIENCE):
            clips = self.people[self._names[rng.integers(len(self._names))]]
            clip = clips[rng.integers(len(clips))].tensors
            known = np.convolve(clip.seen & clip.heard, np.ones(self.length), "valid")
            starts = np.flatnonzero(known > self.length - 0.5)
            if len(starts):
                few = len(starts) < self.per_clip
                chosen = rng.choice(starts, self.per_clip, replace=few)
                return [self._window(clip, start, rng.random() < 0.5) for start in chosen]
        raise ValueError(f"no authentic clip has {self.length} steps on end with face and sound")

    def _window(
        self, clip: ClipTensors, start: int, mirrored: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        faces = clip.faces[start : start + self.length]
        if mirrored:
            faces = faces[:, :, ::-1]
        mel = clip.mel[MEL_PER_STEP * start : MEL_PER_STEP * (start + self.length)]
        return torch.from_numpy(faces.copy()), torch.from_numpy(mel.copy())
