"""Multiple-instance learning (MIL): step scores from labels of whole clips.

RT-DeepLoc's formulas are not public: each docstring says what was chosen. Pure functions of
tensors.

Shapes: B clips, T steps, S streams.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

TOP_STEPS = 20


def clip_logits(logits: Tensor, valid: Tensor) -> Tensor:
    """Clip-level logit of `(B, T)` step logits: the mean of the top 20 valid steps (0.8 s).

    A fixed time, not a share of the clip: a one-second forgery weighs as much in a long clip.
    """
    return mean_of_top(logits, valid, torch.full_like(valid.sum(1), TOP_STEPS))


def mean_of_top(values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:
    """`(B,)` mean of the `counts (B,)` largest valid ones of `values (B, T)`; 0 without any."""
    ranked = values.masked_fill(~valid, -torch.inf).sort(dim=1, descending=True).values
    rank = torch.arange(values.shape[1], device=values.device)
    taken = (rank < counts[:, None]) & ranked.isfinite()
    return ranked.masked_fill(~taken, 0).sum(1) / taken.sum(1).clamp(min=1)


def mil_loss(logits: Tensor, valid: Tensor, labels: Tensor) -> Tensor:
    """Multiple-instance learning: binary cross-entropy of clip logits and clip labels `(B,)`."""
    known = valid.any(1)
    if not bool(known.any()):
        return logits.sum() * 0
    scores = clip_logits(logits[known], valid[known])
    return functional.binary_cross_entropy_with_logits(scores, labels[known])


def noisy_or_loss(logits: Tensor, valid: Tensor, labels: Tensor) -> Tensor:
    """MIL of several streams under one bit a clip: it is forged if any of its streams is.

    `logits`, `valid (B, T, S)`, `labels (B,)`. With p_s of a stream's clip logit the clip is
    authentic with the product of all 1 - p_s (noisy-or, as Maron and Lozano-Perez, 1998, have it
    for instances); the loss is the binary cross-entropy of that. A stream that explains the label
    takes the gradient from the other. For a single stream this is `mil_loss`.
    """
    known = valid.any(1)
    some = known.any(1)
    if not bool(some.any()):
        return logits.sum() * 0
    clips = torch.stack(
        [clip_logits(logits[..., i], valid[..., i]) for i in range(logits.shape[-1])], dim=-1
    )
    authentic = -functional.softplus(clips.float()).masked_fill(~known, 0).sum(-1)
    forged = (-torch.expm1(authentic.clamp(max=-1e-30))).log()
    return -torch.where(labels > 0, forged, authentic)[some].mean()


def candidates(cues: Tensor, valid: Tensor, forged: Tensor, quantile: float) -> Tensor:
    """`(B, T, S) bool`: the steps that MIL may choose as the forged ones of a clip.

    Clip labels alone do not tell a forgery from its context: both occur in forged clips only, and
    MIL often learns the context. So where a stream may be forged, `forged (B, S)`, the steps are
    left out whose cue `cues (B, T, S)`, such as the reconstruction error, is below that `quantile`
    of the clip; elsewhere every `valid (B, T, S)` step stays.
    """
    known = torch.where(valid, cues, torch.nan)
    least = known.nanquantile(quantile, dim=1, keepdim=True)
    return valid & ((known >= least) | ~forged[:, None])


def minority_loss(logits: Tensor, valid: Tensor) -> Tensor:
    """Prior that partial forgeries are the minority: the lower half of a clip's steps is authentic.

    Cross-entropy of the mean of that half's logits with "authentic", in clips of either label. It
    penalises a network that flags the context of a forgery, which MIL alone does not. It is wrong
    for clips that are forged for more than half of their time.
    """
    known = valid.any(1)
    if not bool(known.any()):
        return logits.sum() * 0
    half = (valid[known].sum(1) // 2).clamp(min=1)
    return functional.softplus(-mean_of_top(-logits[known], valid[known], half)).mean()
