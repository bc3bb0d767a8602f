"""The parts of the page and their components, from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from app.batch import HEADERS, TYPES, WIDTHS
from app.page.panels import example_cards
from app.page.push import add_push
from app.runtime.models import manifest
from app.viewer.component import ClipUpload, Viewer
from app.wording import (
    AGAIN,
    BATCH_HELP,
    BATCH_LABEL,
    BATCH_ZIP,
    CANCEL,
    DROP,
    FACES_LABEL,
    LIMITS,
    MODEL_HELP,
    MODEL_LABEL,
    OWN_MODEL,
    PRIVACY,
    RETRY,
    TAGLINE,
    THEME_LABEL,
    TITLE,
    TRUTH_FILE,
    TRUTH_HELP,
    TRUTH_LABEL,
)
from deeploc.annotations.registry import accepted_suffixes, format_labels
from deeploc.media.formats import VIDEO_SUFFIXES

VIDEO_TYPES = ",".join(("video/*", *VIDEO_SUFFIXES))

HEADER = f"""<header class="dl-header"><div><h1>{TITLE}</h1><p>{TAGLINE}</p></div>
<button type="button" class="dl-theme" aria-label="{THEME_LABEL}">◐</button>
</header>"""
ON_HEADER = """element.querySelector(".dl-theme").addEventListener("click",
    () => document.body.classList.toggle("dark"));"""
ON_CARDS = """
const config = window.gradio_config ?? {};
for (const card of element.querySelectorAll(".dl-card")) {
    const url = `${config.root ?? ""}${config.api_prefix ?? "/gradio_api"}/file=`;
    card.querySelector("video").src = url + encodeURI(card.dataset.path) + "#t=1";
    card.addEventListener("click", () => trigger("click", { path: card.dataset.path }));
}"""
# A screen reader reads each stage once, from an element that stays while the panel is replaced.
ON_PROGRESS = """
const live = document.createElement("p");
live.className = "dl-read-out";
live.setAttribute("role", "status");
element.after(live);
watch("value", () => {
    const text = element.querySelector("[data-stage-text]")?.dataset.stageText ?? "";
    if (live.textContent !== text) live.textContent = text;
});"""


@dataclass(frozen=True)
class FailurePart:
    column: gr.Column
    text: gr.HTML
    retry: gr.Button


@dataclass(frozen=True)
class BatchPart:
    column: gr.Column
    note: gr.HTML
    table: gr.Dataframe
    zip: gr.DownloadButton


@dataclass(frozen=True)
class StartPart:
    column: gr.Column
    note: gr.HTML
    upload: ClipUpload
    examples: gr.HTML
    model: gr.Dropdown
    model_note: gr.HTML


@dataclass(frozen=True)
class BusyPart:
    column: gr.Column
    progress: gr.HTML
    cancel: gr.Button


@dataclass(frozen=True)
class ResultPart:
    column: gr.Column
    faces: gr.Radio
    restart: gr.Button
    viewer: Viewer
    truth_file: gr.File
    truth_note: gr.HTML


@dataclass(frozen=True)
class Page:
    """Everything that events read or change. The first three are a visitor's state."""

    job: gr.State
    result_state: gr.State
    batch_rows: gr.State
    notice: gr.HTML
    failure: FailurePart
    batch: BatchPart
    start: StartPart
    busy: BusyPart
    result: ResultPart


def lay_out(
    examples: list[Path], viewer: Viewer, keep_s: float, pushing: bool, max_minutes: float
) -> Page:
    """Builds the page inside the open `gr.Blocks`.

    `keep_s`: for how long a state is kept. `max_minutes`: of a clip that may be chosen.
    """
    gr.HTML(HEADER, js_on_load=ON_HEADER, apply_default_css=False)
    if pushing:
        gr.LoginButton(size="sm", elem_classes="dl-fit")
    result_state = gr.State(None, time_to_live=keep_s)
    return Page(
        job=gr.State(None, time_to_live=keep_s),
        result_state=result_state,
        batch_rows=gr.State([], time_to_live=keep_s),
        notice=gr.HTML(visible=False),
        failure=_failure(),
        batch=_batch(),
        start=_start(examples, max_minutes),
        busy=_busy(),
        result=_result(viewer, result_state if pushing else None),
    )


def _failure() -> FailurePart:
    with gr.Column(visible=False, elem_id="dl-failure") as column:
        text = gr.HTML()
        retry = gr.Button(RETRY, size="sm", elem_classes="dl-fit")
    return FailurePart(column, text, retry)


def _batch() -> BatchPart:
    with gr.Column(visible=False, elem_id="dl-batch") as column:
        gr.HTML(f"<h2>{BATCH_LABEL}</h2><p>{BATCH_HELP}</p>", elem_classes="dl-quiet")
        note = gr.HTML()
        table = gr.Dataframe(
            headers=list(HEADERS),
            datatype=TYPES,
            interactive=False,
            column_widths=WIDTHS,
            wrap=True,
            max_height=320,
            show_label=False,
            elem_id="dl-table",
        )
        archive = gr.DownloadButton(BATCH_ZIP, size="sm", elem_classes="dl-fit")
    return BatchPart(column, note, table, archive)


def _start(examples: list[Path], max_minutes: float) -> StartPart:
    with gr.Column(elem_id="dl-start") as column:
        note = gr.HTML(visible=False, elem_classes="dl-quiet")
        upload = ClipUpload(DROP, VIDEO_TYPES, max_minutes * 60, elem_id="dl-drop")
        cards = gr.HTML(example_cards(examples), js_on_load=ON_CARDS, apply_default_css=False)
        with gr.Accordion(MODEL_LABEL, open=False, elem_id="dl-model"):
            model = gr.Dropdown(
                [(OWN_MODEL, ""), *((name, name) for name in manifest())],
                value="",
                label=MODEL_LABEL,
                info=MODEL_HELP,
                allow_custom_value=True,
            )
            model_note = gr.HTML()
        gr.HTML(f"<p>{PRIVACY}</p><p>{LIMITS}</p>", elem_classes="dl-quiet dl-small-print")
    return StartPart(column, note, upload, cards, model, model_note)


def _busy() -> BusyPart:
    with gr.Column(visible=False, elem_id="dl-busy") as column:
        progress = gr.HTML(js_on_load=ON_PROGRESS)
        cancel = gr.Button(CANCEL, size="sm", elem_classes="dl-fit")
    return BusyPart(column, progress, cancel)


def _result(viewer: Viewer, pushed: gr.State | None) -> ResultPart:
    """`pushed`: the state to push to the Hub, None where nobody can."""
    with gr.Column(visible=False, elem_id="dl-result") as column:
        with gr.Row(elem_classes="dl-above"):
            faces = gr.Radio(
                label=FACES_LABEL, choices=[], visible=False, container=False, elem_id="dl-faces"
            )
            restart = gr.Button(AGAIN, size="sm", elem_classes="dl-fit")
        viewer.render()
        with gr.Accordion(TRUTH_LABEL, open=False, elem_classes="dl-truth"):
            formats = format_labels(truth_only=True)
            gr.HTML(f"<p>{TRUTH_HELP.format(formats=formats)}</p>", elem_classes="dl-quiet")
            truth_file = gr.File(
                label=TRUTH_FILE,
                file_types=accepted_suffixes(truth_only=True),
                height=110,
                elem_id="dl-truth",
            )
            truth_note = gr.HTML(elem_id="dl-truth-note", elem_classes="dl-quiet")
        if pushed is not None:
            add_push(pushed)
    return ResultPart(column, faces, restart, viewer, truth_file, truth_note)
