"""Sound in, log-mel, spectral flatness and vocoder lines out. It knows nothing about windows or
models."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional
from torchaudio.transforms import MelScale, Spectrogram

from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ
from deeploc.timeline import FrameGrid, Timeline

MEL_BINS = 80
FLAT_BANDS = 10
MEL_PER_STEP = 4
HOP_SAMPLES = int(AUDIO_RATE_HZ / VIDEO_RATE_HZ / MEL_PER_STEP)
STEP_SAMPLES = MEL_PER_STEP * HOP_SAMPLES
FLOOR = 1e-6

# What neural vocoders commonly have: hops of 320 and 256 samples at 16 kHz, 320 at 24 kHz, 200 at
# 16 kHz, 256 at 22.05 kHz (512 at 44.1), 256 at 24 kHz (512 at 48).
FRAME_RATES_HZ = (50.0, 62.5, 75.0, 80.0, 22_050 / 256, 93.75)
LINE_WINDOW, LINE_PIECE = 4096, 500  # samples, steps
LINE_BAND_HZ = (1000.0, 7900.0)
LINE_SURROUNDINGS = 17  # bins
MOST_CONTRAST, CONTRAST_SPREAD = 7.0, 1.8  # of the power of one bin

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
    flatness: torch.Tensor = share @ torch.log(power) - torch.log(share @ power)
    return flatness


def vocoder_lines(audio: np.ndarray, n_frames: int) -> np.ndarray:
    """`audio (S,) float32` at 16 kHz -> `(T, 6) float32`, T = `n_frames` 25 Hz steps: how much the
    fine spectrum stands out at the multiples of each of `FRAME_RATES_HZ`.

    The transposed convolutions of a neural vocoder leave faint lines at multiples of its frame rate
    (their imaging; Pons et al., "Upsampling artifacts in neural audio synthesis", arXiv
    2010.14356), too narrow for any mel. Power of 256 ms around each step, each bin over the
    geometric mean of its surroundings; then the mean on the lines of 1 to 7.9 kHz minus the mean
    between them, times the root of their number. Authentic speech has about 0 on average, and a
    spread of about 1. Worked in pieces, so memory stays small.
    """
    margin = LINE_WINDOW // 2 - STEP_SAMPLES // 2
    length = STEP_SAMPLES * n_frames
    padded = np.pad(audio[:length], (margin, margin + max(0, length - len(audio))))
    parts = []
    for first in range(0, n_frames, LINE_PIECE):
        steps = min(LINE_PIECE, n_frames - first)
        begin = first * STEP_SAMPLES
        piece = padded[begin : begin + (steps - 1) * STEP_SAMPLES + LINE_WINDOW]
        frames = torch.from_numpy(piece).unfold(0, LINE_WINDOW, STEP_SAMPLES)
        power = torch.fft.rfft(frames * _line_window).abs().square()
        level = torch.log(power + FLOOR)
        around = (LINE_SURROUNDINGS // 2,) * 2
        smooth = functional.pad(level[:, None], around, mode="reflect")
        smooth = functional.avg_pool1d(smooth, LINE_SURROUNDINGS, 1)[:, 0]
        contrast = torch.exp(level - smooth).clamp(max=MOST_CONTRAST)
        parts.append((contrast @ _combs / CONTRAST_SPREAD).numpy())
    return np.concatenate(parts)


def _line_combs() -> torch.Tensor:
    """`(2049, 6)`: weights of the bins on the lines of each frame rate and between them."""
    frequency = torch.arange(LINE_WINDOW // 2 + 1) * AUDIO_RATE_HZ / LINE_WINDOW
    inside = (frequency >= LINE_BAND_HZ[0]) & (frequency <= LINE_BAND_HZ[1])
    combs = []
    for rate_hz in FRAME_RATES_HZ:
        off_hz = ((frequency / rate_hz + 0.5) % 1 - 0.5).abs() * rate_hz
        off_bins = off_hz * LINE_WINDOW / AUDIO_RATE_HZ
        on, between = inside & (off_bins <= 0.5), inside & (off_bins > 2)
        combs.append((on / on.sum() - between / between.sum()) * on.sum().sqrt())
    return torch.stack(combs, dim=1)


_line_window = torch.hann_window(LINE_WINDOW)
_combs = _line_combs()


def waveform_peaks(audio: np.ndarray) -> np.ndarray:
    """`audio (S,)` -> `(S / 160, 2)`: the lowest and the highest sample of each row of log-mel."""
    pieces = audio[: len(audio) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    return np.stack([pieces.min(1), pieces.max(1)], axis=1)


def steps_with_sound(sound: Timeline, grid: FrameGrid) -> np.ndarray:
    """`(T,) bool`: the steps of the grid in whose middle there is sound (`Clip.sound_timeline`)."""
    steps = np.zeros(grid.n_frames, bool)
    for segment in sound:
        steps[round(segment.start * grid.rate_hz) : round(segment.end * grid.rate_hz)] = True
    return steps
