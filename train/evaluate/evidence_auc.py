"""Frame AUC of each single value of the evidence, without any network.

It says which target of the autoencoder carries traces, not what a network makes of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from deeploc.evidence import Evidence
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.metrics import step_labels
from deeploc.models.fdn import FACE_ZONES, SOUND_ZONES, relative_to_usual
from deeploc.models.mae import BANDS
from deeploc.models.rt_deeploc import KINDS, VALUES
from deeploc.timeline import FrameGrid
from train.data.cache import CachedClip

ZONES = {
    "visual": (FACE_ZONES, ("edges", "forehead", "eyes", "nose", "mouth")),
    "audio": (SOUND_ZONES, ("low", "middle", "high")),
}
NAMES = tuple(f"{kind}, {band}" for kind in KINDS for band in BANDS)
SINGLE_STREAMS: tuple[Literal["visual", "audio"], ...] = ("visual", "audio")


def evidence_aucs(
    samples: list[CachedClip], evidence: Mapping[str, Evidence]
) -> dict[str, dict[str, dict[str, float]]]:
    """Frame AUC inside forged clips of every value, less its median over the clip, by stream, by
    name of the value, by zone.

    Below 0.5 the value is lower where the clip is forged; NaN where no clip is forged.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for stream in SINGLE_STREAMS:
        zones, names = ZONES[stream]
        labels, columns = [np.zeros(0, bool)], [np.zeros((0, len(names) * VALUES))]
        for sample in samples:
            segments = sample.annotation.segments[stream]
            if not segments:
                continue
            own = evidence[sample.annotation.file]
            raw = torch.from_numpy(own.visual if stream == "visual" else own.audio)
            known = own.seen if stream == "visual" else own.heard
            means = (zones.to(raw) @ raw).flatten(1)
            valid = torch.from_numpy(known)[None]
            relative = relative_to_usual(means[None], valid)[0, known, : means.shape[1]]
            labels.append(step_labels(segments, FrameGrid(VIDEO_RATE_HZ, len(raw)))[known])
            columns.append(relative.numpy())
        found[stream] = _aucs(np.concatenate(labels), np.concatenate(columns), names)
    return found


def _aucs(
    forged: np.ndarray, columns: np.ndarray, zones: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """`forged (N,) bool`, `columns (N, zones x values)` of the steps that were measured."""
    both = forged.any() and not forged.all()
    return {
        name: {
            zone: float(roc_auc_score(forged, columns[:, place * VALUES + value]))
            if both
            else float("nan")
            for place, zone in enumerate(zones)
        }
        for value, name in enumerate(NAMES)
    }
