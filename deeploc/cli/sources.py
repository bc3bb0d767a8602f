"""Where many clips are: folders, CSV files, anything fsspec reaches, datasets on the Hub.

A clip is named by its path or address; `local_copy` makes a local file of it. Nothing here opens
one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory

import fsspec
import pandas as pd

from deeploc.errors import UnreadableMedia
from deeploc.media.formats import is_video

COLUMNS = ("file", "path", "clip", "video")  # of a CSV, the first of these that it has


def is_remote(place: str) -> bool:
    return "://" in place


def is_single_clip(place: str) -> bool:
    """Whether the place is a single clip, by its name alone where it is remote."""
    if is_remote(place):
        return "*" not in place and is_video(place)
    return (
        not _is_pattern(place) and not Path(place).is_dir() and not place.lower().endswith(".csv")
    )


def _is_pattern(place: str) -> bool:
    return "*" in place and not Path(place).exists()


def find_clips(places: Iterable[str]) -> list[str]:
    """The clips of folders, patterns, CSV files, addresses and clips, each once, in order.

    Raises `UnreadableMedia` for a place that can't be read or holds none.
    """
    return list(dict.fromkeys(clip for place in places for clip in _clips(place)))


def _clips(place: str) -> list[str]:
    if is_single_clip(place):
        return [place]
    try:
        found = _of_csv(place) if place.lower().endswith(".csv") else _of_folder(place)
    except Exception as error:  # each file system has errors of its own
        raise UnreadableMedia(
            f"{place} can't be read ({error}). Give a folder, a CSV file, or an address such as "
            "hf://datasets/owner/name."
        ) from error
    if not found:
        raise UnreadableMedia(f"{place} holds no video files.")
    return found


def _of_folder(place: str) -> list[str]:
    if not is_remote(place):
        if _is_pattern(place):
            return sorted(path for path in glob(place, recursive=True) if is_video(path))
        return sorted(str(path) for path in Path(place).rglob("*") if is_video(path.name))
    system, root = fsspec.core.url_to_fs(place)
    paths = system.glob(root) if "*" in place else system.find(root)
    return [system.unstrip_protocol(path) for path in sorted(paths) if is_video(path)]


def _of_csv(place: str) -> list[str]:
    table = pd.read_csv(place, dtype=str, keep_default_na=False)
    column = next((name for name in COLUMNS if name in table), None)
    if column is None:
        raise ValueError(f"it has none of the columns {', '.join(COLUMNS)}")
    return [_beside(place, name.strip()) for name in table[column] if name.strip()]


def _beside(csv: str, name: str) -> str:
    """A path of a CSV counts from the folder of the CSV."""
    if is_remote(name) or Path(name).is_absolute():
        return name
    if is_remote(csv):
        return posixpath.join(posixpath.dirname(csv), name)
    return str(Path(csv).parent / name)


@contextmanager
def local_copy(clip: str) -> Iterator[Path]:
    """The clip as a local file, under its own name. Raises `UnreadableMedia`."""
    if not is_remote(clip):
        if not Path(clip).is_file():
            raise UnreadableMedia(f"{clip}: there is no such file.")
        yield Path(clip)
        return
    with TemporaryDirectory(prefix="deeploc-") as folder:
        path = Path(folder) / posixpath.basename(clip)
        try:
            system, source = fsspec.core.url_to_fs(clip)
            system.get_file(source, str(path))
        except Exception as error:  # each file system has errors of its own
            raise UnreadableMedia(f"{clip} could not be fetched ({error}).") from error
        yield path
