"""Several datasets in one set of names. Nothing here reads a clip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from deeploc.annotations import ClipTruth, Dataset
from deeploc.errors import BadAnnotations


def in_one(datasets: Sequence[Dataset]) -> tuple[list[ClipTruth], list[Path]]:
    """The clips of all datasets in one set of names, and where each lies.

    Those of one dataset alone keep their names. Of several, `FILE` becomes `FOLDER/FILE`, by the
    name of the dataset's folder; so does `original`, unless it names a clip of another dataset so
    already. Raises `BadAnnotations` where two folders have one name.
    """
    paths = [dataset.root / clip.file for dataset in datasets for clip in dataset.clips]
    if len(datasets) == 1:
        return datasets[0].clips, paths
    names = [dataset.root.resolve().name for dataset in datasets]
    if len(set(names)) < len(names):
        twice = max(names, key=names.count)
        raise BadAnnotations(f"Two datasets lie in folders called {twice}: rename one of them.")
    pairs = list(zip(names, datasets, strict=True))
    files = {f"{name}/{clip.file}" for name, dataset in pairs for clip in dataset.clips}
    clips = []
    for name, dataset in pairs:
        for clip in dataset.clips:
            original = clip.original
            if original and (f"{name}/{original}" in files or original not in files):
                original = f"{name}/{original}"
            clips.append(replace(clip, file=f"{name}/{clip.file}", original=original))
    return clips, paths


def in_several_splits(annotations: Iterable[ClipTruth]) -> list[str]:
    """The identities that training and measuring share."""
    splits: dict[str, set[str | None]] = {}
    for clip in annotations:
        if clip.identity:
            splits.setdefault(clip.identity, set()).add(clip.split)
    return sorted(identity for identity, own in splits.items() if len(own) > 1)
