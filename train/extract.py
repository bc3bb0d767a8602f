"""`python -m train.extract CORPUS CACHE`: a corpus as the tensors that training reads.

The same decoding, face tracking, cropping and sound as `deeploc.localizer`. Resumable: clips that
are in the cache are skipped. A clip without a usable face is reported and left out.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from deeploc.annotations import read_annotations
from deeploc.errors import DeepLocError
from deeploc.faces.crop import crop_faces, crop_squares
from deeploc.faces.detector import FaceDetector
from deeploc.faces.tracker import track_faces
from deeploc.media import open_clip
from deeploc.models.mae import MAEConfig
from deeploc.sound import heard_steps, log_mel
from train.data import METADATA, ClipTensors, cached_path


def extract_clip(path: Path, detector: FaceDetector, size: int) -> ClipTensors:
    """Decode, track, crop: one clip as tensors. Raises `DeepLocError` where the localizer would."""
    clip = open_clip(path)
    track = track_faces(clip, detector, lambda done, total: None)[0]
    crops = list(crop_faces(clip, crop_squares(track), size))
    seen = np.array([crop is not None for crop in crops])
    blank = np.zeros((size, size, 3), np.uint8)
    faces = np.stack([blank if crop is None else crop for crop in crops])
    audio = clip.audio if clip.audio is not None else np.zeros(0, np.float32)
    return ClipTensors(faces, log_mel(audio, len(crops)), seen, heard_steps(clip))


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    return FaceDetector()


def _work(file: str, corpus: Path, cache: Path, size: int) -> str | None:
    target = cached_path(cache, file)
    if target.exists():
        return None
    try:
        extract_clip(corpus / file, _detector(), size).save(target)
    except DeepLocError as error:
        return f"{file}: {error}"
    except Exception as error:  # one clip never stops a corpus
        return f"{file}: {error!r}"
    return None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.extract", description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder with metadata.json and its clips")
    parser.add_argument("cache", type=Path, help="folder for the tensors")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    args = parser.parse_args(arguments)
    args.cache.mkdir(parents=True, exist_ok=True)
    files = [annotation.file for annotation in read_annotations(args.corpus / METADATA)]
    work = partial(_work, corpus=args.corpus, cache=args.cache, size=MAEConfig().face)
    with ProcessPoolExecutor(
        args.workers, get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        for problem in tqdm(pool.map(work, files), total=len(files), unit="clip"):
            if problem:
                print(problem, file=sys.stderr)
    shutil.copyfile(args.corpus / METADATA, args.cache / METADATA)


if __name__ == "__main__":
    main()
