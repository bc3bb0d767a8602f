"""What the model is shown of a clip: face crops, log-mel and vocoder lines on the 25 Hz grid.

The localizer, extraction for training and tests all call this, so that they can't differ. It knows
nothing about windows, networks or labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deeploc.faces.crop import crop_faces, crop_squares
from deeploc.faces.surroundings import VALUES, ZONES, SurroundingsMeter
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import Clip, LazyFrame
from deeploc.media.shots import Shots
from deeploc.preprocess.audio import log_mel, vocoder_lines
from deeploc.preprocess.scorable import SCORABLE, picture_reasons, sound_reasons


@dataclass(frozen=True, eq=False)
class ModelInput:
    """A clip of T steps as the model is shown it.

    `faces` streams T crops `(size, size, 3) uint8` RGB, or None where the face is unseen; it can be
    read once, and decodes the clip while it is read. `mel (4T, 90) float32` is that of `log_mel`,
    `lines (T, 6) float32` those of `vocoder_lines`. `heard (T,) bool`: steps whose sound can be
    scored. `surroundings (T, 2, 4) float32`: what `SurroundingsMeter` finds around the face, NaN
    until `faces` is read. `scenes (T,) int`: of each step the number of its scene (`Shots.scenes`).
    `picture_reasons`, `sound_reasons (T,) str`: why a step can't be scored, "" where it can.
    """

    faces: Iterator[np.ndarray | None]
    mel: np.ndarray
    lines: np.ndarray
    surroundings: np.ndarray
    scenes: np.ndarray
    picture_reasons: np.ndarray
    sound_reasons: np.ndarray

    @property
    def heard(self) -> np.ndarray:
        heard: np.ndarray = self.sound_reasons == SCORABLE
        return heard


def prepare(
    clip: Clip, track: FaceTrack, shots: Shots, size: int, around: bool = True
) -> ModelInput:
    """The face of a track, cropped to `size` pixels, and the sound of the clip.

    A clip without sound gets the features of silence, and is heard nowhere. `around`: whether the
    surroundings of the face are measured, for networks that read them.
    """
    audio = clip.audio if clip.audio is not None else np.zeros(0, np.float32)
    reasons = picture_reasons(track, shots)
    squares = np.where((reasons == SCORABLE)[:, None], crop_squares(track), np.nan)
    surroundings = np.full((len(squares), len(ZONES), len(VALUES)), np.nan, np.float32)
    frames = _measured(clip, squares, size, surroundings) if around else clip.lazy_frames()
    return ModelInput(
        crop_faces(frames, squares, size),
        *prepare_sound(audio, clip.grid.n_frames),
        surroundings,
        shots.scenes,
        reasons,
        sound_reasons(clip),
    )


def _measured(
    clip: Clip, squares: np.ndarray, size: int, surroundings: np.ndarray
) -> Iterator[LazyFrame]:
    """The pictures of the clip, around whose faces is measured on the way."""
    meter = SurroundingsMeter(size)
    for step, frame in enumerate(clip.lazy_frames()):
        surroundings[step] = meter(frame, squares[step])
        yield frame


def prepare_sound(audio: np.ndarray, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """`audio (S,) float32` at 16 kHz -> `mel` and `lines` of `n_frames` steps, see `ModelInput`.

    What lies beyond the end of the audio is silence.
    """
    return log_mel(audio, n_frames), vocoder_lines(audio, n_frames)
