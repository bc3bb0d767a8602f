"""A source decoded as all clips of a corpus are: 25 Hz, limited height, 16 kHz, one loudness.

Nothing here forges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.signal import butter, sosfiltfilt

from deeploc.errors import NoFace
from deeploc.faces.detector import FaceDetector
from deeploc.media.clip import AUDIO_RATE_HZ, open_clip
from deeploc.preprocess.audio import STEP_SAMPLES
from train.data.sound_files import read_sound
from train.forge.picture.face import FaceVideo, follow_landmarks
from train.forge.plan import SourceClip

LOUDNESS_DB = (-27, -20)
LOWEST_HZ = 30.0


@dataclass(frozen=True)
class Recording:
    """A decoded source: its video, if it has one, and `audio (S,) float32`, 640 samples a frame."""

    video: FaceVideo | None
    audio: np.ndarray

    @property
    def n_frames(self) -> int:
        """Steps of 25 Hz."""
        return len(self.audio) // STEP_SAMPLES


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    torch.set_num_threads(1)
    return FaceDetector()


@lru_cache(maxsize=4)
def load_recording(source: SourceClip, seed: int, height: int) -> Recording:
    """The source's frames, at most `height` pixels high, its landmarks and its sound.

    Raises `DeepLocError` when there is no face or no sound.
    """
    rng = np.random.default_rng([seed, source.number])
    if source.audio_only:
        return Recording(None, set_loudness(load_speech(source), rng))
    clip = open_clip(source.path)
    if clip.audio is None:
        raise NoFace("the clip has no sound; forging needs clips of people talking")
    frames = np.stack(
        [limit_height(frame, height) for frame in islice(clip.frames(), source.start, source.stop)]
    )
    audio = clip.audio[source.start * STEP_SAMPLES : source.stop * STEP_SAMPLES]
    audio = np.pad(audio, (0, len(frames) * STEP_SAMPLES))[: len(frames) * STEP_SAMPLES]
    audio = set_loudness(remove_offset(audio), rng)
    return Recording(FaceVideo(frames, follow_landmarks(frames, _detector())), audio)


def load_speech(source: SourceClip) -> np.ndarray:
    """The source's sound alone, `(S,) float32`, 640 samples a step."""
    first, last = (step * STEP_SAMPLES for step in (source.start, source.stop))
    return remove_offset(np.pad(read_sound(Path(source.path)), (0, last))[first:last])


def set_loudness(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`audio (S,) float32` at a loudness that is drawn for the clip."""
    wanted = 10 ** (rng.uniform(*LOUDNESS_DB) / 20)
    gain = wanted / (np.sqrt(np.mean(audio**2)) + 1e-6)
    gain = min(gain, 0.95 / (np.abs(audio).max() + 1e-6))
    return (audio * gain).astype(np.float32)


def remove_offset(audio: np.ndarray) -> np.ndarray:
    """`audio (S,)` above 30 Hz: without a recording's offset, which forged sound lacks."""
    high_pass = butter(2, LOWEST_HZ, "highpass", fs=AUDIO_RATE_HZ, output="sos")
    return sosfiltfilt(high_pass, audio).astype(np.float32)


def limit_height(frame: np.ndarray, height: int) -> np.ndarray:
    """The frame `(H, W, 3) uint8`, at most `height` pixels high, with even sides."""
    scale = min(1.0, height / frame.shape[0])
    size = [max(2, round(side * scale / 2) * 2) for side in frame.shape[:2]]
    if size == list(frame.shape[:2]):
        return frame
    return np.asarray(Image.fromarray(frame).resize(size[::-1], Image.Resampling.LANCZOS))
