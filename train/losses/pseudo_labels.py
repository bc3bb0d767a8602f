"""Pseudo-labels of a second stage, from the scores of a finished first one.

Shapes: B clips, T steps, N steps of several clips.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from deeploc.models.fdn import FDN
from train.config import Labels
from train.data.clip_batches import ClipBatch


@dataclass(frozen=True)
class PseudoLabeler:
    """A trained first stage whose scores label the steps of clips, one head at a time.

    `gates`: by head, the logits between which a step stays unknown. `clip_labels_only`: the label
    of the clip alone says where a stream may be forged.
    """

    fdn: FDN
    gates: Sequence[tuple[float, float]]
    clip_labels_only: bool

    @classmethod
    def of(cls, fdn: FDN, batches: Iterable[ClipBatch], labels: Labels) -> PseudoLabeler:
        """Gates from the authentic clips of the train split."""
        gates = [authentic_gates(logits) for logits in authentic_logits(fdn, batches)]
        return cls(fdn, gates, labels == "clip")

    def labels(self, clips: ClipBatch) -> Tensor:
        """`(B, T, 3)` pseudo-labels, NaN where a step stays unknown."""
        with torch.no_grad():
            logits = clips.forward(self.fdn).logits
        valid, found = clips.valid, torch.full_like(logits, torch.nan)
        for i, gates in enumerate(self.gates):
            forged = clips.labels[:, 2 if self.clip_labels_only else i] > 0
            found[..., i] = pseudo_labels(logits[..., i], valid[..., i], forged, gates)
        return found


@torch.inference_mode()
def authentic_logits(fdn: FDN, batches: Iterable[ClipBatch]) -> list[Tensor]:
    """Of each head, the logits `(N,)` of all steps of the authentic clips."""
    found: list[list[Tensor]] = [[], [], []]
    for clips in batches:
        logits = clips.forward(fdn).logits
        authentic = clips.valid & (clips.labels[:, 2:] == 0)[:, None]
        for i, kept in enumerate(found):
            kept.append(logits[..., i][authentic[..., i]])
    return [torch.cat(kept) for kept in found]


def authentic_gates(scores: Tensor, high: float = 0.99) -> tuple[float, float]:
    """The scores between which a step stays unlabelled: median and `high` quantile of the steps of
    authentic training clips, `scores (N,)`. Forged clips have no influence; without any score no
    step is labelled."""
    if not len(scores):
        return -math.inf, math.inf
    low, top = np.quantile(scores.detach().cpu().numpy(), [0.5, high])
    return float(low), float(top)


def pseudo_labels(
    scores: Tensor, valid: Tensor, forged: Tensor, gates: tuple[float, float]
) -> Tensor:
    """`(B, T)` of a second stage: 1 forged, 0 authentic, NaN unknown, from first-stage scores.

    Only inside clips labelled forged (`forged (B,) bool`) do scores decide: below the lower of
    `authentic_gates` a step is authentic, above the upper one forged, between them unknown. In
    clips labelled authentic every valid step is authentic.
    """
    low, high = gates
    inside = torch.full_like(scores, torch.nan).masked_fill(scores < low, 0)
    inside = inside.masked_fill(scores > high, 1)
    labels = torch.where(forged[:, None], inside, torch.zeros_like(scores))
    return labels.masked_fill(~valid, torch.nan)


def step_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of steps where `labels` are known (not NaN); 0 if none are."""
    known = ~labels.isnan()
    if not bool(known.any()):
        return logits.sum() * 0
    return functional.binary_cross_entropy_with_logits(logits[known], labels[known])
