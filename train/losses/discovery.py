"""The training objectives, as pure functions of tensors.

MIL, AICL and MTLR follow RT-DeepLoc's abstract; the paper's formulas are not public, so each
docstring says what was chosen. What the method is compared with is in `train.losses.baselines`.
Nothing here knows about data sets, optimisers or files.

Shapes: B clips, T steps, W embedding width, L patches, S steps a patch.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from deeploc.models.fdn import either
from deeploc.models.mae import (
    Patches,
    Reconstruction,
    face_energies,
    log_energy,
    sound_energies,
)

TOP_STEPS = 20


def reconstruction_loss(
    expected: Reconstruction, patches: Patches, hidden: Tensor, scales: Tensor
) -> tuple[Tensor, Tensor]:
    """The MAE's loss on hidden patches: (miss, surprise).

    miss: residual energy in every band over `scales (2, 3)`, the typical energy of the targets
    (picture, sound). surprise: how wrong the expected log energy of that residual, and the expected
    detail, is (Huber); its gradient does not reach the residual, so no patch is made predictable by
    being ignored.
    """
    p, e = patches, expected
    in_picture, in_sound = hidden.split([p.faces.shape[1], p.sound.shape[1]], dim=1)
    streams = (
        (face_energies, p.faces, e.faces, p.face_detail, e.face_energy, in_picture),
        (sound_energies, p.sound, e.sound, p.sound_detail, e.sound_energy, in_sound),
    )
    miss = surprise = p.faces.new_zeros(())
    for (energies, target, guess, detail, guessed, removed), scale in zip(
        streams, scales, strict=True
    ):
        if bool(removed.any()):
            energy = energies(target[removed] - guess[removed])
            miss = miss + (energy / scale).mean()
            size = torch.cat([log_energy(energy), detail[removed][..., None]], dim=-1)
            surprise = surprise + functional.smooth_l1_loss(guessed[removed], size.detach())
    return miss, surprise


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
    for instances); the loss is the binary cross-entropy of that. What one stream explains, the
    other need not be blamed for. Of a single stream this is `mil_loss`.
    """
    known = valid.any(1)
    some = known.any(1)
    if not bool(some.any()):
        return logits.sum() * 0
    wholes = torch.stack(
        [clip_logits(logits[..., i], valid[..., i]) for i in range(logits.shape[-1])], dim=-1
    )
    authentic = -functional.softplus(wholes.float()).masked_fill(~known, 0).sum(-1)
    forged = (-torch.expm1(authentic.clamp(max=-1e-30))).log()
    return -torch.where(labels > 0, forged, authentic)[some].mean()


def candidates(cues: Tensor, valid: Tensor, forged: Tensor, quantile: float) -> Tensor:
    """`(B, T, S) bool`: the steps that MIL may take for the forged ones of a clip.

    MIL alone can't tell a forgery from what surrounds it: both set forged clips apart, and often
    it learns the wrong one. So where a stream may be forged, `forged (B, S)`, steps are left out
    whose cue `cues (B, T, S)`, the reconstruction error for instance, is below that `quantile` of
    the clip; elsewhere every `valid (B, T, S)` step stays.
    """
    known = torch.where(valid, cues, torch.nan)
    least = known.nanquantile(quantile, dim=1, keepdim=True)
    return valid & ((known >= least) | ~forged[:, None])


def minority_loss(logits: Tensor, valid: Tensor) -> Tensor:
    """Partial forgeries are the smaller part: the lower half of a clip's steps is authentic.

    Cross-entropy of the mean of that half's logits with "authentic", in clips of either label. MIL
    alone is as content with a network that flags what surrounds the forgery; this is not. It is
    wrong for clips that are forged for more than half of their time.
    """
    known = valid.any(1)
    if not bool(known.any()):
        return logits.sum() * 0
    half = (valid[known].sum(1) // 2).clamp(min=1)
    return functional.softplus(-mean_of_top(-logits[known], valid[known], half)).mean()


def aicl_loss(
    embedding: Tensor,
    error: Tensor,
    valid: Tensor,
    forged: Tensor,
    temperature: float = 0.1,
    symmetric: bool = False,
) -> Tensor:
    """Asymmetric intra-video contrastive loss, guided by the reconstruction error.

    In each clip the anchors are the likely authentic steps R (all of an authentic clip, the half
    with the lowest `error (B, T)` of a forged one); negatives are the likely forged steps F (the 20
    with the highest error of a forged clip). Anchors are drawn to the mean of R and pushed from F;
    forged steps are never drawn together. InfoNCE as in the authors' earlier UniCaCLF, with R and F
    chosen by error instead of truth (our reading of "guided by these reconstruction cues").

    `symmetric` is what the asymmetry is held against: forged steps are anchors too, drawn to the
    mean of F and pushed from R, which is a second term of the same form.
    """
    losses = []
    for z, e, ok, is_forged in zip(embedding, error, valid, forged, strict=True):
        z, e = functional.normalize(z[ok], dim=-1), e[ok]
        if len(z) < 3 * TOP_STEPS:
            continue
        if not bool(is_forged):
            losses.append((1 - z @ _direction(z)).mean())
            continue
        order = e.argsort()
        likely_authentic, likely_forged = z[order[: len(z) // 2]], z[order[-TOP_STEPS:]]
        loss = _drawn_together(likely_authentic, likely_forged, temperature)
        if symmetric:
            loss = loss + _drawn_together(likely_forged, likely_authentic, temperature)
        losses.append(loss)
    return torch.stack(losses).mean() if losses else embedding.sum() * 0


def _drawn_together(anchors: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """InfoNCE of unit vectors: each anchor's positive is the mean direction of all anchors."""
    near = anchors @ _direction(anchors) / temperature
    far = anchors @ negatives.T / temperature
    return (torch.cat([near[:, None], far], dim=1).logsumexp(1) - near).mean()


def _direction(z: Tensor) -> Tensor:
    return functional.normalize(z.mean(0), dim=0)


def mtlr_loss(logits: Tensor, seen: Tensor, heard: Tensor) -> Tensor:
    """Multi-task learning reinforcement: the three heads must tell one story.

    The fused score of a step agrees with the larger of the stream scores and the other way round:
    mean squared differences with stop-gradient on either side (`logits (B, T, 3)`).
    """
    scores = logits.sigmoid()
    streams = either(scores, seen, heard)
    fused, valid = scores[..., 2], seen | heard
    apart = (fused - streams.detach()).square() + (streams - fused.detach()).square()
    return (apart * valid).sum() / valid.sum().clamp(min=1)


def authentic_gates(scores: Tensor, high: float = 0.99) -> tuple[float, float]:
    """The scores between which nothing counts as known: median and `high` quantile of steps of
    authentic training clips, `scores (N,)`. Nothing of a forged clip sets them; without any score
    nothing counts as known."""
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
