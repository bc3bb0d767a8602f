"""An annotation file of any known format as clips, the format told by content or named.

What each format holds is said in its module; here is only how they are told apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from deeploc.annotations.formats.activitynet import activitynet_clip
from deeploc.annotations.formats.avdeepfake1m import avdeepfake1m_clip
from deeploc.annotations.formats.forgerynet import (
    forgerynet_line,
    is_line,
)
from deeploc.annotations.formats.lavdf import lavdf_clip
from deeploc.annotations.formats.table import (
    CSV_COLUMNS,
    read_csv,
)
from deeploc.annotations.formats.ummaformer import ummaformer_clip
from deeploc.annotations.truth import ClipTruth
from deeploc.errors import BadAnnotations

DATASET_FORMATS = ("lavdf", "avdeepfake1m", "forgerynet", "activitynet", "ummaformer", "csv")
AUTO = "auto"
OF_ROW: dict[str, Callable[[Any], ClipTruth]] = {
    "lavdf": lavdf_clip,
    "avdeepfake1m": avdeepfake1m_clip,
}
OF_ENTRY: dict[str, Callable[[str, Any], ClipTruth]] = {
    "activitynet": activitynet_clip,
    "forgerynet": partial(activitynet_clip, unnamed="visual"),
    "ummaformer": ummaformer_clip,
}
UNKNOWN = (
    "{name} is of no known format: expected the metadata of LAV-DF, AV-Deepfake1M, TVIL or Psynd "
    f"(JSON), ActivityNet-style JSON, ForgeryNet's video_list.txt, or a CSV with the columns "
    f"{', '.join(CSV_COLUMNS)}."
)


def read_truths(path: str | Path, format: str = AUTO, clips: Path | None = None) -> list[ClipTruth]:
    """Reads an annotation file, in file order.

    `format`: one of `DATASET_FORMATS`, or "auto" to tell it by content. `clips`: the folder of the
    media, where it isn't the file's own; only ForgeryNet's list, which counts frames, looks there.
    Raises `BadAnnotations`, naming file and row, when the file is missing, damaged, of another or
    no known format, contradicts itself, or holds a span that is no span.
    """
    path = Path(path)
    assert format in (*DATASET_FORMATS, AUTO), format
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadAnnotations(f"{path.name} can't be read as a text file: {error}.") from error
    if text.lstrip()[:1] in ("[", "{"):
        annotations = _read_json(path, text, format)
    elif format == "forgerynet" or (format == AUTO and is_line(text.lstrip().partition("\n")[0])):
        annotations = _read_list(path, text, clips)
    elif format == "csv" or (format == AUTO and _has_our_columns(text)):
        annotations = read_csv(path)
    elif format == AUTO:
        raise BadAnnotations(UNKNOWN.format(name=path.name))
    else:
        raise BadAnnotations(f"{path.name} is no JSON, so it is no {format} metadata.")
    refuse_duplicates(path, annotations)
    return annotations


def refuse_duplicates(path: Path, annotations: Iterable[ClipTruth]) -> None:
    seen: set[str] = set()
    for annotation in annotations:
        if annotation.file in seen:
            raise BadAnnotations(f"{path.name} lists {annotation.file} twice.")
        seen.add(annotation.file)


@contextmanager
def _at(path: Path, place: str) -> Iterator[None]:
    """Says where in the file a reader stumbled."""
    try:
        yield
    except ValueError as error:
        raise BadAnnotations(f"{path.name}, {place}: {error}.") from error


def _has_our_columns(text: str) -> bool:
    header = text.partition("\n")[0].replace('"', "").strip().split(",")
    return set(CSV_COLUMNS) <= set(header)


def _read_list(path: Path, text: str, clips: Path | None) -> list[ClipTruth]:
    annotations = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            with _at(path, f"line {number}"):
                annotations.append(forgerynet_line(line, path, clips))
    return annotations


def _read_json(path: Path, text: str, format: str) -> list[ClipTruth]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BadAnnotations(f"{path.name} is broken JSON: {error}.") from error
    if isinstance(content, dict) and "modify_type" in content:
        content = [content]  # AV-Deepfake1M beside its list: one file a clip
    if isinstance(content, list):
        if format not in (*OF_ROW, AUTO):
            raise BadAnnotations(f"{path.name} is a list of clips, so it is no {format} metadata.")
        return [_row(path, number, row, format) for number, row in enumerate(content, start=1)]
    entries = content.get("database", content)
    if format == AUTO:
        format = _format_of(path, content)
    if format not in OF_ENTRY or not isinstance(entries, dict):
        raise BadAnnotations(f"{path.name} is no list of clips, so it is no {format} metadata.")
    annotations = []
    for key, entry in entries.items():
        with _at(path, f"clip '{key}'"):
            annotations.append(OF_ENTRY[format](key, entry))
    return annotations


def _row(path: Path, number: int, row: Any, format: str) -> ClipTruth:
    named = f" ({row['file']})" if isinstance(row, dict) and row.get("file") else ""
    with _at(path, f"clip {number}{named}"):
        keys = set(row) if isinstance(row, dict) else set()
        if "file" in keys and not keys & {"modify_type", "modify_video", "fake_periods"}:
            raise ValueError(
                "neither LAV-DF ('modify_video') nor AV-Deepfake1M ('modify_type') metadata"
            )
        told = "avdeepfake1m" if "modify_type" in keys else "lavdf"
        if format not in (told, AUTO):
            raise ValueError(f"it is {told}, not {format} metadata")
        return OF_ROW[told](row)


def _format_of(path: Path, content: dict) -> str:
    if "database" in content:
        return "activitynet"
    entry = next(iter(content.values()), None)
    keys = set(entry) if isinstance(entry, dict) else set()
    if "annotations" in keys:
        return "forgerynet" if keys & {"duration_second", "duration_frame"} else "activitynet"
    if "fake_periods" in keys:
        return "ummaformer"
    raise BadAnnotations(UNKNOWN.format(name=path.name))
