"""ForgeryNet's temporal truth. Every forgery in it is one of the picture.

Understood are exactly two layouts:
- the publisher's `video_list.txt` (in `Training`, `Validation`, `Test`), a clip a line:
  `<n> <video name> [<first frame> <number of frames> <fake|real>] * n <binary> <triple> <16-way>`,
  parted by spaces, where 1 also stands for fake and 0 for real, and the last number is kept as the
  family ("method 5"). The split is the folder's;
- a JSON object keyed by the video's name, in seconds, in the layout that BSN and BMN train on
  (`activitynet.py`); a label that names no stream means the picture.

The list counts frames, of clips of many rates, so the seconds need the frame rate: that of the
clip at hand, or of the file beside the list, in `video` first. A clip whose rate nobody knows is
known as forged, but not when.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av

from deeploc.annotations.annotation import Interval, Media
from deeploc.annotations.conversion import select_clip, truth_to_intervals
from deeploc.annotations.format import Format, Source
from deeploc.annotations.formats.activitynet import DURATIONS, activitynet_clip
from deeploc.annotations.json_clips import in_place, read_entries
from deeploc.annotations.truth import ClipTruth, to_split, with_fused
from deeploc.scores import Stream
from deeploc.timeline import Segment, Timeline

FLAGS = {"0": False, "real": False, "1": True, "fake": True}
FOLDERS = ("video", ".")


def read(source: Source, media: Media) -> list[Interval]:
    """The intervals of a clip, counted at its own frame rate."""
    truths = read_clips(source, None, media.fps)
    return truth_to_intervals(select_clip(source.name, truths, media.name), media)


def read_clips(
    source: Source, clips: Path | None = None, rate_hz: float | None = None
) -> list[ClipTruth]:
    """All clips, their media in `clips` or beside the list, or all of the given frame rate."""
    if source.json is not None:
        return read_entries(source, "forgerynet", partial(activitynet_clip, unnamed="visual"))
    truths = []
    for number, line in enumerate(source.text.splitlines(), start=1):
        if line.strip():
            with in_place(source, f"line {number}"):
                truths.append(forgerynet_clip(line, source.path, clips, rate_hz))
    return truths


def matches(source: Source) -> bool:
    if isinstance(source.json, dict):
        return "annotations" in source.first_row and bool(DURATIONS & set(source.first_row))
    return is_line(source.first_line) and "\t" not in source.first_line


def forgerynet_clip(
    line: str, path: Path, clips: Path | None = None, rate_hz: float | None = None
) -> ClipTruth:
    """The clip of one line of the list at `path`."""
    cells = line.split()
    if not is_line(line):
        raise ValueError("expected '<n> <name> [<first> <frames> <fake|real>] * n <2> <3> <16>'")
    name, binary, method = cells[1], cells[-3], cells[-1]
    spans = [
        (int(first), int(count))
        for first, count, flag in zip(cells[2:-3:3], cells[3:-3:3], cells[4:-3:3], strict=True)
        if _flag(flag)
    ]
    forged = _flag(binary)
    if spans and not forged:
        raise ValueError("it has fake frames, but the label of the clip is real")
    if rate_hz is None and spans:
        rate_hz = _frame_rate(clips or path.parent, name)
    segments = Timeline.of(_seconds(spans, rate_hz) if rate_hz else ())
    labels: dict[Stream, bool] = {"visual": forged, "audio": False}
    return ClipTruth(
        name,
        with_fused({"visual": segments}),
        _split(path),
        families={"visual": f"method {method}"} if forged else {},
        labels=labels,
    )


def is_line(line: str) -> bool:
    """Whether a line has the cells of the list: a count, a name, count * 3 cells, 3 labels."""
    cells = line.split()
    if len(cells) < 5 or not cells[0].isdecimal() or len(cells) != 5 + 3 * int(cells[0]):
        return False
    numbers = [cell for start in (2, 3) for cell in cells[start:-3:3]]
    return all(number.isdecimal() for number in numbers)


def _flag(cell: str) -> bool:
    if cell.lower() not in FLAGS:
        raise ValueError(f"'{cell}' is neither fake (1) nor real (0)")
    return FLAGS[cell.lower()]


def _seconds(spans: list[tuple[int, int]], rate_hz: float) -> Iterator[Segment]:
    for first, count in spans:
        if count < 1:
            raise ValueError(f"a span of {count} frames")
        yield Segment(first / rate_hz, (first + count) / rate_hz)


def _split(path: Path) -> str | None:
    try:
        return to_split(path.parent.name)
    except ValueError:
        return None


def _frame_rate(folder: Path, name: str) -> float | None:
    """The average rate that the clip's container states; None where it can't be read."""
    for place in FOLDERS:
        if (folder / place / name).is_file():
            try:
                with av.open(str(folder / place / name)) as container:
                    return float(container.streams.video[0].average_rate or 0) or None
            except (av.error.FFmpegError, IndexError):
                return None
    return None


FORMAT = Format(
    key="forgerynet",
    label="ForgeryNet metadata",
    suffixes=(".txt", ".json"),
    mime="text/plain",
    keeps="when the picture is forged: `video_list.txt`, which counts frames, or JSON in seconds",
    matches=matches,
    read=read,
    read_clips=read_clips,
)
