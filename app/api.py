"""The endpoints for programs: files in, JSON or a file out. The page's own events are none of them.

Their docstrings are what the API page, OpenAPI and MCP clients show: a parameter is one line.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_function_description

from app.annotation_files import EXPORT_FORMATS, file_name
from app.jobs import Job
from app.runtime.analysis import Failure, Progress, run
from app.runtime.limits import Limits
from app.runtime.models import ModelSource
from app.runtime.queue import AnalysisQueue
from app.runtime.results import Result, ResultStore
from app.wording import BROKEN, STAGES
from deeploc.annotations import (
    media_from_report,
    read_annotation,
    read_clip_truth,
    read_media,
    write_annotation,
)
from deeploc.annotations.registry import WRITABLE, format_labels
from deeploc.comparison import compare_with_truth
from deeploc.errors import DeepLocError
from deeploc.media.trim import Cut
from deeploc.report import Report
from deeploc.report_files import read_report, report_to_dict


def name_formats(endpoint: Callable) -> Callable:
    """Puts the formats that can be read where the docstring says `{formats}`, and those that hold
    a truth where it says `{truths}`."""
    text = (endpoint.__doc__ or "").replace("{formats}", format_labels())
    endpoint.__doc__ = text.replace("{truths}", format_labels(truth_only=True))
    return endpoint


class Api:
    """What programs may ask for. They wait in the same queue as visitors do."""

    def __init__(
        self,
        models: ModelSource,
        queue: AnalysisQueue,
        results: ResultStore,
        limits: Limits = Limits(),
    ) -> None:
        self.models = models
        self.queue = queue
        self.results = results
        self.limits = limits

    def analyse(
        self,
        clip: str,
        face: int | None = None,
        model: str | None = None,
        progress: gr.Progress = gr.Progress(),
    ) -> dict[str, Any]:
        """Finds when a talking-face video was forged, in picture or in sound. The answer is the
        report, JSON schema 2: band (none, some, strong or unscored), video_score, the disjoint
        timeline of forged intervals with their scores, proposals, curves of every 40 ms step, what
        was left unscored and why, warnings, model, DeepLoc version and settings. Its `page`,
        appended to the address of the server, opens the result for an hour.

        Args:
            clip: The video file, with or without sound.
            face: Number of the face to score where several stay, from 1; the largest by default.
            model: A repository on the Hub, owner/name or owner/name@revision; else the page's own.
        """
        with as_gradio_error():
            report = self._report(clip, face, progress, model)
            result = Result(report, Path(clip), Job(clip), Cut(Path(clip), 0.0))
            return report_to_dict(report) | {"page": f"/?result={self.results.keep(result)}"}

    @name_formats
    def compare(
        self,
        truth: str,
        report: str | None = None,
        clip: str | None = None,
        tiou: float = 0.5,
        progress: gr.Progress = gr.Progress(),
    ) -> dict[str, Any]:
        """Holds what was found in one clip against the truth: give a saved report, or the clip to
        analyse. The answer counts found (TP), misplaced (LOC), duplicate (DUP), false (FP) and
        missed (FN) intervals, says how far their edges are off, and has AP, AR and frame AUC of
        this clip alone, which are not comparable with those of a dataset; null is undefined.
        The truth may be one of: {truths}. Of several clips the row with its file name is taken.

        Args:
            truth: When the clip is forged: a file of any of these formats.
            report: The report of the clip, JSON or NPZ.
            clip: The video file, where there is no report.
            tiou: Temporal IoU from which an interval counts as found, above 0, up to 1.
        """
        with as_gradio_error():
            if not 0 < tiou <= 1:
                raise DeepLocError(f"tiou is {tiou:g}. Give a number above 0, up to 1.")
            if not report and not clip:
                raise DeepLocError("Send a report, or the clip to analyse.")
            found = read_report(report) if report else self._report(clip, None, progress)
            known = read_clip_truth(_required(truth, "a truth file"), media_from_report(found))
            return compare_with_truth(found, known.segments, tiou)

    @name_formats
    def formats(self, file: str, to: str = "json", about: str | None = None) -> str:
        """Writes an annotation, or the intervals of a report, in another format. The file may be
        one of: {formats}. Datasets know only the truth: all but rejected intervals are written to
        them.

        Args:
            file: The report or annotation.
            to: The format to write.
            about: The clip, or a report or DeepLoc JSON of it; only those tell length and fps.
        """
        with as_gradio_error():
            source = _required(file, "a report or an annotation")
            media = read_media(about, self.limits.max_minutes) if about else None
            annotation = read_annotation(source, media)
            name = Path(file_name(annotation.media.name)).stem + WRITABLE[to].suffixes[0]
            target = self.results.folder / secrets.token_urlsafe(16) / name
            target.parent.mkdir(parents=True)
            write_annotation(annotation, target, to)
            return str(target)

    def _report(
        self, clip: str | None, face: int | None, progress: gr.Progress, model: str | None = None
    ) -> Report:
        path = str(_required(clip, "a video file"))
        ready = partial(self.models.ready, model or "")
        for state in run(ready, path, face, threading.Event(), self.queue):
            if isinstance(state, Progress):
                progress((state.completed, state.total), desc=STAGES[state.stage], unit="steps")
            elif isinstance(state, Report):
                return state
            elif isinstance(state, Failure):
                raise DeepLocError(state.message)
        raise DeepLocError(BROKEN)


@contextmanager
def as_gradio_error() -> Iterator[None]:
    """Answers the sentence of a `DeepLocError` to the caller."""
    try:
        yield
    except DeepLocError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _required(path: str | None, what: str) -> Path:
    if not path:
        raise DeepLocError(f"Send {what}.")
    return Path(path)


def described(endpoint: Callable) -> str:
    """The description of an endpoint with its parameters, for clients that show one text only."""
    text, parameters, _ = get_function_description(endpoint)
    lines = [f"`{name}`: {line}" for name, line in parameters.items() if line]
    return f"{text} Parameters: {' '.join(lines)}\n"


def add_api(api: Api, most: int) -> None:
    """The endpoints `/analyse`, `/compare` and `/formats`, at most so many of them at once."""
    waits: dict[str, Any] = {"concurrency_limit": most, "concurrency_id": "analysis"}
    formats = [(label, key) for key, label in EXPORT_FORMATS]
    with gr.Column(visible=False):
        endpoints: dict[str, tuple[Callable, list, gr.components.Component]] = {
            "analyse": (
                api.analyse,
                [
                    gr.File(label="Video file"),
                    gr.Number(label="Face", precision=0),
                    gr.Textbox(label="Model"),
                ],
                gr.JSON(label="Report"),
            ),
            "compare": (
                api.compare,
                [
                    gr.File(label="Truth file"),
                    gr.File(label="Report, JSON or NPZ"),
                    gr.File(label="Video file, where there is no report"),
                    gr.Number(0.5, label="tIoU that counts as found"),
                ],
                gr.JSON(label="Comparison"),
            ),
            "formats": (
                api.formats,
                [
                    gr.File(label="Report or annotation"),
                    gr.Dropdown(formats, value="json", label="Format"),
                    gr.File(label="The clip, or a report or DeepLoc JSON of it"),
                ],
                gr.File(label="The file in the other format"),
            ),
        }
        trigger = gr.Button()
    for name, (endpoint, inputs, output) in endpoints.items():
        text = described(endpoint)
        trigger.click(endpoint, inputs, output, api_name=name, api_description=text, **waits)
