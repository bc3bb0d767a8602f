"""Speech taken apart and rebuilt by vocoders (WORLD and a neural one among them), or changed in
pitch or speed.

Nothing here knows about clips, splices or labels. Sound is `(S,) float64` at 16 kHz.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.linalg import solve_toeplitz
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter, resample_poly
from torchaudio.functional import griffinlim, melscale_fbanks, phase_vocoder

from deeploc.media.clip import AUDIO_RATE_HZ
from deeploc.models import vocoder as hifigan

try:
    import pyworld

    HAS_WORLD = True
except ImportError:  # without it, one vocoder fewer
    HAS_WORLD = False

RATE_HZ = int(AUDIO_RATE_HZ)
FRAME_SAMPLES = 400
HOP_SAMPLES = 160
VOCODERS = ("lpc-pulse", "lpc-coarse", "mel-smooth", "phase-loose")
WORLDS = ("world", "world-pitch", "world-formants", "world-coarse")
WORLD_FRAME_MS = 5.0
SAME_FRAMES = 25
FRAME_RATES_HZ = (62.5, 75.0, 80.0, hifigan.RATE_HZ / hifigan.HOP, 93.75, 100.0)


def frame_levels(audio: np.ndarray) -> np.ndarray:
    """`(S,)` -> root-mean-square level of every 10 ms, `(S // 160,) float`."""
    blocks = audio[: len(audio) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    return np.sqrt((blocks.astype(np.float64) ** 2).mean(1) + 1e-12)


def draw_vocoder(rng: np.random.Generator, neural: str | None) -> str:
    """A vocoder for `vocode`, one kind as likely as another; `neural`: the file of a fitted one."""
    kinds = [VOCODERS, ("griffinlim",)]
    if HAS_WORLD:
        kinds.append(WORLDS)
    if neural:
        kinds.append((neural,))
    return str(rng.choice(kinds[rng.integers(len(kinds))]))


def draw_frame_rate(rng: np.random.Generator) -> float:
    """Frames a second of a neural vocoder: one that such vocoders commonly have."""
    return float(rng.choice(FRAME_RATES_HZ))


def vocode(
    audio: np.ndarray,
    vocoder: str,
    rng: np.random.Generator,
    frames_hz: float = hifigan.RATE_HZ / hifigan.HOP,
) -> np.ndarray:
    """The same speech, taken apart and put together again: `(S,)` -> `(S,) float64`.

    `vocoder`: one of `VOCODERS`, of `WORLDS` (needs pyworld), "griffinlim", or the file of a neural
    one that `fit_vocoder` wrote, which then works at `frames_hz`.
    """
    if vocoder.endswith(".safetensors"):
        return _neural(audio, vocoder, frames_hz, rng)
    if vocoder.startswith("world"):
        return _world(audio, vocoder, rng)
    if vocoder.startswith("lpc"):
        return _linear_prediction(audio, coarse=vocoder == "lpc-coarse", rng=rng)
    length = len(audio)
    padded = torch.from_numpy(np.pad(audio, (0, max(0, 1024 - length))).astype(np.float32))
    window = torch.hann_window(512)
    complex_ = torch.stft(padded, 512, 128, window=window, return_complex=True)
    bands = melscale_fbanks(257, 0.0, RATE_HZ / 2, 64, RATE_HZ)
    if vocoder == "phase-loose":
        turns = torch.from_numpy(rng.uniform(-1, 1, complex_.shape)) * float(rng.uniform(0.8, 2.0))
        complex_ = complex_ * torch.polar(torch.ones_like(turns), turns).to(complex_.dtype)
        rebuilt = torch.istft(complex_, 512, 128, window=window, length=len(padded))
        return rebuilt.numpy().astype(np.float64)[:length]
    mel = bands.T @ complex_.abs()
    smooth = (torch.linalg.pinv(bands.T) @ mel).clamp(min=1e-7)
    if vocoder == "mel-smooth":
        complex_ = smooth * torch.polar(torch.ones_like(smooth), complex_.angle())
        rebuilt = torch.istft(complex_, 512, 128, window=window, length=len(padded))
    elif vocoder == "griffinlim":
        torch.manual_seed(int(rng.integers(2**31)))
        rebuilt = griffinlim(smooth, window, 512, 128, 512, 1.0, 32, 0.99, len(padded), True)
    else:
        raise ValueError(f"unknown vocoder: {vocoder}")
    return rebuilt.numpy().astype(np.float64)[:length]


def _neural(
    audio: np.ndarray, weights: str, frames_hz: float, rng: np.random.Generator
) -> np.ndarray:
    """By the neural vocoder of `fit_vocoder`, run at another rate than it was fitted for: so
    the lines that its transposed convolutions leave lie at multiples of `frames_hz`. They are made
    fainter by a random part, for those of better vocoders are."""
    rate_hz = round(frames_hz * hifigan.HOP)
    faster = resample_poly(audio, rate_hz, RATE_HZ)
    missing = max(-len(faster) % hifigan.HOP, 4 * hifigan.HOP - len(faster))
    padded = np.pad(faster, (0, missing)).astype(np.float32)
    with torch.inference_mode():
        made = _vocoder(weights)(torch.from_numpy(padded)[None])[0].double().numpy()
    frames = made.reshape(-1, hifigan.HOP)  # what is the same in each of them makes the lines
    made = (frames - rng.random() ** 0.5 * uniform_filter1d(frames, SAME_FRAMES, axis=0)).ravel()
    return np.pad(resample_poly(made, RATE_HZ, rate_hz), (0, len(audio)))[: len(audio)]


@lru_cache(maxsize=1)
def _vocoder(weights: str) -> hifigan.Vocoder:
    vocoder = hifigan.Vocoder().eval()
    vocoder.load_state_dict(load_file(weights))
    return vocoder


def _world(audio: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """By WORLD: pitch, envelope and aperiodicity, one of them changed unless `how` is "world"."""
    audio = np.ascontiguousarray(audio, np.float64)
    coarse_pitch, times = pyworld.dio(audio, RATE_HZ, frame_period=WORLD_FRAME_MS)
    pitch = pyworld.stonemask(audio, coarse_pitch, times, RATE_HZ)
    envelope = pyworld.cheaptrick(audio, pitch, times, RATE_HZ)
    noise = pyworld.d4c(audio, pitch, times, RATE_HZ)
    bins = np.arange(envelope.shape[1])
    if how == "world-pitch":
        pitch = pitch * 2 ** (rng.uniform(-4, 4) / 12)
    elif how == "world-formants":
        moved = bins / rng.uniform(0.88, 1.14)
        envelope = np.exp([np.interp(moved, bins, row) for row in np.log(envelope)])
    elif how == "world-coarse":
        coded = pyworld.code_spectral_envelope(envelope, RATE_HZ, int(rng.integers(18, 40)))
        envelope = pyworld.decode_spectral_envelope(coded, RATE_HZ, 2 * len(bins) - 2)
    made = pyworld.synthesize(pitch, envelope, noise, RATE_HZ, WORLD_FRAME_MS)
    return np.pad(made, (0, len(audio)))[: len(audio)]


def _linear_prediction(audio: np.ndarray, coarse: bool, rng: np.random.Generator) -> np.ndarray:
    """LPC analysis of 25 ms frames, a simple excitation, and overlap-added synthesis.

    The excitation is the residual in a few levels (`coarse`), or pulses and noise.
    """
    padded = np.pad(audio, FRAME_SAMPLES)
    window = np.hanning(FRAME_SAMPLES)
    rebuilt, weight = np.zeros_like(padded), np.full(len(padded), 1e-3)
    phase = 0.0
    for start in range(0, len(padded) - FRAME_SAMPLES, HOP_SAMPLES):
        frame = padded[start : start + FRAME_SAMPLES] * window
        correlation = np.correlate(frame, frame, "full")[FRAME_SAMPLES - 1 :]
        if correlation[0] < 1e-7:
            continue
        correlation[0] *= 1.001
        predictor = np.r_[1.0, -solve_toeplitz(correlation[:18], correlation[1:19])]
        residual = lfilter(predictor, [1.0], frame)
        if coarse:
            step = 1.2 * residual.std()
            excitation = np.rint(residual / step) * step
        else:
            excitation, phase = _pulses(correlation, phase, rng)
            excitation = excitation * window
        excitation *= np.sqrt((residual**2).sum() / ((excitation**2).sum() + 1e-12))
        rebuilt[start : start + FRAME_SAMPLES] += lfilter([1.0], predictor, excitation)
        weight[start : start + FRAME_SAMPLES] += window
    return (rebuilt / np.maximum(weight, 0.3))[FRAME_SAMPLES:-FRAME_SAMPLES]


def _pulses(
    correlation: np.ndarray, phase: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Pulses at the frame's pitch with noise between, and the phase for the next frame."""
    lag = 40 + int(np.argmax(correlation[40:267]))
    voiced = float(np.clip(correlation[lag] / correlation[0] * 1.5 - 0.3, 0, 1))
    turns = phase + np.arange(FRAME_SAMPLES) / lag
    pulses = np.diff(np.floor(turns), prepend=np.floor(turns[0] - 1 / lag)) * np.sqrt(lag)
    noise = rng.standard_normal(FRAME_SAMPLES)
    return voiced * pulses + (1 - 0.9 * voiced) * noise, (phase + HOP_SAMPLES / lag) % 1.0


def pitch_shift(audio: np.ndarray, semitones: int) -> np.ndarray:
    """The same words `semitones` (-2..2) higher, `(S,)`: stretched in time, then resampled."""
    up, down = {1: (17, 18), 2: (8, 9), -1: (18, 17), -2: (9, 8)}[semitones]
    longer = time_stretch(audio, up / down)
    return np.pad(resample_poly(longer, up, down), (0, len(audio)))[: len(audio)]


def time_stretch(audio: np.ndarray, rate: float) -> np.ndarray:
    """The same words `rate` times as fast at the same pitch, by a phase vocoder: `(S / rate,)`."""
    length = round(len(audio) / rate)
    padded = torch.from_numpy(np.pad(audio, (0, 1024)).astype(np.float32))
    window = torch.hann_window(512)
    complex_ = torch.stft(padded, 512, 128, window=window, return_complex=True)
    advance = torch.linspace(0, np.pi * 128, 257)[:, None]
    changed = phase_vocoder(complex_, rate, advance)
    made = torch.istft(changed, 512, 128, window=window).numpy().astype(np.float64)
    return np.pad(made, (0, length))[:length]
