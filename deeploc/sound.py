"""Sound in, log-mel out. It knows nothing about windows or models."""

from __future__ import annotations

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

from deeploc.media import AUDIO_RATE_HZ, VIDEO_RATE_HZ, Clip

MEL_BINS = 80
MEL_PER_STEP = 4
HOP_SAMPLES = int(AUDIO_RATE_HZ / VIDEO_RATE_HZ / MEL_PER_STEP)
FLOOR = 1e-6

_spectrogram = MelSpectrogram(
    AUDIO_RATE_HZ, n_fft=512, win_length=400, hop_length=HOP_SAMPLES, n_mels=MEL_BINS
)


def log_mel(audio: np.ndarray, n_frames: int) -> np.ndarray:
    """`audio (S,) float32` at 16 kHz -> `(4 * n_frames, 80) float32` log-mel, 4 rows a 25 Hz step.

    Row `j` is centred on second `j / 100`. Worked in pieces of a minute, so memory stays small.
    """
    rows = MEL_PER_STEP * n_frames
    piece = 60 * int(AUDIO_RATE_HZ)
    margin = 8 * HOP_SAMPLES
    padded = np.pad(audio, (margin, margin + max(0, rows * HOP_SAMPLES - len(audio))))
    parts = []
    for start in range(0, rows * HOP_SAMPLES, piece):
        stop = min(start + piece, rows * HOP_SAMPLES)
        mel = _spectrogram(torch.from_numpy(padded[start : stop + 2 * margin]))
        inner = mel[:, 8 : 8 + (stop - start) // HOP_SAMPLES]
        parts.append(torch.log(inner + FLOOR).T.contiguous().numpy())
    return np.concatenate(parts)


def heard_steps(clip: Clip) -> np.ndarray:
    """`(T,) bool`: the 25 Hz steps in whose middle the file holds sound."""
    steps = np.zeros(clip.grid.n_frames, bool)
    for segment in clip.heard:
        rate = clip.grid.rate_hz
        steps[round(segment.start * rate) : round(segment.end * rate)] = True
    return steps
