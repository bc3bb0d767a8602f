"""Sound in, log-mel and spectral flatness out. It knows nothing about windows or models."""

from __future__ import annotations

import numpy as np
import torch
from torchaudio.transforms import MelScale, Spectrogram

from deeploc.media import AUDIO_RATE_HZ, VIDEO_RATE_HZ, Clip

MEL_BINS = 80
FLAT_BANDS = 10
MEL_PER_STEP = 4
HOP_SAMPLES = int(AUDIO_RATE_HZ / VIDEO_RATE_HZ / MEL_PER_STEP)
FLOOR = 1e-6

_spectrogram = Spectrogram(n_fft=512, win_length=400, hop_length=HOP_SAMPLES)
_to_mel = MelScale(MEL_BINS, AUDIO_RATE_HZ, n_stft=257)
_bands = (_to_mel.fb.reshape(257, FLAT_BANDS, -1).sum(-1) > 0).float()


def log_mel(audio: np.ndarray, n_frames: int) -> np.ndarray:
    """`audio (S,) float32` at 16 kHz -> `(4 * n_frames, 90) float32`, 4 rows a 25 Hz step: 80 bins
    of log-mel, then the flatness of the linear spectrum within each 8 of them.

    Row `j` is centred on second `j / 100`. Worked in pieces of a minute, so memory stays small.
    """
    rows = MEL_PER_STEP * n_frames
    piece = 60 * int(AUDIO_RATE_HZ)
    margin = 8 * HOP_SAMPLES
    padded = np.pad(audio, (margin, margin + max(0, rows * HOP_SAMPLES - len(audio))))
    parts = []
    for start in range(0, rows * HOP_SAMPLES, piece):
        stop = min(start + piece, rows * HOP_SAMPLES)
        spectrum = _spectrogram(torch.from_numpy(padded[start : stop + 2 * margin]))
        spectrum = spectrum[:, 8 : 8 + (stop - start) // HOP_SAMPLES]
        both = [torch.log(_to_mel(spectrum) + FLOOR), _flatness(spectrum)]
        parts.append(torch.cat(both).T.contiguous().numpy())
    return np.concatenate(parts)


def _flatness(spectrum: torch.Tensor) -> torch.Tensor:
    """Power `(257, N)` -> `(10, N)`: log of geometric over arithmetic mean of the bins of a band.

    0 is noise-like; harmonics, and what a vocoder makes of them, lie below.
    """
    power, share = spectrum + FLOOR, (_bands / _bands.sum(0)).T
    return share @ torch.log(power) - torch.log(share @ power)


def peaks(audio: np.ndarray) -> np.ndarray:
    """`audio (S,)` -> `(S / 160, 2)`: the lowest and the highest sample of each row of log-mel."""
    pieces = audio[: len(audio) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    return np.stack([pieces.min(1), pieces.max(1)], axis=1)


def heard_steps(clip: Clip) -> np.ndarray:
    """`(T,) bool`: the 25 Hz steps in whose middle the file holds sound."""
    steps = np.zeros(clip.grid.n_frames, bool)
    for segment in clip.heard:
        rate = clip.grid.rate_hz
        steps[round(segment.start * rate) : round(segment.end * rate)] = True
    return steps
