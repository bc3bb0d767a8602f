"""Asymmetric intra-video contrastive loss (AICL), as pure functions of tensors.

RT-DeepLoc's formula is not public: the docstring says what was chosen.

Shapes: B clips, T steps, W embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.losses.mil import TOP_STEPS


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

    `symmetric` is the control of the asymmetry: forged steps are anchors too, drawn to the mean of
    F and pushed from R, which is a second term of the same form.
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
