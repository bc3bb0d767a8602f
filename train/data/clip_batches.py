"""Clips and their evidence as padded batches of tensors, read from disk when they are needed.

What is read is fixed by the evidence; which labels a loss may use is decided in `train.losses`.

Shapes: B clips, T steps, R frame rates of vocoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from deeploc.evidence import Evidence, fused_error
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.metrics import step_labels
from deeploc.models.fdn import FDN, FDNOutput, LineFilter, lines_input, picture_input, sound_input
from deeploc.scores import STREAMS, smoothed
from deeploc.timeline import FrameGrid
from train.data.cache import CachedClip

CUE_STEPS = 4.0  # standard deviation of the smoothing of an error that is a cue
_line_filter = LineFilter()


@dataclass(frozen=True)
class ClipBatch:
    """Clips as padded tensors: evidence, its masks, and labels of clips and steps.

    `visual (B, T, 2 Dv + 18)`, `audio (B, T, 2 Da)`, `lines (B, T, R)`: `picture_input`,
    `sound_input` and `lines_input`; `error (B, T)` of both; `seen`, `heard (B, T) bool`; `labels
    (B, 3)` and `steps (B, T, 3)` in the order visual, audio, fused, 1 = forged. `cues (B, T, 2)`
    are high where a forgery is likely, both smoothed: in picture the reconstruction error, in sound
    the vocoder lines, since the error of sound is no cue.
    """

    visual: Tensor
    audio: Tensor
    lines: Tensor
    error: Tensor
    cues: Tensor
    seen: Tensor
    heard: Tensor
    labels: Tensor
    steps: Tensor

    def __getitem__(self, index: Tensor | slice) -> ClipBatch:
        return ClipBatch(*(tensor[index] for tensor in vars(self).values()))

    def to(self, device: torch.device) -> ClipBatch:
        return ClipBatch(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))

    def cut(self, start: int, length: int) -> ClipBatch:
        """The same clips from step `start` on; their labels stay those of the whole clips."""
        parts = {name: tensor[:, start : start + length] for name, tensor in vars(self).items()}
        return ClipBatch(**(parts | {"labels": self.labels}))

    def forward(self, fdn: FDN) -> FDNOutput:
        """What the network says of the clips."""
        return fdn(self.visual, self.audio, self.lines, self.seen, self.heard)

    @property
    def valid(self) -> Tensor:
        """`(B, T, 3) bool`: the steps that have a picture, a sound, either."""
        return torch.stack([self.seen, self.heard, self.seen | self.heard], dim=-1)

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in vars(self).values())


def collate(clips: Sequence[ClipBatch]) -> ClipBatch:
    """Several clips as one batch, padded to the longest."""
    columns = zip(*(vars(clip).values() for clip in clips), strict=True)
    return ClipBatch(
        *(pad_sequence([row for tensor in column for row in tensor], True) for column in columns)
    )


def clip_batch(sample: CachedClip, evidence: Evidence) -> ClipBatch:
    """One clip as a batch of one, its evidence relative to the whole clip."""
    a, grid = sample.annotation, FrameGrid(VIDEO_RATE_HZ, len(evidence.visual))
    steps = [step_labels(a.segments[stream], grid) for stream in STREAMS]
    seen, heard = torch.from_numpy(evidence.seen)[None], torch.from_numpy(evidence.heard)[None]
    scenes = None if evidence.scenes is None else torch.from_numpy(evidence.scenes)[None]
    around = (
        None if evidence.surroundings is None else torch.from_numpy(evidence.surroundings)[None]
    )
    lines = lines_input(torch.from_numpy(evidence.lines)[None], heard)
    error = smoothed(evidence.visual_error, CUE_STEPS)
    cues = torch.stack(
        [torch.from_numpy(error).float()[None], _line_filter(lines, heard)[..., -1]], -1
    )
    return ClipBatch(
        picture_input(torch.from_numpy(evidence.visual)[None], seen, scenes, around),
        sound_input(torch.from_numpy(evidence.audio)[None], heard),
        lines,
        torch.from_numpy(np.nan_to_num(fused_error(evidence)))[None],
        cues.nan_to_num(),
        seen,
        heard,
        torch.tensor([(a.modify_visual, a.modify_audio, a.forged)], dtype=torch.float32),
        torch.from_numpy(np.stack(steps, axis=1).astype(np.float32))[None],
    )


class ClipDataset(Dataset):
    """The clips of a split, read from disk one by one, of which `memory` bytes are kept.

    Item (epoch, i) is clip i as a batch of one, cropped at random to `longest` steps; seed, epoch
    and i alone decide where. A cropped clip keeps the labels of the whole one, since without frame
    labels it is unknown whether the forged part was cut away: choose `longest` above the length of
    most clips.
    """

    def __init__(
        self,
        samples: Sequence[CachedClip],
        evidence: Sequence[Evidence],
        longest: int = 3000,
        memory: float = 4e9,
        seed: int = 0,
    ) -> None:
        assert len(samples) == len(evidence), (len(samples), len(evidence))
        self.samples, self.evidence = samples, evidence
        self.longest, self.memory, self.seed = longest, memory, seed
        self._chosen: Sequence[int] = range(len(samples))
        self._kept: dict[int, ClipBatch] = {}

    def without_changes(self) -> ClipDataset:
        """The same clips without those under everyday changes."""
        rest = ClipDataset(self.samples, self.evidence, self.longest, self.memory, self.seed)
        rest._chosen = [i for i in self._chosen if not self.samples[i].annotation.change]
        return rest

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, key: tuple[int, int]) -> ClipBatch:
        epoch, i = key[0], self._chosen[key[1]]
        clip = self._kept.get(i) or self._read(i)
        spare = clip.seen.shape[1] - self.longest
        if spare <= 0:
            return clip
        start = np.random.default_rng([self.seed, epoch, i]).integers(spare + 1)
        return clip.cut(int(start), self.longest)

    def _read(self, i: int) -> ClipBatch:
        clip = clip_batch(self.samples[i], self.evidence[i])
        if clip.nbytes <= self.memory:
            self._kept[i] = clip
            self.memory -= clip.nbytes
        return clip
