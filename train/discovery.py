"""What the discovery network learns from: clips as padded tensors, and the terms of its loss.

Which labels may be looked at is `--labels` of `train.train_fdn`. Nothing here knows about files,
optimisers or how the evidence was measured.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from deeploc.losses import aicl_loss, mil_loss, mtlr_loss
from deeploc.measure import Evidence, fused_error
from deeploc.media import VIDEO_RATE_HZ
from deeploc.metrics import step_labels
from deeploc.models.fdn import clip_relative
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.scores import STREAMS
from deeploc.timeline import FrameGrid
from train.data import Sample


@dataclass(frozen=True)
class Clips:
    """A split as padded tensors: evidence, what is known of it, and truth of clips and steps.

    `visual (B, T, 2 Dv)`, `audio (B, T, 2 Da)`: evidence as `clip_relative` gives it;
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
        _padded([_relative(item.visual, item.seen) for item in evidence], length),
        _padded([_relative(item.audio, item.heard) for item in evidence], length),
        _padded([np.nan_to_num(fused_error(item)) for item in evidence], length),
        _padded([item.seen for item in evidence], length),
        _padded([item.heard for item in evidence], length),
        torch.tensor(labels, dtype=torch.float32),
        torch.from_numpy(steps),
    )


def _relative(evidence: np.ndarray, valid: np.ndarray) -> np.ndarray:
    flat = torch.from_numpy(evidence.reshape(1, len(evidence), -1))
    return clip_relative(flat, torch.from_numpy(valid)[None])[0].numpy()


def _padded(arrays: list[np.ndarray], length: int) -> Tensor:
    padded = np.zeros((len(arrays), length, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded)


def fdn_loss(model: RTDeepLoc, clips: Clips, args: argparse.Namespace) -> dict[str, Tensor]:
    """The weighted terms of the loss by name; their sum is what is minimised."""
    found = model.fdn(clips.visual, clips.audio, clips.seen, clips.heard)
    valid = torch.stack([clips.seen, clips.heard, clips.seen | clips.heard], dim=-1)
    terms = {"mil": mil_loss(found.logits[..., 2], valid[..., 2], clips.labels[:, 2])}
    if args.labels == "frames":
        wrong = functional.binary_cross_entropy_with_logits(
            found.logits, clips.steps, reduction="none"
        )
        terms["frames"] = args.frames * (wrong * valid).sum() / valid.sum()
    if args.labels != "clip":
        terms["streams"] = args.streams * sum(
            mil_loss(found.logits[..., i], valid[..., i], clips.labels[:, i]) for i in (0, 1)
        )
    forged = clips.labels[:, 2] > 0
    terms["aicl"] = args.aicl * aicl_loss(found.embedding, clips.error, valid[..., 2], forged)
    terms["mtlr"] = args.mtlr * mtlr_loss(found.logits, clips.seen, clips.heard)
    return terms
