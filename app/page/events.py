"""What the page's components call, and how a handler's update becomes Gradio's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.utils import get_upload_folder

from app.batch import BatchRow
from app.handlers import Handlers
from app.jobs import Job
from app.page.layout import Page
from app.page.panels import notice_panel
from app.page.updates import UNCHANGED, Change, FaceChoices, PageUpdate
from app.runtime.results import Result

MAX_VISITORS = 16  # who wait or work at the same time
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
ANALYSIS: dict[str, Any] = {"concurrency_limit": MAX_VISITORS, "concurrency_id": "analysis"}


def to_gradio(update: PageUpdate, page: Page) -> dict[Block, Any]:
    """What an event function returns: the changed components, each with its new value."""
    values: dict[Block, Any] = {
        page.job: update.job,
        page.result_state: update.result,
        page.batch_rows: update.batch_rows,
        page.start.column: _visible(update.show_start),
        page.start.note: _note(update.start_note),
        page.start.upload: update.upload_turn,
        page.start.model: update.model,
        page.start.model_note: update.model_note,
        page.busy.column: _visible(update.show_busy),
        page.busy.progress: update.progress,
        page.failure.column: _visible(update.show_failure),
        page.failure.text: update.failure_text,
        page.result.column: _visible(update.show_result),
        page.result.viewer: update.viewer,
        page.result.faces: _radio(update.faces),
        page.result.truth_file: update.truth_file,
        page.result.truth_note: update.truth_note,
        page.batch.column: _visible(update.show_batch),
        page.batch.note: update.batch_note,
        page.batch.table: update.batch_table,
        page.batch.zip: update.batch_zip,
    }
    return {part: value for part, value in values.items() if value is not UNCHANGED}


def _visible(shown: Change[bool]) -> Any:
    return shown if shown is UNCHANGED else gr.update(visible=shown)


def _note(text: Change[str]) -> Any:
    return text if text is UNCHANGED else gr.update(value=text, visible=bool(text))


def _radio(faces: Change[FaceChoices]) -> Any:
    if faces is UNCHANGED:
        return faces
    choices = [(f"Face {number}", number) for number in faces.numbers]
    return gr.update(choices=choices, value=faces.scored, visible=len(choices) > 1)


def wire(demo: gr.Blocks, page: Page, handlers: Handlers, examples: set[str]) -> None:
    """Connects every event. `examples`: the paths that the example cards may name."""
    running = _wire_analysis(page, handlers, examples)
    _wire_model(demo, page, handlers)
    _wire_batch(page, handlers)
    _wire_result(page, handlers, running)
    _wire_visit(demo, page, handlers)


def _changed_by_analysis(page: Page) -> list[Any]:
    return [
        page.busy.progress,
        page.result_state,
        page.result.viewer,
        page.result.truth_note,
        page.result.faces,
        page.busy.column,
        page.result.column,
        page.failure.column,
        page.failure.text,
        page.start.column,
        page.start.note,
        page.batch.column,
        page.batch.note,
        page.batch_rows,
        page.batch.table,
        page.batch.zip,
    ]


def _wire_analysis(page: Page, handlers: Handlers, examples: set[str]) -> list[Any]:
    """The events that begin an analysis; returns what Cancel ends."""
    uploads = Path(get_upload_folder())

    def upload(model: str | None, event: gr.EventData) -> dict:
        return to_gradio(handlers.receive(event._data, uploads, model), page)

    def example(model: str | None, event: gr.EventData) -> dict:
        path = str(event._data.get("path"))
        return to_gradio(handlers.wait(Job(path) if path in examples else None, model), page)

    def again(model: str | None, job: Job | None) -> dict:
        return to_gradio(handlers.wait(job, model), page)

    def run_with_face(
        job: Job | None, face: int | None, truth: str | None, request: gr.Request
    ) -> Iterator[dict]:
        for update in handlers.analyse(job, face, truth, str(request.session_hash)):
            yield to_gradio(update, page)

    def run_with_largest_face(
        job: Job | None, truth: str | None, request: gr.Request
    ) -> Iterator[dict]:
        yield from run_with_face(job, None, truth, request)

    changed_first = list(to_gradio(handlers.wait(None), page))
    changed = _changed_by_analysis(page)

    def begin(event: Callable, choose: Callable, inputs: list, face: bool = False) -> Any:
        chosen = event(choose, [page.start.model, *inputs], changed_first, queue=False, **QUIET)
        runs, wanted = (run_with_face, [page.result.faces]) if face else (run_with_largest_face, [])
        inputs = [page.job, *wanted, page.result.truth_file]
        return chosen.then(runs, inputs, changed, **QUIET, **ANALYSIS)

    return [
        begin(page.start.upload.upload, upload, []),
        begin(page.start.examples.click, example, []),
        begin(page.failure.retry.click, again, [page.job]),
        begin(page.result.faces.input, again, [page.job], face=True),
    ]


def _wire_model(demo: gr.Blocks, page: Page, handlers: Handlers) -> None:
    def pick(model: str | None) -> dict:
        return to_gradio(handlers.pick_model(model), page)

    changed = [page.start.model, page.start.model_note]
    for event in (page.start.model.input, demo.load):
        event(pick, page.start.model, changed, **QUIET, **ANALYSIS)


def _wire_batch(page: Page, handlers: Handlers) -> None:
    def open_row(rows: list[BatchRow], event: gr.SelectData, request: gr.Request) -> Iterator[dict]:
        number = int(event.row_value[0])
        for update in handlers.open_row(rows, number, str(request.session_hash)):
            yield to_gradio(update, page)

    changed = [*_changed_by_analysis(page), page.job]
    page.batch.table.select(open_row, page.batch_rows, changed, **QUIET, **ANALYSIS)


def _wire_result(page: Page, handlers: Handlers, running: list[Any]) -> None:
    def cancel(request: gr.Request) -> dict:
        return to_gradio(handlers.cancel(str(request.session_hash)), page)

    def restart() -> dict:
        return to_gradio(handlers.restart(), page)

    def show_truth(result: Result | None, truth: str | None) -> dict:
        return to_gradio(handlers.show_truth(result, truth), page)

    changed = _changed_by_analysis(page)
    page.busy.cancel.click(cancel, None, changed, cancels=running, queue=False, **QUIET)
    page.result.restart.click(
        restart,
        None,
        [*changed, page.start.upload, page.result.truth_file],
        queue=False,
        **QUIET,
    )
    page.result.truth_file.change(
        show_truth,
        [page.result_state, page.result.truth_file],
        [page.result.viewer, page.result.truth_note],
        queue=False,
        **QUIET,
    )


def _wire_visit(demo: gr.Blocks, page: Page, handlers: Handlers) -> None:
    """What a page shows when it is opened, and what ends when it is left."""

    def notice() -> dict:
        text = handlers.models.notice
        return gr.update(value=notice_panel(text), visible=bool(text))

    def open_link(request: gr.Request) -> Iterator[Any]:
        ticket = request.query_params.get("result")
        if not ticket:
            yield gr.skip()
            return
        for update in handlers.open_ticket(ticket, str(request.session_hash)):
            yield to_gradio(update, page)

    def leave(request: gr.Request) -> None:
        handlers.sessions.stop(str(request.session_hash))

    changed = [*_changed_by_analysis(page), page.job]
    demo.load(notice, None, page.notice, queue=False, **QUIET)
    demo.load(open_link, None, changed, concurrency_limit=MAX_VISITORS, **QUIET)
    demo.unload(leave)
