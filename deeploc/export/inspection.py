"""Views of what the MAE rebuilt: the face as a small mp4, the sound as a log-mel.

original | reconstruction | error, one frame a step, written while the windows pass: of the picture,
no more than a batch of windows is ever held. Nothing here scores anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.media.writer import Mp4Writer
from deeploc.preprocess.audio import MEL_BINS, MEL_PER_STEP
from deeploc.preprocess.windows import OverlapAdd, Window

TILE = 192
GREY = 128
# viridis, as the heat over the video has it
COLOURS = np.array(
    [
        (68, 1, 84),
        (70, 50, 127),
        (54, 92, 141),
        (39, 127, 142),
        (31, 161, 135),
        (74, 194, 109),
        (159, 218, 58),
        (253, 231, 37),
    ]
)
# a frame is never more than 9 frames behind one that can be decoded alone: seeks stay fast
ENCODING = {"crf": "23", "preset": "superfast", "mbtree": "0", "g": "10", "bf": "0"}


class InspectionWriter:
    """Collects what the MAE rebuilt of a clip of `n_frames` steps, and writes it to the mp4 `path`.

    `scale`: that of `heat_scale`. It is a `ReconstructionObserver`: `add` takes a batch of
    windows, `finish` the error of the steps that no later window sees.
    """

    def __init__(self, path: Path, writer: Mp4Writer, n_frames: int, scale: list[float]) -> None:
        self.path = path
        self.written = 0
        self._writer = writer
        self._scale = scale
        self._mel = OverlapAdd(MEL_PER_STEP * n_frames, (MEL_BINS,))
        self._steps: dict[int, tuple[np.ndarray, list[np.ndarray]]] = {}

    def add(
        self,
        batch: Sequence[Window],
        pictures: np.ndarray,
        mels: np.ndarray,
        seen: np.ndarray,
        heard: np.ndarray,
    ) -> None:
        """What was rebuilt of B windows: `pictures (B, K, H, W, 3) uint8`, `mels (B, 4K, 80)`;
        `seen`, `heard (B, K) bool`: where it could be."""
        mels = np.where(heard.repeat(MEL_PER_STEP, axis=1)[..., None], mels, np.nan)
        for window, rebuilt, mel, known in zip(batch, pictures, mels, seen, strict=True):
            self._mel.add(MEL_PER_STEP * window.start, mel)
            for offset in np.flatnonzero(known):
                step = window.start + int(offset)
                original = window.faces[offset]
                self._steps.setdefault(step, (original, []))[1].append(rebuilt[offset])

    def finish(self, error: np.ndarray) -> None:
        """Writes the next steps, whose face has the calibrated surprise `(n, cells)`."""
        for cells in error:
            original, rebuilt = self._steps.pop(self.written, (None, []))
            if original is None:
                picture = np.full((TILE, 3 * TILE, 3), GREY, np.uint8)
            else:
                mean = np.mean(np.stack(rebuilt), axis=0).round().astype(np.uint8)
                tiles = _tile(original), _tile(mean), error_tile(cells, self._scale)
                picture = np.concatenate(tiles, axis=1)
            self._writer.add_frame(picture, self.written, 1)
            self.written += 1

    @property
    def rebuilt_mel(self) -> np.ndarray:
        """`(4T, 80) float32`: the rebuilt log-mel, NaN where there was nothing to hear."""
        return self._mel.mean()


@contextmanager
def open_inspection(path: Path, n_frames: int, scale: list[float]) -> Iterator[InspectionWriter]:
    """A writer whose mp4 is at `path` once the block ends; nothing is there if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = Fraction(VIDEO_RATE_HZ)
    with TemporaryDirectory(dir=path.parent) as unfinished:
        draft = Path(unfinished) / path.name
        with Mp4Writer(draft, (3 * TILE, TILE), 1 / rate, rate, None, ENCODING) as writer:
            yield InspectionWriter(path, writer, n_frames, scale)
        draft.replace(path)


def error_tile(cells: np.ndarray, scale: list[float]) -> np.ndarray:
    """Surprise `(cells,)` -> `(TILE, TILE, 3) uint8`: black up to the authentic p50, in full colour
    from p95 on, hottest at the end of the scale."""
    p50, p95, _, top = scale
    share = np.clip((cells - p50) / (top - p50), 0, 1) * (len(COLOURS) - 1)
    stops = np.arange(len(COLOURS))
    colours = np.stack([np.interp(share, stops, channel) for channel in COLOURS.T], axis=-1)
    colours *= np.clip((cells - p50) / (p95 - p50), 0, 1)[:, None]
    side = round(len(cells) ** 0.5)
    small = np.round(colours).astype(np.uint8).reshape(side, side, 3)
    return np.asarray(Image.fromarray(small).resize((TILE, TILE), Image.Resampling.NEAREST))


def _tile(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.BILINEAR))
