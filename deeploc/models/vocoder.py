"""A neural vocoder (HiFi-GAN): log-mel -> speech. It is no part of the method: with it,
`train.forge` makes the kind of speech that detectors meet today.

It knows nothing about files, clips or labels.

Shapes: B sounds, S samples at 22.05 kHz, N frames of 256 samples.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.transforms import MelSpectrogram

RATE_HZ = 22_050
HOP = 256
LATENT = 192
CHANNELS = (256, 128, 64, 32)
UPSAMPLING = ((8, 16), (8, 16), (4, 8))  # stride, kernel
BLOCKS = {3: (1, 2), 5: (2, 6), 7: (3, 12)}  # kernel: dilations
SLOPE = 0.1


class Generator(nn.Module):
    """Latent frames `(B, 192, N)` -> `(B, 256 N)`: HiFi-GAN (arXiv 2010.05646, 2.2), in the sizes
    of a medium voice of Piper, whose weights it can take."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_pre = nn.Conv1d(LATENT, CHANNELS[0], 7, padding=3)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(before, after, kernel, stride, (kernel - stride) // 2)
            for (before, after), (stride, kernel) in zip(
                pairwise(CHANNELS), UPSAMPLING, strict=True
            )
        )
        self.resblocks = nn.ModuleList(
            _Block(channels, kernel) for channels in CHANNELS[1:] for kernel in BLOCKS
        )
        self.conv_post = nn.Conv1d(CHANNELS[-1], 1, 7, padding=3, bias=False)

    def forward(self, latent: Tensor) -> Tensor:
        x = self.conv_pre(latent)
        for level, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, SLOPE))
            blocks = self.resblocks[level * len(BLOCKS) : (level + 1) * len(BLOCKS)]
            x = torch.stack([block(x) for block in blocks]).mean(0)
        return torch.tanh(self.conv_post(functional.leaky_relu(x)))[:, 0]


class _Block(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=step * (kernel - 1) // 2, dilation=step)
            for step in BLOCKS[kernel]
        )

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convs:
            x = convolution(functional.leaky_relu(x, SLOPE)) + x
        return x


class Vocoder(nn.Module):
    """Speech `(B, S)`, S a multiple of 256, taken apart into log-mel and made again: `(B, S)`."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = MelSpectrogram(RATE_HZ, 1024, 1024, HOP, n_mels=80, f_max=8000, power=1.0)
        layers: list[nn.Module] = [nn.Conv1d(80, LATENT, 5, padding=2)]
        for _ in range(4):
            layers += [nn.GELU(), nn.Conv1d(LATENT, LATENT, 5, padding=2)]
        self.encoder = nn.Sequential(*layers)
        self.generator = Generator()

    def log_mel(self, sound: Tensor) -> Tensor:
        """`(B, S)` -> `(B, 80, S / 256)`."""
        return torch.log(self.mel(sound)[..., : sound.shape[-1] // HOP].clamp(min=1e-5))

    def forward(self, sound: Tensor) -> Tensor:
        made: Tensor = self.generator(self.encoder((self.log_mel(sound) + 4) / 3))
        return made
