"""What the model is shown of a clip: face crops, log-mel and vocoder lines on the 25 Hz grid.

The localizer, extraction for training and tests all call this, so that they can't differ. It knows
nothing about windows, networks or labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deeploc.faces.crop import crop_faces, crop_squares
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import Clip
from deeploc.preprocess.audio import log_mel, steps_with_sound, vocoder_lines


@dataclass(frozen=True, eq=False)
class ModelInput:
    """A clip of T steps as the model is shown it.

    `faces` streams T crops `(size, size, 3) uint8` RGB, or None where the face is unseen; it can be
    read once, and decodes the clip while it is read. `mel (4T, 90) float32` is that of `log_mel`,
    `lines (T, 6) float32` those of `vocoder_lines`. `heard (T,) bool`: steps with sound.
    """

    faces: Iterator[np.ndarray | None]
    mel: np.ndarray
    lines: np.ndarray
    heard: np.ndarray


def prepare(clip: Clip, track: FaceTrack, size: int) -> ModelInput:
    """The face of a track, cropped to `size` pixels, and the sound of the clip.

    A clip without sound gets the features of silence, and is heard nowhere.
    """
    audio = clip.audio if clip.audio is not None else np.zeros(0, np.float32)
    faces = crop_faces(clip, crop_squares(track), size)
    heard = steps_with_sound(clip.sound_timeline, clip.grid)
    return ModelInput(faces, *prepare_sound(audio, clip.grid.n_frames), heard)


def prepare_sound(audio: np.ndarray, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """`audio (S,) float32` at 16 kHz -> `mel` and `lines` of `n_frames` steps, see `ModelInput`.

    What lies beyond the end of the audio is silence.
    """
    return log_mel(audio, n_frames), vocoder_lines(audio, n_frames)
