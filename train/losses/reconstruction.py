"""The loss of the masked autoencoder. It knows neither data sets nor optimizers.

Shapes: B windows, L patches, S steps a patch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from deeploc.models.mae import Patches, Reconstruction, face_energies, log_energy, sound_energies


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


def share_of_loss(
    expected: Reconstruction, patches: Patches, hidden: Tensor, scales: Tensor, total: Tensor
) -> Tensor:
    """(miss, surprise) `(2,)` of a batch as its part of the mean over a whole step.

    `total (2,)`: hidden patches of all batches of the step by stream (picture, sound). The parts of
    all batches add up to the loss of the step, however it was divided into batches.
    """
    # every output takes part, also where a batch hides nothing of a stream: other ranks wait for it
    loss = 0 * torch.stack([output.mean() for output in vars(expected).values()]).sum().expand(2)
    is_picture = torch.arange(hidden.shape[1], device=hidden.device) < patches.faces.shape[1]
    for of_stream, in_step in zip((hidden & is_picture, hidden & ~is_picture), total, strict=True):
        means = torch.stack(reconstruction_loss(expected, patches, of_stream, scales))
        loss = loss + means * (of_stream.sum() / in_step.clamp(min=1))
    return loss
