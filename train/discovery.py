"""What the discovery network learns from: clips as padded tensors, and the terms of its loss.

Which labels may be looked at is `--labels` of `train.train_fdn`. Nothing here knows about files,
optimisers or how the evidence was measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deeploc.losses import (
    aicl_loss,
    authentic_gates,
    mil_loss,
    minority_loss,
    mtlr_loss,
    pseudo_labels,
    step_loss,
)
from deeploc.measure import Evidence, fused_error
from deeploc.media import VIDEO_RATE_HZ
from deeploc.metrics import step_labels
from deeploc.models.fdn import FDN, picture_input, sound_input
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.rival_losses import deviation_loss, hard_snippet_loss, p2s_loss
from deeploc.scores import STREAMS
from deeploc.timeline import FrameGrid
from train.data import Sample

WEIGHTS = (
    ("mil", 1.0, "multiple-instance learning from clip labels"),
    ("streams", 0.5, "the same from stream labels, but with --labels clip"),
    ("frames", 10.0, "forged steps, with --labels frames only"),
    ("aicl", 0.1, "asymmetric intra-video contrast"),
    ("mtlr", 0.5, "agreement of the three heads"),
    ("minority", 0.0, "the lower half of every clip is authentic"),
    ("pseudo", 0.0, "a second stage on what the first is sure of"),
    ("p2s", 0.0, "MDP's kind of multiple-instance learning"),
    ("deviation", 0.0, "MDP's deviation-perceiving term; theirs is 0.2"),
    ("cola", 0.0, "CoLA's contrast of hard with easy steps; theirs is 0.01"),
)


@dataclass(frozen=True)
class Clips:
    """A split as padded tensors: evidence, what is known of it, and truth of clips and steps.

    `visual (B, T, 2 Dv)`, `audio (B, T, 2 Da)`: `picture_input` and `sound_input`;
    `error (B, T)`; `seen`, `heard (B, T) bool`; `labels (B, 3)` and `steps (B, T, 3)` in the order
    visual, audio, fused, 1 = forged.
    """

    visual: Tensor
    audio: Tensor
    error: Tensor
    seen: Tensor
    heard: Tensor
    labels: Tensor
    steps: Tensor

    def __getitem__(self, index: Tensor) -> Clips:
        return Clips(*(tensor[index] for tensor in vars(self).values()))


def gather(samples: list[Sample], evidence: list[Evidence]) -> Clips:
    """Pad a split to its longest clip."""
    length = max(len(item.visual) for item in evidence)
    steps = np.zeros((len(samples), length, len(STREAMS)), np.float32)
    for row, sample, item in zip(steps, samples, evidence, strict=True):
        grid = FrameGrid(VIDEO_RATE_HZ, len(item.visual))
        for column, stream in enumerate(STREAMS):
            truth = sample.annotation.segments[stream]
            row[: grid.n_frames, column] = step_labels(truth, grid)
    labels = [
        (a.modify_visual, a.modify_audio, a.forged) for a in (item.annotation for item in samples)
    ]
    return Clips(
        _padded([_input(picture_input, item.visual, item.seen) for item in evidence], length),
        _padded([_input(sound_input, item.audio, item.heard) for item in evidence], length),
        _padded([np.nan_to_num(fused_error(item)) for item in evidence], length),
        _padded([item.seen for item in evidence], length),
        _padded([item.heard for item in evidence], length),
        torch.tensor(labels, dtype=torch.float32),
        torch.from_numpy(steps),
    )


def _input(
    of: Callable[[Tensor, Tensor], Tensor], evidence: np.ndarray, valid: np.ndarray
) -> np.ndarray:
    return of(torch.from_numpy(evidence)[None], torch.from_numpy(valid)[None])[0].numpy()


def _padded(arrays: list[np.ndarray], length: int) -> Tensor:
    padded = np.zeros((len(arrays), length, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded)


@dataclass(frozen=True)
class Teacher:
    """A finished first stage: what it says of a step is taken for known beyond its `gates`, by
    column of the logits."""

    fdn: FDN
    gates: dict[int, tuple[float, float]]

    @classmethod
    def of(cls, fdn: FDN, batches: Iterable[Clips], labels: str) -> Teacher:
        """Gates from the authentic clips of the train split, for the heads that have labels."""
        columns = (2,) if labels == "clip" else (0, 1, 2)
        seen: dict[int, list[Tensor]] = {i: [] for i in columns}
        for clips in batches:
            with torch.inference_mode():
                logits = fdn(clips.visual, clips.audio, clips.seen, clips.heard).logits
            authentic = known_steps(clips) & (clips.labels == 0)[:, None]
            for i, scores in seen.items():
                scores.append(logits[..., i][authentic[..., i]])
        return cls(fdn, {i: authentic_gates(torch.cat(scores)) for i, scores in seen.items()})

    def labels(self, clips: Clips) -> Tensor:
        """`(B, T, 3)` pseudo-labels, NaN where a step is not taken for known."""
        with torch.no_grad():
            logits = self.fdn(clips.visual, clips.audio, clips.seen, clips.heard).logits
        valid, found = known_steps(clips), torch.full_like(logits, torch.nan)
        for i, gates in self.gates.items():
            forged = clips.labels[:, i] > 0
            found[..., i] = pseudo_labels(logits[..., i], valid[..., i], forged, gates)
        return found


def known_steps(clips: Clips) -> Tensor:
    """`(B, T, 3) bool`: the steps that have a picture, a sound, either."""
    return torch.stack([clips.seen, clips.heard, clips.seen | clips.heard], dim=-1)


def fdn_loss(
    model: RTDeepLoc, clips: Clips, args: argparse.Namespace, teacher: Teacher | None = None
) -> dict[str, Tensor]:
    """The weighted terms of the loss by name; their sum is what is minimised.

    Terms are those of `add_loss_arguments`; one of weight 0 is not there. Only `--labels frames`
    reads `clips.steps`. Pseudo-labels are those of `teacher`, the first stage.
    """
    found = model.fdn(clips.visual, clips.audio, clips.seen, clips.heard)
    valid = known_steps(clips)
    logits, known, label = found.logits[..., 2], valid[..., 2], clips.labels[:, 2]
    forged = label > 0
    labelled = (2,) if args.labels == "clip" else (0, 1, 2)
    losses: dict[str, Callable[[], Tensor]] = {
        "mil": lambda: mil_loss(logits, known, label),
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
    if args.labels != "clip":
        losses["streams"] = lambda: sum(
            (mil_loss(found.logits[..., i], valid[..., i], clips.labels[:, i]) for i in (0, 1)),
            logits.new_zeros(()),
        )
    if teacher:
        losses["pseudo"] = lambda: step_loss(found.logits, teacher.labels(clips))
    weights = {name: getattr(args, name) for name in losses}
    return {name: weights[name] * loss() for name, loss in losses.items() if weights[name]}


def add_loss_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be looked at, and the weight of every term of `fdn_loss`; 0 switches it off."""
    group = parser.add_argument_group("loss", "weights of its terms; 0 switches one off")
    group.add_argument("--labels", choices=("clip", "streams", "frames"), default="streams")
    group.add_argument(
        "--inputs",
        choices=("all", "content", "error"),
        default="all",
        help="evidence that is looked at: what the clip holds, how it was reconstructed, or both",
    )
    group.add_argument("--symmetric", action="store_true", help="AICL draws forged steps together")
    for name, weight, what in WEIGHTS:
        group.add_argument(f"--{name}", type=float, default=weight, help=f"{what} ({weight:g})")
