"""A person's annotation as a file of any format that we know, and back.

What each format holds is said in its module and in the README; here is only how they are told
apart. Every reader is written so that its own writer's file comes back to within half a frame.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deeploc.annotations.annotation import (
    Annotation,
    Interval,
    Media,
    to_annotation,
    write_own,
)
from deeploc.annotations.conversion import (
    annotation_to_truth,
    select_clip,
    truth_to_intervals,
)
from deeploc.annotations.formats.activitynet import write_activitynet
from deeploc.annotations.formats.avdeepfake1m import write_avdeepfake1m
from deeploc.annotations.formats.captions import (
    read_audacity,
    read_webvtt,
    write_audacity,
    write_webvtt,
)
from deeploc.annotations.formats.label_studio import (
    is_tasks,
    label_studio_intervals,
    write_label_studio,
)
from deeploc.annotations.formats.lavdf import write_lavdf
from deeploc.annotations.formats.table import (
    read_intervals,
    write_intervals,
)
from deeploc.annotations.formats.tiers import (
    read_elan,
    read_praat,
    write_elan,
    write_praat,
)
from deeploc.annotations.read import read_truths
from deeploc.annotations.truth import ClipTruth
from deeploc.errors import BadAnnotations

Write = Callable[[Annotation, Path], None]
Read = Callable[[Path, Media], list[Interval]]


@dataclass(frozen=True)
class Format:
    """`label`: what people call it. `suffix`: what follows the clip's name. `type`: MIME."""

    label: str
    suffix: str
    type: str
    write: Write


def _row(write: Callable[[ClipTruth, Path], None]) -> Write:
    return lambda annotation, path: write(annotation_to_truth(annotation), path)


JSON = "application/json"
FORMATS = {
    "json": Format("DeepLoc JSON", ".annotation.json", JSON, write_own),
    "csv": Format("CSV", ".csv", "text/csv", write_intervals),
    "webvtt": Format("WebVTT", ".vtt", "text/vtt", write_webvtt),
    "audacity": Format("Audacity labels", ".txt", "text/plain", write_audacity),
    "elan": Format("ELAN", ".eaf", "application/xml", write_elan),
    "praat": Format("Praat TextGrid", ".TextGrid", "text/plain", write_praat),
    "labelstudio": Format("Label Studio JSON", ".labelstudio.json", JSON, write_label_studio),
    "lavdf": Format(
        "LAV-DF metadata", ".lavdf.json", JSON, _row(lambda clip, path: write_lavdf([clip], path))
    ),
    "avdeepfake1m": Format(
        "AV-Deepfake1M metadata", ".avdeepfake1m.json", JSON, _row(write_avdeepfake1m)
    ),
    "activitynet": Format("ActivityNet JSON", ".activitynet.json", JSON, _row(write_activitynet)),
}
READERS: dict[str, tuple[str, Read]] = {
    ".csv": ("CSV", read_intervals),
    ".vtt": ("WebVTT", read_webvtt),
    ".txt": ("Audacity label", read_audacity),
    ".eaf": ("ELAN", read_elan),
    ".textgrid": ("Praat TextGrid", read_praat),
}


def read_annotation(path: Path, media: Media | None) -> Annotation:
    """The annotation of `media` in a file, its format told by suffix and content.

    Our own JSON names its clip itself, and needs no `media`. Raises `BadAnnotations`: one sentence
    that names the file.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _read_json(path, media)
    if suffix not in READERS:
        known = ", ".join([".json", *READERS])
        raise BadAnnotations(f"{path.name} is of no format that can be read here ({known}).")
    kind, read = READERS[suffix]
    media = _needed(path, media)
    try:
        return Annotation(media, tuple(read(path, media)))
    except BadAnnotations:
        raise
    except ValueError as error:
        raise BadAnnotations(f"{path.name} is no {kind} file that fits: {_said(error)}.") from error
    except Exception as error:  # the parsers of other people raise what they like
        raise BadAnnotations(
            f"{path.name} is no {kind} file that can be read ({_said(error)})."
        ) from error


def _needed(path: Path, media: Media | None) -> Media:
    if media is None:
        raise BadAnnotations(
            f"{path.name} doesn't tell length and frame rate of its clip. Give the clip, or a "
            "report or DeepLoc annotation of it, beside."
        )
    return media


def _read_json(path: Path, media: Media | None) -> Annotation:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadAnnotations(f"{path.name} is broken JSON: {_said(error)}.") from error
    if isinstance(content, dict) and "format" in content:
        return to_annotation(content, path.name)
    media = _needed(path, media)
    try:
        if is_tasks(content):
            return Annotation(media, tuple(label_studio_intervals(content, media)))
        row = select_clip(path, read_truths(path), media.name)
        return Annotation(media, tuple(truth_to_intervals(row, media)))
    except ValueError as error:
        raise BadAnnotations(f"{path.name}: {_said(error)}.") from error


def _said(error: Exception) -> str:
    """The first line of what an exception says, short enough for a sentence."""
    line = str(error).strip().partition("\n")[0] or type(error).__name__
    return line[:200].rstrip(".")
