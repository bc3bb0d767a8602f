"""`python -m train extract CACHE --data PATH`: datasets as the tensors that training reads.

PATH is a metadata file or the folder of a dataset in any format that `deeploc.annotations` reads:
LAV-DF, AV-Deepfake1M and ++, ForgeryNet, ActivityNet-style JSON, TVIL and Psynd as re-packed by
UMMAFormer, our CSV, or folders called authentic and forged. The cache's own `metadata.json` is
always in one layout, so that later steps needn't know where the clips came from. `--data A
--data B` puts several datasets into one cache; name them all to add another one later.

The same decoding, face tracking, cropping and sound as `deeploc.localizer`. Resumable: clips that
are in the cache are skipped. A clip without a usable face is reported and left out; a sound file is
kept as speech without a picture, which the discovery network may learn from.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
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
from deeploc.faces.surroundings import VALUES, ZONES
from deeploc.faces.tracker import track_faces
from deeploc.media.clip import MAX_MINUTES, VIDEO_RATE_HZ, open_clip
from deeploc.media.formats import is_sound
from deeploc.media.shots import find_shots
from deeploc.models.mae import MAEConfig
from deeploc.preprocess.audio import STEP_SAMPLES
from deeploc.preprocess.inputs import prepare, prepare_sound
from deeploc.preprocess.speech import steps_with_speech
from train.data.cache import METADATA, ClipTensors, cached_path
from train.data.datasets import in_one, in_several_splits
from train.data.sound_files import read_sound
from train.data.splits import with_splits

FORMATS = (AUTO, *DATASET_FORMATS, FOLDER)
APART_S, APART_SHARE = 0.1, 0.01  # what a clip may last longer or shorter than its annotation says


def extract_clip(path: Path, detector: FaceDetector, size: int) -> ClipTensors:
    """Decode, track, crop: one clip as tensors. Raises `DeepLocError` where the localizer would."""
    clip = open_clip(path, MAX_MINUTES)
    shots = find_shots(clip)
    track = track_faces(clip, shots, detector, lambda done, total: None)[0]
    given = prepare(clip, track, shots, size)
    crops = list(given.faces)
    seen = np.array([crop is not None for crop in crops])
    blank = np.zeros((size, size, 3), np.uint8)
    faces = np.stack([blank if crop is None else crop for crop in crops])
    steps = seen, given.heard, given.scenes, given.surroundings
    return ClipTensors(faces, given.mel, given.lines, *steps)


def extract_speech(path: Path) -> ClipTensors:
    """A sound file as tensors of a clip that is heard where somebody speaks, and never seen."""
    audio = read_sound(path)
    n_frames = len(audio) // STEP_SAMPLES
    if not n_frames:
        raise DeepLocError("it holds no sound")
    nothing = np.zeros((n_frames, 0, 0, 3), np.uint8)
    unseen, heard = np.zeros(n_frames, bool), steps_with_speech(audio, n_frames)
    scene, around = np.zeros(n_frames, int), np.full((n_frames, len(ZONES), len(VALUES)), np.nan)
    return ClipTensors(nothing, *prepare_sound(audio, n_frames), unseen, heard, scene, around)


def _work(clip: ClipTruth, path: Path, cache: Path, size: int) -> str | None:
    """Extracts one clip that lies at `path`; says what was wrong with it."""
    target = cached_path(cache, clip.file)
    if target.exists():
        return None
    try:
        if is_sound(clip.file):
            tensors = extract_speech(path)
        else:
            tensors = extract_clip(path, _detector(), size)
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


def write_metadata(cache: Path, datasets: Sequence[Dataset]) -> tuple[list[ClipTruth], list[Path]]:
    """Writes the truth of all datasets into the cache, prints what they hold, and returns their
    clips and where each lies.

    Raises `BadAnnotations` where the cache holds other clips, or the clips can't be split.
    """
    clips, paths = in_one(datasets)
    annotations = with_splits(clips)
    known = cache / METADATA
    if known.exists():
        others = {clip.file for clip in read_truths(known)}
        others -= {clip.file for clip in annotations}
        if others:
            raise BadAnnotations(
                f"{cache} holds clips that are not in {', '.join(str(d.root) for d in datasets)}, "
                f"for example {min(others)}: choose another cache, or name all of its datasets."
            )
    cache.mkdir(parents=True, exist_ok=True)
    write_lavdf(annotations, known)
    if absent := [file for dataset in datasets for file in dataset.absent]:
        print(f"Not there: {len(absent)} of the listed clips, such as {absent[0]}.")
    if clips[0].split is None:
        print("The dataset names no splits: its people are split 60, 20, 20 %.")
        if not any(clip.identity for clip in annotations):
            print("It names no identities either: the same person may be in two splits.")
    counts = Counter((clip.split, "forged" if clip.forged else "authentic") for clip in annotations)
    for (split, kind), count in sorted(counts.items()):
        print(f"{split} {kind}: {count}")
    if torn := in_several_splits(annotations):
        print(f"In more than one split: {len(torn)} identities, such as {torn[0]}.")
    return annotations, paths


def extract(
    cache: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="CACHE", help="folder for the tensors")
    ],
    data: Annotated[
        tyro.conf.UseAppendAction[tuple[Path, ...]],
        tyro.conf.arg(
            help="metadata file or folder of a dataset; of several, each in a folder of another "
            "name, the clips are called FOLDER/FILE"
        ),
    ] = (),
    format: Annotated[
        str,
        tyro.conf.arg(
            help=f"format of the metadata: {', '.join(FORMATS)}; {AUTO} tells it by its content"
        ),
    ] = AUTO,
    clips: Annotated[
        Path | None,
        tyro.conf.arg(help="folder of the clips, if it is not the metadata's; of one dataset"),
    ] = None,
    workers: Annotated[int, tyro.conf.arg(help="processes")] = 1,
) -> None:
    """Extract all clips of the datasets that are not in the cache yet."""
    if format not in FORMATS:
        raise SystemExit(f"There is no format {format}: choose one of {', '.join(FORMATS)}.")
    if not data or (clips and len(data) > 1):
        raise SystemExit("Name one dataset, or several without --clips.")
    try:
        datasets = [read_dataset(path, format, clips) for path in data]
        annotations, paths = write_metadata(cache, datasets)
    except BadAnnotations as error:
        raise SystemExit(str(error)) from None
    work = partial(_work, cache=cache, size=MAEConfig().crop)
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        said = pool.map(work, annotations, paths)
        for problem in tqdm(said, total=len(paths), unit="clip"):
            if problem:
                tqdm.write(problem, file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(extract, args=arguments, prog="python -m train extract", description=__doc__)


if __name__ == "__main__":
    main()
