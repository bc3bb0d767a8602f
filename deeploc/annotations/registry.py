"""Every file format of annotations, and what reads and writes a file of any of them.

A new format is a module in `formats/` and its entry here: menus, file pickers, the API, the
command line and the tables of the documents follow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deeploc.annotations.annotation import LATE_S, Annotation, Media, media_from_video
from deeploc.annotations.conversion import annotation_to_truth, select_clip, truth_to_intervals
from deeploc.annotations.format import Format, Source, reason
from deeploc.annotations.formats import (
    activitynet,
    audacity,
    avdeepfake1m,
    csv_table,
    deeploc_json,
    deeploc_report,
    elan,
    forgerynet,
    label_studio,
    lavdf,
    praat,
    ummaformer,
    webvtt,
)
from deeploc.annotations.truth import ClipTruth
from deeploc.errors import BadAnnotations, DeepLocError

AUTO = "auto"
FORMATS: dict[str, Format] = {
    module.FORMAT.key: module.FORMAT
    for module in (
        deeploc_json,
        csv_table,
        webvtt,
        audacity,
        elan,
        praat,
        label_studio,
        lavdf,
        avdeepfake1m,
        activitynet,
        forgerynet,
        ummaformer,
        deeploc_report,
    )
}
WRITABLE = {key: format for key, format in FORMATS.items() if format.write}
DATASET_FORMATS = tuple(key for key, format in FORMATS.items() if format.read_clips)


def read_annotation(
    path: str | Path, media: Media | str | Path | None = None, truth_only: bool = False
) -> Annotation:
    """Reads the annotation of one clip from a file of any format, told by suffix and content.

    `media`: the clip, or a path of it, of a report or of a DeepLoc JSON about it. Only those two
    formats describe their clip themselves and do without. Of several clips in the file, the one
    with the clip's file name is read, else the only one. `truth_only`: refuses reports, because
    what a model found is no truth.
    Raises `BadAnnotations`, one sentence that names the file, and `DeepLocError` for `media`.
    """
    source = Source(Path(path))
    format = _recognise(source)
    if truth_only and not format.is_truth:
        raise BadAnnotations(
            f"{source.name} is a {format.label}: what a model found is no truth. Choose an "
            "annotation, or the metadata of a dataset."
        )
    if not isinstance(media, Media | None):
        media = read_media(media)
    with _sentences(source, format):
        if format.read_with_media:
            return _about(source, format.read_with_media(source), media)
        if media is None:
            raise BadAnnotations(
                f"{source.name} doesn't tell length and frame rate of its clip. Give the clip, or "
                "a report or DeepLoc annotation of it, beside."
            )
        if format.read:
            return Annotation(media, tuple(format.read(source, media)))
        clip = select_clip(source.name, _clips(source, format), media.name)
        return Annotation(media, tuple(truth_to_intervals(clip, media)))


def read_media(path: str | Path, max_minutes: float = math.inf) -> Media:
    """Length, frame rate and frame times of a clip: from the video file, or from a report or a
    DeepLoc JSON of it. Raises `DeepLocError`, also for videos longer than `max_minutes`."""
    suffix = Path(path).suffix.lower()
    describing = [format for format in FORMATS.values() if format.read_with_media]
    if any(suffix in format.last_suffixes for format in describing):
        return read_annotation(path).media
    return media_from_video(path, max_minutes)


def read_clip_truth(path: str | Path, media: Media | str | Path | None = None) -> ClipTruth:
    """As `read_annotation`, as the ground truth of the clip; reports are refused."""
    return annotation_to_truth(read_annotation(path, media, truth_only=True))


def read_truths(path: str | Path, format: str = AUTO, clips: Path | None = None) -> list[ClipTruth]:
    """Reads the truth of every clip of a dataset's file, in file order.

    `format`: one of `DATASET_FORMATS`, or "auto" to tell it by content. `clips`: the folder of the
    media, where it isn't the file's own; only ForgeryNet's list, which counts frames, looks there.
    Raises `BadAnnotations`, naming file and row, when the file is missing, damaged, of another or
    no known format, contradicts itself, or holds a span that is no span.
    """
    assert format in (*DATASET_FORMATS, AUTO), format
    source = Source(Path(path))
    return _clips(source, _recognise_dataset(source) if format == AUTO else FORMATS[format], clips)


def write_annotation(annotation: Annotation, path: str | Path, format: str | None = None) -> None:
    """Writes an annotation in a format, by default the one that the file's suffix names.

    Raises `BadAnnotations` where there is no such format.
    """
    path = Path(path)
    chosen = _format_of_name(path.name) if format is None else WRITABLE.get(format)
    if chosen is None or chosen.write is None:
        missing = f"There is no format {format}" if format else f"{path.name} names no format"
        raise BadAnnotations(f"{missing} that can be written: choose one of {', '.join(WRITABLE)}.")
    chosen.write(annotation, path)


def accepted_suffixes(truth_only: bool = False) -> list[str]:
    """The suffixes of files that can be read, for file pickers, sorted."""
    return sorted({suffix for format in _readable(truth_only) for suffix in format.last_suffixes})


def format_labels(truth_only: bool = False) -> str:
    """What can be read, as a part of a sentence: "DeepLoc JSON, CSV, ..., ELAN"."""
    return ", ".join(format.label for format in _readable(truth_only))


def format_table() -> str:
    """The formats as a table in Markdown: the one of the documents."""
    lines = ["| format | file | what it keeps | DeepLoc |", "|---|---|---|---|"]
    for format in FORMATS.values():
        suffixes = ", ".join(f"`{suffix}`" for suffix in format.suffixes)
        does = " and ".join(
            verb for verb, able in (("reads", format.readable), ("writes", format.write)) if able
        )
        lines.append(f"| {format.label} | {suffixes} | {format.keeps} | {does} |")
    return "\n".join(lines)


def _readable(truth_only: bool) -> list[Format]:
    return [
        format
        for format in FORMATS.values()
        if format.readable and (format.is_truth or not truth_only)
    ]


def _recognise(source: Source) -> Format:
    """The format of the file. Raises `BadAnnotations` where it is none or can't be read."""
    readable = _readable(truth_only=False)
    format = _told_by_suffix(source, readable) or _told_by_content(source, readable)
    if format is None:
        _refuse_empty(source)
        raise BadAnnotations(
            f"{source.name} is of no format that can be read here ({format_labels()})."
        )
    return format


def _recognise_dataset(source: Source) -> Format:
    """As `_recognise`, by content alone: metadata of datasets have names of every kind."""
    datasets = [FORMATS[key] for key in DATASET_FORMATS]
    format = _told_by_content(source, datasets) or _told_by_suffix(source, datasets)
    if format is None:
        _refuse_empty(source)
        labels = ", ".join(one.label for one in datasets)
        raise BadAnnotations(f"{source.name} is of no known format: expected {labels}.")
    return format


def _told_by_suffix(source: Source, formats: list[Format]) -> Format | None:
    """The only format with that suffix."""
    found = [format for format in formats if source.suffix in format.last_suffixes]
    return found[0] if len(found) == 1 else None


def _told_by_content(source: Source, formats: list[Format]) -> Format | None:
    """The first format that the file looks like, those with its suffix first."""
    for format in sorted(formats, key=lambda one: source.suffix not in one.last_suffixes):
        if format.matches and format.matches(source):
            return format
    return None


def _refuse_empty(source: Source) -> None:
    if not source.text.strip():
        raise BadAnnotations(f"{source.name} is empty, so it is of no known format.")


@contextmanager
def _sentences(source: Source, format: Format) -> Iterator[None]:
    """What a reader raises becomes a sentence that names the file."""
    try:
        yield
    except DeepLocError:
        raise
    except ValueError as error:
        raise BadAnnotations(f"{source.name}, read as {format.label}: {reason(error)}.") from error
    except Exception as error:  # the parsers of other people raise what they like
        raise BadAnnotations(
            f"{source.name} is no {format.label} file that can be read ({reason(error)})."
        ) from error


def _clips(source: Source, format: Format, folder: Path | None = None) -> list[ClipTruth]:
    """The truths of a dataset's file. Raises `BadAnnotations` where a clip is in it twice."""
    assert format.read_clips
    truths = format.read_clips(source, folder)
    refuse_duplicates(source.name, truths)
    return truths


def refuse_duplicates(file: str, truths: list[ClipTruth]) -> None:
    seen: set[str] = set()
    for truth in truths:
        if truth.file in seen:
            raise BadAnnotations(f"{file} lists {truth.file} twice.")
        seen.add(truth.file)


def _about(source: Source, annotation: Annotation, media: Media | None) -> Annotation:
    """The annotation. Raises `BadAnnotations` where it is about another clip than `media`."""
    own = annotation.media
    if media and abs(own.duration_s - media.duration_s) > LATE_S:
        raise BadAnnotations(
            f"{source.name} is about {own.name}, which lasts {own.duration_s:g} s, but "
            f"{media.name} lasts {media.duration_s:g} s. Choose the file of this clip."
        )
    return annotation


def _format_of_name(name: str) -> Format | None:
    """The format with the longest suffix that the name ends with, the earlier one of two."""
    named = [
        (len(suffix), format)
        for format in WRITABLE.values()
        for suffix in format.suffixes
        if name.lower().endswith(suffix.lower())
    ]
    return max(named, key=lambda pair: pair[0])[1] if named else None
