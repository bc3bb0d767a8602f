"""What happens when the visitor acts: upload, example, cancel, another face, a truth file.

A handler returns updates for the components that `app.ui` names; nothing here lays anything out.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from app.choice import Choice, bare_report, chosen, of_part, opened_report, truth_of
from app.downloads import Downloads
from app.line import Line
from app.panels import (
    failure_panel,
    preparing_panel,
    progress_panel,
    queue_panel,
    waiting_panel,
)
from app.results import saved_result
from app.runs import Failure, Localize, Progress, Queued, Sessions, Stopped, run
from app.text import BROKEN, CANCELLED, FAILED
from app.viewer.payload import to_payload
from deeploc.display import display_clip
from deeploc.errors import Cancelled, DeepLocError
from deeploc.report import Report
from deeploc.trim import Cut

logger = logging.getLogger(__name__)

Updates = dict[str, Any]  # by the name of a component in app.ui


@dataclass(frozen=True)
class Shown:
    """What is on a visitor's page."""

    report: Report
    video: Path
    choice: Choice
    cut: Cut


class Handlers:
    """The page's reactions, around one localizer. `proxies`: where display proxies, cuts and
    inspection clips are written, and from which they are deleted when they are `age_s` old."""

    def __init__(
        self,
        localizer: Localize,
        proxies: Path,
        downloads: Downloads | None = None,
        age_s: float = 3600,
    ) -> None:
        self.localizer = localizer
        self.proxies = proxies
        self.downloads = downloads or Downloads(proxies, age_s)
        self.age_s = age_s
        self.sessions = Sessions()
        self.line = Line()

    def receive(self, data: dict, uploads: Path) -> Updates:
        """The page sent a clip: checked, then as `wait`."""
        try:
            return self.wait(chosen(data, uploads))
        except (DeepLocError, TypeError, ValueError):
            return self.wait(None)

    def wait(self, choice: Choice | None) -> Updates:
        """A clip was chosen: show the stages at once, before the queue lets the run begin."""
        return {
            "choice": choice,
            "start": gr.update(visible=False),
            "failure": gr.update(visible=False),
            "result": gr.update(visible=False),
            "busy": gr.update(visible=True),
            "progress": waiting_panel(),
        }

    def analyse(
        self, choice: Choice | None, face: int | None, truth: str | None, session: str
    ) -> Iterator[Updates]:
        """Runs the localizer: progress updates, then the result or a calm failure."""
        if choice is None:
            yield self.fail("The clip did not arrive. Choose it again.")
            return
        stop = self.sessions.begin(session)
        forget(self.proxies, self.age_s)
        try:
            ready = self.without_model(choice, face)
            cut = choice.cut(self.proxies)
        except DeepLocError as error:
            yield self.fail(str(error))
            return
        if ready:
            yield {"progress": preparing_panel()}
            yield self.show(ready, choice, cut, truth, stop)
            return
        localizer = partial(self.localizer, inspection=self.proxies)
        for state in run(localizer, str(cut.path), face, stop, self.line):
            if isinstance(state, Queued):
                yield {"progress": queue_panel(state)}
            elif isinstance(state, Progress):
                yield {"progress": progress_panel(state)}
            elif isinstance(state, Failure):
                yield self.fail(state.message)
            elif isinstance(state, Stopped):
                yield self.back(CANCELLED)
            else:
                yield {"progress": preparing_panel()}
                yield self.show(of_part(state, cut, choice), choice, cut, truth, stop)

    def without_model(self, choice: Choice, face: int | None) -> Report | None:
        """A report that needs no analysis, saved before or empty; None where one must run."""
        if choice.kind == "look":
            return bare_report(choice.path)
        if choice.kind == "report":
            return opened_report(choice)
        info = getattr(self.localizer, "info", None)
        return saved_result(choice.path, info) if face is None and choice.part is None else None

    def show(
        self, report: Report, choice: Choice, cut: Cut, truth: str | None, stop: threading.Event
    ) -> Updates:
        """The result, once a browser can play the clip."""

        def go_on(done: int, total: int) -> None:
            if stop.is_set():
                raise Cancelled

        try:
            video = display_clip(cut.path, self.proxies, go_on)
            shown = Shown(report, video, choice, cut)
            return self.result(shown, truth)
        except Cancelled:
            return self.back(CANCELLED)
        except DeepLocError as error:
            return self.fail(str(error))
        except Exception:
            logger.exception("an analysed clip could not be shown")
            return self.fail(BROKEN)

    def result(self, shown: Shown, truth: str | None) -> Updates:
        report = shown.report
        faces = report.evidence.tracks if report.evidence else ()
        scored = report.evidence.track.number if report.evidence else None
        return {
            "shown": shown,
            **self.viewed(shown, truth),
            "faces": gr.update(
                choices=[(f"Face {track.number}", track.number) for track in faces],
                value=scored,
                visible=len(faces) > 1,
            ),
            "busy": gr.update(visible=False),
            "result": gr.update(visible=True),
        }

    def viewed(self, shown: Shown, truth: str | None) -> Updates:
        """The payload, with the ticket under which the report can be saved, and the truth."""
        spans, note = truth_of(shown.choice, shown.cut, truth)
        ticket = self.downloads.keep(shown.report, shown.video)
        payload = to_payload(shown.report, shown.video, spans) | {"ticket": ticket}
        return {"viewer": payload, "truth_note": note}

    def compare(self, shown: Shown | None, truth: str | None) -> Updates:
        """Another truth file for the report that is on the page."""
        return {"truth_note": ""} if shown is None else self.viewed(shown, truth)

    def fail(self, message: str) -> Updates:
        return {
            "busy": gr.update(visible=False),
            "failure": gr.update(visible=True),
            "failure_text": failure_panel(FAILED, message),
            "start": gr.update(visible=True),
        }

    def back(self, note: str = "") -> Updates:
        """To the start, with the clip kept."""
        return {
            "busy": gr.update(visible=False),
            "failure": gr.update(visible=False),
            "result": gr.update(visible=False),
            "start": gr.update(visible=True),
            "start_note": gr.update(value=note, visible=bool(note)),
        }

    def restart(self) -> Updates:
        """For another clip: files and report of the last one are forgotten."""
        fresh = secrets.token_hex(4)  # any new value empties the place to drop clips
        return {**self.back(), "file": fresh, "truth": None, "shown": None, "viewer": None}

    def cancel(self, session: str) -> Updates:
        """Stops the visitor's run at once; the worker ends at its next step."""
        self.sessions.stop(session)
        return self.back(CANCELLED)

    def report(self, clip: str, face: int | None = None) -> dict:
        """Analyses one clip for the API. Raises `gr.Error` with a sentence."""
        if not clip:
            raise gr.Error("Send a video file.", print_exception=False)
        *_, last = run(self.localizer, clip, face, threading.Event(), self.line)
        if isinstance(last, Report):
            return last.to_dict()
        message = last.message if isinstance(last, Failure) else BROKEN
        raise gr.Error(message, print_exception=False)


def forget(folder: Path, age_s: float) -> None:
    """Deletes what was made for visitors more than `age_s` ago."""
    for path in folder.rglob("*") if folder.exists() else ():
        if path.is_file() and time.time() - path.stat().st_mtime > age_s:
            path.unlink(missing_ok=True)
