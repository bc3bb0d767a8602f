"""Everyday silences: before the speech, behind it, and where the speaker pauses.

Every kind adds steps to the clip, in picture and sound, and changes none of those that it has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import istft, stft

from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.preprocess.audio import STEP_SAMPLES
from train.everyday.recording import Change, Recording, joined, samples_of, steps_of
from train.everyday.registry import everyday
from train.everyday.sound import RATE_HZ, STFT_OVERLAP, STFT_SAMPLES, levels, ratio_of, speech_level

SETTLE_S = 0.02
QUIET_SHARE = 0.2  # of the inner steps: where a speaker may pause


@everyday("silence-before", "sound")
def silence_before(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """The recording begins before the speech: silence under a picture that waits."""
    return _with_pause(recording, 0, (0.4, 2.5), rng)


@everyday("silence-behind", "sound")
def silence_behind(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """The recording goes on behind the speech: silence under a picture that waits."""
    return _with_pause(recording, recording.n_steps, (0.4, 2.5), rng)


@everyday("silence-within", "sound", held_out=True)
def silence_within(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """The speaker pauses, at a moment that is quiet anyway."""
    loudness = levels(recording.audio).reshape(recording.n_steps, -1).max(axis=1)
    inner = np.arange(recording.n_steps // 5, recording.n_steps - recording.n_steps // 5)
    count = max(1, round(QUIET_SHARE * len(inner)))
    quiet = inner[np.argsort(loudness[inner], kind="stable")[:count]]
    return _with_pause(recording, int(rng.choice(quiet)), (0.3, 1.6), rng)


def _with_pause(
    recording: Recording, at: int, seconds: tuple[float, float], rng: np.random.Generator
) -> Change:
    """The clip with a pause before step `at`."""
    length = max(2, steps_of(rng.uniform(*seconds)))
    picture = str(rng.choice(["still", "idle"], p=[0.65, 0.35]))
    step = min(at, recording.n_steps - 1)
    shown = np.full(length, step)
    if picture == "idle":
        reach = min(int(rng.integers(4, 16)), recording.n_steps - 1)
        shown = _swinging(step, reach, length, recording.n_steps)
    sound, params = _quiet(recording.audio, length * STEP_SAMPLES, rng)
    if rng.random() < 0.7:
        sound = _settled(sound, recording.audio, at * STEP_SAMPLES)
    pause = recording.taken(shown).added().with_audio(sound)
    parts = [recording.taken(np.arange(at)), pause]
    made = joined(*parts, recording.taken(np.arange(at, recording.n_steps)))
    params = {
        "seconds": round(length / VIDEO_RATE_HZ, 2),
        "at_step": at,
        "picture": picture,
    } | params
    return Change(made, ((at, at + length),), params)


def _swinging(step: int, reach: int, length: int, n_steps: int) -> np.ndarray:
    """`length` steps there and back again from `step`, towards the middle of the clip."""
    away = reach - np.abs(np.arange(length) % (2 * reach) - reach)
    return step + away if step + reach < n_steps else np.maximum(step - away, 0)


def _quiet(
    audio: np.ndarray, length: int, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """`length` samples without speech: none at all, the room of the clip, or a recorder's hiss."""
    manner = str(rng.choice(["digital", "room", "hiss"], p=[0.5, 0.35, 0.15]))
    noise = rng.normal(0, 1, length).astype(np.float32)
    if manner == "digital":
        return np.zeros(length, np.float32), {"sound": manner}
    if manner == "hiss":
        level_db = float(rng.uniform(-65, -35))
        noise *= speech_level(audio) * ratio_of(level_db)
        return noise, {"sound": manner, "level_db": round(level_db, 2)}
    gain_db = float(rng.uniform(-6, 3))
    return _room_noise(audio, noise) * ratio_of(gain_db), {
        "sound": manner,
        "level_db": round(gain_db, 2),
    }


def _room_noise(audio: np.ndarray, white: np.ndarray) -> np.ndarray:
    """White noise in the spectrum of the quieter moments of `audio`."""
    settings = {"fs": RATE_HZ, "nperseg": STFT_SAMPLES, "noverlap": STFT_OVERLAP}
    size = np.quantile(np.abs(stft(audio, **settings)[2]), 0.1, axis=1)
    spectrum = stft(white, **settings)[2]
    gain = size / (np.abs(spectrum).mean(axis=1) + 1e-9)
    made = istft(gain[:, None] * spectrum, **settings)[1]
    return np.pad(made, (0, max(0, len(white) - len(made))))[: len(white)].astype(np.float32)


def _settled(sound: np.ndarray, audio: np.ndarray, at: int) -> np.ndarray:
    """A pause before sample `at`, without clicks: its neighbours, mirrored, fade into its edges."""
    length = min(samples_of(SETTLE_S), len(sound) // 2)
    fading = np.linspace(1, 0, length, dtype=np.float32)
    sound = sound.copy()
    if at > 0:
        sound[:length] += fading * (audio[at - length : at][::-1] - sound[:length])
    if at < len(audio):
        edge = sound[-length:]
        sound[-length:] = edge + fading[::-1] * (audio[at : at + length][::-1] - edge)
    return sound
