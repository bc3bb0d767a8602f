"""The truth of one clip, and the pieces that every format's reader makes it from.

The pieces raise `ValueError` with the reason; the readers add file and row. Knows no file format.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deeploc.scores import STREAMS, Stream
from deeploc.timeline import SLACK, Segment, Timeline

DATASET_RATE_HZ = 25  # LAV-DF and AV-Deepfake1M count frames / 25, whatever the container says


@dataclass(frozen=True)
class ClipTruth:
    """The truth of one clip.

    `segments`: a timeline for each of visual, audio and fused, where fused holds at least the union
    of the other two. `labels`: streams that a clip-level label calls forged or authentic, for files
    that name a clip forged without saying when; streams not in it follow from their segments.
    `families`: the generator family by stream, where the file tells. `original`: the authentic clip
    that this one was made from. `split`: train, dev or test (a file's "val" is dev). `footage`: the
    kind of recording, as laboratory or ordinary. `change`: the kind of everyday change that was
    laid over it, which is no forgery (`train/everyday`).
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
    footage: str | None = None
    change: str | None = None

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


def with_fused(segments: Mapping[Stream, Timeline]) -> dict[Stream, Timeline]:
    """A timeline for every stream, with every segment of any stream also in `fused`."""
    everything = Timeline.of(segment for timeline in segments.values() for segment in timeline)
    visual, audio = (segments.get(stream, Timeline()) for stream in STREAMS[:2])
    return {"visual": visual, "audio": audio, "fused": everything}


def segments_with_stream(segments: Mapping[Stream, Timeline]) -> list[tuple[Stream, Segment]]:
    """Every forged segment once, in order of time: what is forged in picture and sound at once is
    `fused`, and so are the parts of `fused` that neither of them explains."""
    visual, audio = (set(segments.get(stream, ())) for stream in STREAMS[:2])
    alone = Timeline.of(visual | audio)
    rest = {part for span in segments.get("fused", ()) for part in _without(span, alone)}
    parts: list[tuple[Stream, set[Segment]]] = [
        ("visual", visual - audio),
        ("audio", audio - visual),
        ("fused", visual & audio | rest),
    ]
    found = [(stream, part) for stream, own in parts for part in own]
    return sorted(found, key=lambda item: item[1])


def _without(span: Segment, others: Timeline) -> Iterator[Segment]:
    """The parts of a span that no segment of a timeline covers."""
    start = span.start
    for other in others:
        if start + SLACK < other.start and start < span.end:
            yield Segment(start, min(other.start, span.end))
        start = max(start, other.end)
    if start + SLACK < span.end:
        yield Segment(start, span.end)


def to_timeline(spans: Any) -> Timeline:
    """A file's list of [start, end] in seconds; no list at all is an empty one."""
    if spans is None:
        return Timeline()
    if not isinstance(spans, list):
        raise ValueError(f"expected a list of [start, end], got {spans!r}")
    return Timeline.of(to_segment(span) for span in spans)


def to_segment(span: Any) -> Segment:
    try:
        start, end = map(float, span)
        if isinstance(span, str) or not math.isfinite(end):
            raise ValueError
        return Segment(start, end)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{span!r} is no span: expected 0 <= start < end in seconds") from error


def to_split(name: Any) -> str | None:
    """train, dev or test, by how a file's name for it begins: training, valid, test_landline."""
    if name is None or name == "":
        return None
    for split, beginnings in (("train", ("train",)), ("dev", ("dev", "val")), ("test", ("test",))):
        if str(name).lower().startswith(beginnings):
            return split
    raise ValueError(f"unknown split '{name}', expected train, dev (or val), or test")


def to_identity(name: Any) -> str | None:
    return None if name is None or name == "" else str(name)


def to_seconds(duration: Any, frames: Any = None, rate_hz: Any = DATASET_RATE_HZ) -> float | None:
    """How long a clip lasts: by its frames where they are counted, else as stated, else None."""
    if duration is None and frames is None:
        return None
    try:
        seconds = float(duration) if frames is None else float(frames) / float(rate_hz)
    except (TypeError, ValueError, ZeroDivisionError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"no duration in duration={duration!r}, video_frames={frames!r}")
    return seconds


def row_file(row: Any) -> str:
    if not isinstance(row, dict) or not isinstance(row.get("file"), str) or not row["file"]:
        raise ValueError("expected an object with the key 'file'")
    return str(row["file"])
