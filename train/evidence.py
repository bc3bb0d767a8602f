"""The evidence of every clip of a cache under one frozen MAE, measured once and kept on disk.

What is kept is raw, so that its statistics over authentic clips can be taken before anything is
standardised. It knows nothing about labels beyond authentic or forged.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from deeploc.checkpoints import WEIGHTS, load_checkpoint
from deeploc.measure import Evidence, measure
from deeploc.models.rt_deeploc import RTDeepLoc
from train.data import Sample, cached_path

_models: dict[Path, RTDeepLoc] = {}


def measure_samples(
    checkpoint: Path, samples: list[Sample], folder: Path, workers: int = 1
) -> list[Evidence]:
    """Standardised evidence of each sample, by the checkpoint's own statistics.

    Measured clips are kept under `folder`, by the hash of the weights.
    """
    digest = hashlib.sha256((checkpoint / WEIGHTS).read_bytes()).hexdigest()[:12]
    work = partial(_measure, checkpoint=checkpoint, folder=folder / digest)
    if workers == 1:
        return [work(sample) for sample in tqdm(samples, unit="clip")]
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        return list(tqdm(pool.map(work, samples), total=len(samples), unit="clip"))


def _measure(sample: Sample, checkpoint: Path, folder: Path) -> Evidence:
    path = cached_path(folder, sample.annotation.file)
    if not path.exists():
        if folder not in _models:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            _models[folder] = load_checkpoint(checkpoint)[0].to(device)
        clip = sample.tensors
        found = measure(_models[folder], clip.stream(), clip.mel, clip.heard)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial_path = path.with_name(path.name + ".part.npz")
        np.savez(
            partial_path,
            visual=found.visual.astype(np.float16),
            audio=found.audio.astype(np.float16),
        )
        partial_path.rename(path)
    with np.load(path) as stored:
        return Evidence(stored["visual"].astype(np.float32), stored["audio"].astype(np.float32))


def set_statistics(model: RTDeepLoc, authentic: list[Evidence]) -> None:
    """Mean and spread of raw evidence over authentic clips, into the model's buffers."""
    for name, clips in (
        ("face", [evidence.visual for evidence in authentic]),
        ("sound", [evidence.audio for evidence in authentic]),
    ):
        steps = np.concatenate(clips)
        mean, std = np.nanmean(steps, axis=0), np.nanstd(steps, axis=0)
        getattr(model, f"{name}_mean").copy_(torch.from_numpy(mean))
        getattr(model, f"{name}_std").copy_(torch.from_numpy(std).clamp(min=0.05))


def standardised(model: RTDeepLoc, raw: Evidence) -> Evidence:
    """Raw evidence under the statistics that `set_statistics` put into the model."""
    return Evidence(
        (raw.visual - model.face_mean.numpy()) / model.face_std.numpy(),
        (raw.audio - model.sound_mean.numpy()) / model.sound_std.numpy(),
    )
