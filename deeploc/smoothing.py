"""The one smoothing of curves that have holes. Nothing here knows what a curve means."""

from __future__ import annotations

import numpy as np


def smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of the scored neighbours `(T,)`, sigma in steps; NaN stays NaN."""
    radius = int(np.ceil(3 * sigma))
    if not radius or not len(values):
        return values
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    scored = ~np.isnan(values)
    total, weight = (
        np.convolve(track, kernel)[radius : radius + len(values)]
        for track in (np.where(scored, values, 0.0), scored.astype(float))
    )
    mean: np.ndarray = np.divide(total, weight, out=np.full(len(values), np.nan), where=scored)
    return mean
