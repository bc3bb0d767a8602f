"""Datasets as JSON: a list of clips, or an object keyed by the clips' ids.

Says where in the file a format's reader stumbled. Knows no format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from deeploc.annotations.format import Source
from deeploc.annotations.truth import ClipTruth
from deeploc.errors import BadAnnotations


def read_rows(source: Source, format: str, parse: Callable[[Any], ClipTruth]) -> list[ClipTruth]:
    """The clips of a JSON list. Raises `BadAnnotations`, naming the clip."""
    content = _json(source, format)
    if not isinstance(content, list):
        raise BadAnnotations(f"{source.name} is no list of clips, so it is no {format} metadata.")
    truths = []
    for number, row in enumerate(content, start=1):
        file = row.get("file") if isinstance(row, dict) else None
        with in_place(source, f"clip {number} ({file})" if file else f"clip {number}"):
            truths.append(parse(row))
    return truths


def read_entries(
    source: Source, format: str, parse: Callable[[str, Any], ClipTruth]
) -> list[ClipTruth]:
    """As `read_rows`, of a JSON object or of its `database`."""
    content = _json(source, format)
    if isinstance(content, list):
        raise BadAnnotations(f"{source.name} is a list of clips, so it is no {format} metadata.")
    entries = content.get("database", content)
    if not isinstance(entries, dict):
        raise BadAnnotations(f"{source.name} is no list of clips, so it is no {format} metadata.")
    truths = []
    for key, entry in entries.items():
        with in_place(source, f"clip '{key}'"):
            truths.append(parse(key, entry))
    return truths


def _json(source: Source, format: str) -> Any:
    if source.json is None:
        raise BadAnnotations(f"{source.name} is no JSON, so it is no {format} metadata.")
    return source.json


@contextmanager
def in_place(source: Source, place: str) -> Iterator[None]:
    """Adds file and place to the reason of a `ValueError`."""
    try:
        yield
    except ValueError as error:
        raise BadAnnotations(f"{source.name}, {place}: {error}.") from error
