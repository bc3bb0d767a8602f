"""A dataset on disk: a metadata file, or the folder of a dataset, and where its clips lie.

Looks at names only; what is in the clips, and who may learn from which, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from deeploc.annotations.formats.csv_table import COLUMNS
from deeploc.annotations.registry import AUTO, read_truths, refuse_duplicates
from deeploc.annotations.truth import ClipTruth, to_split
from deeploc.errors import BadAnnotations
from deeploc.media.formats import SOUND_SUFFIXES, VIDEO_SUFFIXES, is_video

FOLDER = "folder"
SUFFIXES = (*VIDEO_SUFFIXES, *SOUND_SUFFIXES)
PLACES: tuple[tuple[str, ...], ...] = (
    ("metadata.json",),
    ("metadata.min.json",),
    ("train_metadata.json", "val_metadata.json", "test_metadata.json"),
    ("Training/video_list.txt", "Validation/video_list.txt", "Test/video_list.txt"),
)
SPLIT_FOLDERS: dict[str | None, tuple[str, ...]] = {
    "train": ("train", "training"),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test", "testing"),
}
AUTHENTIC, FORGED = {"authentic", "real"}, {"forged", "fake"}


@dataclass(frozen=True)
class Dataset:
    """Clips that are there: `file` of each is relative to `root`.

    `absent`: the clips that the metadata lists and nobody finds.
    """

    root: Path
    clips: list[ClipTruth]
    absent: list[str]


def read_dataset(path: str | Path, format: str = AUTO, clips: str | Path | None = None) -> Dataset:
    """Reads a metadata file, or the folder of a dataset.

    In a folder these are looked for, in this order: `metadata.json` or `metadata.min.json`
    (LAV-DF, `train.forge`), `train_metadata.json` and its siblings (AV-Deepfake1M),
    `Training/video_list.txt` and its siblings (ForgeryNet), the only JSON or CSV file in it or in
    its `annotations` folder; else, or with the format "folder", each clip is authentic or forged
    by its parent folder's name. A clip lies beside its metadata, there in the folder of its split,
    or in `video`, `videos` or `clips`; `clips` names another folder to start from.
    Raises `BadAnnotations` where this gives no clip.
    """
    path = Path(path)
    if not path.exists():
        raise BadAnnotations(f"{path} does not exist.")
    if format == FOLDER and not path.is_dir():
        raise BadAnnotations(f"{path} is no folder of clips.")
    files = _metadata_files(path, format) if path.is_dir() else [path]
    if not files:
        return Dataset(path, _read_folder(path), [])
    root = Path(clips) if clips else path if path.is_dir() else _base(path)
    found: list[ClipTruth] = []
    absent: list[str] = []
    for file in files:
        base = Path(clips) if clips else _base(file)
        there, elsewhere = _located(file, base, root, read_truths(file, format, base))
        found += there
        absent += elsewhere
    if not found:
        if not absent:
            raise BadAnnotations(f"{files[0]} lists no clips.")
        raise BadAnnotations(
            f"None of the {len(absent)} clips of {path} is there, for example {root / absent[0]}."
        )
    refuse_duplicates(path.name, found)
    return Dataset(root, found, absent)


def _metadata_files(folder: Path, format: str) -> list[Path]:
    if format == FOLDER:
        return []
    for names in PLACES:
        present = [folder / name for name in names if (folder / name).is_file()]
        if present and format != "csv":
            return present
    kinds = ("csv",) if format == "csv" else ("json", "csv")
    homes = (folder, folder / "annotations")
    tables = sorted(file for home in homes for kind in kinds for file in home.glob(f"*.{kind}"))
    if len(tables) > 1:
        listed = ", ".join(file.relative_to(folder).as_posix() for file in tables[:5])
        raise BadAnnotations(f"{folder} holds several annotation files ({listed}): name one.")
    if not tables and format != AUTO:
        raise BadAnnotations(f"{folder} holds no {format} metadata: name the file itself.")
    return tables


def _base(metadata: Path) -> Path:
    home = metadata.parent
    return home.parent if home.name == "annotations" else home


def _located(
    metadata: Path, base: Path, root: Path, clips: list[ClipTruth]
) -> tuple[list[ClipTruth], list[str]]:
    """The clips that are there, with `file` and `original` relative to `root`; names of others."""
    places = {clip.file: _locate(metadata, base, clip) for clip in clips}
    names = {name: place.relative_to(root).as_posix() for name, place in places.items() if place}
    there = [
        replace(clip, file=names[clip.file], original=names.get(clip.original or "", clip.original))
        for clip in clips
        if clip.file in names
    ]
    return there, [name for name in places if name not in names]


def _locate(metadata: Path, base: Path, clip: ClipTruth) -> Path | None:
    """The clip's file, with a suffix and ActivityNet's `v_` where the metadata only has an id."""
    name = PurePosixPath(clip.file)
    if name.is_absolute() or ".." in name.parts:
        raise BadAnnotations(
            f"{metadata.name} names {clip.file}: expected a path inside the folder of the dataset."
        )
    names = [name]
    if name.suffix.lower() not in SUFFIXES:
        stems = (name.name, f"v_{name.name}")
        names += [name.with_name(stem + suffix) for stem in stems for suffix in SUFFIXES]
    folders = (".", *SPLIT_FOLDERS.get(clip.split, ()), "video", "videos", "clips")
    places = (base / folder / name for name in names for folder in folders)
    return next((place for place in places if place.is_file()), None)


def _read_folder(folder: Path) -> list[ClipTruth]:
    """Clips in folders called authentic (real) or forged (fake), if need be within a split's.

    A clip's identity is its own folder's name, where that is neither a label nor a split.
    """
    files = sorted(file for file in folder.rglob("*") if is_video(file))
    annotations = [_in_folder(folder, file.relative_to(folder)) for file in files]
    if not annotations:
        raise BadAnnotations(f"{folder} holds neither an annotation file nor clips.")
    return annotations


def _in_folder(folder: Path, file: Path) -> ClipTruth:
    parents = [part.lower() for part in file.parts[:-1]]
    called = [part for part in parents if part in AUTHENTIC | FORGED]
    if len(called) != 1:
        raise BadAnnotations(
            f"{folder} has no annotation file, and no folder says whether {file.as_posix()} is "
            "authentic or forged. Sort the clips into folders called authentic and forged, or add "
            f"a CSV with the columns {', '.join(COLUMNS)}."
        )
    splits = [to_split(part) for part in parents if part in _split_names()]
    own = file.parent.name
    plain = own.lower() not in {*AUTHENTIC, *FORGED, *_split_names()}
    return ClipTruth(
        file.as_posix(),
        split=splits[-1] if splits else None,
        identity=own if plain else None,
        labels={"fused": called[0] in FORGED},
    )


def _split_names() -> Iterator[str]:
    return (name for names in SPLIT_FOLDERS.values() for name in names)
