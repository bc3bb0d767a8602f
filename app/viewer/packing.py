"""Evidence arrays -> small JSON: base64 bytes on fixed scales, thinned where no display shows more.

Nothing here chooses what is shown.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np

from deeploc.calibration import heat_scale
from deeploc.faces.track import FaceTrack
from deeploc.report import FaceEvidence, SoundEvidence

NOTHING = 255  # packed value of what was not scored; 254 is the top of the scale
NO_BOX = -32768
LOUDNESS = (-12.0, 4.0)  # log-mel shown, the same for every clip
SPECTROGRAM_BYTES = 2_000_000
BOX_EVERY = 5  # steps: boxes move smoothly, the page interpolates


def packed(values: np.ndarray) -> str:
    """Bytes of an array, little-endian, as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def on_scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values -> uint8: 0 at `low`, 254 at `high` and beyond, 255 for NaN."""
    share = (values.astype(np.float32) - low) / (high - low)
    found = np.full(values.shape, NOTHING, np.uint8)
    known = ~np.isnan(share)
    found[known] = np.clip(np.round(share[known] * 254), 0, 254)
    return found


def pack_heat(evidence: FaceEvidence, marks: Mapping[str, list[float]]) -> dict:
    """Heat `(T, R, C)` on the fixed scale, with the square of each step."""
    scale = heat_scale(marks)
    return {
        "rows": evidence.heat.shape[1],
        "cols": evidence.heat.shape[2],
        "scale": scale,
        "calibrated": "cell" in marks,
        "face": evidence.track.number,
        "cells": packed(on_scale(evidence.heat, 0, scale[-1])),
        "squares": [_square(row) for row in evidence.crops],
    }


def _square(row: np.ndarray) -> list[int] | None:
    return None if np.isnan(row).any() else [round(float(side)) for side in row]


def pack_sound(sound: SoundEvidence, marks: Mapping[str, list[float]], rate_hz: float) -> dict:
    """Error by row `(T, rows)` on the fixed scale; spectrograms `(n, bins)`, bins low to high."""
    scale = heat_scale(marks, "row")
    return {
        "rows": sound.error.shape[1],
        "rate": rate_hz,
        "scale": scale,
        "calibrated": "row" in marks or "cell" in marks,
        "face_marks": "row" not in marks,
        "heat": packed(on_scale(sound.error, 0, scale[-1])),
        "mel": _spectrograms(sound, rate_hz),
    }


def _spectrograms(sound: SoundEvidence, rate_hz: float) -> dict:
    by, fold = thinning(sound.mel.size)
    mel_rate_hz = rate_hz * len(sound.mel) / len(sound.error)

    def drawn(mel: np.ndarray) -> str:
        shape = (len(mel) // by, by, mel.shape[1] // fold, fold)
        thin = mel.astype(np.float32).reshape(shape).mean((1, 3))
        return packed(on_scale(thin, *LOUDNESS))

    return {
        "bins": sound.mel.shape[1] // fold,
        "rate": mel_rate_hz / by,
        "range": LOUDNESS,
        "original": drawn(sound.mel),
        "rebuilt": None if sound.rebuilt is None else drawn(sound.rebuilt),
    }


def thinning(size: int) -> tuple[int, int]:
    """How many neighbours in time, and in frequency, become one in a spectrogram of `size`."""
    for by, fold in ((1, 1), (2, 1), (4, 1)):
        if 2 * size <= SPECTROGRAM_BYTES * by * fold:
            return by, fold
    return 4, 2


def pack_waveform(sound: SoundEvidence, rate_hz: float) -> dict:
    """Lowest and highest sample of each hundredth of a second, int8."""
    low, high = np.round(np.clip(sound.peaks.astype(np.float32), -1, 1) * 127).astype(np.int8).T
    return {"rate": rate_hz * len(low) / len(sound.error), "low": packed(low), "high": packed(high)}


def pack_track(track: FaceTrack, rate_hz: float) -> dict:
    """Boxes `(n, 4)` xyxy int16, `rate` a second from `first / rate` s on; NO_BOX where unseen."""
    boxes = track.boxes[::BOX_EVERY]
    seen = np.flatnonzero(~np.isnan(boxes[:, 0]))
    first, end = (seen[0], seen[-1] + 1) if len(seen) else (0, 0)
    part = boxes[first:end]
    known = np.where(np.isnan(part), NO_BOX, np.clip(np.nan_to_num(part), NO_BOX + 1, 32767))
    return {
        "number": track.number,
        "presence": round(track.presence, 3),
        "height": round(track.height),
        "rate": rate_hz / BOX_EVERY,
        "first": int(first),
        "boxes": packed(np.round(known).astype("<i2")),
    }
