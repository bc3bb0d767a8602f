"""`python -m train extract --data PATH CACHE`: a dataset as the tensors that training reads.

PATH is a metadata file or the folder of a dataset in any format that `deeploc.annotations` reads:
LAV-DF, AV-Deepfake1M and ++, ForgeryNet, ActivityNet-style JSON, TVIL and Psynd as re-packed by
UMMAFormer, our CSV, or folders called authentic and forged. The cache's own `metadata.json` is
always in one layout, so that later steps needn't know where the clips came from.

The same decoding, face tracking, cropping and sound as `deeploc.localizer`. Resumable: clips that
are in the cache are skipped. A clip without a usable face is reported and left out; a sound file is
kept as speech without a picture, which the discovery network may learn from.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from tqdm import tqdm

from deeploc.annotations import (
    AUTO,
    DATASET_FORMATS,
    FOLDER,
    ClipTruth,
    Dataset,
    read_dataset,
    read_truths,
    write_lavdf,
)
from deeploc.errors import BadAnnotations, DeepLocError
from deeploc.faces.detector import FaceDetector
from deeploc.faces.tracker import track_faces
from deeploc.media.clip import MAX_MINUTES, VIDEO_RATE_HZ, open_clip
from deeploc.media.formats import is_sound
from deeploc.models.mae import MAEConfig
from deeploc.preprocess.audio import STEP_SAMPLES
from deeploc.preprocess.inputs import prepare, prepare_sound
from train.data.cache import METADATA, ClipTensors, cached_path
from train.data.sound_files import read_sound
from train.data.splits import with_splits

FORMATS = (AUTO, *DATASET_FORMATS, FOLDER)
APART_S, APART_SHARE = 0.1, 0.01  # what a clip may last longer or shorter than its annotation says


def extract_clip(path: Path, detector: FaceDetector, size: int) -> ClipTensors:
    """Decode, track, crop: one clip as tensors. Raises `DeepLocError` where the localizer would."""
    clip = open_clip(path, MAX_MINUTES)
    track = track_faces(clip, detector, lambda done, total: None)[0]
    given = prepare(clip, track, size)
    crops = list(given.faces)
    seen = np.array([crop is not None for crop in crops])
    blank = np.zeros((size, size, 3), np.uint8)
    faces = np.stack([blank if crop is None else crop for crop in crops])
    return ClipTensors(faces, given.mel, given.lines, seen, given.heard)


def extract_speech(path: Path) -> ClipTensors:
    """A sound file as tensors of a clip that is heard throughout and never seen."""
    audio = read_sound(path)
    n_frames = len(audio) // STEP_SAMPLES
    if not n_frames:
        raise DeepLocError("it holds no sound")
    nothing = np.zeros((n_frames, 0, 0, 3), np.uint8)
    everywhere = np.ones(n_frames, bool)
    return ClipTensors(nothing, *prepare_sound(audio, n_frames), ~everywhere, everywhere)


def _work(clip: ClipTruth, root: Path, cache: Path, size: int) -> str | None:
    """Extracts one clip; says what was wrong with it."""
    target = cached_path(cache, clip.file)
    if target.exists():
        return None
    try:
        if is_sound(clip.file):
            tensors = extract_speech(root / clip.file)
        else:
            tensors = extract_clip(root / clip.file, _detector(), size)
        tensors.save(target)
    except DeepLocError as error:
        return f"{clip.file} is left out: {error}"
    except Exception as error:  # one clip never stops a corpus
        return f"{clip.file} is left out: {error!r}"
    lasts, stated = len(tensors.seen) / VIDEO_RATE_HZ, clip.duration_s
    if stated is None or abs(lasts - stated) <= max(APART_S, APART_SHARE * stated):
        return None
    return (
        f"{clip.file} lasts {lasts:.2f} s where its annotation says {stated:.2f} s: "
        "the forged seconds may be off as well"
    )


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    return FaceDetector()


def write_metadata(path: Path, cache: Path, dataset: Dataset) -> list[ClipTruth]:
    """Writes the truth of a dataset into the cache, prints what it holds, and returns its clips.

    `path`: where the dataset was read. Raises `BadAnnotations` where the cache holds another
    dataset, or its clips can't be split.
    """
    annotations = with_splits(dataset.clips)
    known = cache / METADATA
    if known.exists():
        others = {clip.file for clip in read_truths(known)}
        others -= {clip.file for clip in annotations}
        if others:
            raise BadAnnotations(
                f"{cache} holds clips that {path} does not, for example "
                f"{min(others)}: choose another cache."
            )
    cache.mkdir(parents=True, exist_ok=True)
    write_lavdf(annotations, known)
    if dataset.absent:
        count, first = len(dataset.absent), dataset.absent[0]
        print(f"Not there: {count} of the listed clips, such as {first}.")
    if dataset.clips[0].split is None:
        print("The dataset names no splits: its people are split 60, 20, 20 %.")
        if not any(clip.identity for clip in annotations):
            print("It names no identities either: the same person may be in two splits.")
    counts = Counter((clip.split, "forged" if clip.forged else "authentic") for clip in annotations)
    for (split, kind), count in sorted(counts.items()):
        print(f"{split} {kind}: {count}")
    return annotations


def extract(
    cache: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="CACHE", help="folder for the tensors")
    ],
    data: Annotated[Path, tyro.conf.arg(help="metadata file or folder of a dataset")],
    format: Annotated[
        str,
        tyro.conf.arg(
            help=f"format of the metadata: {', '.join(FORMATS)}; {AUTO} tells it by its content"
        ),
    ] = AUTO,
    clips: Annotated[
        Path | None, tyro.conf.arg(help="folder of the clips, if it is not the metadata's")
    ] = None,
    workers: Annotated[int, tyro.conf.arg(help="processes")] = 1,
) -> None:
    """Extract all clips of a dataset that are not in the cache yet."""
    if format not in FORMATS:
        raise SystemExit(f"There is no format {format}: choose one of {', '.join(FORMATS)}.")
    try:
        dataset = read_dataset(data, format, clips)
        annotations = write_metadata(data, cache, dataset)
    except BadAnnotations as error:
        raise SystemExit(str(error)) from None
    work = partial(_work, root=dataset.root, cache=cache, size=MAEConfig().crop)
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for problem in tqdm(pool.map(work, annotations), total=len(annotations), unit="clip"):
            if problem:
                tqdm.write(problem, file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(extract, args=arguments, prog="python -m train extract", description=__doc__)


if __name__ == "__main__":
    main()
