"""The objective of the discovery network: the weighted terms of its loss.

Weights and the labels that may be read are fields of `LossConfig`. Nothing here knows about files,
optimizers or how the evidence was measured.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from deeploc.models.fdn import FDN
from train.config import LossConfig
from train.data.clip_batches import ClipBatch
from train.losses.aicl import aicl_loss
from train.losses.baselines import deviation_loss, hard_snippet_loss, p2s_loss
from train.losses.mil import candidates, mil_loss, minority_loss, noisy_or_loss
from train.losses.mtlr import mtlr_loss
from train.losses.pseudo_labels import PseudoLabeler, step_loss


def discovery_loss(
    fdn: FDN, clips: ClipBatch, config: LossConfig, labeler: PseudoLabeler | None = None
) -> dict[str, Tensor]:
    """The weighted terms of the loss by name; their sum is minimised.

    A term of weight 0 is absent. Steps `clips.steps` are read with `labels="frames"` only, and with
    `labels="clip"` nothing tells which stream is forged. MIL chooses among `candidates`.
    Pseudo-labels, the term of a second stage, come from `labeler`.
    """
    output, valid = clips.forward(fdn), clips.valid
    logits, known, label = output.logits[..., 2], valid[..., 2], clips.labels[:, 2]
    forged = label > 0
    clip_only = config.labels == "clip"
    labelled = (2,) if clip_only else (0, 1, 2)
    maybe_forged = (clips.labels[:, 2:].expand(-1, 2) if clip_only else clips.labels[:, :2]) > 0
    chosen = candidates(clips.cues, valid[..., :2], maybe_forged, config.guide)
    terms: dict[str, Callable[[], Tensor]] = {
        "mil": lambda: mil_loss(logits, chosen.any(-1), label),
        "streams": lambda: _streams_loss(output.logits, chosen, clips.labels, clip_only),
        "p2s": lambda: p2s_loss(logits, known, label),
        "deviation": lambda: deviation_loss(output.embedding, known, label),
        "cola": lambda: hard_snippet_loss(output.embedding, logits, known, forged),
        "aicl": lambda: aicl_loss(
            output.embedding, clips.error, known, forged, symmetric=config.symmetric
        ),
        "minority": lambda: sum(
            (minority_loss(output.logits[..., i], valid[..., i]) for i in labelled),
            logits.new_zeros(()),
        ),
        "mtlr": lambda: mtlr_loss(output.logits, clips.seen, clips.heard),
    }
    if config.labels == "frames":
        truth = clips.steps.masked_fill(~valid, torch.nan)
        terms["frames"] = lambda: step_loss(output.logits, truth)
    if labeler:
        terms["pseudo"] = lambda: step_loss(output.logits, labeler.labels(clips))
    weights = {name: getattr(config, name) for name in terms}
    return {name: weights[name] * term() for name, term in terms.items() if weights[name]}


def _streams_loss(logits: Tensor, chosen: Tensor, labels: Tensor, clip_only: bool) -> Tensor:
    """MIL of the visual and the audio head: by noisy-or where only the clip has a label."""
    if clip_only:
        return noisy_or_loss(logits[..., :2], chosen, labels[:, 2])
    visual, audio = (mil_loss(logits[..., i], chosen[..., i], labels[:, i]) for i in (0, 1))
    return visual + audio
