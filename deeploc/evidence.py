"""What is measured of every step (windows -> MAE -> evidence), and the scores made of it.

One module for the localizer, calibration and evaluation, so that they can't differ. It knows
nothing about files, labels, intervals, or what is made of the reconstructions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import torch

from deeploc.curves import FORGERY_SCORE, RECONSTRUCTION_ERROR, Curve
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.models.fdn import FACE_ZONES, SOUND_ZONES
from deeploc.models.mae import BANDS, Composite
from deeploc.models.rt_deeploc import VALUES, RTDeepLoc
from deeploc.preprocess.windows import OverlapAdd, Window, cut_windows
from deeploc.scores import STREAMS, FrameScores, Stream
from deeploc.timeline import FrameGrid

STRIDE = 8
BATCH = 16
TRACES = [
    kind * len(BANDS) + BANDS.index(band) for kind in (1, 2) for band in ("fine", "detail")
]  # of the evidence, hidden and cross-modal


@dataclass(frozen=True)
class Evidence:
    """Standardised evidence of a clip, NaN where it could not be measured.

    `visual (T, cells, 12)`, `audio (T, rows, 12)` float32; the 12 values are those of `RTDeepLoc`.
    `lines (T, 6) float32`: the lines of vocoders, which the discovery network is shown too.
    `surroundings (T, 2, 4) float32`: what is around the face (`SurroundingsMeter`), NaN where
    nothing is. `scenes (T,) int`: of each step the number of its scene. Without the first there is
    nothing around any face, without the second all steps are of one scene.
    """

    visual: np.ndarray
    audio: np.ndarray
    lines: np.ndarray
    scenes: np.ndarray | None = None
    surroundings: np.ndarray | None = None

    @property
    def seen(self) -> np.ndarray:
        """`(T,) bool`: steps whose picture was measured."""
        seen: np.ndarray = ~np.isnan(self.visual[:, 0, 0])
        return seen

    @property
    def heard(self) -> np.ndarray:
        """`(T,) bool`: steps whose sound was measured."""
        heard: np.ndarray = ~np.isnan(self.audio[:, 0, 0])
        return heard

    @property
    def face_error(self) -> np.ndarray:
        """`(T, cells)` two-sided surprise: root mean square over bands, hidden and cross-modal."""
        return surprise(self.visual)

    @property
    def sound_error(self) -> np.ndarray:
        """`(T, rows)` two-sided surprise of each row of patches of the log-mel, low to high."""
        return surprise(self.audio)

    @property
    def visual_error(self) -> np.ndarray:
        """`(T,)` the shown reconstruction error of the picture, see `clip_error`."""
        return clip_error(self.visual, FACE_ZONES, self.scenes)

    @property
    def audio_error(self) -> np.ndarray:
        """`(T,)` the same of the sound."""
        return clip_error(self.audio, SOUND_ZONES)


class ReconstructionObserver(Protocol):
    """Sees what the MAE rebuilds of a clip: batches and steps come in order, each once."""

    def add(
        self,
        batch: Sequence[Window],
        pictures: np.ndarray,
        mels: np.ndarray,
        seen: np.ndarray,
        heard: np.ndarray,
    ) -> None:
        """What was rebuilt of B windows of K steps.

        `pictures (B, K, H, W, 3) uint8`, `mels (B, 4K, 80)`; `seen`, `heard (B, K) bool`: where
        there was something to rebuild.
        """

    def finish(self, error: np.ndarray) -> None:
        """The next n steps are seen by no later window; their surprise is `error (n, cells)`."""


def surprise(evidence: np.ndarray) -> np.ndarray:
    """Evidence `(..., 12)` -> `(...)`: root mean square of the surprises in it."""
    surprises = evidence[..., len(BANDS) :]
    root_mean_square: np.ndarray = np.sqrt(np.square(surprises).mean(axis=-1))
    return root_mean_square


def clip_error(
    evidence: np.ndarray, zones: torch.Tensor, scenes: np.ndarray | None = None
) -> np.ndarray:
    """Evidence `(T, cells, 12)`, means over `zones (Z, cells)` -> `(T,)`: how far a step's surprise
    is, either way, from what is usual in its own scene, or in the clip without `scenes (T,)`.

    Root mean square, over zones, of the surprise in the two finest bands (`TRACES`), less its
    median over the scene. Forged content is often smoother than it should be, evenly over the face:
    single cells, coarse bands and what a camera does to the whole clip would drown that (on real
    generators the bare mean of all surprises was at chance).
    """
    if np.isnan(evidence).all():
        return evidence[:, 0, 0]
    own = np.einsum("zc,tcv->tzv", zones.numpy(), evidence[..., TRACES])
    for scene in [0] if scenes is None else np.unique(scenes):
        inside = slice(None) if scenes is None else scenes == scene
        if not np.isnan(own[inside]).all():
            own[inside] -= np.nanmedian(own[inside], axis=0)
    error: np.ndarray = np.sqrt(np.square(own).mean(axis=(1, 2)))
    return error


def fused_error(evidence: Evidence) -> np.ndarray:
    """`(T,)` the larger of both errors, or the one that there is; NaN where there is none."""
    larger: np.ndarray = np.fmax(evidence.visual_error, evidence.audio_error)
    return larger


@torch.inference_mode()
def measure_evidence(
    model: RTDeepLoc,
    faces: Iterable[np.ndarray | None],
    mel: np.ndarray,
    lines: np.ndarray,
    heard: np.ndarray,
    scenes: np.ndarray | None = None,
    surroundings: np.ndarray | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    observer: ReconstructionObserver | None = None,
    preview: Callable[[int, int, dict[str, np.ndarray]], None] | None = None,
    surprises: bool = True,
) -> Evidence:
    """Measure a clip of T steps.

    `faces`: T crops, or None where there is no face. `mel (4T, 90)` and `lines (T, 6)` are those of
    `log_mel` and `vocoder_lines`; `heard (T,) bool`, `scenes (T,) int`, `surroundings (T, 2, 4)`
    (may be filled while `faces` is read). `progress(done, total)` counts steps. `observer` sees
    what the MAE rebuilt. `preview(start, T, errors)` gets the errors by stream of the steps that
    are finished, each against these steps alone. Without `surprises` nothing is rebuilt, which is
    several times as fast: they are NaN then, and forgery scores need them only where they are an
    input of the network.

    Each step is seen by two windows that overlap by half; memory is bounded by one batch of
    windows. On CUDA it runs in bfloat16.
    """
    device = next(model.parameters()).device
    config = model.mae.config
    n_frames = len(heard)
    visual = OverlapAdd(n_frames, (config.cells**2, VALUES))
    audio = OverlapAdd(n_frames, (config.mel_rows, VALUES))
    windows = cut_windows(faces, mel, heard, config.crop, config.window, STRIDE)
    finished = 0
    for batch in _batches(windows):
        composite = Composite() if observer else None
        shown, played, seen, sounding = (
            torch.from_numpy(np.stack([getattr(window, name) for window in batch])).to(device)
            for name in ("faces", "mel", "seen", "heard")
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            picture, sound = model.measure_windows(
                shown, played, seen, sounding, composite, surprises
            )
        for window, one, other in zip(batch, picture.cpu(), sound.cpu(), strict=True):
            visual.add(window.start, one.numpy())
            audio.add(window.start, other.numpy())
        if observer and composite:
            rebuilt = [
                *model.mae.views(composite),
                *(~each[..., 0, 0].isnan() for each in (picture, sound)),
            ]
            observer.add(batch, *(array.cpu().numpy() for array in rebuilt))
        end = batch[-1].start + 1
        if observer:
            observer.finish(surprise(visual.mean(finished, end)))
        if preview:
            errors = {
                "visual": clip_error(visual.mean(finished, end), FACE_ZONES),
                "audio": clip_error(audio.mean(finished, end), SOUND_ZONES),
            }
            preview(finished, n_frames, errors)
        finished = end
        progress(batch[-1].start + config.window, n_frames)
    if observer:
        observer.finish(surprise(visual.mean(finished)))
    return Evidence(visual.mean(), audio.mean(), lines, scenes, surroundings)


def _batches(windows: Iterator[Window]) -> Iterator[list[Window]]:
    while batch := list(islice(windows, BATCH)):
        yield batch


@torch.inference_mode()
def forgery_scores(model: RTDeepLoc, evidence: Evidence) -> dict[Stream, FrameScores]:
    """Forgery score of every step, 0..1, by stream; fused is scored where either stream is."""
    device = next(model.parameters()).device
    seen, heard = evidence.seen, evidence.heard

    def one(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array)[None].to(device)

    scores = model.forgery_scores(
        one(evidence.visual),
        one(evidence.audio),
        one(evidence.lines),
        one(seen),
        one(heard),
        None if evidence.scenes is None else one(evidence.scenes),
        None if evidence.surroundings is None else one(evidence.surroundings),
    )[0]
    known = np.stack([seen, heard, seen | heard], axis=1)
    return _frame_scores(FORGERY_SCORE, np.where(known, scores.cpu().numpy(), np.nan).T)


def error_scores(evidence: Evidence) -> dict[Stream, FrameScores]:
    """The shown reconstruction error of every step by stream (`deeploc.evidence.clip_error`)."""
    curves = (evidence.visual_error, evidence.audio_error, fused_error(evidence))
    return _frame_scores(RECONSTRUCTION_ERROR, np.stack(curves))


def _frame_scores(curve: Curve, values: np.ndarray) -> dict[Stream, FrameScores]:
    grid = FrameGrid(VIDEO_RATE_HZ, values.shape[1])
    return {
        stream: FrameScores(grid, stream, curve, row.astype(np.float32))
        for stream, row in zip(STREAMS, values, strict=True)
    }
