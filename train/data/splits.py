"""Train, dev and test: every person is in one of them.

Nothing here reads a clip.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import zip_longest
from typing import Literal, get_args

import numpy as np

from deeploc.annotations import ClipTruth
from deeploc.errors import BadAnnotations

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
HELD_OUT_SHARE = 0.2  # of people, in each of test and dev
SPLIT_SEED = 0


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


def with_splits(annotations: list[ClipTruth]) -> list[ClipTruth]:
    """The annotations, each in a split.

    Where the dataset names none, its people are split 60, 20, 20 % into train, dev and test, always
    in the same way, by identity: nobody is in two splits, and a forgery is where its original is.
    A clip without an identity, original or forgeries counts as a person of its own.
    Raises `BadAnnotations` where only some clips have a split, or there are fewer than 3 people.
    """
    unnamed = [clip for clip in annotations if clip.split is None]
    if not unnamed:
        return annotations
    if len(unnamed) < len(annotations):
        raise BadAnnotations(
            f"{len(unnamed)} of {len(annotations)} clips name no split, for example "
            f"{unnamed[0].file}: name one for every clip, or for none to have them split by person."
        )
    people = _people(annotations)
    splits = split_identities(list(people.values()), SPLIT_SEED)
    if len(splits) < 3:
        raise BadAnnotations(
            "The dataset names no splits, and has too few people to make train, dev and test of "
            f"({len(splits)}): name the splits."
        )
    return [replace(clip, split=splits[people[clip.file]]) for clip in annotations]


def _people(annotations: list[ClipTruth]) -> dict[str, str]:
    """By file, one name for all clips that identities and originals tie to each other."""
    ties: dict[str, str] = {}

    def end(name: str) -> str:
        while ties.setdefault(name, name) != name:
            name = ties[name]
        return name

    for clip in annotations:
        own = end(f"clip {clip.file}")
        if clip.identity:
            ties[end(f"identity {clip.identity}")] = own
        if clip.original:
            ties[end(f"clip {clip.original}")] = own
    names: dict[str, str] = {}
    for file in sorted(clip.file for clip in annotations):
        names.setdefault(end(f"clip {file}"), file)
    return {clip.file: names[end(f"clip {clip.file}")] for clip in annotations}
