"""Partial forgeries of the sound: words replaced, re-spoken, re-synthesised or shifted in pitch.

Every family makes a donor of the right length; one splice matches its loudness, spectrum and noise
floor and puts it in. Nothing here knows about files, picture, labels or splits.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import Any

import av
import numpy as np
import torch
from deeploc.media import AUDIO_RATE_HZ
from scipy.linalg import solve_toeplitz
from scipy.signal import fftconvolve, firwin2, lfilter, resample_poly, welch
from torchaudio.functional import griffinlim, melscale_fbanks, phase_vocoder

RATE_HZ = int(AUDIO_RATE_HZ)
FRAME_SAMPLES = 400
HOP_SAMPLES = 160
FADE_S = (0.010, 0.020)

FAMILIES = ("other-utterance", "other-speaker", "tts", "copy-synthesis", "pitch")
UNSEEN_FAMILIES = ("griffinlim",)
FROM_OTHERS = ("other-speaker",)
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


def speech_share(audio: np.ndarray, start_s: float, end_s: float) -> float:
    """Share 0..1 of a span that is within 20 dB of the clip's loud moments."""
    levels = frame_levels(audio)
    loud = levels > 0.1 * np.quantile(levels, 0.9)
    inside = loud[int(start_s * 100) : max(int(start_s * 100) + 1, int(end_s * 100))]
    return float(inside.mean()) if len(inside) else 0.0


def forge_sound(
    audio: np.ndarray,
    span: tuple[int, int],
    family: str,
    rng: np.random.Generator,
    other: np.ndarray | None = None,
    held_out_voices: bool = False,
) -> tuple[np.ndarray, dict[str, Any]]:
    """A copy of `audio (S,) float32` with the samples `[start, end)` forged, and how it was done.

    `other` is foreign speech, needed by `other-speaker` and used by `other-utterance` as another
    recording of the same person. The family `null` splices the clip into itself, half a sample
    later: it stays authentic.
    """
    start, end = span
    own = audio[start:end].astype(np.float64)
    match_spectrum = 0.0
    how: dict[str, Any] = {}
    if family == "null":
        donor = _delayed(audio, float(rng.uniform(0.2, 0.8)))[start:end]
        return _spliced(audio, span, donor, rng), how
    if family in ("other-utterance", "other-speaker"):
        assert other is not None or family == "other-utterance", "other-speaker needs a donor"
        donor = _utterance(audio, span, other, rng)
        match_spectrum = 0.5 if family == "other-speaker" else 0.0
    elif family == "tts":
        donor, how = _spoken(end - start, rng, held_out_voices)
        match_spectrum = 1.0
    elif family == "copy-synthesis":
        source = own if rng.random() < 0.5 else _utterance(audio, span, other, rng)
        how = {"vocoder": str(rng.choice(VOCODERS)), "own_words": source is own}
        donor = vocode(source, how["vocoder"], rng)
    elif family == "griffinlim":
        donor = vocode(own, "griffinlim", rng)
    elif family == "pitch":
        how = {"semitones": int(rng.choice([-2, -1, 1, 2]))}
        donor = _pitched(own, how["semitones"])
    else:
        raise ValueError(f"unknown sound family: {family}")
    donor = _matched(donor, audio, span, match_spectrum, rng)
    return _spliced(audio, span, donor, rng), how


def _spliced(
    audio: np.ndarray, span: tuple[int, int], donor: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    start, end = span
    fade = min(int(rng.uniform(*FADE_S) * RATE_HZ), (end - start) // 3)
    weight = np.ones(end - start)
    weight[:fade] = np.arange(1, fade + 1) / (fade + 1)
    weight[-fade:] = weight[:fade][::-1]
    forged = audio.copy()
    mixed = weight * donor + (1 - weight) * audio[start:end]
    forged[start:end] = np.clip(mixed, -0.99, 0.99)
    return forged


def _matched(
    donor: np.ndarray,
    audio: np.ndarray,
    span: tuple[int, int],
    spectrum: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """The donor with the loudness, roughly the long-term spectrum and the floor of its target."""
    own = audio[slice(*span)].astype(np.float64)
    donor = donor - donor.mean()
    if spectrum:
        donor = _equalised(donor, audio, spectrum)
    level = np.sqrt((own**2).mean()) + 1e-6
    donor = donor * min(level / (np.sqrt((donor**2).mean()) + 1e-6), 30.0)
    donor = donor * min(1.0, 0.95 / np.abs(donor).max(initial=1e-9))
    floor = np.quantile(frame_levels(audio), 0.05)
    missing = floor**2 - np.quantile(frame_levels(donor), 0.05) ** 2
    if missing > 0:
        noise = _equalised(rng.standard_normal(len(donor)), _quiet_part(audio), 1.0)
        donor = donor + noise * np.sqrt(missing) / (noise.std() + 1e-9)
    return donor


def _quiet_part(audio: np.ndarray) -> np.ndarray:
    levels = frame_levels(audio)
    quiet = np.flatnonzero(levels <= np.quantile(levels, 0.15))
    blocks = audio[: len(levels) * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    return blocks[quiet].ravel()


def _equalised(donor: np.ndarray, target: np.ndarray, strength: float) -> np.ndarray:
    """`donor` through a short linear-phase filter towards the spectrum of `target`."""
    if min(len(donor), len(target)) < 256:
        return donor
    frequency, wanted = welch(target, RATE_HZ, nperseg=256)
    _, present = welch(donor, RATE_HZ, nperseg=256)
    ratio = (wanted + 1e-12) / (present + 1e-12)
    decibels = 10 * np.log10(ratio / np.exp(np.log(ratio).mean()))
    decibels = np.clip(np.convolve(np.pad(decibels, 2, "edge"), np.ones(5) / 5, "valid"), -20, 20)
    taps = firwin2(129, frequency / frequency[-1], 10 ** (strength * decibels / 20))
    return fftconvolve(donor, taps, "same")


def _utterance(
    audio: np.ndarray, span: tuple[int, int], other: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """As much speech of another moment: of `other` where given, else of the clip outside the span.

    Among a few random moments the one whose share of speech is nearest to the replaced one wins.
    """
    start, end = span
    length = end - start
    source = audio if other is None else other
    if len(source) < length:
        source = np.tile(source, length // max(1, len(source)) + 1)
    starts = np.arange(0, len(source) - length + 1, HOP_SAMPLES)
    if other is None:
        distance = np.abs(starts - start)
        starts = starts[distance >= min(length, distance.max())]
    wanted = speech_share(audio, start / RATE_HZ, end / RATE_HZ)
    tried = rng.choice(starts, min(8, len(starts)), replace=False)
    moments = [(abs(_share(source, int(s), length) - wanted), int(s)) for s in tried]
    begin = min(moments)[1]
    return source[begin : begin + length].astype(np.float64)


def _share(source: np.ndarray, start: int, length: int) -> float:
    return speech_share(source, start / RATE_HZ, (start + length) / RATE_HZ)


def _delayed(audio: np.ndarray, samples: float) -> np.ndarray:
    spectrum = np.fft.rfft(audio, 2 * len(audio))
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * len(audio)) * samples)
    return np.fft.irfft(spectrum * turn)[: len(audio)]


def _spoken(
    length: int, rng: np.random.Generator, held_out: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Random words by espeak-ng, lossy-coded once as any recording was, from a random word on."""
    voice = str(rng.choice(VOICES)) + str(rng.choice(HELD_OUT_VARIANTS if held_out else VARIANTS))
    speed, pitch = int(rng.integers(140, 200)), int(rng.integers(25, 75))
    words = [str(rng.choice(part)) for part in (SUBJECTS, VERBS, OBJECTS, ENDINGS)]
    sentence = " ".join(words).strip() + ". " + str(rng.choice(SUBJECTS))
    donor = _lossy(speak(sentence, voice, speed, pitch), int(rng.choice([32, 48, 64, 96])))
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


def _lossy(audio: np.ndarray, kbits: int) -> np.ndarray:
    """The sound after AAC at `kbits` and back: what any downloaded speech has been through."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        stream.bit_rate = kbits * 1000
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(audio, np.float32)[None], format="fltp", layout="mono"
        )
        frame.sample_rate = RATE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    buffer.seek(0)
    with av.open(buffer) as container:
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


def _pitched(audio: np.ndarray, semitones: int) -> np.ndarray:
    """The same words, a little higher or lower: stretched by a phase vocoder, then resampled."""
    up, down = {1: (17, 18), 2: (8, 9), -1: (18, 17), -2: (9, 8)}[semitones]
    padded = torch.from_numpy(np.pad(audio, (0, 1024)).astype(np.float32))
    window = torch.hann_window(512)
    complex_ = torch.stft(padded, 512, 128, window=window, return_complex=True)
    advance = torch.linspace(0, np.pi * 128, 257)[:, None]
    stretched = phase_vocoder(complex_, up / down, advance)
    longer = torch.istft(stretched, 512, 128, window=window).numpy().astype(np.float64)
    return np.pad(resample_poly(longer, up, down), (0, len(audio)))[: len(audio)]
