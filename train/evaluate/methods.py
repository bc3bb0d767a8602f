"""The methods that one evaluation compares: the checkpoint, its reconstruction error alone, chance,
and other checkpoints on the same autoencoder, all on the same evidence.

It knows neither the truth nor a metric.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from deeploc.checkpoints import load_checkpoint
from deeploc.curves import FORGERY_SCORE
from deeploc.evidence import Evidence, error_scores, forgery_scores
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.scores import FrameScores, Stream
from train.data.evidence_store import EvidenceScaler

CHECKPOINT, ERROR, CHANCE = "checkpoint", "reconstruction error alone", "chance"
Scores = Mapping[str, Mapping[Stream, FrameScores]]


@dataclass(frozen=True)
class Method:
    """Scores by file and stream, and the stored thresholds, empty for what was not calibrated."""

    scores: Scores
    thresholds: Mapping[str, float] = field(default_factory=dict)


def all_methods(
    model: RTDeepLoc, evidence: Mapping[str, Evidence], beside: Mapping[str, Path]
) -> dict[str, Method]:
    """Methods by name. `evidence` by file, standardised by `model`; `beside`: checkpoint folders by
    name, each of which reads it standardised by its own statistics.

    Raises `ValueError` for one of `beside` that stands on another autoencoder.
    """
    found = {file: forgery_scores(model, item) for file, item in evidence.items()}
    methods = {
        CHECKPOINT: Method(found, model.calibration.thresholds),
        ERROR: Method({file: error_scores(item) for file, item in evidence.items()}),
        CHANCE: Method(chance(found)),
    }
    for name, folder in beside.items():
        other, _ = load_checkpoint(folder)
        if not _same_autoencoder(model, other):
            raise ValueError(f"{folder} stands on another autoencoder: evaluate it by itself")
        own, theirs = EvidenceScaler.of(model), EvidenceScaler.of(other)
        scores = {
            file: forgery_scores(other, theirs.standardised(own.raw(item)))
            for file, item in evidence.items()
        }
        methods[name] = Method(scores, other.calibration.thresholds)
    return methods


def chance(like: Scores) -> Scores:
    """Uniform noise on the same grids, seeded by the file's name."""
    noise = {}
    for file, streams in like.items():
        rng = np.random.default_rng(zlib.crc32(file.encode()))
        noise[file] = {stream: _noise(scores, rng) for stream, scores in streams.items()}
    return noise


def _noise(like: FrameScores, rng: np.random.Generator) -> FrameScores:
    values = np.where(like.scored, rng.random(like.grid.n_frames), np.nan)
    return FrameScores(like.grid, like.stream, FORGERY_SCORE, values.astype(np.float32))


def _same_autoencoder(model: RTDeepLoc, other: RTDeepLoc) -> bool:
    one, two = (
        {key: value for key, value in each.state_dict().items() if key.startswith("mae.")}
        for each in (model, other)
    )
    return one.keys() == two.keys() and all(
        one[key].shape == two[key].shape and torch.equal(one[key], two[key]) for key in one
    )
