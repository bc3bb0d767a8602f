"""What happens when the visitor acts: upload, example, cancel, another face, a truth file.

A handler returns updates for the components that `app.ui` names; nothing here lays anything out.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from app.batch import (
    Entry,
    done,
    rows,
    write_zip,
)
from app.choice import (
    Choice,
    bare_report,
    chosen,
    of_part,
    opened_report,
    truth_of,
)
from app.examples import saved_result
from app.panels import (
    batch_panel,
    failure_panel,
    model_panel,
    notice_panel,
    preparing_panel,
    progress_panel,
    queue_panel,
    waiting_panel,
)
from app.runtime.analysis import (
    Failure,
    Localize,
    Progress,
    Queued,
    Sessions,
    Stopped,
    run,
)
from app.runtime.downloads import (
    Downloads,
    Shown,
)
from app.runtime.queue import Line
from app.viewer.payload import to_payload
from app.wording import (
    BATCH_DONE,
    BATCH_RUNNING,
    BROKEN,
    CANCELLED,
    FAILED,
    LINK_GONE,
)
from deeploc.errors import (
    Cancelled,
    DeepLocError,
)
from deeploc.media.clip import file_sha256
from deeploc.media.proxy import display_clip
from deeploc.media.trim import Cut
from deeploc.report import (
    ModelInfo,
    Report,
)

logger = logging.getLogger(__name__)

Updates = dict[str, Any]  # by the name of a component in app.ui


class Handlers:
    """The page's reactions, around one localizer. `proxies`: where display proxies, cuts and
    inspection clips are written."""

    def __init__(
        self,
        localizer: Localize,
        proxies: Path,
        downloads: Downloads | None = None,
        at_once: int = 1,
    ) -> None:
        self.localizer = localizer
        self.proxies = proxies
        self.downloads = downloads or Downloads(proxies, 3600)
        self.sessions = Sessions()
        self.line = Line(at_once)
        self.batches: set[str] = set()  # visitors whose clips are still being analysed

    def pick(self, picked: str | None) -> Updates:
        """A model was picked: which one it is, or why it can't be had; then the page's own is."""
        ready = getattr(self.localizer, "ready", None)
        if ready is None:
            return {"model_note": ""}
        try:
            return {"model_note": model_panel(ready((picked or "").strip()).info)}
        except DeepLocError as error:
            return {"model": "", "model_note": notice_panel(str(error))}
        except Exception:
            logger.exception("a model could not be loaded")
            return {"model": "", "model_note": notice_panel(BROKEN)}

    def receive(self, data: dict, uploads: Path, model: str | None) -> Updates:
        """The page sent a clip: checked, then as `wait`."""
        try:
            return self.wait(chosen(data, uploads), model)
        except (DeepLocError, TypeError, ValueError):
            return self.wait(None)

    def wait(self, choice: Choice | None, model: str | None = None) -> Updates:
        """A clip was chosen: show the stages at once, before the queue lets the run begin."""
        return {
            "choice": choice and replace(choice, model=(model or "").strip()),
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
        if choice.kind == "batch":
            self.batches.add(session)
            try:
                yield from self.several(choice, stop)
            finally:
                self.batches.discard(session)
            return
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
        for state in run(self.of(choice), str(cut.path), face, stop, self.line):
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

    def of(self, choice: Choice) -> Localize:
        """The localizer with the picked model, which keeps what it rebuilt."""
        picked = {"picked": choice.model} if choice.model else {}
        return partial(self.localizer, inspection=self.proxies, **picked)

    def several(self, choice: Choice, stop: threading.Event) -> Iterator[Updates]:
        """One clip after another: the table grows by a row for each."""
        entries: list[Entry] = []
        target = self.proxies / secrets.token_urlsafe(16) / "deeploc-reports.zip"
        yield {"entries": entries, "batch": gr.update(visible=True), "table": [], "zip": None}
        for path in choice.paths:
            count = f"Clip {len(entries) + 1} of {len(choice.paths)}: {Path(path).name}"
            yield {"batch_note": batch_panel(count)}
            for state in run(self.of(choice), path, None, stop, self.line):
                if isinstance(state, Queued):
                    yield {"progress": queue_panel(state)}
                elif isinstance(state, Progress):
                    yield {"progress": progress_panel(state)}
                elif isinstance(state, Stopped):
                    yield self.back(CANCELLED)
                    return
                elif isinstance(state, Failure):
                    entries = [*entries, Entry(Path(path).name, problem=state.message)]
                else:
                    entries = [*entries, done(path, choice, state, self.downloads)]
            write_zip(entries, target)
            yield {"entries": entries, "table": rows(entries), "zip": str(target)}
        yield {**self.back(), "batch_note": batch_panel(BATCH_DONE.format(count=len(entries)))}

    def open_row(self, entries: list[Entry], number: int, session: str) -> Iterator[Updates]:
        """The result of a row; a clip that failed has none but its sentence.

        None opens while others are still to come: that would end their run."""
        if session in self.batches:
            yield {"batch_note": batch_panel(BATCH_RUNNING)}
            return
        entry = entries[number - 1]
        if entry.ticket:
            yield from self.open_link(entry.ticket, session)
        else:
            yield self.fail(f"{entry.name}: {entry.problem}")

    def without_model(self, choice: Choice, face: int | None) -> Report | None:
        """A report that needs no analysis, saved before or empty; None where one must run."""
        if choice.kind == "look":
            return bare_report(choice.path)
        if choice.kind == "report":
            return opened_report(choice)
        info = getattr(self.localizer, "info", None)
        if choice.part is not None or choice.model:
            return None
        example = saved_result(choice.path, info) if face is None else None
        return example or (info and self.known(choice.path, info, face))

    def known(self, path: str, info: ModelInfo, face: int | None) -> Report | None:
        """What was found in the same file a while ago, be its name another."""
        report = self.downloads.known(file_sha256(Path(path)), info, face)
        return report and replace(report, media=replace(report.media, name=Path(path).name))

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
        ticket = self.downloads.keep(shown)
        payload = to_payload(shown.report, shown.video, spans) | {"ticket": ticket}
        return {"viewer": payload, "truth_note": note}

    def open_link(self, ticket: str, session: str) -> Iterator[Updates]:
        """The page of a link: the result that it stands for, or why there is none."""
        shown = self.downloads.find(ticket)
        if shown is None:
            yield self.back(LINK_GONE)
            return
        yield {**self.wait(shown.choice), "progress": preparing_panel()}
        stop = self.sessions.begin(session)
        yield self.show(shown.report, shown.choice, shown.cut, None, stop)

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
        gone: Updates = {"batch": gr.update(visible=False), "entries": [], "table": [], "zip": None}
        return {
            **self.back(),
            **gone,
            "file": fresh,
            "truth": None,
            "shown": None,
            "viewer": None,
        }

    def cancel(self, session: str) -> Updates:
        """Stops the visitor's run at once; the worker ends at its next step."""
        self.sessions.stop(session)
        self.batches.discard(session)
        return self.back(CANCELLED)
