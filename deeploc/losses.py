"""The training objectives, as pure functions of tensors.

MIL, AICL and MTLR follow RT-DeepLoc's abstract; the paper's formulas are not public, so each
docstring says what was chosen. Nothing here knows about data sets, optimisers or files.

Shapes: B clips, T steps, W embedding width, L patches, S steps a patch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from deeploc.models.mae import Patches, Reconstruction, face_energies, log_energy, sound_energies

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
    k = min(TOP_STEPS, logits.shape[1])
    top = logits.masked_fill(~valid, -torch.inf).topk(k, dim=1).values
    found = top.isfinite()
    return top.masked_fill(~found, 0).sum(1) / found.sum(1).clamp(min=1)


def mil_loss(logits: Tensor, valid: Tensor, labels: Tensor) -> Tensor:
    """Multiple-instance learning: binary cross-entropy of clip logits and clip labels `(B,)`."""
    known = valid.any(1)
    if not bool(known.any()):
        return logits.sum() * 0
    scores = clip_logits(logits[known], valid[known])
    return functional.binary_cross_entropy_with_logits(scores, labels[known])


def aicl_loss(
    embedding: Tensor, error: Tensor, valid: Tensor, forged: Tensor, temperature: float = 0.1
) -> Tensor:
    """Asymmetric intra-video contrastive loss, guided by the reconstruction error.

    In each clip the anchors are the likely authentic steps R (all of an authentic clip, the half
    with the lowest `error (B, T)` of a forged one); negatives are the likely forged steps F (the 20
    with the highest error of a forged clip). Anchors are drawn to the mean of R and pushed from F;
    forged steps are never drawn together. InfoNCE as in the authors' earlier UniCaCLF, with R and F
    chosen by error instead of truth (our reading of "guided by these reconstruction cues").
    """
    losses = []
    for z, e, ok, is_forged in zip(embedding, error, valid, forged, strict=True):
        z, e = functional.normalize(z[ok], dim=-1), e[ok]
        if len(z) < 3 * TOP_STEPS:
            continue
        order = e.argsort()
        authentic = z[order[: len(z) // 2]] if bool(is_forged) else z
        compact = authentic @ functional.normalize(authentic.mean(0), dim=0) / temperature
        if bool(is_forged):
            repelled = authentic @ z[order[-TOP_STEPS:]].T / temperature
            terms = torch.cat([compact[:, None], repelled], dim=1)
            losses.append((terms.logsumexp(1) - compact).mean())
        else:
            losses.append((1 / temperature - compact).mean() * temperature)
    return torch.stack(losses).mean() if losses else embedding.sum() * 0


def mtlr_loss(logits: Tensor, seen: Tensor, heard: Tensor) -> Tensor:
    """Multi-task learning reinforcement: the three heads must tell one story.

    The fused score of a step agrees with the larger of the stream scores and the other way round:
    mean squared differences with stop-gradient on either side (`logits (B, T, 3)`).
    """
    scores = logits.sigmoid()
    streams = torch.stack(
        [scores[..., 0].masked_fill(~seen, 0), scores[..., 1].masked_fill(~heard, 0)]
    ).amax(0)
    fused, valid = scores[..., 2], seen | heard
    apart = (fused - streams.detach()).square() + (streams - fused.detach()).square()
    return (apart * valid).sum() / valid.sum().clamp(min=1)
