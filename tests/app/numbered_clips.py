"""Clips whose pictures carry their own index, to be read back from what a browser shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from deeploc.media.writer import Mp4Writer

BITS, SIDE = 10, 16
TICKS = 90_000  # a second


def ticks(rate: Fraction | None, n_frames: int) -> list[int]:
    """When each frame is shown, in `TICKS`; without a rate it varies from 10 to 60 a second."""
    if rate is not None:
        return [round(index * TICKS / rate) for index in range(n_frames)]
    gaps = np.random.default_rng(3).choice([1500, 3000, 3003, 3600, 9000], n_frames)
    return np.concatenate([[0], np.cumsum(gaps[:-1])]).tolist()


def write_numbered(path: Path, rate: Fraction | None, n_frames: int) -> Path:
    """An H.264 mp4 with reordered frames; bit b of the index is white or black in column b."""
    times = ticks(rate, n_frames)
    ends = [*times[1:], times[-1] + 3000]
    options = {"crf": "20", "preset": "veryfast", "g": "48", "bf": "2"}
    size = (BITS * SIDE, 2 * SIDE)
    with Mp4Writer(path, size, Fraction(1, TICKS), rate or Fraction(30), None, options) as writer:
        for index, (start, end) in enumerate(zip(times, ends, strict=True)):
            bits = [255 * (index >> bit & 1) for bit in range(BITS)]
            row = np.repeat(np.array(bits, np.uint8), SIDE)
            picture = np.broadcast_to(row[None, :, None], (2 * SIDE, BITS * SIDE, 3))
            writer.add_frame(picture, start, end - start)
    return path


# The index in the picture that a video element shows.
READ = f"""(video) => {{
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [{BITS * SIDE}, {2 * SIDE}];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    let index = 0;
    for (let bit = 0; bit < {BITS}; bit++) {{
        const [value] = context.getImageData(bit * {SIDE} + {SIDE // 2}, {SIDE}, 1, 1).data;
        if (value > 127) index |= 1 << bit;
    }}
    return index;
}}"""
