"""Media out: pictures and sound become an mp4. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ


class Mp4Writer:
    """Streams pictures and sound into an mp4: H.264 yuv420p, AAC mono, index first.

    A context manager: leaving it finishes the file, unless an exception does. The same calls give
    the same bytes. Sides are cropped to even numbers.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction,
        audio_rate_hz: int | None,
        options: dict[str, str],
        audio_bitrate: int = 128_000,
    ) -> None:
        muxing = {"movflags": "faststart", "fflags": "bitexact", "movie_timescale": "90000"}
        self.container = av.open(str(path), "w", format="mp4", options=muxing)
        self.time_base = time_base
        self.width, self.height = size[0] // 2 * 2, size[1] // 2 * 2
        self.video = self.container.add_stream("libx264", rate=rate, options=options)
        self.video.width, self.video.height = self.width, self.height
        self.video.pix_fmt = "yuv420p"
        self.video.codec_context.time_base = time_base
        self.video.codec_context.thread_count = 2  # fixed: the bytes depend on it
        self.audio = None
        if audio_rate_hz is not None:
            self.audio = self.container.add_stream("aac", rate=audio_rate_hz, layout="mono")
            self.audio.bit_rate = audio_bitrate
        self.written_samples = 0
        self.lengths: dict[int, int] = {}  # the encoder forgets how long a frame lasts

    def add_frame(self, picture: np.ndarray, pts: int, duration: int) -> None:
        """Adds `(H, W, 3) uint8` RGB, shown at `pts * time_base`."""
        even = np.ascontiguousarray(picture[: self.height, : self.width])
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        frame.pts, frame.time_base = pts, self.time_base
        self.lengths[pts] = duration
        self._mux_pictures(self.video.encode(frame))

    def _mux_pictures(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            if packet.pts in self.lengths:
                packet.duration = self.lengths.pop(packet.pts)
            self.container.mux(packet)

    def add_sound(self, samples: np.ndarray) -> None:
        """Adds `(n,) float32` right after the sound added before."""
        assert self.audio is not None
        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "flt", "mono")
        frame.sample_rate = self.audio.rate
        frame.pts, frame.time_base = self.written_samples, Fraction(1, self.audio.rate)
        self.written_samples += len(samples)
        self.container.mux(self.audio.encode(frame))

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        with self.container:
            if kind is None:
                self._mux_pictures(self.video.encode(None))
                if self.audio is not None:
                    self.container.mux(self.audio.encode(None))


def write_clip(
    path: str | Path,
    frames: Iterable[np.ndarray],
    audio: np.ndarray | None,
    rate_hz: float = VIDEO_RATE_HZ,
    crf: int = 20,
    audio_bitrate: int = 128_000,
) -> None:
    """Writes `(H, W, 3) uint8` RGB frames and `(S,) float32` 16 kHz sound as an H.264/AAC mp4.

    Streams; odd sides lose their last row or column. The same input gives the same bytes.
    """
    frames = iter(frames)
    picture: np.ndarray | None = next(frames)
    assert picture is not None
    rate = Fraction(rate_hz).limit_denominator(1001)
    audio_rate_hz = None if audio is None else AUDIO_RATE_HZ
    size = (picture.shape[1], picture.shape[0])
    # x264's macroblock tree differs from run to run on processors with AVX-512
    options = {"crf": str(crf), "preset": "veryfast", "mbtree": "0"}
    index = 0
    with Mp4Writer(
        Path(path), size, 1 / rate, rate, audio_rate_hz, options, audio_bitrate
    ) as writer:
        while picture is not None:
            writer.add_frame(picture, index, 1)
            if audio is not None:
                begin, end = (round(n * AUDIO_RATE_HZ / rate) for n in (index, index + 1))
                writer.add_sound(audio[begin:end])
            picture = next(frames, None)
            index += 1
        if audio is not None:
            writer.add_sound(audio[round(index * AUDIO_RATE_HZ / rate) :])
