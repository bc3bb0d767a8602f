"""Makers of small test clips. Frame `n` is one flat grey, `grey(n)`, so that a test can tell which
source frame it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

GREYS = 20


def grey(n: int) -> int:
    return 20 + 10 * (n % GREYS)


def shown(picture: np.ndarray) -> int:
    """Which frame, modulo `GREYS`, a decoded `(H, W, 3) uint8` picture shows."""
    return round((float(picture.mean()) - 20) / 10)


def counter_frames(n_frames: int, size: tuple[int, int] = (64, 48)) -> Iterator[np.ndarray]:
    for n in range(n_frames):
        yield np.full((size[1], size[0], 3), grey(n), np.uint8)


def click(seconds: float, at_s: float, rate_hz: int = 16_000) -> np.ndarray:
    """Silence with one click, `(S,) float32`: 5 ms of a 1 kHz tone that begins at `at_s`."""
    samples = np.zeros(round(seconds * rate_hz), np.float32)
    length = round(0.005 * rate_hz)
    begin = round(at_s * rate_hz)
    samples[begin : begin + length] = 0.8 * np.sin(np.arange(length) * 2 * np.pi * 1000 / rate_hz)
    return samples


def click_time(audio: np.ndarray, rate_hz: int = 16_000) -> float:
    """Where the click's energy begins, in seconds."""
    return float(np.argmax(np.abs(audio) > 0.25)) / rate_hz


def write_av(
    path: Path,
    times_s: Iterable[float],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    rate: Fraction = Fraction(25),
    audio: np.ndarray | None = None,
    audio_codec: str = "aac",
    audio_start_s: float = 0.0,
    audio_gap_s: tuple[float, float] = (0.0, 0.0),
    audio_rate_hz: int = 48_000,
    video_options: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    frames: Iterable[np.ndarray] | None = None,
    time_base: Fraction | None = None,
) -> Path:
    """Writes counter frames at the given times, and sound from `audio_start_s` on.

    `audio_gap_s`: where in the sound a gap opens, and how long it is.
    """
    times = list(times_s)
    gap_at_s, gap_s = audio_gap_s
    time_base = time_base or Fraction(1, 90_000)
    with av.open(str(path), "w", options=options or {}) as container:
        video = None
        if times:
            video = container.add_stream(codec, rate=rate, options=video_options or {})
            video.width, video.height, video.pix_fmt = *size, pix_fmt
            video.codec_context.time_base = time_base
        sound = None
        if audio is not None:
            sound = container.add_stream(audio_codec, rate=audio_rate_hz, layout="mono")
        pictures = frames if frames is not None else counter_frames(len(times), size)
        for time_s, picture in zip(times, pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time_s / time_base), time_base
            container.mux(video.encode(frame))
        if video is not None:
            container.mux(video.encode(None))
        if sound is not None:
            for begin in range(0, len(audio), 1024):
                part = av.AudioFrame.from_ndarray(audio[None, begin : begin + 1024], "flt", "mono")
                part.sample_rate, part.time_base = audio_rate_hz, Fraction(1, audio_rate_hz)
                late_s = audio_start_s + (begin / audio_rate_hz >= gap_at_s) * gap_s
                part.pts = round(late_s * audio_rate_hz) + begin
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))
    return path


def turn_mp4(path: Path, degrees: int) -> None:
    """Writes a rotation (90, 180, 270 clockwise) into the first track's display matrix."""
    turn = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (int.to_bytes(value * 65536, 4, "big", signed=True) for value in turn)
    zero = bytes(4)
    matrix = a + b + zero + c + d + zero + zero + zero + (0x40000000).to_bytes(4, "big")
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = matrix
    path.write_bytes(bytes(data))
