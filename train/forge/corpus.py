"""A LAV-DF-layout corpus of partial forgeries, made from a folder of authentic talking clips.

    python -m train.forge --authentic clips/ --out corpus/

`--speech` adds speech that has no picture, for the train split alone: many more voices than faces.
`--splice` makes another corpus, for validation and testing only: stretches of real generators'
output, as the manifest lists it, cut into the authentic clips (`forge_splice`). Whoever is in it
is left out of every training split.

Authentic and forged clips leave through the same chain: decoded to 25 Hz and 16 kHz, at most 360
pixels high, one loudness and one quality for all clips of a chunk. What is forged, and how, is in
`metadata.json`. One chunk at a time is forged by `forge_chunk`.
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from deeploc.errors import DeepLocError
from deeploc.media.clip import (
    VIDEO_RATE_HZ,
    open_clip,
)
from deeploc.media.formats import (
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
    is_sound,
)
from train.forge.chunk import (
    STEP_SAMPLES,
    forge_chunk,
    heard,
    source_of,
)
from train.forge.picture import families as forge_picture
from train.forge.plan import (
    NULLS,
    Chunk,
    Plan,
)
from train.forge.sound import families as forge_sound
from train.forge.sound.text_to_speech import (
    ENGINES,
    is_installed,
)
from train.forge.splice import (
    has_generators,
    list_splices,
    splice_chunk,
)

SPLITS = ("train", "dev", "test")
HELD_OUT_SHARE = 0.2
MIN_CHUNK_S = 2.5
OLD_WANTED = {"nulls": ["null"], "only_nulls": False}  # of journals that don't say


def read_manifest(manifest: Path) -> pd.DataFrame:
    return pd.read_csv(manifest, dtype=str, keep_default_na=False)


def list_clips(
    authentic: Path, manifest: Path | None, suffixes: Collection[str] = VIDEO_SUFFIXES
) -> list[tuple[Path, str]]:
    """Authentic clips of the `suffixes` and their identities.

    Identities come from the manifest (its paths are relative to its own folder), else from the
    parent folder, or from the file name for files that lie directly in `authentic`.
    """
    if manifest is not None:
        table = read_manifest(manifest)
        known = table[
            (table.label == "authentic") & table.has_audio.str.startswith(("1", "T", "t"))
        ]
        rows = zip(known.path, known.identity, strict=True)
        listed = [((manifest.parent / path).resolve(), identity) for path, identity in rows]
        inside = authentic.resolve()
        return sorted(
            (path, identity)
            for path, identity in listed
            if path.is_relative_to(inside) and path.suffix.lower() in suffixes
        )
    files = sorted(path for path in authentic.rglob("*") if path.suffix.lower() in suffixes)
    return [
        (path.resolve(), path.stem if path.parent == authentic else path.parent.name)
        for path in files
    ]


def split_identities(
    identities: Iterable[str], seed: int, held_out: Collection[str] = ()
) -> dict[str, str]:
    """Identity -> train, dev or test (60, 20, 20 %), shuffled by the seed.

    Those in `held_out` are never trained on: half of them are tested, whoever else is there.
    """
    everybody = sorted(set(identities))
    splits = {
        identity: "test" if zlib.crc32(f"{seed} {identity}".encode()) % 2 else "dev"
        for identity in everybody
        if identity in held_out
    }
    left = [identity for identity in everybody if identity not in splits]
    share = max(1, round(HELD_OUT_SHARE * len(everybody))) if len(everybody) > 2 else 0
    names = [
        split
        for split in ("test", "dev")
        for _ in range(share - list(splits.values()).count(split))
    ]
    shuffled = np.random.default_rng(seed).permutation(left).tolist()
    return splits | dict(zip_longest(shuffled, names[: len(left)], fillvalue="train"))


def cut_chunks(
    clips: list[tuple[Path, str]],
    seed: int,
    clip_seconds: float,
    per_identity: int,
    held_out: Collection[str] = (),
) -> list[Chunk]:
    """Chunks of at least 2.5 s, at most `per_identity` of them for anybody, in a fixed order."""
    pieces = _pieces(clips, clip_seconds)
    splits = split_identities(pieces, seed, held_out)
    return _chosen(pieces, splits, seed, per_identity, 0)


def speech_chunks(
    speech: list[tuple[Path, str]],
    people: Collection[str],
    seed: int,
    clip_seconds: float,
    per_identity: int,
    first: int,
) -> list[Chunk]:
    """The same of speech without pictures, all for training, numbered from `first` on; of nobody
    among `people`, who are in another split or are known to generators."""
    pieces = _pieces([(path, who) for path, who in speech if who not in people], clip_seconds)
    return _chosen(pieces, dict.fromkeys(pieces, "train"), seed, per_identity, first)


def _pieces(
    clips: list[tuple[Path, str]], clip_seconds: float
) -> dict[str, list[tuple[str, int, int]]]:
    pieces: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    longest = int(clip_seconds * VIDEO_RATE_HZ)
    shortest = int(MIN_CHUNK_S * VIDEO_RATE_HZ)
    for path, identity in clips:
        try:
            if is_sound(path):
                n_frames = len(heard(path)) // STEP_SAMPLES
            else:
                n_frames = open_clip(path).grid.n_frames
        except DeepLocError as error:
            tqdm.write(f"skipped {path.name}: {error}")
            continue
        for start in range(0, n_frames - shortest + 1, longest):
            pieces[identity].append((str(path), start, min(start + longest, n_frames)))
    return pieces


def _chosen(
    pieces: dict[str, list[tuple[str, int, int]]],
    splits: dict[str, str],
    seed: int,
    per_identity: int,
    first: int,
) -> list[Chunk]:
    chosen: list[tuple[str, str, str, int, int]] = []
    for identity in sorted(pieces):
        order = np.random.default_rng([seed, len(chosen)]).permutation(len(pieces[identity]))
        for index in order[:per_identity]:
            path, start, stop = pieces[identity][index]
            chosen.append((path, identity, splits[identity], start, stop))
    return [Chunk(number, *values) for number, values in enumerate(chosen, start=first)]


def build(plan: Plan, workers: int) -> list[dict[str, Any]]:
    """Forge what is not there yet, write `metadata.json`, and return all records in order."""
    out = Path(plan.out)
    for split in SPLITS:
        (out / split).mkdir(parents=True, exist_ok=True)
    journal = out / "chunks.jsonl"
    done = _finished(journal, plan)
    left = [chunk for chunk in plan.chunks if chunk.number not in done]
    with journal.open("a") as log:
        for chunk, records in tqdm(_forged(plan, left, workers), total=len(left), unit="chunk"):
            done[chunk.number] = records
            entry = {"chunk": chunk.number, **_wanted(plan), "records": records}
            log.write(json.dumps(entry) + "\n")
            log.flush()
    everything = [record for number in sorted(done) for record in done[number]]
    (out / "metadata.json").write_text(json.dumps(everything, indent=1))
    return everything


def _forged(
    plan: Plan, chunks: list[Chunk], workers: int
) -> Iterator[tuple[Chunk, list[dict[str, Any]]]]:
    """Chunks and their records as they are finished; a bad chunk is reported and has none."""
    if workers < 2:
        for chunk in chunks:
            yield chunk, _attempt(plan, chunk)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        tasks = {pool.submit(_attempt, plan, chunk): chunk for chunk in chunks}
        for task in as_completed(tasks):
            yield tasks[task], task.result()


def _attempt(plan: Plan, chunk: Chunk) -> list[dict[str, Any]]:
    try:
        return splice_chunk(plan, chunk) if chunk.fakes else forge_chunk(plan, chunk)
    except (DeepLocError, ValueError, OSError) as error:
        tqdm.write(f"skipped {Path(chunk.path).name} ({chunk.identity}): {error}")
        return []


def _finished(journal: Path, plan: Plan) -> dict[int, list[dict[str, Any]]]:
    """Chunks that an earlier run made of the same clips and seed, with the same families, and whose
    files are there."""
    if not journal.exists():
        return {}
    chunks = {chunk.number: chunk for chunk in plan.chunks}
    done = {}
    for line in journal.read_text().splitlines():
        entry = json.loads(line)
        chunk, records = chunks.get(entry["chunk"]), entry["records"]
        if not chunk or not records or {**OLD_WANTED, **entry} != {**entry, **_wanted(plan)}:
            continue
        if all(_is_of(record, plan, chunk) for record in records):
            done[chunk.number] = records
    return done


def _wanted(plan: Plan) -> dict[str, Any]:
    """What a journal says of the plan that a chunk was forged by, beside what its records say."""
    return {
        "unseen": list(plan.unseen),
        "nulls": list(plan.nulls),
        "only_nulls": plan.only_nulls,
    }


def _is_of(record: dict[str, Any], plan: Plan, chunk: Chunk) -> bool:
    same = record["seed"] == plan.seed and record["source"] == source_of(chunk)
    return same and (Path(plan.out) / record["file"]).exists()


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """What the chunks are cut from: the same words give `fit_vocoder` the same chunks."""
    parser.add_argument("--authentic", type=Path, help="folder of talking clips")
    parser.add_argument(
        "--speech", type=Path, help="folder of speech without pictures, for the train split alone"
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        help="CSV: path, label, identity, has_audio; for generators' output also modified, "
        "generator, pair, segments",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clip-seconds", type=float, default=7.0)
    parser.add_argument("--per-identity", type=int, default=8, help="chunks of one person at most")


def chunks_of(options: argparse.Namespace) -> list[Chunk]:
    """The chunks that the options of `add_source_arguments` name."""
    held_out = set()
    if options.manifest:
        held_out = has_generators(read_manifest(options.manifest))
    length, most = options.clip_seconds, options.per_identity
    chunks: list[Chunk] = []
    if options.authentic:
        clips = list_clips(options.authentic, options.manifest)
        chunks = cut_chunks(clips, options.seed, length, most, held_out)
    if options.speech:
        speech = list_clips(options.speech, options.manifest, SOUND_SUFFIXES)
        others = held_out | {chunk.identity for chunk in chunks if chunk.split != "train"}
        first = len(chunks)
        chunks += speech_chunks(speech, others, options.seed, length, most, first)
    return chunks


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.forge", description=__doc__)
    add_source_arguments(parser)
    parser.add_argument(
        "--splice", action="store_true", help="cut real generators' output into its originals"
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="with --splice: cut in the original's own pictures, only coded once more",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus")
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often a chunk of the train split is forged"
    )
    parser.add_argument(
        "--speech-rounds", type=int, default=4, help="how often a chunk of --speech is forged"
    )
    parser.add_argument(
        "--vocoder",
        type=Path,
        help="a neural vocoder by fit_vocoder, for copy-synthesis",
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--unseen",
        nargs="*",
        default=[*forge_picture.UNSEEN_FAMILIES, *forge_sound.UNSEEN_FAMILIES],
        help="families that only the test split uses",
    )
    parser.add_argument(
        "--null",
        nargs="*",
        choices=NULLS,
        default=NULLS,
        help="authentic clips that were worked on: blended like forgeries (null), or coded once "
        "more, whole or for a while (recoded); every third chunk has one",
    )
    parser.add_argument(
        "--only-null",
        action="store_true",
        help="make no forgeries, and of every chunk all that --null names: to count alarms",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    for family, engine in ENGINES.items():
        if not is_installed(family):
            print(f"{engine} is not installed: no forgery of the family '{family}' will be made.")
    if options.splice:
        if options.manifest is None:
            raise SystemExit("--splice needs --manifest: it tells which clip was made from which.")
        table = read_manifest(options.manifest)
        splits = split_identities(table.identity, options.seed, has_generators(table))
        chunks = list_splices(table, options.manifest.parent, splits, options.control)
    else:
        if options.authentic is None and options.speech is None:
            raise SystemExit("--authentic is missing: the folder of authentic talking clips.")
        chunks = chunks_of(options)
    if not chunks:
        raise SystemExit(f"{options.authentic} holds no clip of {MIN_CHUNK_S} s or more to forge.")
    if options.vocoder and not options.vocoder.exists():
        raise SystemExit(f"There is no {options.vocoder}: make it by fit_vocoder.")
    plan = Plan(
        tuple(chunks),
        str(options.out),
        options.seed,
        tuple(options.unseen),
        options.rounds,
        options.speech_rounds,
        str(options.vocoder) if options.vocoder else None,
        tuple(options.null),
        options.only_null,
    )
    records = build(plan, options.workers)
    counts = pd.DataFrame(records, columns=["split", "n_fakes"])
    print(counts.assign(forged=counts.n_fakes > 0).groupby(["split", "forged"]).size().to_string())


if __name__ == "__main__":
    main()
