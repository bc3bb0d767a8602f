"""Label Studio's JSON: one task, a `timelinelabels` region an interval.

Regions count frames from 1 and hold their last one. The label is the stream; status, score and note
are a line of `label.py` in the region's `meta`. `data` holds `fps`, for `frameRate="$fps"`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from deeploc.annotations.annotation import Annotation, Interval, Media
from deeploc.annotations.format import Format, Source
from deeploc.annotations.label import format_label, labelled_intervals, stream_in_text

KIND = "timelinelabels"
SAME_HZ = 0.01


def write(annotation: Annotation, path: Path) -> None:
    media = annotation.media
    data = {"video": media.name, "fps": media.fps, "frames": media.frames}
    regions = [_region(number, one) for number, one in enumerate(annotation.intervals, start=1)]
    about = {**annotation.provenance, "duration_s": media.duration_s}
    task = {"data": data, "meta": about, "annotations": [{"result": regions}]}
    path.write_text(json.dumps([task], ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _region(number: int, interval: Interval) -> dict[str, Any]:
    first = interval.start_frame + 1
    return {
        "id": f"deeploc{number}",
        "type": KIND,
        "from_name": "forged",
        "to_name": "video",
        "value": {
            "ranges": [
                {"start": first, "end": max(interval.end_frame, first)},
            ],
            KIND: [interval.stream],
        },
        "meta": {"text": [format_label(interval, stream=False)]},
    }


def matches(source: Source) -> bool:
    """Whether it is a list of tasks, or one of them."""
    task = source.json if isinstance(source.json, dict) else source.first_row
    return isinstance(task.get("data"), dict)


def read(source: Source, media: Media) -> list[Interval]:
    """The regions of the clip's task, by the last person who finished it, else of a prediction."""
    tasks = source.json if isinstance(source.json, list) else [source.json]
    task = _task(tasks, media.name)
    fps = task["data"].get("fps") or task["data"].get("framerate") or media.fps
    try:
        done = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
        answers = (done or task.get("predictions") or [{"result": []}])[-1]["result"]
        return [one for region in answers for one in _intervals(region, float(fps), media)]
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"its {KIND} are damaged ({type(error).__name__}: {error})") from error


def _task(tasks: list[Any], name: str) -> dict[str, Any]:
    if not all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks):
        raise ValueError("a task of it has no data")
    named = [task for task in tasks if PurePosixPath(str(task["data"].get("video"))).name == name]
    if len(named) == 1:
        return dict(named[0])
    if len(tasks) != 1:
        raise ValueError(f"it holds no task of its own for {name}")
    return dict(tasks[0])


def _intervals(region: dict[str, Any], fps: float, media: Media) -> Iterator[Interval]:
    if region["type"] != KIND:
        return
    same = abs(fps - media.fps) < SAME_HZ
    text = " ".join(region.get("meta", {}).get("text", ()))
    stream = stream_in_text(" ".join(region["value"][KIND])) or "fused"
    for span in region["value"]["ranges"]:
        first, after = int(span["start"]) - 1, int(span["end"])
        if not 0 <= first < after:
            raise ValueError(f"{span!r} is no range of frames, which count from 1")
        start_s, end_s = (
            media.time(at) if same and at <= media.frames else at / fps for at in (first, after)
        )
        yield from labelled_intervals(media, start_s, end_s, text, stream)


FORMAT = Format(
    key="labelstudio",
    label="Label Studio JSON",
    suffixes=(".labelstudio.json",),
    mime="application/json",
    keeps="`timelinelabels` with frame ranges from 1; `fps` beside the video, for "
    '`frameRate="$fps"`',
    matches=matches,
    read=read,
    write=write,
)
