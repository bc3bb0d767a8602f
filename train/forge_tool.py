"""What a forging tool leaves around the face that it forged: the trace of its own file.

A tool hands over a file, so its pictures were coded lossily once more than those around them before
they are cut into the clip. Nothing here knows what was forged, or why.
"""

from __future__ import annotations

import io
from typing import Any, cast

import av
import numpy as np

from deeploc.media import VIDEO_RATE_HZ
from train.forge_face import Picture, Region, region_alpha

HEAD = Region(down=-0.45, half_width=1.3, half_height=1.5, feather=0.3)
CODECS = {"libx264": (16, 33), "mpeg4": (2, 9), "mjpeg": (2, 12)}
LEAD_FRAMES = 12


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
