"""Caches as `extract` and `measure_clips` leave them, of made-up numbers."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deeploc.annotations import ClipTruth, write_lavdf
from deeploc.models.rt_deeploc import TINY
from train.data.cache import ClipTensors, cached_path
from train.data.evidence_store import autoencoder_digest

CLIPS = (("train", 12), ("dev", 6), ("test", 6))
STEPS = 75


def made_cache(folder: Path, clips=CLIPS, size: int = TINY.crop) -> Path:
    """Clips of 3 s; the forged half holds noise in picture and sound for half a second."""
    rng = np.random.default_rng(0)
    rows = []
    for split, count in clips:
        for number in range(count):
            faces = np.full((STEPS, size, size, 3), 90 + number, np.uint8)
            faces += rng.integers(0, 6, faces.shape, dtype=np.uint8)
            mel = rng.normal(-6, 0.3, (4 * STEPS, 90)).astype(np.float32)
            lines = rng.normal(size=(STEPS, 6)).astype(np.float32)
            forged = bool(number % 2)
            if forged:
                faces[30:45] = rng.integers(0, 255, faces[30:45].shape, dtype=np.uint8)
                mel[120:180] += rng.normal(0, 3, (60, 90))
                lines[30:45] += 3
            name = f"{split}/{number:03}.mp4"
            here = np.ones(STEPS, bool)
            scene, around = np.zeros(STEPS, int), np.zeros((STEPS, 2, 4))
            tensors = ClipTensors(faces, mel, lines, here, here, scene, around)
            tensors.save(cached_path(folder, name))
            rows.append(
                {
                    "file": name,
                    "split": split,
                    "n_fakes": int(forged),
                    "fake_periods": [[1.2, 1.8]] if forged else [],
                    "duration": 3.0,
                    "original": None,
                    "modify_video": forged,
                    "modify_audio": forged,
                    "video_frames": STEPS,
                    "audio_channels": 1,
                    "audio_frames": 48_000,
                    "identity": f"{split}-{number // 2}",
                }
            )
    (folder / "metadata.json").write_text(json.dumps(rows))
    return folder


def measured_cache(folder: Path, checkpoint: Path, clips: Sequence[ClipTruth]) -> Path:
    """A cache of clips of 3 s without tensors, whose evidence by the checkpoint is there already:
    noise."""
    rng = np.random.default_rng(0)
    evidence = folder / "evidence" / autoencoder_digest(checkpoint)
    for clip in clips:
        for path in (cached_path(folder, clip.file), cached_path(evidence, clip.file)):
            path.parent.mkdir(parents=True, exist_ok=True)
        cached_path(folder, clip.file).touch()
        shapes = {"visual": (36, 12), "audio": (10, 12), "lines": (6,), "surroundings": (2, 4)}
        values = {name: rng.normal(size=(STEPS, *shape)) for name, shape in shapes.items()}
        np.savez(cached_path(evidence, clip.file), **values, scenes=np.zeros(STEPS, int))
    write_lavdf(clips, folder / "metadata.json")
    return folder
