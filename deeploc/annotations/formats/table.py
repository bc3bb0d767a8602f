"""Our CSV: the columns `file, start_s, end_s, stream`, one row a forged segment.

An authentic clip is one row with empty cells; a clip known as forged without its seconds is a row
with a stream only. The columns `split` and `identity` may be there too, and what a person said:
`start_frame, end_frame, status, origin, score, confidence, note`. A rejected segment is no truth.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from deeploc.annotations.annotation import (
    Annotation,
    Interval,
    Media,
    interval_details,
)
from deeploc.annotations.conversion import (
    select_clip,
    truth_to_intervals,
)
from deeploc.annotations.label import (
    escape_lines,
    unescape_lines,
)
from deeploc.annotations.truth import (
    ClipTruth,
    to_identity,
    to_segment,
    to_split,
    with_fused,
)
from deeploc.errors import BadAnnotations
from deeploc.scores import (
    STREAMS,
    Stream,
)
from deeploc.timeline import (
    Segment,
    Timeline,
)

CSV_COLUMNS = ["file", "start_s", "end_s", "stream"]
MORE_COLUMNS = ["split", "identity", "status"]
SAID_COLUMNS = ["start_frame", "end_frame", "status", "origin", "score", "confidence", "note"]
Entry = tuple[Stream | None, Segment | None]


def read_csv(path: Path) -> list[ClipTruth]:
    """Raises `BadAnnotations`, naming the row."""
    table = _table(path)
    entries: dict[str, list[Entry]] = {}
    about: dict[str, tuple[str | None, str | None]] = {}
    cells = table.reindex(columns=CSV_COLUMNS + MORE_COLUMNS, fill_value="")
    for number, row in enumerate(cells.itertuples(index=False, name=None), start=2):
        file, start, end, stream, split, identity, status = row
        try:
            own, entry = entries.setdefault(_file(file), []), _entry(start, end, stream)
            own += [] if status == "rejected" else [entry]
            stated = to_split(split), to_identity(identity)
            if about.setdefault(file, stated) != stated:
                raise ValueError(f"{file} has another split or identity in an earlier row")
        except ValueError as error:
            raise BadAnnotations(f"{path.name}, row {number}: {error}.") from error
    return [_clip(path, file, found, *about[file]) for file, found in entries.items()]


def read_intervals(path: Path, media: Media) -> list[Interval]:
    """What the rows of one clip say, rejected segments too. Raises `BadAnnotations`."""
    clip = select_clip(path, read_csv(path), media.name)
    try:
        truth_to_intervals(clip, media)
        return [_interval(row, media) for row in _rows_of(path, clip.file)]
    except ValueError as error:
        raise BadAnnotations(f"{path.name}: {error}.") from error


def write_intervals(annotation: Annotation, path: Path) -> None:
    """Writes our CSV with everything that was said."""
    rows = [
        {**asdict(one), "file": annotation.media.name, "note": escape_lines(one.note)}
        for one in annotation.intervals
    ]
    table = pd.DataFrame(rows or [{"file": annotation.media.name}])
    table = table.reindex(columns=CSV_COLUMNS + SAID_COLUMNS)
    table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _table(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig"
            )
    except pd.errors.ParserWarning as warning:
        problem = "some rows have more cells than the first one has names"
        raise BadAnnotations(f"{path.name} is no table: {problem}.") from warning
    except ValueError as error:  # the base of pandas' parser errors
        raise BadAnnotations(f"{path.name} is no table: {str(error).strip()}.") from error
    absent = [column for column in CSV_COLUMNS if column not in table.columns]
    if absent:
        raise BadAnnotations(f"{path.name} lacks the columns {', '.join(absent)}.")
    return table


def _rows_of(path: Path, file: str) -> list[dict[str, str]]:
    table = _table(path)
    return table[(table["file"] == file) & (table["start_s"] != "")].to_dict("records")


def _interval(row: dict[str, str], media: Media) -> Interval:
    numbers = {key: float(row[key]) if row.get(key) else None for key in ("score", "confidence")}
    said = interval_details({**row, **numbers, "note": unescape_lines(row.get("note", ""))})
    segment = to_segment([row["start_s"], row["end_s"]])
    return media.interval(segment.start, segment.end, stream=row["stream"], **said)


def write_csv(annotations: Iterable[ClipTruth], path: str | Path) -> None:
    """Writes our CSV. Split, identity, families and the like are not part of it."""
    rows = [row for annotation in annotations for row in _rows(annotation)]
    pd.DataFrame(rows, columns=CSV_COLUMNS).to_csv(path, index=False)


def _file(file: str) -> str:
    if not file:
        raise ValueError("the file cell is empty")
    return file


def _entry(start: str, end: str, stream: str) -> Entry:
    if stream and stream not in STREAMS:
        raise ValueError(f"stream is '{stream}', expected one of {', '.join(STREAMS)}")
    if not start and not end:
        return (stream or None), None  # type: ignore[return-value]
    if not stream:
        raise ValueError("a span without a stream")
    return stream, to_segment([start, end])  # type: ignore[return-value]


def _clip(
    path: Path, file: str, entries: list[Entry], split: str | None, identity: str | None
) -> ClipTruth:
    if len(entries) > 1 and (None, None) in entries:
        raise BadAnnotations(
            f"{path.name} calls {file} authentic in one row and forged in another."
        )
    segments = {
        stream: Timeline.of(found for own, found in entries if own == stream and found)
        for stream in STREAMS
    }
    return ClipTruth(
        file,
        with_fused(segments),
        split,
        identity=identity,
        labels={stream: True for stream, found in entries if stream and not found},
    )


def _rows(annotation: ClipTruth) -> list[tuple]:
    """`fused` is written only where it says more than the other two."""
    visual, audio, fused = (annotation.segments[stream] for stream in STREAMS)
    implied = fused == Timeline.of([*visual, *audio])
    rows: list[tuple] = [
        (annotation.file, segment.start, segment.end, stream)
        for stream in (STREAMS[:2] if implied else STREAMS)
        for segment in annotation.segments[stream]
    ]
    for stream, forged in annotation.labels.items():
        if forged and not annotation.segments[stream]:
            rows.append((annotation.file, None, None, stream))
    return rows or [(annotation.file, None, None, None)]
