"""Multi-task learning reinforcement (MTLR): agreement of the heads on picture, sound and both.

RT-DeepLoc's formula is not public: the docstring says what was chosen.

Shapes: B clips, T steps.
"""

from __future__ import annotations

from torch import Tensor

from deeploc.models.fdn import either


def mtlr_loss(logits: Tensor, seen: Tensor, heard: Tensor) -> Tensor:
    """Multi-task learning reinforcement: consistency of the three heads.

    The fused score of a step is drawn to the larger of the stream scores, and the other way round:
    mean squared differences with stop-gradient on either side (`logits (B, T, 3)`).
    """
    scores = logits.sigmoid()
    streams = either(scores, seen, heard)
    fused, valid = scores[..., 2], seen | heard
    squared = (fused - streams.detach()).square() + (streams - fused.detach()).square()
    return (squared * valid).sum() / valid.sum().clamp(min=1)
