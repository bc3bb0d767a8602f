"""What the discovery network learns from: clips as padded tensors, read from disk when needed,
and the terms of its loss.

Which labels may be looked at is `--labels` of `train.discover`. Nothing here knows about files,
optimisers or how the evidence was measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from deeploc.evidence import (
    Evidence,
    fused_error,
)
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.metrics import step_labels
from deeploc.models.fdn import (
    FDN,
    Discovery,
    LineFilter,
    lines_input,
    picture_input,
    sound_input,
)
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.scores import STREAMS
from deeploc.smoothing import smoothed
from deeploc.timeline import FrameGrid
from train.data.cache import CachedClip
from train.losses.baselines import (
    deviation_loss,
    hard_snippet_loss,
    p2s_loss,
)
from train.losses.discovery import (
    aicl_loss,
    authentic_gates,
    candidates,
    mil_loss,
    minority_loss,
    mtlr_loss,
    noisy_or_loss,
    pseudo_labels,
    step_loss,
)

WEIGHTS = (
    ("mil", 1.0, "multiple-instance learning of the head on both streams"),
    ("streams", 1.0, "the same of the heads on picture and sound"),
    ("frames", 10.0, "forged steps, with --labels frames only"),
    ("aicl", 0.1, "asymmetric intra-video contrast"),
    ("mtlr", 0.5, "agreement of the three heads"),
    ("minority", 0.0, "the lower half of every clip is authentic"),
    ("pseudo", 5.0, "a second stage on what the first is sure of; not with --labels frames"),
    ("p2s", 0.0, "MDP's kind of multiple-instance learning"),
    ("deviation", 0.0, "MDP's deviation-perceiving term; theirs is 0.2"),
    ("cola", 0.0, "CoLA's contrast of hard with easy steps; theirs is 0.01"),
)

CUE_STEPS = 4.0  # standard deviation of the smoothing of an error that is a cue
_lines = LineFilter()


@dataclass(frozen=True)
class Clips:
    """Clips as padded tensors: evidence, what is known of it, and truth of clips and steps.

    `visual (B, T, 2 Dv)`, `audio (B, T, 2 Da)`, `lines (B, T, R)`: `picture_input`, `sound_input`
    and `lines_input`; `error (B, T)` of both; `seen`, `heard (B, T) bool`; `labels (B, 3)` and
    `steps (B, T, 3)` in the order visual, audio, fused, 1 = forged. `cues (B, T, 2)` tell where a
    forgery may be: of the picture its reconstruction error, of the sound, whose error tells
    nothing, the lines of vocoders, both smoothed.
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

    def __getitem__(self, index: Tensor | slice) -> Clips:
        return Clips(*(tensor[index] for tensor in vars(self).values()))

    def to(self, device: torch.device) -> Clips:
        return Clips(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))

    def cut(self, start: int, length: int) -> Clips:
        """The same clips from step `start` on; their labels stay those of the whole clips."""
        parts = {name: tensor[:, start : start + length] for name, tensor in vars(self).items()}
        return Clips(**(parts | {"labels": self.labels}))

    def discovered(self, fdn: FDN) -> Discovery:
        return fdn(self.visual, self.audio, self.lines, self.seen, self.heard)

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in vars(self).values())


def gather(clips: Sequence[Clips]) -> Clips:
    """Several clips as one batch, padded to the longest."""
    columns = zip(*(vars(clip).values() for clip in clips), strict=True)
    return Clips(
        *(pad_sequence([row for tensor in column for row in tensor], True) for column in columns)
    )


def prepared(sample: CachedClip, evidence: Evidence) -> Clips:
    """One clip as a batch of one, relative to itself as a whole."""
    a, grid = sample.annotation, FrameGrid(VIDEO_RATE_HZ, len(evidence.visual))
    steps = [step_labels(a.segments[stream], grid) for stream in STREAMS]
    seen, heard = torch.from_numpy(evidence.seen)[None], torch.from_numpy(evidence.heard)[None]
    lines = lines_input(torch.from_numpy(evidence.lines)[None], heard)
    error = smoothed(evidence.visual_error, CUE_STEPS)
    cues = torch.stack([torch.from_numpy(error).float()[None], _lines(lines, heard)[..., -1]], -1)
    return Clips(
        picture_input(torch.from_numpy(evidence.visual)[None], seen),
        sound_input(torch.from_numpy(evidence.audio)[None], heard),
        lines,
        torch.from_numpy(np.nan_to_num(fused_error(evidence)))[None],
        cues.nan_to_num(),
        seen,
        heard,
        torch.tensor([(a.modify_visual, a.modify_audio, a.forged)], dtype=torch.float32),
        torch.from_numpy(np.stack(steps, axis=1).astype(np.float32))[None],
    )


class ClipSet(Dataset):
    """A split to learn from, read from disk clip by clip, of which `memory` bytes are kept.

    Item (epoch, i) is clip i as a batch of one, cut at random to `longest` steps; seed, epoch and i
    alone decide where. A cut clip keeps the labels of the whole one, for without frame labels
    nobody knows what was cut away: choose `longest` above the length of most clips.
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
        self._kept: dict[int, Clips] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Clips:
        epoch, i = key
        clip = self._kept.get(i) or self._read(i)
        spare = clip.seen.shape[1] - self.longest
        if spare <= 0:
            return clip
        start = np.random.default_rng([self.seed, epoch, i]).integers(spare + 1)
        return clip.cut(int(start), self.longest)

    def _read(self, i: int) -> Clips:
        clip = prepared(self.samples[i], self.evidence[i])
        if clip.nbytes <= self.memory:
            self._kept[i] = clip
            self.memory -= clip.nbytes
        return clip


@dataclass(frozen=True)
class Teacher:
    """A finished first stage: what it says of a step is taken for known beyond the `gates` of each
    head. `strict`: only the bit of the clip says where something may be forged."""

    fdn: FDN
    gates: Sequence[tuple[float, float]]
    strict: bool

    @classmethod
    def of(cls, fdn: FDN, batches: Iterable[Clips], labels: str) -> Teacher:
        """Gates from the authentic clips of the train split."""
        gates = [authentic_gates(logits) for logits in authentic_logits(fdn, batches)]
        return cls(fdn, gates, labels == "clip")

    def labels(self, clips: Clips) -> Tensor:
        """`(B, T, 3)` pseudo-labels, NaN where a step is not taken for known."""
        with torch.no_grad():
            logits = clips.discovered(self.fdn).logits
        valid, found = known_steps(clips), torch.full_like(logits, torch.nan)
        for i, gates in enumerate(self.gates):
            forged = clips.labels[:, 2 if self.strict else i] > 0
            found[..., i] = pseudo_labels(logits[..., i], valid[..., i], forged, gates)
        return found


@torch.inference_mode()
def authentic_logits(fdn: FDN, batches: Iterable[Clips]) -> list[Tensor]:
    """Of each head, the logits of all steps of the authentic clips."""
    found: list[list[Tensor]] = [[], [], []]
    for clips in batches:
        logits = clips.discovered(fdn).logits
        authentic = known_steps(clips) & (clips.labels[:, 2:] == 0)[:, None]
        for i, kept in enumerate(found):
            kept.append(logits[..., i][authentic[..., i]])
    return [torch.cat(kept) for kept in found]


def known_steps(clips: Clips) -> Tensor:
    """`(B, T, 3) bool`: the steps that have a picture, a sound, either."""
    return torch.stack([clips.seen, clips.heard, clips.seen | clips.heard], dim=-1)


def fdn_loss(
    model: RTDeepLoc, clips: Clips, args: argparse.Namespace, teacher: Teacher | None = None
) -> dict[str, Tensor]:
    """The weighted terms of the loss by name; their sum is what is minimised.

    Terms are those of `add_loss_arguments`; one of weight 0 is not there. Only `--labels frames`
    reads `clips.steps`, and with `--labels clip` nothing knows which stream is forged. MIL chooses
    among `candidates`. Pseudo-labels are those of `teacher`, the first stage.
    """
    found = clips.discovered(model.fdn)
    valid = known_steps(clips)
    logits, known, label = found.logits[..., 2], valid[..., 2], clips.labels[:, 2]
    forged = label > 0
    strict = args.labels == "clip"
    labelled = (2,) if strict else (0, 1, 2)
    suspected = (clips.labels[:, 2:].expand(-1, 2) if strict else clips.labels[:, :2]) > 0
    chosen = candidates(clips.cues, valid[..., :2], suspected, args.guide)
    losses: dict[str, Callable[[], Tensor]] = {
        "mil": lambda: mil_loss(logits, chosen.any(-1), label),
        "streams": lambda: _streams_loss(found.logits, chosen, clips.labels, strict),
        "p2s": lambda: p2s_loss(logits, known, label),
        "deviation": lambda: deviation_loss(found.embedding, known, label),
        "cola": lambda: hard_snippet_loss(found.embedding, logits, known, forged),
        "aicl": lambda: aicl_loss(
            found.embedding, clips.error, known, forged, symmetric=args.symmetric
        ),
        "minority": lambda: sum(
            (minority_loss(found.logits[..., i], valid[..., i]) for i in labelled),
            logits.new_zeros(()),
        ),
        "mtlr": lambda: mtlr_loss(found.logits, clips.seen, clips.heard),
    }
    if args.labels == "frames":
        truth = clips.steps.masked_fill(~valid, torch.nan)
        losses["frames"] = lambda: step_loss(found.logits, truth)
    if teacher:
        losses["pseudo"] = lambda: step_loss(found.logits, teacher.labels(clips))
    weights = {name: getattr(args, name) for name in losses}
    return {name: weights[name] * loss() for name, loss in losses.items() if weights[name]}


def _streams_loss(logits: Tensor, chosen: Tensor, labels: Tensor, strict: bool) -> Tensor:
    if strict:
        return noisy_or_loss(logits[..., :2], chosen, labels[:, 2])
    picture, sound = (mil_loss(logits[..., i], chosen[..., i], labels[:, i]) for i in (0, 1))
    return picture + sound


def add_loss_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be looked at, and the weight of every term of `fdn_loss`; 0 switches it off."""
    group = parser.add_argument_group("loss", "weights of its terms; 0 switches one off")
    group.add_argument("--labels", choices=("clip", "streams", "frames"), default="clip")
    group.add_argument(
        "--inputs",
        choices=("all", "content", "error"),
        default="content",
        help="evidence that is looked at: what the clip holds, how it was reconstructed, or both",
    )
    group.add_argument(
        "--guide",
        type=float,
        default=0.25,
        metavar="QUANTILE",
        help="MIL leaves out steps of a forged clip whose reconstruction error (of sound: whose "
        "lines of vocoders) are below that quantile of the clip (0.25); 0 leaves out none",
    )
    group.add_argument("--symmetric", action="store_true", help="AICL draws forged steps together")
    for name, weight, what in WEIGHTS:
        group.add_argument(f"--{name}", type=float, default=weight, help=f"{what} ({weight:g})")
