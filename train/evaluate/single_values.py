"""What each value of the evidence tells alone: no network, nothing learnt.

It says which target of the autoencoder carries traces, not what a network makes of them together.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from deeploc.evidence import Evidence
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.metrics import (
    Ranking,
    step_labels,
)
from deeploc.models.fdn import (
    FACE_ZONES,
    SOUND_ZONES,
    clip_relative,
)
from deeploc.models.mae import BANDS
from deeploc.models.rt_deeploc import (
    KINDS,
    VALUES,
)
from deeploc.timeline import FrameGrid
from train.data.cache import CachedClip

ZONES = {
    "visual": (FACE_ZONES, ("edges", "forehead", "eyes", "nose", "mouth")),
    "audio": (SOUND_ZONES, ("low", "middle", "high")),
}
NAMES = tuple(f"{kind}, {band}" for kind in KINDS for band in BANDS)


def value_aucs(
    samples: list[CachedClip], evidence: Mapping[str, Evidence]
) -> dict[str, dict[str, dict[str, float]]]:
    """Frame AUC inside forged clips of every value, less its median over the clip, by stream, by
    name of the value, by zone. Below 0.5 it is lower where the clip is forged."""
    found = {}
    for stream, (zones, places) in ZONES.items():
        labels, values = [], []
        for sample in samples:
            segments = sample.annotation.segments[stream]  # type: ignore[index]
            if not segments:
                continue
            measured = evidence[sample.annotation.file]
            raw = torch.from_numpy(measured.visual if stream == "visual" else measured.audio)
            known = measured.seen if stream == "visual" else measured.heard
            means = (zones.to(raw) @ raw).flatten(1)
            own = clip_relative(means[None], torch.from_numpy(known)[None])[0, :, : means.shape[1]]
            labels.append(step_labels(segments, FrameGrid(VIDEO_RATE_HZ, len(raw))))
            values.append(np.where(known[:, None], own.numpy(), np.nan))
        found[stream] = _aucs(labels, values, places)
    return found


def _aucs(
    labels: list[np.ndarray], values: list[np.ndarray], places: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    forged = np.concatenate([np.zeros(0, bool), *labels])
    columns = np.concatenate([np.zeros((0, len(places) * VALUES)), *values])
    own = np.zeros(len(forged), int)
    return {
        name: {
            place: Ranking.of(forged, columns[:, zone * VALUES + value], own).auc(np.ones(1))
            for zone, place in enumerate(places)
        }
        for value, name in enumerate(NAMES)
    }
