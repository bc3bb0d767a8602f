"""A clip in memory, and what an everyday change makes of it.

Nothing here changes a clip, and nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ
from deeploc.preprocess.audio import STEP_SAMPLES
from deeploc.scores import Stream

ADDED = -1  # of `Recording.source_steps`: what was not in the clip


def steps_of(seconds: float) -> int:
    """The number of 25 Hz steps in a length of time."""
    return round(seconds * VIDEO_RATE_HZ)


def samples_of(seconds: float) -> int:
    """The number of 16 kHz samples in a length of time."""
    return round(seconds * AUDIO_RATE_HZ)


@dataclass(frozen=True)
class Recording:
    """`frames (T, H, W, 3) uint8` at 25 Hz with even sides, and their sound, `audio (640 T,)
    float32` at 16 kHz.

    `source_steps (T,) int`: of which step of the unchanged clip each step is, `ADDED` where it is
    of none. So the truth of a forged clip follows every change (`moved`). `face (T, 4) float32`:
    xyxy pixels of the talking face, NaN where there is none.
    """

    frames: np.ndarray
    audio: np.ndarray
    source_steps: np.ndarray
    face: np.ndarray

    def __post_init__(self) -> None:
        steps = len(self.frames)
        assert self.frames.dtype == np.uint8, self.frames.dtype
        assert self.audio.shape == (steps * STEP_SAMPLES,), (self.audio.shape, steps)
        assert self.audio.dtype == np.float32, self.audio.dtype
        assert self.source_steps.shape == (steps,), self.source_steps.shape
        assert self.face.shape == (steps, 4), self.face.shape

    @classmethod
    def of(cls, frames: np.ndarray, audio: np.ndarray, face: np.ndarray | None = None) -> Recording:
        """An unchanged clip; sound is cut, or padded with silence, to the length of the picture."""
        length = len(frames) * STEP_SAMPLES
        audio = np.pad(audio[:length], (0, max(0, length - len(audio)))).astype(np.float32)
        nowhere = np.full((len(frames), 4), np.nan, np.float32)
        steps = np.arange(len(frames))
        return cls(frames, audio, steps, nowhere if face is None else face.astype(np.float32))

    @property
    def n_steps(self) -> int:
        """The number of 25 Hz steps."""
        return len(self.frames)

    def with_frames(self, frames: np.ndarray) -> Recording:
        """The same sound and truth under other pixels `(T, H, W, 3)`."""
        assert len(frames) == self.n_steps, (len(frames), self.n_steps)
        if frames.dtype == np.uint8:
            return replace(self, frames=frames)
        return replace(self, frames=np.clip(np.rint(frames), 0, 255).astype(np.uint8))

    def with_audio(self, audio: np.ndarray) -> Recording:
        """The same picture and truth under other sound `(640 T,)`, clipped to -1..1."""
        return replace(self, audio=np.clip(audio, -1, 1).astype(np.float32))

    def taken(self, steps: np.ndarray) -> Recording:
        """The picture and sound of `steps (T',)` of this recording, in that order; a step may come
        twice, or not at all."""
        pieces = self.audio.reshape(-1, STEP_SAMPLES)[steps]
        return Recording(
            self.frames[steps], pieces.reshape(-1), self.source_steps[steps], self.face[steps]
        )

    def added(self) -> Recording:
        """The same picture and sound as material that was not in the clip."""
        return replace(self, source_steps=np.full(self.n_steps, ADDED))

    def moved(self, forged: np.ndarray) -> np.ndarray:
        """Which steps are forged, from `forged (T0,) bool` of the unchanged clip: `(T,) bool`."""
        return (self.source_steps != ADDED) & forged[np.maximum(self.source_steps, 0)]


def joined(*parts: Recording) -> Recording:
    """One recording after the other; all have the same size of picture."""
    return Recording(
        np.concatenate([part.frames for part in parts]),
        np.concatenate([part.audio for part in parts]),
        np.concatenate([part.source_steps for part in parts]),
        np.concatenate([part.face for part in parts]),
    )


@dataclass(frozen=True)
class Change:
    """What a kind of everyday change made: the changed clip, the steps `[start, end)` of it that
    look or sound other than before, and what was drawn.

    `covered`: the steps `[start, end)` in which another picture lies over the going-on sound.
    """

    recording: Recording
    spans: tuple[tuple[int, int], ...]
    params: dict[str, Any] = field(default_factory=dict)
    covered: tuple[tuple[int, int], ...] = ()

    def moved(self, forged: np.ndarray, stream: Stream) -> np.ndarray:
        """Which steps of a stream are forged after the change, from `forged (T0,) bool` of the
        unchanged clip: `(T,) bool`. A covered picture is not forged any more."""
        steps = self.recording.moved(forged)
        if stream == "visual":
            for start, end in self.covered:
                steps[start:end] = False
        return steps
