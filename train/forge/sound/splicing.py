"""How other speech is put into a recording: at its loudness, in its colour, without a click.

Nothing here knows where the speech comes from. Sound is `(S,)` at 16 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve, firwin2, welch

from train.forge.sound.vocoders import HOP_SAMPLES, RATE_HZ, frame_levels

FADE_S = (0.010, 0.020)
LEVEL_DB, LEVEL_BLOCKS = (-24.0, 12.0), 3.0


@dataclass(frozen=True)
class SoundEdit:
    """A stretch of sound that a family of the sound is to forge.

    `audio (S,) float32`; `span`: the samples `[start, end)`, and nothing else may change. `donor
    (S',) float32`: speech of another person, or another recording of the same, if the family takes
    one; `donor_start`: the sample of the donor (or of the clip itself) to begin with, where the
    picture is dubbed from the same moment. `vocoder`: the file of a fitted neural vocoder, if there
    is one. `test_voices`: synthetic voices are those that only test clips have.
    """

    audio: np.ndarray
    span: tuple[int, int]
    donor: np.ndarray | None = None
    donor_start: int | None = None
    vocoder: str | None = None
    test_voices: bool = False

    @property
    def length(self) -> int:
        """Samples of the span."""
        return self.span[1] - self.span[0]

    @property
    def replaced(self) -> np.ndarray:
        """The samples of the span, `(length,) float64`."""
        return self.audio[slice(*self.span)].astype(np.float64)


def splice(
    edit: SoundEdit,
    donor: np.ndarray,
    rng: np.random.Generator,
    match_spectrum: float = 0.0,
    match_levels: bool = False,
) -> np.ndarray:
    """A copy of the audio `(S,) float32` with `donor (length,)` cross-faded into the span.

    The donor gets the loudness and the noise floor of what it replaces; by `match_spectrum` 0..1
    its long-term spectrum, and with `match_levels` its pauses and loud moments, too.
    """
    replaced, audio = edit.replaced, edit.audio
    donor = donor - donor.mean()
    if match_spectrum:
        donor = _equalise(donor, audio, match_spectrum)
    level = np.sqrt((replaced**2).mean()) + 1e-6
    if match_levels:
        donor = _match_levels(donor, replaced)
    peak = np.abs(audio).max()
    for _ in range(4):  # cutting peaks makes it quieter
        donor = donor * min(level / (np.sqrt((donor**2).mean()) + 1e-6), 30.0)
        donor = np.clip(donor, -peak, peak)
    floor = np.quantile(frame_levels(audio), 0.05)
    missing = floor**2 - np.quantile(frame_levels(donor), 0.05) ** 2
    if missing > 0:
        noise = _equalise(rng.standard_normal(len(donor)), _quiet_part(audio), 1.0)
        donor = donor + noise * np.sqrt(missing) / (noise.std() + 1e-9)
    return crossfade(edit, donor, rng)


def crossfade(edit: SoundEdit, donor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A copy of the audio `(S,) float32` with `donor (length,)` as it is, cross-faded into the
    span."""
    start, end = edit.span
    fade = min(int(rng.uniform(*FADE_S) * RATE_HZ), (end - start) // 3)
    weight = np.ones(end - start)
    weight[:fade] = np.arange(1, fade + 1) / (fade + 1)
    weight[-fade:] = weight[:fade][::-1]
    forged = edit.audio.copy()
    mixed = weight * donor + (1 - weight) * edit.audio[start:end]
    forged[start:end] = np.clip(mixed, -0.99, 0.99)
    return forged


def _match_levels(donor: np.ndarray, replaced: np.ndarray) -> np.ndarray:
    """The donor with as many loud and quiet moments as its target, each where the donor has it."""
    present, wanted = (20 * np.log10(frame_levels(sound)) for sound in (donor, replaced))
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


def _equalise(donor: np.ndarray, target: np.ndarray, strength: float) -> np.ndarray:
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
