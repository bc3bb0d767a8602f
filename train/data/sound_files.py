"""Files of sound without a picture, read and written on the audio rate of the models."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from deeploc.media.clip import AUDIO_RATE_HZ
from deeploc.media.decode import sound_chunks

SPEECH_BITRATE = 128_000


def read_sound(path: Path) -> np.ndarray:
    """All sound of a file, `(S,) float32`, 16 kHz mono; empty without any."""
    sound = np.zeros(0, np.float32)
    for start, samples in sound_chunks(path, 0.0, AUDIO_RATE_HZ):
        begin = max(start, 0)
        sound = np.pad(sound, (0, max(0, begin + len(samples) - len(sound))))
        sound[begin : begin + len(samples)] = samples
    return sound


def write_speech(path: Path, audio: np.ndarray) -> None:
    """`audio (S,) float32` at 16 kHz as AAC in an m4a, encoded as the sound of a clip is."""
    with av.open(str(path), "w", format="ipod", options={"fflags": "bitexact"}) as container:
        stream = container.add_stream("aac", rate=int(AUDIO_RATE_HZ), layout="mono")
        stream.bit_rate = SPEECH_BITRATE
        frame = av.AudioFrame.from_ndarray(audio[None].astype(np.float32), "flt", "mono")
        frame.sample_rate = int(AUDIO_RATE_HZ)
        frame.pts, frame.time_base = 0, Fraction(1, frame.sample_rate)  # or it comes out later
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
