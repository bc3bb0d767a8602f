"""What happens when the visitor acts: upload, example, cancel, another face, a truth file.

A handler answers with `PageUpdate`s. Nothing here knows the components of the page.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.batch import BatchRow, analysed_row, table_cells, write_zip
from app.examples import example_report
from app.jobs import Job, read_job, saved_report, truth_of_job, unanalysed_report, with_part_warning
from app.page.panels import (
    batch_panel,
    failure_panel,
    model_panel,
    notice_panel,
    preparing_panel,
    progress_panel,
    queue_panel,
    waiting_panel,
)
from app.page.updates import FaceChoices, PageUpdate
from app.runtime.analysis import Failure, Progress, Queued, Sessions, State, Stopped, run
from app.runtime.limits import Limits
from app.runtime.models import ModelSource
from app.runtime.queue import AnalysisQueue
from app.runtime.results import Result, ResultStore
from app.viewer.payload import to_payload
from app.wording import BATCH_DONE, BATCH_RUNNING, BROKEN, CANCELLED, FAILED, LINK_GONE, NOT_ARRIVED
from deeploc.errors import Cancelled, DeepLocError
from deeploc.media.clip import file_sha256
from deeploc.media.proxy import display_clip
from deeploc.media.trim import Cut
from deeploc.report import ModelInfo, Report

logger = logging.getLogger(__name__)


class Handlers:
    """The page's reactions.

    `folder`: where display proxies, parts of clips and inspection clips are written.
    """

    def __init__(
        self,
        models: ModelSource,
        folder: Path,
        results: ResultStore | None = None,
        limits: Limits = Limits(),
    ) -> None:
        self.models = models
        self.limits = limits
        self.folder = folder
        self.results = results or ResultStore(folder, 3600)
        self.sessions = Sessions()
        self.queue = AnalysisQueue(limits.at_once)
        self.batch_sessions: set[str] = set()  # visitors whose clips are still being analysed

    # Before an analysis.

    def pick_model(self, picked: str | None) -> PageUpdate:
        """A model was picked: says which one it is, or goes back to the page's own."""
        try:
            analyzer = self.models.ready((picked or "").strip())
            return PageUpdate(model_note=model_panel(analyzer.info))
        except DeepLocError as error:
            return PageUpdate(model="", model_note=notice_panel(str(error)))
        except Exception:
            logger.exception("a model could not be loaded")
            return PageUpdate(model="", model_note=notice_panel(BROKEN))

    def receive(self, data: dict, uploads: Path, model: str | None) -> PageUpdate:
        """The browser sent a clip: checks it, then as `wait`."""
        try:
            return self.wait(read_job(data, uploads), model)
        except (DeepLocError, TypeError, ValueError):
            return self.wait(None)

    def wait(self, job: Job | None, model: str | None = None) -> PageUpdate:
        """A clip was chosen: shows the stages at once, before the queue lets the run begin."""
        return PageUpdate(
            job=job and replace(job, model=(model or "").strip()),
            show_start=False,
            show_failure=False,
            show_result=False,
            show_busy=True,
            progress=waiting_panel(),
        )

    # The analysis.

    def analyse(
        self, job: Job | None, face: int | None, truth: str | None, session: str
    ) -> Iterator[PageUpdate]:
        """Does the job: progress, then the result or a calm failure."""
        if job is None:
            yield self.fail(NOT_ARRIVED)
            return
        stop = self.sessions.begin(session)
        if job.kind == "batch":
            self.batch_sessions.add(session)
            try:
                yield from self.analyse_batch(job, stop)
            finally:
                self.batch_sessions.discard(session)
            return
        try:
            report = self.ready_report(job, face)
            cut = job.cut(self.folder)
        except DeepLocError as error:
            yield self.fail(str(error))
            return
        if report:
            yield PageUpdate(progress=preparing_panel())
            yield self.show_report(report, job, cut, truth, stop)
            return
        for state in self.run(job, cut.path, face, stop):
            if isinstance(state, Queued | Progress):
                yield self.progress(state)
            elif isinstance(state, Failure):
                yield self.fail(state.message)
            elif isinstance(state, Stopped):
                yield self.back_to_start(CANCELLED)
            else:
                yield PageUpdate(progress=preparing_panel())
                yield self.show_report(with_part_warning(state, cut, job), job, cut, truth, stop)

    def analyse_batch(self, job: Job, stop: threading.Event) -> Iterator[PageUpdate]:
        """Analyses one clip after another: the table grows by a row for each."""
        rows: list[BatchRow] = []
        target = self.folder / secrets.token_urlsafe(16) / "deeploc-reports.zip"
        yield PageUpdate(batch_rows=rows, show_batch=True, batch_table=[], batch_zip=None)
        for path in job.paths:
            count = f"Clip {len(rows) + 1} of {len(job.paths)}: {Path(path).name}"
            yield PageUpdate(batch_note=batch_panel(count))
            for state in self.run(job, path, None, stop):
                if isinstance(state, Queued | Progress):
                    yield self.progress(state)
                elif isinstance(state, Stopped):
                    yield self.back_to_start(CANCELLED)
                    return
                elif isinstance(state, Failure):
                    rows = [*rows, BatchRow(Path(path).name, problem=state.message)]
                else:
                    rows = [*rows, analysed_row(path, job, state, self.results)]
            write_zip(rows, target)
            yield PageUpdate(batch_rows=rows, batch_table=table_cells(rows), batch_zip=str(target))
        done = batch_panel(BATCH_DONE.format(count=len(rows)))
        yield replace(self.back_to_start(), batch_note=done)

    def run(
        self, job: Job, path: str | Path, face: int | None, stop: threading.Event
    ) -> Iterator[State]:
        """Analyses a clip with the picked model, and keeps what the MAE reconstructed."""
        ready = partial(self.models.ready, job.model)
        return run(ready, str(path), face, stop, self.queue, self.folder)

    def ready_report(self, job: Job, face: int | None) -> Report | None:
        """A report that needs no analysis: saved before, or empty. None where one must run."""
        if job.kind == "label":
            return unanalysed_report(job.path, self.limits.max_minutes)
        if job.kind == "report":
            return saved_report(job, self.limits.max_minutes)
        info = self.models.info
        if job.part is not None or job.model:
            return None
        example = example_report(job.path, info) if face is None else None
        if example or info is None:
            return example
        return self.earlier_report(job.path, info, face)

    def earlier_report(self, path: str, info: ModelInfo, face: int | None) -> Report | None:
        """The report that the model made of the same file a while ago, be its name another."""
        report = self.results.find_report(file_sha256(Path(path)), info, face)
        return report and replace(report, media=replace(report.media, name=Path(path).name))

    def cancel(self, session: str) -> PageUpdate:
        """Stops the visitor's run at once; the worker ends at its next step."""
        self.sessions.stop(session)
        self.batch_sessions.discard(session)
        return self.back_to_start(CANCELLED)

    # The result.

    def show_report(
        self, report: Report, job: Job, cut: Cut, truth: str | None, stop: threading.Event
    ) -> PageUpdate:
        """The result, once a browser can play the clip."""

        def check_stop(done: int, total: int) -> None:
            if stop.is_set():
                raise Cancelled

        try:
            video = display_clip(cut.path, self.folder, check_stop)
            return self.show_result(Result(report, video, job, cut), truth)
        except Cancelled:
            return self.back_to_start(CANCELLED)
        except DeepLocError as error:
            return self.fail(str(error))
        except Exception:
            logger.exception("an analysed clip could not be shown")
            return self.fail(BROKEN)

    def show_result(self, result: Result, truth: str | None) -> PageUpdate:
        """The viewer with a result, and the faces that can be scored instead."""
        evidence = result.report.evidence
        numbers = tuple(track.number for track in evidence.tracks) if evidence else ()
        return replace(
            self.show_truth(result, truth),
            result=result,
            faces=FaceChoices(numbers, evidence.track.number if evidence else None),
            show_busy=False,
            show_result=True,
        )

    def show_truth(self, result: Result | None, truth: str | None) -> PageUpdate:
        """The viewer's payload, with the truth of a file and the ticket of the result."""
        if result is None:
            return PageUpdate(truth_note="")
        spans, note = truth_of_job(result.job, result.cut, result.report, truth)
        ticket = self.results.keep(result)
        payload = to_payload(result.report, result.video, spans) | {"ticket": ticket}
        return PageUpdate(viewer=payload, truth_note=note)

    def open_ticket(self, ticket: str, session: str) -> Iterator[PageUpdate]:
        """The result of a link or of a row, or why there is none."""
        result = self.results.find(ticket)
        if result is None:
            yield self.back_to_start(LINK_GONE)
            return
        yield replace(self.wait(result.job), progress=preparing_panel())
        stop = self.sessions.begin(session)
        yield self.show_report(result.report, result.job, result.cut, None, stop)

    def open_row(self, rows: list[BatchRow], number: int, session: str) -> Iterator[PageUpdate]:
        """The result of a row, counted from 1, or why its clip has none.

        None opens while other clips are still to come: that would end their run.
        """
        if session in self.batch_sessions:
            yield PageUpdate(batch_note=batch_panel(BATCH_RUNNING))
            return
        row = rows[number - 1]
        if row.ticket:
            yield from self.open_ticket(row.ticket, session)
        else:
            yield self.fail(f"{row.name}: {row.problem}")

    # Parts of updates.

    def progress(self, state: Queued | Progress) -> PageUpdate:
        """How far a run is."""
        panel = queue_panel(state) if isinstance(state, Queued) else progress_panel(state)
        return PageUpdate(progress=panel)

    def fail(self, message: str) -> PageUpdate:
        """The sentence of a failure, above the start."""
        return PageUpdate(
            show_busy=False,
            show_failure=True,
            failure_text=failure_panel(FAILED, message),
            show_start=True,
        )

    def back_to_start(self, note: str = "") -> PageUpdate:
        """The start, with the clip still chosen."""
        return PageUpdate(
            show_busy=False,
            show_failure=False,
            show_result=False,
            show_start=True,
            start_note=note,
        )

    def restart(self) -> PageUpdate:
        """The start, for another clip: files and result of the last one are forgotten."""
        return replace(
            self.back_to_start(),
            show_batch=False,
            batch_rows=[],
            batch_table=[],
            batch_zip=None,
            upload_turn=secrets.token_hex(4),
            truth_file=None,
            result=None,
            viewer=None,
        )
