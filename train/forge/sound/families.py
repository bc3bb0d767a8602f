"""The families of the sound: words replaced, spoken, resynthesised, or changed in pitch or pace.

A family is a function `(edit, rng) -> (audio, parameters)` and its registration. Most of them make
other speech of the right length, which `splice` puts in. Nothing here knows about files, picture,
labels or splits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from train.forge.reencode import draw_audio_codec, reencode_audio
from train.forge.registry import SOUND_FAMILIES, sound_family
from train.forge.sound.splicing import SoundEdit, crossfade, splice
from train.forge.sound.text_to_speech import ESPEAK, FLITE, KOKORO, PIPER, Engine, speak_sentence
from train.forge.sound.vocoders import (
    HOP_SAMPLES,
    RATE_HZ,
    draw_frame_rate,
    draw_vocoder,
    frame_levels,
    pitch_shift,
    time_stretch,
    vocode,
)

CONTEXT_SAMPLES = RATE_HZ // 2  # what a vocoder hears beside the span
OWN_WORDS_SHARE = 0.6  # of copy-synthesis: the words stay, and only the voice is made anew


def forge_sound(
    audio: np.ndarray,
    span: tuple[int, int],
    family: str,
    rng: np.random.Generator,
    donor: np.ndarray | None = None,
    test_voices: bool = False,
    vocoder: str | None = None,
    donor_start: int | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """A copy of `audio (S,) float32` with the samples `[start, end)` forged, and its parameters.

    For the other arguments see `SoundEdit`. Raises `ValueError` for an unknown family, and for one
    that needs a donor and has none.
    """
    entry = SOUND_FAMILIES.get(family)
    if entry is None:
        raise ValueError(f"unknown family of the sound: {family}")
    if entry.donor == "other person" and donor is None:
        raise ValueError(f"{family} needs another person's speech")
    return entry.forge(SoundEdit(audio, span, donor, donor_start, vocoder, test_voices), rng)


@sound_family("other-utterance", donor="same person")
def replace_utterance(
    edit: SoundEdit, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """Other words of the same person, from this clip or another."""
    return splice(edit, _other_words(edit, rng), rng, match_levels=True), {}


@sound_family("other-speaker", donor="other person")
def replace_speaker(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The words of somebody else."""
    return splice(edit, _other_words(edit, rng), rng, 0.5, match_levels=True), {}


def _speak(
    edit: SoundEdit, rng: np.random.Generator, engine: Engine
) -> tuple[np.ndarray, dict[str, Any]]:
    speech, params = speak_sentence(edit.length, engine, rng, edit.test_voices)
    return splice(edit, speech, rng, 1.0, match_levels=True), params


@sound_family("tts", requires=ESPEAK.requirement)
def speak_by_espeak(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """A sentence by a formant synthesiser."""
    return _speak(edit, rng, ESPEAK)


@sound_family("piper", requires=PIPER.requirement)
def speak_by_piper(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """A sentence by a neural voice (VITS)."""
    return _speak(edit, rng, PIPER)


@sound_family("kokoro", requires=KOKORO.requirement)
def speak_by_kokoro(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """A sentence by neural voices (StyleTTS 2), blended at random."""
    return _speak(edit, rng, KOKORO)


@sound_family("copy-synthesis", weight=6.0, donor="same person")
def resynthesise(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Speech taken apart and rebuilt by a vocoder, as today's speech synthesis ends."""
    start, end = edit.span
    vocoder, own_words = draw_vocoder(rng, edit.vocoder), bool(rng.random() < OWN_WORDS_SHARE)
    before = min(CONTEXT_SAMPLES, start) if own_words else 0
    source = edit.audio[start - before : end + CONTEXT_SAMPLES]
    if not own_words:
        source = _other_words(edit, rng)
    frames_hz = draw_frame_rate(rng)
    speech = vocode(source, vocoder, rng, frames_hz)[before : before + edit.length]
    match_spectrum = float(rng.choice([0.0, 0.5]))
    params: dict[str, Any] = {"vocoder": Path(vocoder).name, "own_words": own_words}
    if vocoder == edit.vocoder:
        params["frames_hz"] = round(frames_hz, 2)
    return splice(edit, speech, rng, match_spectrum), params


@sound_family("pitch")
def change_pitch(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The same words, one or two semitones higher or lower."""
    semitones = int(rng.choice([-2, -1, 1, 2]))
    return splice(edit, pitch_shift(edit.replaced, semitones), rng), {"semitones": semitones}


@sound_family("speed")
def change_speed(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The same words sooner or later, at the same pitch."""
    rate = round(float(rng.choice([0.85, 0.92, 1.08, 1.15])), 2)
    source = np.pad(edit.audio[edit.span[0] :], (0, edit.length), "wrap")
    speech = time_stretch(source[: round(edit.length * rate) + 1], rate)[: edit.length]
    return splice(edit, speech, rng), {"rate": rate}


@sound_family("flite", held_out=True, requires=FLITE.requirement)
def speak_by_flite(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """A sentence by unit selection and hidden Markov models."""
    return _speak(edit, rng, FLITE)


@sound_family("null", null=True)
def delay(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The clip's own sound less than a sample later: all of a forgery but its content."""
    delayed = _delay(edit.audio, float(rng.uniform(0.2, 0.8)))
    return crossfade(edit, delayed[slice(*edit.span)], rng), {}


@sound_family("recoded", null=True)
def reencode_sound(edit: SoundEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The clip's own sound through one more codec."""
    codec, kbits = draw_audio_codec(rng)
    decoded = reencode_audio(edit.audio, codec, kbits)[slice(*edit.span)]
    return crossfade(edit, decoded, rng), {"codec": codec, "kbits": kbits}


def _other_words(edit: SoundEdit, rng: np.random.Generator) -> np.ndarray:
    """Speech of another moment, `(length,) float64`, of the donor, if there is one, or the clip."""
    source = _repeat(edit.audio if edit.donor is None else edit.donor, edit.length)
    start = edit.donor_start
    if start is None:
        start = draw_donor_start(edit.audio, edit.span, edit.donor, rng)
    return source[start : start + edit.length].astype(np.float64)


def draw_donor_start(
    audio: np.ndarray,
    span: tuple[int, int],
    donor: np.ndarray | None,
    rng: np.random.Generator,
    grid: int = HOP_SAMPLES,
) -> int:
    """The sample, a multiple of `grid`, at which as much other speech begins as the span is long.

    It is one of the donor, or, without one, of the clip outside the span. Of a few random starts
    that one wins whose pauses lie where those of the span do.
    """
    start, end = span
    length = end - start
    source = _repeat(audio if donor is None else donor, length)
    starts = np.arange(0, len(source) - length + 1, grid)
    if donor is None:
        distance = np.abs(starts - start)
        starts = starts[distance >= min(length, distance.max())]
    wanted = is_loud(audio)[start // HOP_SAMPLES :]
    present = is_loud(source)
    tried = rng.choice(starts, min(24, len(starts)), replace=False)
    return min((_mismatch(present[s // HOP_SAMPLES :], wanted, length), int(s)) for s in tried)[1]


def is_loud(audio: np.ndarray) -> np.ndarray:
    """Which blocks of 10 ms are within 20 dB of the clip's loud moments, `(S // 160,) bool`."""
    levels = frame_levels(audio)
    return levels > 0.1 * np.quantile(levels, 0.9)


def _mismatch(present: np.ndarray, wanted: np.ndarray, length: int) -> float:
    """The share of blocks of 10 ms that are loud in one of the two only."""
    blocks = min(length // HOP_SAMPLES, len(present), len(wanted))
    return float((present[:blocks] != wanted[:blocks]).mean())


def _repeat(audio: np.ndarray, length: int) -> np.ndarray:
    """`audio`, repeated if it is shorter than `length`."""
    return np.tile(audio, -(-length // max(1, len(audio)))) if len(audio) < length else audio


def _delay(audio: np.ndarray, samples: float) -> np.ndarray:
    """`audio` later by a fraction of a sample."""
    spectrum = np.fft.rfft(audio, 2 * len(audio))
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * len(audio)) * samples)
    return np.fft.irfft(spectrum * turn)[: len(audio)]
