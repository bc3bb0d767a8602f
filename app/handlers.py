"""What happens when the visitor acts: upload, example, cancel, another face, a truth file.

A handler returns updates for the components that `app.ui` names; nothing here lays anything out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from app.panels import failure_panel, preparing_panel, progress_panel, waiting_panel
from app.runs import Failure, Localize, Progress, Sessions, Stopped, run
from app.text import BROKEN, CANCELLED, FAILED
from app.truth import find_truth
from app.viewer.payload import to_payload
from deeploc.display import display_clip
from deeploc.errors import Cancelled, DeepLocError
from deeploc.report import Report

logger = logging.getLogger(__name__)

Updates = dict[str, Any]  # by the name of a component in app.ui


class Handlers:
    """The page's reactions, around one localizer. `proxies`: where display proxies and
    inspection clips are written."""

    def __init__(self, localizer: Localize, proxies: Path) -> None:
        self.localizer = localizer
        self.proxies = proxies
        self.sessions = Sessions()

    def wait(self, clip: str | None) -> Updates:
        """A clip was chosen: show the stages at once, before the queue lets the run begin."""
        return {
            "clip": clip,
            "start": gr.update(visible=False),
            "failure": gr.update(visible=False),
            "result": gr.update(visible=False),
            "busy": gr.update(visible=True),
            "progress": waiting_panel(),
        }

    def analyse(
        self, clip: str, face: int | None, truth: str | None, session: str
    ) -> Iterator[Updates]:
        """Runs the localizer: progress updates, then the result or a calm failure."""
        stop = self.sessions.begin(session)
        localizer = partial(self.localizer, inspection=self.proxies)
        for state in run(localizer, clip, face, stop):
            if isinstance(state, Progress):
                yield {"progress": progress_panel(state)}
            elif isinstance(state, Failure):
                yield self.fail(state.message)
            elif isinstance(state, Stopped):
                yield self.back(CANCELLED)
            else:
                yield {"progress": preparing_panel()}
                yield self.show(state, clip, truth, stop)

    def show(self, report: Report, clip: str, truth: str | None, stop: threading.Event) -> Updates:
        """The result, once a browser can play the clip."""

        def go_on(done: int, total: int) -> None:
            if stop.is_set():
                raise Cancelled

        try:
            video = display_clip(clip, self.proxies, go_on)
        except Cancelled:
            return self.back(CANCELLED)
        except DeepLocError as error:
            return self.fail(str(error))
        except Exception:
            logger.exception("no file to show for an analysed clip")
            return self.fail(BROKEN)
        spans, note = find_truth(clip, truth)
        faces = report.evidence.tracks if report.evidence else ()
        scored = report.evidence.track.number if report.evidence else None
        return {
            "report": (report, str(video)),
            "viewer": to_payload(report, video, spans),
            "truth_note": note,
            "faces": gr.update(
                choices=[(f"Face {track.number}", track.number) for track in faces],
                value=scored,
                visible=len(faces) > 1,
            ),
            "busy": gr.update(visible=False),
            "result": gr.update(visible=True),
        }

    def compare(self, shown: tuple[Report, str] | None, clip: str, truth: str | None) -> Updates:
        """Another truth file for the report that is on the page."""
        if shown is None:
            return {"truth_note": ""}
        spans, note = find_truth(clip, truth)
        return {"viewer": to_payload(*shown, spans), "truth_note": note}

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
        return {**self.back(), "file": None, "truth": None, "report": None, "viewer": None}

    def cancel(self, session: str) -> Updates:
        """Stops the visitor's run at once; the worker ends at its next step."""
        self.sessions.stop(session)
        return self.back(CANCELLED)

    def report(self, clip: str, face: int | None = None) -> dict:
        """Analyses one clip for the API. Raises `gr.Error` with a sentence."""
        if not clip:
            raise gr.Error("Send a video file.", print_exception=False)
        *_, last = run(self.localizer, clip, face, threading.Event())
        if isinstance(last, Report):
            return last.to_dict()
        message = last.message if isinstance(last, Failure) else BROKEN
        raise gr.Error(message, print_exception=False)
