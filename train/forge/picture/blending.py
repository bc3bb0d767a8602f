"""How forged pixels are put into a video: softly at the border, and fading in and out in time.

Nothing here knows where the pixels come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import dstn, idstn

from train.forge.picture.face import FaceVideo, Region, region_alpha
from train.forge.reencode import reencode_span

Patches = Callable[[int, slice, slice], np.ndarray]  # step, rows, columns -> (h, w, 3) pixels


@dataclass(frozen=True)
class PictureEdit:
    """A stretch of a video that a family of the picture is to forge.

    `span`: the steps `[start, end)`; nothing else may change. `region`: the part of the face that
    is replaced, None for a family that changes whole frames. `fade_frames`: frames of fading in and
    out. `donor`: the video of another person, or another one of the same, if the family takes one;
    `donor_start`: the step of the donor (or of the video itself) to begin with, where the sound is
    dubbed from the same moment.
    """

    video: FaceVideo
    span: tuple[int, int]
    region: Region | None
    fade_frames: int
    donor: FaceVideo | None = None
    donor_start: int | None = None

    @property
    def length(self) -> int:
        """Steps of the span."""
        return self.span[1] - self.span[0]


def paste(
    edit: PictureEdit, patches: Patches, params: dict[str, Any]
) -> tuple[np.ndarray, dict[str, Any]]:
    """The frames `(T, H, W, 3) uint8` with the edit's region replaced by patches, and `params` with
    the sizes of the region."""
    assert edit.region, "a family that pastes patches is registered with a region"
    frames = edit.video.frames.copy()
    size = frames.shape[1:3]
    for step in range(*edit.span):
        rows, columns, alpha = region_alpha(edit.video.landmarks[step], edit.region, size)
        alpha = (alpha * fade_weight(step, edit.span, edit.fade_frames))[..., None]
        mixed = alpha * patches(step, rows, columns) + (1 - alpha) * frames[step, rows, columns]
        frames[step, rows, columns] = np.clip(np.rint(mixed), 0, 255)
    return frames, params | {"region": [round(float(x), 3) for x in vars(edit.region).values()]}


def fade_weight(step: int, span: tuple[int, int], frames: int) -> float:
    """Weight 0..1 of a forgery at a step of its span, which fades in and out over `frames`."""
    return min(1.0, (min(step - span[0], span[1] - 1 - step) + 1) / (frames + 1))


def paste_reencoded(
    video: FaceVideo,
    forged: np.ndarray,
    span: tuple[int, int],
    codec: tuple[str, int],
    region: Region,
) -> tuple[np.ndarray, dict[str, Any]]:
    """The video's frames with the region taken from `forged (T, H, W, 3) uint8` after a codec.

    So a tool's own file leaves its trace: it is decoded, and its face is put back into the clip.
    """
    start, end = span
    decoded = reencode_span(forged, span, *codec)
    frames = video.frames.copy()
    for step in range(start, end):
        rows, columns, alpha = region_alpha(video.landmarks[step], region, frames.shape[1:3])
        alpha = alpha[..., None]
        mixed = alpha * decoded[step - start, rows, columns]
        mixed = mixed + (1 - alpha) * frames[step, rows, columns]
        frames[step, rows, columns] = np.clip(np.rint(mixed), 0, 255)
    return frames, {"codec": codec[0], "quality": codec[1]}


def close_seam(gap: np.ndarray) -> np.ndarray:
    """The edge of `gap (h, w, C)` continued smoothly inwards: Laplace's equation on a rectangle.

    Added to a patch whose edge differs from its surroundings by `gap`, it leaves no seam (the
    membrane of Poisson image editing, Pérez et al. 2003). Solved by sine transforms.
    """
    surface = gap.copy()
    surface[1:-1, 1:-1] = 0
    height, width = gap.shape[0] - 2, gap.shape[1] - 2
    if min(height, width) < 1:
        return surface
    source = np.zeros((height, width, gap.shape[2]))
    source[0] += gap[0, 1:-1]
    source[-1] += gap[-1, 1:-1]
    source[:, 0] += gap[1:-1, 0]
    source[:, -1] += gap[1:-1, -1]
    down = 2 - 2 * np.cos(np.pi * np.arange(1, height + 1) / (height + 1))
    across = 2 - 2 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1))
    spectrum = dstn(source, type=1, axes=(0, 1)) / (down[:, None] + across)[..., None]
    surface[1:-1, 1:-1] = idstn(spectrum, type=1, axes=(0, 1))
    return surface
