"""Partial forgeries of the sound: words replaced, re-spoken, re-synthesised or shifted in pitch.

Every family makes a donor of the right length; one splice matches its loudness, spectrum and noise
floor and puts it in. Nothing here knows about files, picture, labels or splits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve, firwin2, welch

from train.forge.codec import (
    coded_sound,
    draw_sound_coding,
)
from train.forge.sound.text_to_speech import (
    ENGINES,
    spoken,
)
from train.forge.sound.vocoders import (
    HOP_SAMPLES,
    RATE_HZ,
    draw_frame_rate,
    draw_vocoder,
    frame_levels,
    pitched,
    stretched,
    vocode,
)

FADE_S = (0.010, 0.020)
LEVEL_DB, LEVEL_BLOCKS = (-24.0, 12.0), 3.0

CONTEXT_SAMPLES = RATE_HZ // 2  # what a vocoder hears beside the span
OWN_WORDS = 0.6

FAMILIES = {
    "other-utterance": 1,
    "other-speaker": 1,
    "tts": 1,
    "piper": 1,
    "kokoro": 1,
    "copy-synthesis": 6,
    "pitch": 1,
    "speed": 1,
}
UNSEEN_FAMILIES = ("flite",)
FROM_OTHERS = ("other-speaker",)


def is_loud(audio: np.ndarray) -> np.ndarray:
    """Which blocks of 10 ms are within 20 dB of the clip's loud moments, `(S // 160,) bool`."""
    levels = frame_levels(audio)
    return levels > 0.1 * np.quantile(levels, 0.9)


def forge_sound(
    audio: np.ndarray,
    span: tuple[int, int],
    family: str,
    rng: np.random.Generator,
    other: np.ndarray | None = None,
    held_out_voices: bool = False,
    vocoder: str | None = None,
    moment: int | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """A copy of `audio (S,) float32` with the samples `[start, end)` forged, and how it was done.

    `other` is foreign speech, needed by `other-speaker` and used by `other-utterance` as another
    recording of the same person, and `moment` the sample at which either is heard (default: drawn
    by `draw_moment`); `vocoder`, the file of a neural one, is for `copy-synthesis`. The family
    `null` splices the clip into itself, half a sample later, `recoded` after another codec: it
    stays authentic.
    """
    start, end = span
    own = audio[start:end].astype(np.float64)
    match_spectrum = 0.0
    foreign = family in ("other-utterance", "other-speaker", *ENGINES)
    how: dict[str, Any] = {}
    if family == "null":
        donor = _delayed(audio, float(rng.uniform(0.2, 0.8)))[start:end]
        return _spliced(audio, span, donor, rng), how
    if family == "recoded":
        codec, kbits = draw_sound_coding(rng)
        donor = coded_sound(audio, codec, kbits)[start:end]
        return _spliced(audio, span, donor, rng), {"codec": codec, "kbits": kbits}
    if family in ("other-utterance", "other-speaker"):
        if other is None and family == "other-speaker":
            raise ValueError("other-speaker needs another person's speech")
        donor = _utterance(audio, span, other, rng, moment)
        match_spectrum = 0.5 if family == "other-speaker" else 0.0
    elif family in ENGINES:
        donor, how = spoken(end - start, family, rng, held_out_voices)
        match_spectrum = 1.0
    elif family == "copy-synthesis":
        chosen, own_words = draw_vocoder(rng, vocoder), bool(rng.random() < OWN_WORDS)
        before = min(CONTEXT_SAMPLES, start) if own_words else 0
        source = audio[start - before : end + CONTEXT_SAMPLES]
        if not own_words:
            source = _utterance(audio, span, other, rng)
        frames_hz = draw_frame_rate(rng)
        donor = vocode(source, chosen, rng, frames_hz)[before : before + end - start]
        match_spectrum = float(rng.choice([0.0, 0.5]))
        how = {"vocoder": Path(chosen).name, "own_words": own_words}
        if chosen == vocoder:
            how["frames_hz"] = round(frames_hz, 2)
    elif family == "pitch":
        how = {"semitones": int(rng.choice([-2, -1, 1, 2]))}
        donor = pitched(own, how["semitones"])
    elif family == "speed":
        how = {"rate": round(float(rng.choice([0.85, 0.92, 1.08, 1.15])), 2)}
        source = np.pad(audio[start:], (0, end - start), "wrap")
        donor = stretched(source[: round((end - start) * how["rate"]) + 1], how["rate"])
        donor = donor[: end - start]
    else:
        raise ValueError(f"unknown sound family: {family}")
    return splice(audio, span, donor, rng, match_spectrum, foreign), how


def splice(
    audio: np.ndarray,
    span: tuple[int, int],
    donor: np.ndarray,
    rng: np.random.Generator,
    match_spectrum: float = 0.0,
    foreign: bool = False,
) -> np.ndarray:
    """A copy of `audio (S,) float32` with `donor` in the samples `[start, end)`, cross-faded, at
    the loudness and noise floor of what it replaces and, by `match_spectrum` 0..1, its colour."""
    donor = _matched(donor, audio, span, match_spectrum, foreign, rng)
    return _spliced(audio, span, donor, rng)


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
    levels: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """The donor with the loudness of its target, its pauses and outbursts too if `levels`, roughly
    its long-term spectrum, and its noise floor."""
    own = audio[slice(*span)].astype(np.float64)
    donor = donor - donor.mean()
    if spectrum:
        donor = _equalised(donor, audio, spectrum)
    level = np.sqrt((own**2).mean()) + 1e-6
    if levels:
        donor = _levelled(donor, own)
    peak = np.abs(audio).max()
    for _ in range(4):  # cutting peaks makes it quieter
        donor = donor * min(level / (np.sqrt((donor**2).mean()) + 1e-6), 30.0)
        donor = np.clip(donor, -peak, peak)
    floor = np.quantile(frame_levels(audio), 0.05)
    missing = floor**2 - np.quantile(frame_levels(donor), 0.05) ** 2
    if missing > 0:
        noise = _equalised(rng.standard_normal(len(donor)), _quiet_part(audio), 1.0)
        donor = donor + noise * np.sqrt(missing) / (noise.std() + 1e-9)
    return donor


def _levelled(donor: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The donor with as many loud and quiet moments as its target, each where the donor has it."""
    present, wanted = (20 * np.log10(frame_levels(sound)) for sound in (donor, own))
    change = np.empty(len(present))
    change[np.argsort(present)] = np.sort(wanted) - np.sort(present)
    change = gaussian_filter1d(np.clip(change, *LEVEL_DB), LEVEL_BLOCKS, mode="nearest")
    middles = (np.arange(len(change)) + 0.5) * HOP_SAMPLES
    return donor * 10 ** (np.interp(np.arange(len(donor)), middles, change) / 20)


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
    audio: np.ndarray,
    span: tuple[int, int],
    other: np.ndarray | None,
    rng: np.random.Generator,
    moment: int | None = None,
) -> np.ndarray:
    """As much speech of another moment, of `other` where given, else of the clip itself."""
    length = span[1] - span[0]
    source = _repeated(audio if other is None else other, length)
    begin = draw_moment(audio, span, other, rng) if moment is None else moment
    return source[begin : begin + length].astype(np.float64)


def draw_moment(
    audio: np.ndarray,
    span: tuple[int, int],
    other: np.ndarray | None,
    rng: np.random.Generator,
    grid: int = HOP_SAMPLES,
) -> int:
    """The sample, one in `grid`, at which to begin with as much other speech as the span is long:
    in `other` where given, else in the clip outside the span.

    Among a few random moments the one wins that has its pauses where the replaced one has them.
    """
    start, end = span
    length = end - start
    source = _repeated(audio if other is None else other, length)
    starts = np.arange(0, len(source) - length + 1, grid)
    if other is None:
        distance = np.abs(starts - start)
        starts = starts[distance >= min(length, distance.max())]
    wanted = is_loud(audio)[start // HOP_SAMPLES :]
    present = is_loud(source)
    tried = rng.choice(starts, min(24, len(starts)), replace=False)
    moments = [(_unlike(present[s // HOP_SAMPLES :], wanted, length), int(s)) for s in tried]
    return min(moments)[1]


def _repeated(audio: np.ndarray, length: int) -> np.ndarray:
    return np.tile(audio, -(-length // max(1, len(audio)))) if len(audio) < length else audio


def _unlike(present: np.ndarray, wanted: np.ndarray, length: int) -> float:
    blocks = min(length // HOP_SAMPLES, len(present), len(wanted))
    return float((present[:blocks] != wanted[:blocks]).mean())


def _delayed(audio: np.ndarray, samples: float) -> np.ndarray:
    spectrum = np.fft.rfft(audio, 2 * len(audio))
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * len(audio)) * samples)
    return np.fft.irfft(spectrum * turn)[: len(audio)]
