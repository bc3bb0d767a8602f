"""Everyday sounds beside the voice: music, a door, a cough, a breath, laughter, applause.

All of them are synthesised. Every kind keeps the picture and the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.signal import butter, fftconvolve, sawtooth, sosfilt

from deeploc.preprocess.audio import STEP_SAMPLES
from train.everyday.recording import Change, Recording, samples_of
from train.everyday.registry import everyday
from train.everyday.sound import (
    LEVEL_SAMPLES,
    RATE_HZ,
    Span,
    draw_span,
    levels,
    ratio_of,
    room_response,
    span_weight,
    speech_level,
)

PROGRESSIONS = ((0, 9, 5, 7), (0, 7, 9, 5), (9, 5, 0, 7), (0, 5, 7, 5), (0, 0, 5, 7))  # semitones
MINOR_ROOTS = (2, 4, 9)
EDGE_S = 0.003


@everyday("music", "sound")
def music(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """Music that comes and goes under the speech, or accompanies all of it."""
    span = draw_span(recording.n_steps, (1.0, 5.0), rng, whole_share=0.25)
    level_db, fade_s = float(rng.uniform(-26, -4)), float(rng.choice([0.01, 0.3, 1.0]))
    sound, params = _played((span[1] - span[0]) * STEP_SAMPLES, rng)
    sound = _at_level(sound, recording.audio, level_db)
    heard = np.zeros_like(recording.audio)
    heard[span[0] * STEP_SAMPLES :][: len(sound)] = sound
    heard *= span_weight(recording.n_steps, span, fade_s)
    params |= {"level_db": round(level_db, 2), "fade_s": fade_s}
    return Change(recording.with_audio(recording.audio + heard), (span,), params)


@everyday("noise-burst", "sound")
def noise_burst(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """A door, a cough, a cup, or knocks: once, or up to three times."""
    manner = str(rng.choice(list(BURSTS)))
    count = int(rng.integers(1, 4))
    level_db = float(rng.uniform(-10, 12))
    events = [
        (_anywhere(recording, rng), BURSTS[manner](rng), level_db + float(rng.uniform(-3, 0)))
        for _ in range(count)
    ]
    params = {"manner": manner, "level_db": round(level_db, 2)}
    return _with_events(recording, events, rng, params)


@everyday("breath", "sound")
def breath(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The speaker breathes in, once to three times, at moments that are quiet anyway."""
    loudness = levels(recording.audio).reshape(recording.n_steps, -1).mean(axis=1)
    quiet = np.argsort(loudness, kind="stable")[: max(3, recording.n_steps // 4)]
    level_db = float(rng.uniform(-28, -8))
    events = []
    for step in rng.choice(quiet, int(rng.integers(1, 4)), replace=False):
        length = samples_of(rng.uniform(0.2, 0.7))
        noise = _formants(
            rng.normal(0, 1, length), rng.uniform((500, 1400, 2600), (900, 2200, 4200))
        )
        swell = np.sin(np.pi * np.linspace(0, 1, length) ** rng.uniform(0.6, 1.8)) ** 1.5
        events.append((int(step) * STEP_SAMPLES, noise * swell, level_db))
    return _with_events(recording, events, rng, {"level_db": round(level_db, 2)})


@everyday("laughter-or-applause", "sound", held_out=True)
def laughter_or_applause(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """People laugh or clap for a while: one of them, or a hall."""
    manner = str(rng.choice(["laughter", "applause"]))
    span = draw_span(recording.n_steps, (0.8, 4.0), rng)
    length = (span[1] - span[0]) * STEP_SAMPLES
    level_db = float(rng.uniform(-14, 8))
    if manner == "laughter":
        people = int(rng.integers(1, 8))
        sound = np.sum([_laughter(length, rng) for _ in range(people)], axis=0)
    else:
        people = round(np.exp(rng.uniform(np.log(3), np.log(150))))
        sound = _applause(length, people, rng)
    params = {"manner": manner, "people": people, "level_db": round(level_db, 2)}
    return _with_events(recording, [(span[0] * STEP_SAMPLES, sound, level_db)], rng, params, span)


def _anywhere(recording: Recording, rng: np.random.Generator) -> int:
    """A sample of the clip at which a short sound can begin."""
    return int(rng.integers(max(1, len(recording.audio) - 4 * STEP_SAMPLES)))


def _with_events(
    recording: Recording,
    events: list[tuple[int, np.ndarray, float]],
    rng: np.random.Generator,
    params: dict[str, Any],
    within: Span | None = None,
) -> Change:
    """The clip with sounds, each of them `(first sample, sound, level in dB beside the speech)`.

    They sound in one room. `within`: the steps after which they are cut; else the clip's end.
    """
    response = room_response(
        float(rng.uniform(0.1, 0.5)),
        float(rng.uniform(-2, 12)),
        float(rng.uniform(3000, 7000)),
        rng,
    )
    audio, spans = recording.audio.copy(), []
    last = len(audio) if within is None else within[1] * STEP_SAMPLES
    for start, sound, level_db in sorted(events, key=lambda event: event[0]):
        heard = fftconvolve(sound, response)[: last - start]
        heard = _at_level(heard, recording.audio, level_db)
        edge = min(samples_of(EDGE_S), len(heard) // 2)
        heard[:edge] *= np.linspace(0, 1, edge)
        heard[len(heard) - edge :] *= np.linspace(1, 0, edge)
        audio[start : start + len(heard)] += heard
        spans.append((start // STEP_SAMPLES, -(-(start + len(heard)) // STEP_SAMPLES)))
    seconds = [round(start / RATE_HZ, 3) for start, _, _ in events]
    params = params | {"starts_s": sorted(seconds)}
    return Change(recording.with_audio(audio), _merged(spans), params)


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    """Spans in order of their starts, joined where they touch."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _at_level(sound: np.ndarray, audio: np.ndarray, level_db: float) -> np.ndarray:
    """`sound` so loud that its loudest 20 ms are `level_db` above the speech in `audio`, cut where
    its end falls 45 dB below them."""
    loudness = levels(np.pad(sound, (0, -len(sound) % LEVEL_SAMPLES)))
    loudest = max(float(loudness.max()), 1e-9)
    end = (np.flatnonzero(loudness >= loudest * ratio_of(-45)).max(initial=0) + 1) * LEVEL_SAMPLES
    return (sound[:end] * speech_level(audio) * ratio_of(level_db) / loudest).astype(np.float32)


def _formants(source: np.ndarray, middles_hz: np.ndarray, width: float = 0.35) -> np.ndarray:
    """`source (S,)` through resonances at `middles_hz`, each softer than the one below."""
    made = np.zeros_like(source)
    for number, middle in enumerate(middles_hz):
        band = (middle * (1 - width / 2), min(middle * (1 + width / 2), 7600))
        made += 0.6**number * sosfilt(butter(1, band, "bandpass", fs=RATE_HZ, output="sos"), source)
    return made


def _falling(length: int, decay_s: float) -> np.ndarray:
    """A loudness `(length,)` that falls by 60 dB in `decay_s`."""
    return 10 ** (-3 * np.arange(length) / RATE_HZ / decay_s)


def _door(rng: np.random.Generator) -> np.ndarray:
    """A latch, and a heavy thump behind it."""
    length = samples_of(0.5)
    low = butter(2, rng.uniform(90, 300), fs=RATE_HZ, output="sos")
    sound = 8 * sosfilt(low, rng.normal(0, 1, length)) * _falling(length, rng.uniform(0.2, 0.45))
    latch = samples_of(0.03)
    at = int(rng.integers(samples_of(0.01), samples_of(0.12)))
    sound[at : at + latch] += rng.normal(0, 1, latch) * _falling(latch, 0.03)
    return sound


def _cough(rng: np.random.Generator) -> np.ndarray:
    """One cough: a burst of air, and a shorter voiced end."""
    length = samples_of(rng.uniform(0.25, 0.45))
    time = np.linspace(0, 1, length)
    burst = np.exp(-time * rng.uniform(5, 9)) * (1 - np.exp(-time * 60))
    ending = 0.4 * np.exp(-(((time - 0.6) / 0.12) ** 2))
    voice = sawtooth(2 * np.pi * np.cumsum(rng.uniform(90, 220) * (1.2 - 0.4 * time)) / RATE_HZ)
    source = burst * rng.normal(0, 1, length) + ending * (voice + rng.normal(0, 0.5, length))
    return _formants(source, rng.uniform((500, 1100, 2400), (900, 1700, 3400)), width=0.6)


def _cup(rng: np.random.Generator) -> np.ndarray:
    """A cup that is put down: high modes that ring, each for its own time."""
    length = samples_of(0.4)
    time_s = np.arange(length) / RATE_HZ
    sound = 0.3 * rng.normal(0, 1, length) * _falling(length, 0.02)
    for mode_hz in rng.uniform(1200, 6800, int(rng.integers(4, 9))):
        phase = rng.uniform(0, 2 * np.pi)
        ringing = rng.uniform(0.2, 1) * _falling(length, rng.uniform(0.06, 0.4))
        sound += ringing * np.sin(2 * np.pi * mode_hz * time_s + phase)
    return sound


def _knocks(rng: np.random.Generator) -> np.ndarray:
    """Two to five knocks on wood."""
    count, every_s = int(rng.integers(2, 6)), rng.uniform(0.1, 0.25)
    band = butter(
        1, np.sort(rng.uniform((120, 500), (350, 1600))), "bandpass", fs=RATE_HZ, output="sos"
    )
    knock = samples_of(0.08)
    sound = np.zeros(samples_of(count * every_s) + knock)
    for number in range(count):
        at = samples_of(number * every_s)
        sound[at : at + knock] += sosfilt(band, rng.normal(0, 1, knock)) * _falling(knock, 0.07)
    return sound


BURSTS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "door": _door,
    "cough": _cough,
    "cup": _cup,
    "knocks": _knocks,
}


def _laughter(length: int, rng: np.random.Generator) -> np.ndarray:
    """One person's laughter: a row of short voiced breaths that falls in pitch and loudness."""
    sound = np.zeros(length)
    rate_hz, pitch_hz = rng.uniform(4, 6.5), rng.uniform(140, 420)
    formants = rng.uniform((600, 1200, 2400), (900, 1800, 3300))
    start, count = int(rng.uniform(0, 0.3) * length), 0
    while start < length:
        syllable = min(samples_of(rng.uniform(0.07, 0.13)), length - start)
        hz = pitch_hz * rng.uniform(0.9, 1.1) * np.linspace(1.08, 0.9, syllable)
        source = sawtooth(2 * np.pi * np.cumsum(hz) / RATE_HZ) + rng.normal(0, 0.4, syllable)
        swell = np.sin(np.pi * np.linspace(0, 1, syllable)) ** 0.7
        sound[start : start + syllable] = _formants(source, formants, 0.5) * swell * 0.93**count
        start, count = start + samples_of(rng.uniform(0.9, 1.1) / rate_hz), count + 1
    return sound


def _applause(length: int, people: int, rng: np.random.Generator) -> np.ndarray:
    """Claps of people who each keep a rhythm and have hands of their own."""
    sound, clap = np.zeros(length), samples_of(0.03)
    hands = []
    for _ in range(min(people, 12)):  # the sounds of hands; the rhythms are as many as the people
        middle = rng.uniform(700, 2800)
        band = butter(1, (0.6 * middle, 1.5 * middle), "bandpass", fs=RATE_HZ, output="sos")
        hands.append(
            sosfilt(band, rng.normal(0, 1, clap)) * _falling(clap, rng.uniform(0.01, 0.03))
        )
    for person in range(people):
        every = samples_of(1 / rng.uniform(2.5, 5))
        times = np.arange(rng.integers(every), length, every)
        times = times + rng.normal(0, 0.05 * every, len(times)).astype(int)
        strikes = np.zeros(length)
        strikes[np.clip(times, 0, length - 1)] = rng.uniform(0.4, 1.0, len(times))
        hand = hands[person % len(hands)]
        for at in np.flatnonzero(strikes).tolist():
            end = min(at + clap, length)
            sound[at:end] += strikes[at] * hand[: end - at]
    return sound


def _played(length: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """`length` samples of chords, a bass, and often a beat."""
    tempo, root = float(rng.uniform(60, 140)), int(rng.integers(43, 56))
    manner = str(rng.choice(["pad", "plucked"]))
    has_beat = bool(rng.random() < 0.6)
    progression = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    beat = samples_of(60 / tempo)
    brightness = rng.uniform(0.8, 2.0)
    sound = np.zeros(length)
    first = int(rng.integers(4 * len(progression)))  # music rarely begins when it is heard
    for number, start in enumerate(range(0, length, beat)):
        position = first + number
        chord = progression[position // 4 % len(progression)]
        third = 3 if chord in MINOR_ROOTS else 4
        notes = root + chord + np.array([-12, 0, third, 7])
        if manner == "plucked":
            notes = np.append(notes[:1], notes[1 + position % 3] + 12)
        end = min(start + beat, length)
        time_s = np.arange(end - start) / RATE_HZ
        swell = _falling(len(time_s), 1.2) if manner == "plucked" else np.ones(len(time_s))
        swell = swell * np.minimum(1, time_s / 0.01) * np.minimum(1, time_s[::-1] / 0.02)
        for note in notes:
            hz = 440 * 2 ** ((note - 69) / 12)
            for harmonic in range(1, 6):
                wave = np.sin(2 * np.pi * hz * harmonic * time_s)
                sound[start:end] += swell * wave / harmonic**brightness
        if has_beat:
            sound[start:end] += _drums(len(time_s), position, rng)
    params = {"manner": manner, "tempo": round(tempo, 1), "beat": has_beat, "root": root}
    return sound, params


def _drums(length: int, position: int, rng: np.random.Generator) -> np.ndarray:
    """One beat: a bass drum or a snare, and a hi-hat."""
    time_s = np.arange(length) / RATE_HZ
    high = butter(2, 5000, "highpass", fs=RATE_HZ, output="sos")
    sound = sosfilt(high, rng.normal(0, 1.5, length)) * _falling(length, 0.08)
    if position % 2 == 0:
        sweep = 2 * np.pi * np.cumsum(50 + 100 * np.exp(-time_s * 30)) / RATE_HZ
        return sound + 4 * np.sin(sweep) * _falling(length, 0.35)
    return sound + rng.normal(0, 1.2, length) * _falling(length, 0.2)
