"""Baselines: the objectives of MDP and CoLA, re-implemented from their descriptions.

They train our network on our evidence, so that rows of the ablation differ in the objective alone:
MDP's cross-attention and CoLA's backbone are not here. Pure functions of tensors.

Shapes: B clips, T steps, W embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.losses.mil import TOP_STEPS, mean_of_top

SHARE = 5  # the top fifth of the steps, in both objectives
HARD_SHARE = 20
NEAR, FAR = 3, 6


def p2s_loss(logits: Tensor, valid: Tensor, labels: Tensor) -> Tensor:
    """MIL of MDP (P2SGrad): squared distance of clip-level probabilities to the one-hot label.

    The clip's score of a class is the mean of its top fifth of steps, and a softmax over forged and
    authentic follows. Our network has one logit a step, their difference: the authentic class is
    held at 0, so the softmax is a sigmoid, and both classes are equally far from the one-hot label.
    """
    known = valid.any(1)
    if not bool(known.any()):
        return logits.sum() * 0
    scores = mean_of_top(logits[known], valid[known], _fifth(valid[known]))
    return (scores.sigmoid() - labels[known]).square().mean()


def deviation_loss(embedding: Tensor, valid: Tensor, labels: Tensor) -> Tensor:
    """MDP's deviation-perceiving term: embeddings jump more between steps of forged clips.

    `d_t = mean_c (h_{t+1} - h_t)^2` on `embedding (B, T, W)`; the mean of the top fifth of a clip's
    d is the logit of its label. It is never negative, so an authentic clip costs at least log 2.
    """
    jumps = (embedding[:, 1:] - embedding[:, :-1]).square().mean(-1)
    both = valid[:, 1:] & valid[:, :-1]
    known = both.any(1)
    if not bool(known.any()):
        return embedding.sum() * 0
    logits = mean_of_top(jumps[known], both[known], _fifth(both[known]))
    return functional.binary_cross_entropy_with_logits(logits, labels[known])


def hard_snippet_loss(
    embedding: Tensor, logits: Tensor, valid: Tensor, forged: Tensor, temperature: float = 0.07
) -> Tensor:
    """CoLA's snippet contrast: hard steps at borders are pulled to the easy steps of their class.

    In each forged clip the easy steps are the fifths with the highest and the lowest
    `logits (B, T)`. Scores are thresholded at the clip's median; hard forged steps lie just inside
    the runs above it (eroded by 3, not by 6), hard authentic ones just outside (dilated by 6, not
    by 3), at most a twentieth of the clip, the highest scored. Two InfoNCE terms: the query is the
    mean of the hard steps of a class, the positive the mean of its easy steps, the negatives the
    easy steps of the other class. Authentic clips have no borders and are left out (in CoLA every
    training clip has actions).
    """
    losses = []
    for z, score, ok in zip(embedding[forged], logits[forged], valid[forged], strict=True):
        z, score = z[ok], score[ok].detach()
        if len(z) < 3 * TOP_STEPS:
            continue
        order = score.argsort()
        easy = len(z) // SHARE
        easy_authentic, easy_forged = z[order[:easy]], z[order[-easy:]]
        inner, outer = borders(score > score.median())
        for place, near, far in (
            (inner, easy_forged, easy_authentic),
            (outer, easy_authentic, easy_forged),
        ):
            if bool(place.any()):
                ranked = score.masked_fill(~place, -torch.inf).argsort(descending=True)
                hard = z[ranked[: min(len(z) // HARD_SHARE, int(place.sum()))]]
                losses.append(_info_nce(hard.mean(0), near.mean(0), far, temperature))
    return 2 * torch.stack(losses).mean() if losses else embedding.sum() * 0


def borders(on: Tensor) -> tuple[Tensor, Tensor]:
    """Of `on (T,) bool`: the steps just inside and just outside its runs, between 3 and 6 wide.

    Beyond the clip counts as off.
    """
    inner = _eroded(on, NEAR) & ~_eroded(on, FAR)
    return inner, _dilated(on, FAR) & ~_dilated(on, NEAR)


def _dilated(on: Tensor, width: int) -> Tensor:
    padded = functional.pad(on.float(), (width // 2, (width - 1) // 2))
    return padded.unfold(0, width, 1).amax(1) > 0


def _eroded(on: Tensor, width: int) -> Tensor:
    padded = functional.pad(on.float(), (width // 2, (width - 1) // 2))
    return padded.unfold(0, width, 1).amin(1) > 0


def _info_nce(query: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    query = functional.normalize(query, dim=0)
    near = query @ functional.normalize(positive, dim=0) / temperature
    far = functional.normalize(negatives, dim=-1) @ query / temperature
    return torch.cat([near[None], far]).logsumexp(0) - near


def _fifth(valid: Tensor) -> Tensor:
    return (valid.sum(1) // SHARE).clamp(min=1)
