"""Which steps of a clip can be scored, and why the others can't.

Only what can be judged is judged: a transition, a still picture or silence stands out as much as a
forgery does, and is none. Such steps take no part in what is usual for the clip either.
"""

from __future__ import annotations

import numpy as np

from deeploc.faces.track import FaceTrack
from deeploc.media.clip import Clip
from deeploc.media.shots import Shots
from deeploc.preprocess.audio import steps_with_sound
from deeploc.preprocess.speech import steps_with_speech

SCORABLE = ""
NO_FACE, FROZEN, CUT, SHORT_SHOT = "no usable face", "frozen picture", "cut", "shot too short"
NO_TRACK, NO_SOUND = "the file has no sound", "no sound"
NO_SPEECH, LITTLE_SPEECH = "no speech", "too little speech"
FEWEST_STEPS = 25  # that say what is usual in a scene, or for a voice


def picture_reasons(track: FaceTrack, shots: Shots) -> np.ndarray:
    """`(T,) str`: why the picture of a step can't be scored, "" where it can."""
    reasons = np.full(len(track.visible), SCORABLE, dtype="<U24")
    reasons[shots.cuts] = CUT
    reasons[shots.frozen] = FROZEN
    reasons[~track.visible] = NO_FACE
    for scene in np.unique(shots.scenes):
        usable = (shots.scenes == scene) & (reasons == SCORABLE)
        if usable.sum() < FEWEST_STEPS:
            reasons[usable] = SHORT_SHOT
    return reasons


def sound_reasons(clip: Clip) -> np.ndarray:
    """`(T,) str`: why the sound of a step can't be scored, "" where it can."""
    n_frames = clip.grid.n_frames
    if clip.audio is None:
        return np.full(n_frames, NO_TRACK, dtype="<U24")
    reasons = np.full(n_frames, SCORABLE, dtype="<U24")
    reasons[~steps_with_speech(clip.audio, n_frames)] = NO_SPEECH
    reasons[~steps_with_sound(clip.sound_timeline, clip.grid)] = NO_SOUND
    if (reasons == SCORABLE).sum() < FEWEST_STEPS:
        reasons[reasons == SCORABLE] = LITTLE_SPEECH
    return reasons
