"""`python -m train.aligned.pack DATA --out CACHE`: aligned faces and speech in some megabytes.

DATA is a folder with a `manifest.csv` (columns path, label, generator, identity, pair, source,
licence, ...); of it the rows labelled authentic are taken, talking faces and speech alike. The
same decoding, tracking and alignment as everywhere; what is left is small enough to be copied to a
machine that has a GPU and little else (see `train.aligned.cache` for what it needs to be read).

Nobody is in two splits. Whoever also appears in the output of a real generator is never trained on
(dev or test), so that evidence means the same on all generated clips; the others are split 60, 20,
20 % by `train.data.splits`, ordinary footage, laboratory clips and speech each by
themselves. Resumable: finished clips are skipped; a clip that can't be used is named and left out.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from fractions import Fraction
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from deeploc.errors import DeepLocError
from deeploc.faces.alignment import Alignment, align_track, aligned_faces
from deeploc.faces.detector import FaceDetector
from deeploc.faces.tracker import track_faces
from deeploc.media.clip import VIDEO_RATE_HZ, Clip, open_clip
from deeploc.media.formats import is_sound
from deeploc.media.shots import find_shots
from deeploc.media.writer import Mp4Writer
from train.aligned.cache import MARGIN, SIDE, STEP_SAMPLES, Piece, write_index, write_sound
from train.data.sound_files import read_sound
from train.data.splits import SPLIT_SEED, split_identities
from train.forge.manifest import generated_identities, read_manifest

FEWEST_STEPS = 16
ORDINARY = "clip terms unknown"  # how the licence of ordinary footage ends
SAME_CORPUS = re.compile(r"^(libri_|libritts_|LibriSpeech .* speaker )")


def split_people(table: pd.DataFrame) -> dict[str, str]:
    """Identity -> train, dev or test, for all authentic rows of the manifest."""
    authentic = table[table.label == "authentic"]
    held_out = {_person(name) for name in generated_identities(table)}
    splits: dict[str, str] = {}
    for kind in ("laboratory", "ordinary", "speech"):
        rows = authentic[[_kind(row) == kind for row in authentic.itertuples()]]
        people = {_person(name) for name in rows.identity} - set(splits)
        splits |= split_identities(people, SPLIT_SEED, held_out)
    return {name: splits[_person(name)] for name in sorted(set(authentic.identity))}


def _person(identity: str) -> str:
    """One name for the speakers that several corpora took from LibriVox."""
    return SAME_CORPUS.sub("librivox ", identity)


def _kind(row: Any) -> str:
    if is_sound(row.path):
        return "speech"
    return "ordinary" if row.licence.endswith(ORDINARY) else "laboratory"


def pack_clip(row: dict[str, Any], data: Path, cache: Path, crf: int, opus: float) -> list[Piece]:
    """Write the pieces of one clip. Raises `DeepLocError` where the localizer would."""
    path = data / row["path"]
    name = f"{row['number']:04d}"
    known = {key: row[key] for key in ("path", "identity", "split", "source", "licence")}
    known["ordinary"] = row["kind"] == "ordinary"
    if row["kind"] == "speech":
        audio = read_sound(path)
        steps = len(audio) // STEP_SAMPLES
        if steps < FEWEST_STEPS:
            raise DeepLocError(f"{path.name} lasts less than {FEWEST_STEPS} steps")
        write_sound(cache, name, audio[: steps * STEP_SAMPLES], opus)
        return [Piece(name, **known, start=0, steps=steps, picture=False, sound=True, face_px=0.0)]
    clip = open_clip(path)
    track = track_faces(clip, find_shots(clip), _detector(), lambda done, total: None)[0]
    alignment = align_track(track)
    return list(_pieces(clip, alignment, name, known, cache, crf, opus))


def _pieces(
    clip: Clip,
    alignment: Alignment,
    name: str,
    known: dict[str, Any],
    cache: Path,
    crf: int,
    opus: float,
) -> Iterator[Piece]:
    faces = list(aligned_faces(clip, alignment, SIDE, MARGIN / (SIDE - 2 * MARGIN)))
    shown = np.array([face is not None for face in faces])
    edges = np.flatnonzero(np.diff(shown.astype(int), prepend=0, append=0))
    for begin, end in edges.reshape(-1, 2).tolist():
        if end - begin < FEWEST_STEPS:
            continue
        file = f"{name}-{begin}"
        _write_faces(cache / "faces" / f"{file}.mp4", faces[begin:end], crf)
        sounding = clip.audio is not None
        if clip.audio is not None:
            write_sound(cache, file, clip.audio[begin * STEP_SAMPLES : end * STEP_SAMPLES], opus)
        face_px = round(float(np.median(alignment.side[begin:end])), 1)
        yield Piece(
            file, **known, start=begin, steps=end - begin, picture=True, sound=sounding,
            face_px=face_px,
        )  # fmt: skip


def _write_faces(path: Path, faces: list[np.ndarray | None], crf: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = Fraction(VIDEO_RATE_HZ)
    options = {"crf": str(crf), "preset": "slow", "mbtree": "0", "g": "250"}
    with Mp4Writer(path, (SIDE, SIDE), 1 / rate, rate, None, options) as writer:
        for step, face in enumerate(faces):
            assert face is not None
            writer.add_frame(face, step, 1)


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    return FaceDetector()


def _work(row: dict[str, Any], data: Path, cache: Path, crf: int, opus: float) -> str | None:
    """Packs one clip unless it is there; says what was wrong with it."""
    finished = cache / "clips" / f"{row['number']:04d}.json"
    if finished.exists():
        return None
    problem, pieces = None, []
    try:
        pieces = pack_clip(row, data, cache, crf, opus)
        if not pieces:
            problem = f"{row['path']} is left out: no face for {FEWEST_STEPS} steps on end"
    except DeepLocError as error:
        problem = f"{row['path']} is left out: {error}"
    except Exception as error:  # one clip never stops a corpus
        return f"{row['path']} is left out: {error!r}"
    finished.parent.mkdir(parents=True, exist_ok=True)
    finished.write_text(json.dumps([asdict(piece) for piece in pieces]))
    return problem


def _rows(data: Path) -> list[dict[str, Any]]:
    """The authentic rows, each with its number, its kind and its split."""
    table = read_manifest(data / "manifest.csv")
    splits = split_people(table)
    authentic = table[table.label == "authentic"].sort_values("path")
    return [
        row._asdict() | {"number": number, "kind": _kind(row), "split": splits[row.identity]}
        for number, row in enumerate(authentic.itertuples(index=False))
    ]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.aligned.pack", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with manifest.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for the cache")
    parser.add_argument("--crf", type=int, default=21, help="quality of H.264; less is better")
    parser.add_argument("--opus", type=float, default=0.88, help="compression of sound, 0..1")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--limit", type=int, help="only every n-th clip, so that so many are left")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    rows = _rows(args.data)
    if args.limit:
        rows = rows[:: max(1, len(rows) // args.limit)]
    args.out.mkdir(parents=True, exist_ok=True)
    work = partial(_work, data=args.data, cache=args.out, crf=args.crf, opus=args.opus)
    with ProcessPoolExecutor(
        args.workers, get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        for problem in tqdm(pool.map(work, rows), total=len(rows), unit="clip", mininterval=10):
            if problem:
                tqdm.write(problem, file=sys.stderr)
    records = [
        Piece(**record)
        for finished in sorted((args.out / "clips").glob("*.json"))
        for record in json.loads(finished.read_text())
    ]
    write_index(args.out, records)
    for split in ("train", "dev", "test"):
        own = [piece for piece in records if piece.split == split]
        seconds: dict[str, float] = defaultdict(float)
        for piece in own:
            seconds["faces" if piece.picture else "speech"] += piece.steps / VIDEO_RATE_HZ
        people = len({piece.identity for piece in own})
        print(f"{split}: {people} people, {dict(seconds)} seconds")
    size = sum(file.stat().st_size for file in args.out.glob("*/*.*")) / 1e6
    print(f"{size:.1f} MB")


if __name__ == "__main__":
    main()
