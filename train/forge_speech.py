"""Artificial speech: spoken by espeak-ng, taken apart and rebuilt by vocoders, or shifted in pitch.

Nothing here knows about clips, splices or labels. Sound is `(S,) float64` at 16 kHz.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import Any

import av
import numpy as np
import torch
from scipy.linalg import solve_toeplitz
from scipy.signal import fftconvolve, lfilter, resample_poly
from torchaudio.functional import griffinlim, melscale_fbanks, phase_vocoder

from deeploc.media import AUDIO_RATE_HZ

RATE_HZ = int(AUDIO_RATE_HZ)
FRAME_SAMPLES = 400
HOP_SAMPLES = 160
VOCODERS = ("lpc-pulse", "lpc-coarse", "mel-smooth", "phase-loose")

VOICES = ("en-gb", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc")
VARIANTS = ("+m1", "+m2", "+m3", "+f1", "+f2", "+f3")
HELD_OUT_VARIANTS = ("+m5", "+m7", "+f4", "+f5")
SUBJECTS = ("The committee", "My neighbour", "Our new engineer", "Nobody here", "The report", "She")
VERBS = ("never agreed to", "quietly paid for", "has looked at", "wanted", "will announce", "lost")
OBJECTS = ("the second budget", "seven small boats", "that promise", "a different answer", "it all")
ENDINGS = ("last Thursday", "before the meeting", "in front of everyone", "for a good reason", "")


def has_tts() -> bool:
    """Whether espeak-ng is installed, which the family `tts` needs."""
    return shutil.which("espeak-ng") is not None


def frame_levels(audio: np.ndarray) -> np.ndarray:
    """`(S,)` -> root-mean-square level of every 10 ms, `(S // 160,) float`."""
    blocks = audio[: len(audio) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    return np.sqrt((blocks.astype(np.float64) ** 2).mean(1) + 1e-12)


def spoken(
    length: int, rng: np.random.Generator, held_out: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Random words by espeak-ng, lossy-coded once as any recording was, from a random word on."""
    voice = str(rng.choice(VOICES)) + str(rng.choice(HELD_OUT_VARIANTS if held_out else VARIANTS))
    speed, pitch = int(rng.integers(140, 200)), int(rng.integers(25, 75))
    words = [str(rng.choice(part)) for part in (SUBJECTS, VERBS, OBJECTS, ENDINGS)]
    sentence = " ".join(words).strip() + ". " + str(rng.choice(SUBJECTS))
    donor = _in_a_room(speak(sentence, voice, speed, pitch), rng)
    donor = _lossy(donor, int(rng.choice([32, 48, 64, 96])))
    loud = np.flatnonzero(frame_levels(donor) > 0.05 * np.abs(donor).max())
    donor = donor[loud[0] * HOP_SAMPLES : (loud[-1] + 1) * HOP_SAMPLES]
    donor = np.tile(donor, length // len(donor) + 1)
    start = int(rng.integers(len(donor) - length + 1))
    how = {"voice": voice, "speed": speed, "pitch": pitch, "words": sentence}
    return donor[start : start + length], how


def speak(sentence: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """`(S,) float64` speech at 16 kHz by espeak-ng, which must be installed (`has_tts`)."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", sentence]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    header = spoken.index(b"data") + 8
    rate_hz = int.from_bytes(spoken[24:28], "little")
    samples = np.frombuffer(spoken[header : len(spoken) // 2 * 2], "<i2") / 32768
    return resample_poly(samples, RATE_HZ, rate_hz)


def _in_a_room(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound with some reverberation: bare, it would stop more abruptly than recorded speech."""
    seconds = np.arange(int(0.4 * RATE_HZ)) / RATE_HZ
    echo = rng.standard_normal(len(seconds)) * np.exp(-6.9 * seconds / rng.uniform(0.15, 0.6))
    echo *= rng.uniform(0.2, 0.6) / np.sqrt((echo**2).sum())
    return audio + fftconvolve(audio, echo)[: len(audio)]


def _lossy(audio: np.ndarray, kbits: int) -> np.ndarray:
    """The sound after AAC at `kbits` and back: what any downloaded speech has been through."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="adts") as coded:
        stream = coded.add_stream("aac", rate=RATE_HZ, layout="mono")
        stream.bit_rate = kbits * 1000
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(audio, np.float32)[None], format="fltp", layout="mono"
        )
        frame.sample_rate = RATE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            coded.mux(packet)
    buffer.seek(0)
    with av.open(buffer, "r") as container:
        decoded = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(decoded).astype(np.float64)


def vocode(audio: np.ndarray, vocoder: str, rng: np.random.Generator) -> np.ndarray:
    """The same speech, taken apart and put together again: `(S,)` -> `(S,) float64`."""
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


def pitched(audio: np.ndarray, semitones: int) -> np.ndarray:
    """The same words, a little higher or lower: stretched by a phase vocoder, then resampled."""
    up, down = {1: (17, 18), 2: (8, 9), -1: (18, 17), -2: (9, 8)}[semitones]
    padded = torch.from_numpy(np.pad(audio, (0, 1024)).astype(np.float32))
    window = torch.hann_window(512)
    complex_ = torch.stft(padded, 512, 128, window=window, return_complex=True)
    advance = torch.linspace(0, np.pi * 128, 257)[:, None]
    stretched = phase_vocoder(complex_, up / down, advance)
    longer = torch.istft(stretched, 512, 128, window=window).numpy().astype(np.float64)
    return np.pad(resample_poly(longer, up, down), (0, len(audio)))[: len(audio)]
