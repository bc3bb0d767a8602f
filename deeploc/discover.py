"""Evidence -> forgery scores of every step and of the clip.

One function for the localizer, for calibration and for evaluation, so that they can't differ. It
knows nothing about media or intervals.
"""

from __future__ import annotations

import numpy as np
import torch

from deeploc.measure import Evidence, fused_error
from deeploc.media import VIDEO_RATE_HZ
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.scores import STREAMS, FrameScores, Kind, Stream
from deeploc.timeline import FrameGrid


@torch.inference_mode()
def discover(model: RTDeepLoc, evidence: Evidence) -> dict[Stream, FrameScores]:
    """Forgery score of every step, 0..1, by stream; fused is scored where either stream is."""
    device = next(model.parameters()).device
    seen, heard = evidence.seen, evidence.heard
    tensors = (
        torch.from_numpy(array)[None].to(device)
        for array in (evidence.visual, evidence.audio, evidence.lines, seen, heard)
    )
    scores = model.discover(*tensors)[0].cpu().numpy()
    known = np.stack([seen, heard, seen | heard], axis=1)
    return _frame_scores("forgery", np.where(known, scores, np.nan).T)


def errors(evidence: Evidence) -> dict[Stream, FrameScores]:
    """The shown reconstruction error of every step by stream (`deeploc.measure.clip_error`)."""
    curves = (evidence.visual_error, evidence.audio_error, fused_error(evidence))
    return _frame_scores("error", np.stack(curves))


def _frame_scores(kind: Kind, curves: np.ndarray) -> dict[Stream, FrameScores]:
    grid = FrameGrid(VIDEO_RATE_HZ, curves.shape[1])
    return {
        stream: FrameScores(grid, stream, kind, values.astype(np.float32))
        for stream, values in zip(STREAMS, curves, strict=True)
    }
