"""What a file format of annotations is, and the file that it may read. Knows none of the formats:
`registry.py` lists them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deeploc.annotations.annotation import Annotation, Interval, Media
from deeploc.annotations.truth import ClipTruth
from deeploc.errors import BadAnnotations


@dataclass(frozen=True)
class Source:
    """A file to be read. Its text and its JSON are read once, when a format asks for them."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def suffix(self) -> str:
        """The last part of the suffix in small letters: `.json` of `clip.lavdf.json`."""
        return self.path.suffix.lower()

    @cached_property
    def text(self) -> str:
        """Raises `BadAnnotations` where the file is missing or holds no UTF-8."""
        try:
            return self.path.read_text(encoding="utf-8-sig")
        except OSError as error:
            cause = error.strerror or type(error).__name__
            raise BadAnnotations(f"{self.name} can't be read: {cause}.") from error
        except UnicodeDecodeError as error:
            raise BadAnnotations(f"{self.name} can't be read as a text file: {error}.") from error

    @property
    def first_line(self) -> str:
        return self.text.lstrip().partition("\n")[0]

    @cached_property
    def json(self) -> Any:
        """The JSON object or list, None where the text is neither. Raises `BadAnnotations` where
        it is broken."""
        if self.text.lstrip()[:1] not in ("[", "{"):
            return None
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise BadAnnotations(f"{self.name} is broken JSON: {reason(error)}.") from error

    @property
    def first_row(self) -> Mapping[str, Any]:
        """The first object in the JSON list or in the JSON object; empty where there is none."""
        rows = self.json.values() if isinstance(self.json, dict) else self.json
        first = next(iter(rows or ()), None)
        return first if isinstance(first, dict) else {}


@dataclass(frozen=True)
class Format:
    """A file format: how it is called, recognised, read and written.

    `key`: what programs call it. `label`: what people call it. `suffixes`: what may follow the
    clip's name; a written file gets the first. `keeps`: what survives in it, one line of plain
    text. `matches`: whether a file looks like it, for formats that share their suffix.

    A format has one or more of three readers:
    - `read`: the intervals of a clip whose length and frame rate are given;
    - `read_with_media`: an annotation from a file that describes its clip itself;
    - `read_clips`: the truth of every clip of a dataset. Its media may lie in the given folder.
    They raise `BadAnnotations`, or `ValueError` with a reason, to which the file's name is added.

    `is_truth`: False where the file says what a model found.
    """

    key: str
    label: str
    suffixes: tuple[str, ...]
    mime: str
    keeps: str
    matches: Callable[[Source], bool] | None = None
    read: Callable[[Source, Media], Iterable[Interval]] | None = None
    read_with_media: Callable[[Source], Annotation] | None = None
    read_clips: Callable[[Source, Path | None], list[ClipTruth]] | None = None
    write: Callable[[Annotation, Path], None] | None = None
    is_truth: bool = True

    @property
    def readable(self) -> bool:
        return bool(self.read or self.read_with_media or self.read_clips)

    @property
    def last_suffixes(self) -> set[str]:
        """The last part of each suffix, as it is compared with `Source.suffix`."""
        return {f".{suffix.rpartition('.')[2]}".lower() for suffix in self.suffixes}


def reason(error: Exception) -> str:
    """The first line of what an exception says, short enough for a sentence."""
    line = str(error).strip().partition("\n")[0] or type(error).__name__
    return line[:200].rstrip(".")
