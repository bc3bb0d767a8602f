"""The truth about clips: which seconds of which stream were forged, read from dataset files.

Formats are told apart by content: LAV-DF metadata (with the extra keys that `train/forge.py`
writes), AV-Deepfake1M metadata, and our own CSV. Nothing here opens a clip or knows a score.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from deeploc.errors import BadAnnotations
from deeploc.scores import STREAMS, Stream
from deeploc.timeline import Segment, Timeline

DATASET_RATE_HZ = 25  # truth of LAV-DF and AV-Deepfake1M is frame / 25, whatever the file says
CSV_COLUMNS = ["file", "start_s", "end_s", "stream"]
MODIFY_TYPES: dict[str, tuple[Stream, ...]] = {
    "real": (),
    "visual_modified": ("visual",),
    "audio_modified": ("audio",),
    "both_modified": ("visual", "audio"),
}


@dataclass(frozen=True)
class ClipAnnotation:
    """The truth of one clip.

    `segments`: a timeline for each of visual, audio and fused, where fused holds at least the union
    of the other two. `labels`: streams that a clip-level label calls forged or authentic, for files
    that name a clip forged without saying when; streams not in it follow from their segments.
    `families`: the generator family by stream, where the file tells. `original`: the authentic clip
    that this one was made from. `split`: train, dev or test (a file's "val" is dev).
    """

    file: str
    segments: Mapping[Stream, Timeline] = field(
        default_factory=lambda: dict.fromkeys(STREAMS, Timeline())
    )
    split: str | None = None
    duration_s: float | None = None
    original: str | None = None
    identity: str | None = None
    families: Mapping[Stream, str] = field(default_factory=dict)
    labels: Mapping[Stream, bool] = field(default_factory=dict)

    @property
    def modify_visual(self) -> bool:
        return self._forged("visual")

    @property
    def modify_audio(self) -> bool:
        return self._forged("audio")

    @property
    def forged(self) -> bool:
        return self.modify_visual or self.modify_audio or self._forged("fused")

    def _forged(self, stream: Stream) -> bool:
        return self.labels.get(stream, bool(self.segments[stream].segments))


def read_annotations(path: str | Path) -> list[ClipAnnotation]:
    """Reads an annotation file of any known format, in file order.

    Raises `BadAnnotations`, naming file and row, when the file is missing, damaged, of unknown
    format, contradicts itself, or holds a span that is no span.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadAnnotations(f"{path.name} can't be read as a text file: {error}.") from error
    is_json = text.lstrip()[:1] in ("[", "{")
    annotations = _read_json(path, text) if is_json else _read_csv(path)
    _refuse_duplicates(path, annotations)
    return annotations


def write_csv(annotations: Iterable[ClipAnnotation], path: str | Path) -> None:
    """Writes our CSV, one row a forged segment; an authentic clip is one row with empty cells.

    A clip known as forged without its seconds is a row with only a stream. Split, identity,
    families and the like are not part of the CSV.
    """
    rows = [row for annotation in annotations for row in _csv_rows(annotation)]
    pd.DataFrame(rows, columns=CSV_COLUMNS).to_csv(path, index=False)


def _read_json(path: Path, text: str) -> list[ClipAnnotation]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise BadAnnotations(f"{path.name} is broken JSON: {error}.") from error
    if not isinstance(rows, list):
        raise BadAnnotations(
            f"{path.name} is no list of clips: expected LAV-DF or AV-Deepfake1M metadata."
        )
    annotations = []
    for number, row in enumerate(rows, start=1):
        try:
            annotations.append(_json_clip(row))
        except ValueError as error:
            raise BadAnnotations(f"{path.name}, clip {number}{_named(row)}: {error}.") from error
    return annotations


def _json_clip(row: Any) -> ClipAnnotation:
    if not isinstance(row, dict) or not isinstance(row.get("file"), str) or not row["file"]:
        raise ValueError("expected an object with the key 'file'")
    if "modify_type" in row:
        return _avdeepfake1m(row)
    if "modify_video" in row or "fake_periods" in row:
        return _lavdf(row)
    raise ValueError("neither LAV-DF ('modify_video') nor AV-Deepfake1M ('modify_type') metadata")


def _lavdf(row: dict) -> ClipAnnotation:
    """LAV-DF has one list for both streams; the lists by stream are our addition."""
    shared = _timeline(row.get("fake_periods"))
    labels: dict[Stream, bool] = {
        "visual": _flag(row, "modify_video"),
        "audio": _flag(row, "modify_audio"),
    }
    segments = {
        stream: _timeline(row[f"{stream}_periods"])
        if f"{stream}_periods" in row
        else (shared if labels[stream] else Timeline())
        for stream in labels
    }
    if shared and not any(labels.values()):
        raise ValueError("it has fake_periods, but modify_video and modify_audio are both false")
    for stream, forged in labels.items():
        if segments[stream] and not forged:
            raise ValueError(f"it has {stream}_periods, but the label of that stream is false")
    return _clip(row, segments, labels)


def _avdeepfake1m(row: dict) -> ClipAnnotation:
    """Some clips list a segment in a stream that `modify_type` calls untouched: dropped."""
    kind = str(row["modify_type"]).replace("-", "_")
    if kind not in MODIFY_TYPES:
        raise ValueError(f"unknown modify_type '{row['modify_type']}'")
    shared = _timeline(row.get("fake_segments"))
    segments: dict[Stream, Timeline] = {"visual": Timeline(), "audio": Timeline()}
    for stream in MODIFY_TYPES[kind]:
        own = row.get(f"{stream}_fake_segments")
        segments[stream] = shared if own is None else _timeline(own)
    return _clip(row, segments, {stream: stream in MODIFY_TYPES[kind] for stream in segments})


def _clip(
    row: dict, segments: dict[Stream, Timeline], labels: dict[Stream, bool]
) -> ClipAnnotation:
    families = {stream: row.get(f"family_{stream}") for stream in segments}
    return ClipAnnotation(
        file=row["file"],
        segments=_with_union(segments),
        split="dev" if row.get("split") == "val" else row.get("split"),
        duration_s=_duration(row),
        original=row.get("original"),
        identity=None if row.get("identity") is None else str(row["identity"]),
        families={stream: str(family) for stream, family in families.items() if family},
        labels=labels,
    )


def _read_csv(path: Path) -> list[ClipAnnotation]:
    try:
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig"
        )
    except ValueError as error:  # the base of pandas' parser errors
        raise BadAnnotations(f"{path.name} is no table: {error}.") from error
    if not set(CSV_COLUMNS) <= set(table.columns):
        raise BadAnnotations(
            f"{path.name} is of no known format: expected LAV-DF or AV-Deepfake1M metadata (JSON), "
            f"or a CSV with the columns {', '.join(CSV_COLUMNS)}."
        )
    clips: dict[str, list[tuple[Stream | None, Segment | None]]] = {}
    cells = table[CSV_COLUMNS].itertuples(index=False, name=None)
    for number, (file, *rest) in enumerate(cells, start=2):
        try:
            clips.setdefault(_csv_file(file), []).append(_csv_entry(*rest))
        except ValueError as error:
            raise BadAnnotations(f"{path.name}, row {number}: {error}.") from error
    return [_csv_clip(path, file, entries) for file, entries in clips.items()]


def _csv_file(file: str) -> str:
    if not file:
        raise ValueError("the file cell is empty")
    return file


def _csv_entry(start: str, end: str, stream: str) -> tuple[Stream | None, Segment | None]:
    if stream and stream not in STREAMS:
        raise ValueError(f"stream is '{stream}', expected one of {', '.join(STREAMS)}")
    if not start and not end:
        return (stream or None), None  # type: ignore[return-value]
    if not stream:
        raise ValueError("a span without a stream")
    return stream, _segment([start, end])  # type: ignore[return-value]


def _csv_clip(
    path: Path, file: str, entries: list[tuple[Stream | None, Segment | None]]
) -> ClipAnnotation:
    if len(entries) > 1 and (None, None) in entries:
        raise BadAnnotations(
            f"{path.name} calls {file} authentic in one row and forged in another."
        )
    segments = {
        stream: Timeline.of(found for own, found in entries if own == stream and found)
        for stream in STREAMS
    }
    return ClipAnnotation(
        file,
        _with_union(segments),
        labels={stream: True for stream, found in entries if stream and not found},
    )


def _csv_rows(annotation: ClipAnnotation) -> list[tuple]:
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


def _with_union(segments: Mapping[Stream, Timeline]) -> dict[Stream, Timeline]:
    """The timelines with every segment of any stream also in `fused`."""
    everything = Timeline.of(segment for timeline in segments.values() for segment in timeline)
    return {"visual": segments["visual"], "audio": segments["audio"], "fused": everything}


def _timeline(spans: Any) -> Timeline:
    if spans is None:
        return Timeline()
    if not isinstance(spans, list):
        raise ValueError(f"expected a list of [start, end], got {spans!r}")
    return Timeline.of(_segment(span) for span in spans)


def _segment(span: Any) -> Segment:
    try:
        start, end = map(float, span)
        if isinstance(span, str) or not math.isfinite(end):
            raise ValueError
        return Segment(start, end)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{span!r} is no span: expected 0 <= start < end in seconds") from error


def _flag(row: dict, key: str) -> bool:
    value = row.get(key)
    if value not in (True, False):  # 0 and 1 compare equal
        raise ValueError(f"{key} is {value!r}, expected true or false")
    return bool(value)


def _duration(row: dict) -> float | None:
    frames, duration = row.get("video_frames"), row.get("duration")
    try:
        if duration is not None:
            seconds = float(duration)
        elif frames is not None:
            seconds = float(frames) / DATASET_RATE_HZ
        else:
            return None
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"no duration in duration={duration!r}, video_frames={frames!r}")
    return seconds


def _named(row: Any) -> str:
    return f" ({row['file']})" if isinstance(row, dict) and row.get("file") else ""


def _refuse_duplicates(path: Path, annotations: list[ClipAnnotation]) -> None:
    seen: set[str] = set()
    for annotation in annotations:
        if annotation.file in seen:
            raise BadAnnotations(f"{path.name} lists {annotation.file} twice.")
        seen.add(annotation.file)
