"""Pictures and sound after a lossy codec and back: the trace of a file that they went through.

A forging tool hands over a file, so its pictures were coded once more than those around them before
they are cut into the clip. So was many an authentic clip, which stays authentic. Nothing here knows
what was forged, or why.
"""

from __future__ import annotations

import io
from typing import Any, cast

import av
import numpy as np
from scipy.signal import correlate

from deeploc.media.clip import (
    AUDIO_RATE_HZ,
    VIDEO_RATE_HZ,
)
from train.forge.picture.face import (
    Picture,
    Region,
    region_alpha,
)

HEAD = Region(down=-0.45, half_width=1.3, half_height=1.5, feather=0.3)
CODECS = {"libx264": (16, 33), "mpeg4": (2, 9), "mjpeg": (2, 12)}
SOUND_CODECS = {"aac": "adts", "libmp3lame": "mp3", "libopus": "ogg"}
SOUND_KBITS = (24, 32, 48, 64, 96)
LEAD_FRAMES = 12
LONGEST_DELAY = 4000


def draw_coding(rng: np.random.Generator) -> tuple[str, int]:
    """A codec and its quality: crf of H.264, quantiser of the others."""
    codec = str(rng.choice(list(CODECS), p=[0.6, 0.25, 0.15]))
    return codec, int(rng.integers(*CODECS[codec]))


def handed_over(
    picture: Picture,
    forged: np.ndarray,
    span: tuple[int, int],
    coding: tuple[str, int],
    region: Region,
) -> tuple[np.ndarray, dict[str, Any]]:
    """The frames with the steps `[start, end)` of `forged (T, H, W, 3) uint8` as the tool's file
    shows them, pasted back in a region around the face."""
    start, end = span
    first, last = max(0, start - LEAD_FRAMES), min(len(forged), end + LEAD_FRAMES)
    shown = coded(forged[first:last], *coding)
    frames = picture.frames.copy()
    for step in range(start, end):
        rows, columns, alpha = region_alpha(picture.landmarks[step], region, frames.shape[1:3])
        alpha = alpha[..., None]
        mixed = alpha * shown[step - first, rows, columns]
        mixed = mixed + (1 - alpha) * frames[step, rows, columns]
        frames[step, rows, columns] = np.clip(np.rint(mixed), 0, 255)
    return frames, {"codec": coding[0], "quality": coding[1]}


def recoded(
    frames: np.ndarray, span: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """The frames `(T, H, W, 3) uint8` with the steps `[start, end)` after some codec and back."""
    start, end = span
    first, last = max(0, start - LEAD_FRAMES), min(len(frames), end + LEAD_FRAMES)
    codec, quality = draw_coding(rng)
    changed = frames.copy()
    changed[start:end] = coded(frames[first:last], codec, quality)[start - first : end - first]
    return changed, {"codec": codec, "quality": quality}


def draw_sound_coding(rng: np.random.Generator) -> tuple[str, int]:
    """A codec of sound and its bitrate in kbit/s."""
    return str(rng.choice(list(SOUND_CODECS))), int(rng.choice(SOUND_KBITS))


def coded_sound(audio: np.ndarray, codec: str, kbits: int) -> np.ndarray:
    """`(S,)` at 16 kHz after the codec and back, `(S,) float64`, where it was in time."""
    buffer, rate_hz = io.BytesIO(), int(AUDIO_RATE_HZ)
    with av.open(buffer, "w", format=SOUND_CODECS[codec]) as container:
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
    return _aligned(np.concatenate(decoded).astype(np.float64), audio)


def _aligned(late: np.ndarray, audio: np.ndarray) -> np.ndarray:
    """`late` without the delay that a codec gave it, as long as `audio`."""
    late = np.pad(late, (0, LONGEST_DELAY + len(audio)))[: LONGEST_DELAY + len(audio)]
    delay = int(np.argmax(correlate(late, audio, "valid", "fft")[: LONGEST_DELAY + 1]))
    return late[delay : delay + len(audio)]


def coded(frames: np.ndarray, codec: str, quality: int) -> np.ndarray:
    """`(T, H, W, 3) uint8`, H and W even, after the codec and back."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=round(VIDEO_RATE_HZ)))
        stream.codec_context.thread_count = 1  # the same bytes everywhere
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "libx264":
            # mbtree: see `deeploc.media.write_clip`
            stream.options = {"crf": str(quality), "preset": "veryfast", "mbtree": "0"}
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
