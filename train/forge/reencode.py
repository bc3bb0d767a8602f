"""Lossy re-encoding of pictures and sound: encoded into a file in memory, and decoded again.

A forging tool writes a file of its own, so its frames went through one more codec than those around
them. So did many authentic clips, which stay authentic. Nothing here knows what is forged.
"""

from __future__ import annotations

import io
from typing import cast

import av
import numpy as np
from scipy.signal import correlate

from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ

VIDEO_CODECS = {"libx264": (16, 33), "mpeg4": (2, 9), "mjpeg": (2, 12)}
AUDIO_CODECS = {"aac": "adts", "libmp3lame": "mp3", "libopus": "ogg"}
AUDIO_KBITS = (24, 32, 48, 64, 96)
LEAD_FRAMES = 12  # encoded before and after a stretch, so that it isn't the file's beginning
MAX_DELAY_SAMPLES = 4000


def draw_video_codec(rng: np.random.Generator) -> tuple[str, int]:
    """A video codec and its quality: the CRF of H.264, the quantiser of the others."""
    codec = str(rng.choice(list(VIDEO_CODECS), p=[0.6, 0.25, 0.15]))
    return codec, int(rng.integers(*VIDEO_CODECS[codec]))


def draw_audio_codec(rng: np.random.Generator) -> tuple[str, int]:
    """An audio codec and its bitrate in kbit/s."""
    return str(rng.choice(list(AUDIO_CODECS))), int(rng.choice(AUDIO_KBITS))


def reencode_audio(audio: np.ndarray, codec: str, kbits: int) -> np.ndarray:
    """`audio (S,)` at 16 kHz through a codec, `(S,) float64`, without the codec's delay."""
    buffer, rate_hz = io.BytesIO(), int(AUDIO_RATE_HZ)
    with av.open(buffer, "w", format=AUDIO_CODECS[codec]) as container:
        stream = cast(av.AudioStream, container.add_stream(codec, rate=rate_hz, layout="mono"))
        stream.bit_rate = kbits * 1000
        stream.codec_context.thread_count = 1
        frame = av.AudioFrame.from_ndarray(audio[None].astype(np.float32), "flt", "mono")
        frame.sample_rate = rate_hz
        same = av.AudioResampler(stream.format, "mono", rate_hz)
        for part in [*same.resample(frame), None]:
            for packet in stream.encode(part):
                container.mux(packet)
    buffer.seek(0)
    back = av.AudioResampler("flt", "mono", rate_hz)
    with av.open(buffer, "r") as container:
        frames = [part for frame in container.decode(audio=0) for part in back.resample(frame)]
    decoded = [part.to_ndarray()[0] for part in [*frames, *back.resample(None)]]
    return _undelay(np.concatenate(decoded).astype(np.float64), audio)


def _undelay(decoded: np.ndarray, audio: np.ndarray) -> np.ndarray:
    """`decoded` shifted back by the delay at which it resembles `audio` most, and as long."""
    longest = MAX_DELAY_SAMPLES + len(audio)
    decoded = np.pad(decoded, (0, longest))[:longest]
    delay = int(np.argmax(correlate(decoded, audio, "valid", "fft")[: MAX_DELAY_SAMPLES + 1]))
    return decoded[delay : delay + len(audio)]


def reencode_frames(
    frames: np.ndarray, codec: str, quality: int, kbits: int | None = None
) -> np.ndarray:
    """`frames (T, H, W, 3) uint8`, H and W even, through a video codec.

    `kbits`: a bitrate in kbit/s that H.264 keeps to instead of a quality. `libvpx-vp9` takes a CRF.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=round(VIDEO_RATE_HZ)))
        stream.codec_context.thread_count = 1  # the same bytes everywhere
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "libx264":
            # mbtree: see `deeploc.media.write_clip`
            stream.options = {"preset": "veryfast", "mbtree": "0"}
            if kbits is None:
                stream.options |= {"crf": str(quality)}
            else:
                stream.bit_rate = kbits * 1000
        elif codec == "libvpx-vp9":
            stream.bit_rate = 0  # the CRF alone decides
            stream.options = {"crf": str(quality), "deadline": "realtime", "cpu-used": "8"}
        else:
            stream.bit_rate = 50_000_000
            stream.options = {"qmin": str(quality), "qmax": str(quality)}
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == len(frames), (codec, len(shown), len(frames))
    return np.stack(shown)


def reencode_span(
    frames: np.ndarray, span: tuple[int, int], codec: str, quality: int
) -> np.ndarray:
    """The steps `[start, end)` of `frames (T, H, W, 3) uint8` through a codec.

    Some frames before and after are encoded with them, but not returned.
    """
    start, end = span
    first, last = max(0, start - LEAD_FRAMES), min(len(frames), end + LEAD_FRAMES)
    return reencode_frames(frames[first:last], codec, quality)[start - first : end - first]
