"""Sound as the aligned autoencoder hears it: log-mel and linear bands, on any device.

The linear bands up to 8 kHz are what linear-frequency cepstra (`torchaudio.transforms.LFCC`) are
the cosine transform of; between them they keep the high frequencies apart, where mel bins are wide
and neural codecs and vocoders leave their traces. Nothing here is learnt.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchaudio.functional import linear_fbanks, melscale_fbanks

RATE_HZ = 16_000
N_FFT, WINDOW, HOP = 512, 400, 160
MEL_BINS, LINEAR_BINS, ROW_BINS = 80, 48, 16
SOUND_BINS = MEL_BINS + LINEAR_BINS
SOUND_ROWS = SOUND_BINS // ROW_BINS
LEAST_HZ = 1000.0  # of the linear bands: below, mel bins are as fine
EDGE_SAMPLES = N_FFT // 2
FLOOR = 1e-6


class Hearing(nn.Module):
    """`(B, S + 2 EDGE_SAMPLES)` at 16 kHz -> `(B, S / 160, 128)` log bands and `(B, S / 160, 8)`
    log flatness of the spectrum within each 16 of them. Row j is centred on sample 160 j of S."""

    window: Tensor
    bank: Tensor
    share: Tensor

    def __init__(self) -> None:
        super().__init__()
        bins, top = N_FFT // 2 + 1, RATE_HZ / 2
        mel = melscale_fbanks(bins, 0.0, top, MEL_BINS, RATE_HZ)
        linear = linear_fbanks(bins, LEAST_HZ, top, LINEAR_BINS, RATE_HZ)
        bank = torch.cat([mel, linear], dim=1)
        inside = (bank.reshape(bins, SOUND_ROWS, ROW_BINS).sum(-1) > 0).float()
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("bank", bank, persistent=False)
        self.register_buffer("share", inside / inside.sum(0), persistent=False)

    def forward(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(waves.device.type, enabled=False):
            return self._bands(waves)

    def _bands(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.stft(
            waves.float(), N_FFT, HOP, WINDOW, self.window, center=False, return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        power = power[..., : (waves.shape[-1] - 2 * EDGE_SAMPLES) // HOP].transpose(1, 2)
        bands = torch.log(power @ self.bank + FLOOR)
        power = power + FLOOR
        flatness = torch.log(power) @ self.share - torch.log(power @ self.share)
        return bands, flatness
