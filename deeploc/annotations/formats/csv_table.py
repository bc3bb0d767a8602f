"""DeepLoc's CSV: the columns `file, start_s, end_s, stream`, one row a forged segment.

An authentic clip is one row with empty cells; a clip known as forged without its seconds is a row
with a stream only. The columns `split` and `identity` may be there too, and what a person said:
`start_frame, end_frame, status, origin, score, confidence, note`. A rejected segment is no truth.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from deeploc.annotations.annotation import Annotation, Interval, Media
from deeploc.annotations.conversion import select_clip, truth_to_intervals
from deeploc.annotations.fields import interval_details, stream_field
from deeploc.annotations.format import Format, Source
from deeploc.annotations.json_clips import in_place
from deeploc.annotations.label import escape_lines, unescape_lines
from deeploc.annotations.truth import ClipTruth, to_identity, to_segment, to_split, with_fused
from deeploc.errors import BadAnnotations
from deeploc.scores import STREAMS, Stream
from deeploc.timeline import Segment, Timeline

COLUMNS = ["file", "start_s", "end_s", "stream"]
OPTIONAL_COLUMNS = ["split", "identity", "status"]
INTERVAL_COLUMNS = ["start_frame", "end_frame", "status", "origin", "score", "confidence", "note"]
Cells = tuple[Stream | None, Segment | None]  # of a row


def read_clips(source: Source, _: Path | None = None) -> list[ClipTruth]:
    """Raises `BadAnnotations`, naming the row."""
    cells_of: dict[str, list[Cells]] = {}
    split_of: dict[str, tuple[str | None, str | None]] = {}
    table = _table(source).reindex(columns=COLUMNS + OPTIONAL_COLUMNS, fill_value="")
    for number, row in enumerate(table.itertuples(index=False, name=None), start=2):
        file, start, end, stream, split, identity, status = row
        with in_place(source, f"row {number}"):
            if not file:
                raise ValueError("the file cell is empty")
            found, cells = cells_of.setdefault(file, []), _cells(start, end, stream)
            found += [] if status == "rejected" else [cells]
            stated = to_split(split), to_identity(identity)
            if split_of.setdefault(file, stated) != stated:
                raise ValueError(f"{file} has another split or identity in an earlier row")
    return [_clip(source, file, found, *split_of[file]) for file, found in cells_of.items()]


def read(source: Source, media: Media) -> list[Interval]:
    """What the rows of one clip say, rejected segments too."""
    clip = select_clip(source.name, read_clips(source), media.name)
    truth_to_intervals(clip, media)  # whether it says when
    table = _table(source)
    rows = table[(table["file"] == clip.file) & (table["start_s"] != "")].to_dict("records")
    return [_interval(row, media) for row in rows]


def matches(source: Source) -> bool:
    return set(COLUMNS) <= set(source.first_line.replace('"', "").strip().split(","))


def write(annotation: Annotation, path: Path) -> None:
    rows = [
        {**asdict(one), "file": annotation.media.name, "note": escape_lines(one.note)}
        for one in annotation.intervals
    ]
    table = pd.DataFrame(rows or [{"file": annotation.media.name}])
    table = table.reindex(columns=COLUMNS + INTERVAL_COLUMNS)
    table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def write_csv(truths: Iterable[ClipTruth], path: str | Path) -> None:
    """Writes the truth of many clips. Split, identity, families and the like are left out."""
    rows = [row for truth in truths for row in _rows(truth)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False)


def _table(source: Source) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            text = StringIO(source.text)
            table = pd.read_csv(text, dtype=str, keep_default_na=False, index_col=False)
    except pd.errors.ParserWarning as warning:
        problem = "some rows have more cells than the first one has names"
        raise BadAnnotations(f"{source.name} is no table: {problem}.") from warning
    except ValueError as error:  # the base of pandas' parser errors
        raise BadAnnotations(f"{source.name} is no table: {str(error).strip()}.") from error
    absent = [column for column in COLUMNS if column not in table.columns]
    if absent:
        raise BadAnnotations(
            f"{source.name} lacks the columns {', '.join(absent)}, so it is of no known format."
        )
    return table


def _interval(row: dict[str, Any], media: Media) -> Interval:
    numbers = {key: float(row[key]) if row.get(key) else None for key in ("score", "confidence")}
    note = unescape_lines(row.get("note", ""))
    details = interval_details({**row, **numbers, "note": note})
    segment = to_segment([row["start_s"], row["end_s"]])
    return media.interval(segment.start, segment.end, stream=stream_field(row), **details)


def _cells(start: str, end: str, stream: str) -> Cells:
    if stream and stream not in STREAMS:
        raise ValueError(f"stream is '{stream}', expected one of {', '.join(STREAMS)}")
    named = stream_field({"stream": stream}) if stream else None
    if not start and not end:
        return named, None
    if not named:
        raise ValueError("a span without a stream")
    return named, to_segment([start, end])


def _clip(
    source: Source, file: str, cells: list[Cells], split: str | None, identity: str | None
) -> ClipTruth:
    if len(cells) > 1 and (None, None) in cells:
        raise BadAnnotations(
            f"{source.name} calls {file} authentic in one row and forged in another."
        )
    segments = {
        stream: Timeline.of(segment for named, segment in cells if named == stream and segment)
        for stream in STREAMS
    }
    return ClipTruth(
        file,
        with_fused(segments),
        split,
        identity=identity,
        labels={stream: True for stream, segment in cells if stream and not segment},
    )


def _rows(truth: ClipTruth) -> list[tuple[str, float | None, float | None, Stream | None]]:
    """`fused` is written only where it says more than the other two."""
    visual, audio, fused = (truth.segments[stream] for stream in STREAMS)
    implied = fused == Timeline.of([*visual, *audio])
    rows: list[tuple[str, float | None, float | None, Stream | None]] = [
        (truth.file, segment.start, segment.end, stream)
        for stream in (STREAMS[:2] if implied else STREAMS)
        for segment in truth.segments[stream]
    ]
    for stream, forged in truth.labels.items():
        if forged and not truth.segments[stream]:
            rows.append((truth.file, None, None, stream))
    return rows or [(truth.file, None, None, None)]


FORMAT = Format(
    key="csv",
    label="CSV",
    suffixes=(".csv",),
    mime="text/csv",
    keeps="`file, start_s, end_s, stream`, then frames, status, origin, score, confidence, note",
    matches=matches,
    read=read,
    read_clips=read_clips,
    write=write,
)
