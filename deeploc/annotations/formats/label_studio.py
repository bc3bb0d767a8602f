"""Label Studio's JSON: one task, a `timelinelabels` region an interval.

Regions count frames from 1 and hold their last one. The label is the stream; status, score and note
are a line of `label.py` in the region's `meta`. `data` holds `fps`, for `frameRate="$fps"`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from deeploc.annotations.annotation import (
    Annotation,
    Interval,
    Media,
)
from deeploc.annotations.formats.captions import labelled
from deeploc.annotations.label import (
    format_label,
    stream_in_text,
)

KIND = "timelinelabels"
SAME_HZ = 0.01


def write_label_studio(annotation: Annotation, path: Path) -> None:
    media = annotation.media
    data = {"video": media.name, "fps": media.fps, "frames": media.frames}
    regions = [_region(number, one) for number, one in enumerate(annotation.intervals, start=1)]
    told = {**annotation.provenance, "duration_s": media.duration_s}
    task = {"data": data, "meta": told, "annotations": [{"result": regions}]}
    path.write_text(json.dumps([task], ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _region(number: int, one: Interval) -> dict[str, Any]:
    return {
        "id": f"deeploc{number}",
        "type": KIND,
        "from_name": "forged",
        "to_name": "video",
        "value": {
            "ranges": [
                {"start": one.start_frame + 1, "end": max(one.end_frame, one.start_frame + 1)}
            ],
            KIND: [one.stream],
        },
        "meta": {"text": [format_label(one, stream=False)]},
    }


def is_tasks(content: Any) -> bool:
    """Whether JSON looks like an export of Label Studio."""
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and isinstance(first.get("data"), dict)


def label_studio_intervals(content: Any, media: Media) -> list[Interval]:
    """The regions of the clip's task, by the last person who finished it, else of a prediction.

    Raises `ValueError`.
    """
    task = _task(content if isinstance(content, list) else [content], media.name)
    fps = task["data"].get("fps") or task["data"].get("framerate") or media.fps
    try:
        done = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
        answers = (done or task.get("predictions") or [{"result": []}])[-1]["result"]
        return [one for region in answers for one in _intervals(region, float(fps), media)]
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"its {KIND} are damaged ({type(error).__name__}: {error})") from error


def _task(tasks: list, name: str) -> dict:
    if not all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks):
        raise ValueError("a task of it has no data")
    named = [task for task in tasks if PurePosixPath(str(task["data"].get("video"))).name == name]
    if len(named) == 1:
        return named[0]
    if len(tasks) != 1:
        raise ValueError(f"it holds no task of its own for {name}")
    return tasks[0]


def _intervals(region: dict, fps: float, media: Media) -> Iterator[Interval]:
    if region["type"] != KIND:
        return
    same = abs(fps - media.fps) < SAME_HZ
    text = " ".join(region.get("meta", {}).get("text", ()))
    stream = stream_in_text(" ".join(region["value"][KIND])) or "fused"
    for span in region["value"]["ranges"]:
        first, after = int(span["start"]) - 1, int(span["end"])
        if not 0 <= first < after:
            raise ValueError(f"{span!r} is no range of frames, which count from 1")
        start_s, end_s = (media.time(at) if same else at / fps for at in (first, after))
        yield from labelled(media, start_s, end_s, text, stream)
