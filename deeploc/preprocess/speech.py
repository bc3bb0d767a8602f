"""Where somebody speaks: steps without speech are no evidence of forged speech.

Silero VAD decides, whose weights lie in its package. Nothing here knows what is forged.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
import torch

from deeploc.media.clip import AUDIO_RATE_HZ
from deeploc.preprocess.audio import STEP_SAMPLES

LONGEST_PAUSE_MS = 400  # between words; longer ones are silence
MARGIN_MS = 60  # of speech, so that no word's edge is left out
SHORTEST_SPEECH_MS = 100
_one_at_a_time = Lock()  # the detector remembers what it has heard


def steps_with_speech(audio: np.ndarray, n_frames: int) -> np.ndarray:
    """`audio (S,) float32` at 16 kHz -> `(T,) bool`, T = `n_frames` 25 Hz steps: where somebody
    speaks, the pauses between words among them."""
    speaks = np.zeros(n_frames, bool)
    detector = _silero()
    with _one_at_a_time:
        spans = detector.get_speech_timestamps(
            torch.from_numpy(audio),
            _network(),
            sampling_rate=int(AUDIO_RATE_HZ),
            min_speech_duration_ms=SHORTEST_SPEECH_MS,
            min_silence_duration_ms=LONGEST_PAUSE_MS,
            speech_pad_ms=MARGIN_MS,
        )
    for span in spans:
        first, last = span["start"] / STEP_SAMPLES, span["end"] / STEP_SAMPLES
        speaks[int(first) : int(np.ceil(last))] = True
    return speaks


@lru_cache(maxsize=1)
def _silero() -> Any:
    """The package, whose import would leave all of torch with one thread."""
    threads = torch.get_num_threads()
    import silero_vad

    torch.set_num_threads(threads)
    return silero_vad


@lru_cache(maxsize=1)
def _network() -> Any:
    return _silero().load_silero_vad()
