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

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from deeploc.annotations import (
    AUTO,
    DATASET_FORMATS,
    FOLDER,
    ClipTruth,
    read_dataset,
    read_truths,
    write_lavdf,
)
from deeploc.errors import (
    BadAnnotations,
    DeepLocError,
)
from deeploc.faces.detector import FaceDetector
from deeploc.faces.tracker import track_faces
from deeploc.media.clip import (
    MAX_MINUTES,
    VIDEO_RATE_HZ,
    open_clip,
)
from deeploc.media.formats import is_sound
from deeploc.models.mae import MAEConfig
from deeploc.preprocess.audio import STEP_SAMPLES
from deeploc.preprocess.inputs import (
    prepare,
    prepare_sound,
)
from train.data.cache import (
    METADATA,
    ClipTensors,
    cached_path,
)
from train.data.sound_files import read_sound
from train.data.splits import with_splits

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


def _prepare(args: argparse.Namespace) -> tuple[Path, list[ClipTruth]]:
    """Reads the dataset and leaves its truth in the cache; the clips' folder and the clips.

    Raises `BadAnnotations`, also where the cache holds another dataset.
    """
    data = read_dataset(args.data, args.format, args.clips)
    annotations = with_splits(data.clips)
    known = args.cache / METADATA
    if known.exists():
        strangers = {clip.file for clip in read_truths(known)}
        strangers -= {clip.file for clip in annotations}
        if strangers:
            raise BadAnnotations(
                f"{args.cache} holds clips that {args.data} does not, for example "
                f"{min(strangers)}: choose another cache."
            )
    args.cache.mkdir(parents=True, exist_ok=True)
    write_lavdf(annotations, known)
    if data.absent:
        print(f"Not there: {len(data.absent)} of the listed clips, such as {data.absent[0]}.")
    if data.clips[0].split is None:
        print("The dataset names no splits: its people are split 60, 20, 20 %.")
        if not any(clip.identity for clip in annotations):
            print("It names no identities either: the same person may be in two splits.")
    counts = Counter((clip.split, "forged" if clip.forged else "authentic") for clip in annotations)
    for (split, kind), count in sorted(counts.items()):
        print(f"{split} {kind}: {count}")
    return data.root, annotations


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train extract", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="metadata file or dataset folder")
    parser.add_argument("cache", type=Path, help="folder for the tensors")
    parser.add_argument(
        "--format",
        choices=(AUTO, *DATASET_FORMATS, FOLDER),
        default=AUTO,
        help="the metadata's format (default: told by its content)",
    )
    parser.add_argument(
        "--clips", type=Path, help="folder of the clips, if it is not the metadata's"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    try:
        root, annotations = _prepare(args)
    except BadAnnotations as error:
        raise SystemExit(str(error)) from None
    work = partial(_work, root=root, cache=args.cache, size=MAEConfig().crop)
    with ProcessPoolExecutor(
        args.workers, get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        for problem in tqdm(pool.map(work, annotations), total=len(annotations), unit="clip"):
            if problem:
                tqdm.write(problem, file=sys.stderr)


if __name__ == "__main__":
    main()
