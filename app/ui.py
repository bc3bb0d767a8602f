"""The page: layout and event wiring only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from app import annotation_files as exchange
from app.api import (
    Api,
    add_api,
)
from app.batch import (
    HEADERS,
    TYPES,
    WIDTHS,
)
from app.choice import Choice
from app.examples import EXAMPLES
from app.handlers import (
    Handlers,
    Updates,
)
from app.panels import (
    example_cards,
    notice_panel,
)
from app.push import add_push
from app.runtime.analysis import Localize
from app.runtime.downloads import (
    DOWNLOADS,
    Downloads,
)
from app.runtime.models import manifest
from app.runtime.storage import Untracked
from app.viewer.component import (
    MODULES,
    PLOTLY,
    Drop,
    Viewer,
)
from app.wording import (
    BATCH_HELP,
    BATCH_LABEL,
    BATCH_ZIP,
    DROP,
    LIMITS,
    MODEL_HELP,
    MODEL_LABEL,
    OWN_MODEL,
    PRIVACY,
    TAGLINE,
    TITLE,
    TRUTH_HELP,
    TRUTH_LABEL,
)
from deeploc.media.clip import max_minutes
from deeploc.media.formats import VIDEO_SUFFIXES

ORDER = ("picture.mp4", "sound.mp4", "authentic.mp4")
VIDEO_TYPES = ",".join(("video/*", *VIDEO_SUFFIXES))
CACHE_S, SWEEP_S = 3600, 300
MOST_VISITORS = 16  # who wait or work at the same time

HEADER = f"""<header class="dl-header"><div><h1>{TITLE}</h1><p>{TAGLINE}</p></div>
<button type="button" class="dl-theme" aria-label="Switch between light and dark">◐</button>
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
# Stages are read out from an element that stays, each once.
ON_PROGRESS = """
const live = document.createElement("p");
live.className = "dl-read-out";
live.setAttribute("role", "status");
element.after(live);
watch("value", () => {
    const said = element.querySelector("[data-said]")?.dataset.said ?? "";
    if (live.textContent !== said) live.textContent = said;
});"""


def build_demo(
    localizer: Localize, examples: Path = EXAMPLES, at_once: int = 1, pushing: bool = False
) -> gr.Blocks:
    """The page around `localizer(path, hook, face) -> Report`, which makes `at_once` at a time.

    `pushing`: whether visitors may sign in and keep what they see on the Hub.
    """
    clips = sorted(examples.glob("*.mp4"), key=lambda path: _rank(path.name))
    gr.set_static_paths([MODULES, PLOTLY, *clips])
    with gr.Blocks(
        title=TITLE, fill_width=True, delete_cache=(SWEEP_S, CACHE_S), analytics_enabled=False
    ) as demo:
        cache = Path(get_upload_folder())
        made = cache / "display"
        downloads = Downloads(made, CACHE_S)
        demo.temp_file_sets.append(Untracked(made, cache))  # type: ignore[arg-type]
        parts = _layout(clips, _viewer(downloads), pushing)
        handlers = Handlers(localizer, made, downloads, at_once)
        _wire(demo, parts, handlers, {path.as_posix() for path in clips})
        _open(demo, parts, handlers)
        add_api(Api(localizer, handlers.line, downloads), MOST_VISITORS)
    return demo


def _rank(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _viewer(downloads: Downloads) -> Viewer:
    """The viewer, and what its page may ask the server for."""

    def export_annotation(sent: list) -> dict:
        return exchange.export_annotation(*sent)

    def import_annotation(sent: list) -> dict:
        return exchange.import_annotation(*sent)

    def save_report(sent: list) -> dict:
        return downloads.write(*sent)

    return Viewer(
        [export_annotation, import_annotation, save_report],
        exchange.EXPORTS,
        DOWNLOADS,
        elem_id="dl-viewer",
        render=False,
    )


def _layout(clips: list[Path], viewer: Viewer, pushing: bool) -> dict[str, Any]:
    gr.HTML(HEADER, js_on_load=ON_HEADER, apply_default_css=False)
    if pushing:
        gr.LoginButton(size="sm", elem_classes="dl-fit")
    parts: dict[str, Any] = {
        "choice": gr.State(None, time_to_live=CACHE_S),
        "shown": gr.State(None, time_to_live=CACHE_S),
    }
    parts["notice"] = gr.HTML(visible=False)
    with gr.Column(visible=False, elem_id="dl-failure") as parts["failure"]:
        parts["failure_text"] = gr.HTML()
        parts["retry"] = gr.Button("Try this clip again", size="sm", elem_classes="dl-fit")
    parts["entries"] = gr.State([], time_to_live=CACHE_S)
    with gr.Column(visible=False, elem_id="dl-batch") as parts["batch"]:
        gr.HTML(f"<h2>{BATCH_LABEL}</h2><p>{BATCH_HELP}</p>", elem_classes="dl-quiet")
        parts["batch_note"] = gr.HTML()
        parts["table"] = gr.Dataframe(
            headers=list(HEADERS),
            datatype=TYPES,
            interactive=False,
            column_widths=WIDTHS,
            wrap=True,
            max_height=320,
            show_label=False,
            elem_id="dl-table",
        )
        parts["zip"] = gr.DownloadButton(BATCH_ZIP, size="sm", elem_classes="dl-fit")
    with gr.Column(elem_id="dl-start") as parts["start"]:
        parts["start_note"] = gr.HTML(visible=False, elem_classes="dl-quiet")
        parts["file"] = Drop(DROP, VIDEO_TYPES, max_minutes() * 60, elem_id="dl-drop")
        parts["cards"] = gr.HTML(example_cards(clips), js_on_load=ON_CARDS, apply_default_css=False)
        with gr.Accordion(MODEL_LABEL, open=False, elem_id="dl-model"):
            parts["model"] = gr.Dropdown(
                [(OWN_MODEL, ""), *((name, name) for name in manifest())],
                value="",
                label=MODEL_LABEL,
                info=MODEL_HELP,
                allow_custom_value=True,
            )
            parts["model_note"] = gr.HTML()
        gr.HTML(f"<p>{PRIVACY}</p><p>{LIMITS}</p>", elem_classes="dl-quiet dl-small-print")
    with gr.Column(visible=False, elem_id="dl-busy") as parts["busy"]:
        parts["progress"] = gr.HTML(js_on_load=ON_PROGRESS)
        parts["cancel"] = gr.Button("Cancel", size="sm", elem_classes="dl-fit")
    with gr.Column(visible=False, elem_id="dl-result") as parts["result"]:
        with gr.Row(elem_classes="dl-above"):
            parts["faces"] = gr.Radio(
                label="Which face is scored",
                choices=[],
                visible=False,
                container=False,
                elem_id="dl-faces",
            )
            parts["again"] = gr.Button("Analyse another clip", size="sm", elem_classes="dl-fit")
        parts["viewer"] = viewer.render()
        with gr.Accordion(TRUTH_LABEL, open=False, elem_classes="dl-truth"):
            gr.HTML(f"<p>{TRUTH_HELP}</p>", elem_classes="dl-quiet")
            parts["truth"] = gr.File(
                label="Truth file", file_types=[".json", ".csv"], height=110, elem_id="dl-truth"
            )
            parts["truth_note"] = gr.HTML(elem_id="dl-truth-note", elem_classes="dl-quiet")
        if pushing:
            add_push(parts["shown"])
    return parts


def _wire(demo: gr.Blocks, parts: dict, handlers: Handlers, examples: set[str]) -> None:
    def named(updates: Updates) -> dict:
        return {parts[name]: value for name, value in updates.items()}

    uploads = Path(get_upload_folder())

    def received(model: str | None, event: gr.EventData) -> dict:
        return named(handlers.receive(event._data, uploads, model))

    def again(model: str | None, choice: Choice | None) -> dict:
        return named(handlers.wait(choice, model))

    def example(model: str | None, event: gr.EventData) -> dict:
        path = str(event._data.get("path"))
        return named(handlers.wait(Choice(path) if path in examples else None, model))

    def analysed(
        choice: Choice | None, face: int | None, truth: str | None, request: gr.Request
    ) -> Iterator[dict]:
        yield from map(named, handlers.analyse(choice, face, truth, str(request.session_hash)))

    def first_face(choice: Choice | None, truth: str | None, request: gr.Request) -> Iterator[dict]:
        yield from analysed(choice, None, truth, request)

    def cancelled(request: gr.Request) -> dict:
        return named(handlers.cancel(str(request.session_hash)))

    def left(request: gr.Request) -> None:
        handlers.sessions.stop(str(request.session_hash))

    waits = [parts[name] for name in handlers.wait(None)]
    shows = [parts[name] for name in SHOWN]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    side: dict[str, Any] = {"concurrency_limit": MOST_VISITORS, "concurrency_id": "analysis"}

    def runs(event: Callable, before: Callable, inputs: list, face: bool = False):
        chosen = [parts["choice"], parts["faces"]] if face else [parts["choice"]]
        return event(before, [parts["model"], *inputs], waits, queue=False, **quiet).then(
            analysed if face else first_face, [*chosen, parts["truth"]], shows, **quiet, **side
        )

    waiting = [
        runs(parts["file"].upload, received, []),
        runs(parts["cards"].click, example, []),
        runs(parts["retry"].click, again, [parts["choice"]]),
        runs(parts["faces"].input, again, [parts["choice"]], face=True),
    ]
    picks = [parts["model"], parts["model_note"]]
    for event in (parts["model"].input, demo.load):
        event(lambda model: named(handlers.pick(model)), parts["model"], picks, **quiet, **side)

    def row(entries: list, event: gr.SelectData, request: gr.Request) -> Iterator[dict]:
        number = int(event.row_value[0])
        yield from map(named, handlers.open_row(entries, number, str(request.session_hash)))

    parts["table"].select(row, parts["entries"], [*shows, parts["choice"]], **quiet, **side)
    parts["cancel"].click(cancelled, None, shows, cancels=waiting, queue=False, **quiet)
    parts["again"].click(
        lambda: named(handlers.restart()),
        None,
        [*shows, parts["file"], parts["truth"]],
        queue=False,
        **quiet,
    )
    parts["truth"].change(
        lambda *values: named(handlers.compare(*values)),
        [parts["shown"], parts["truth"]],
        [parts["viewer"], parts["truth_note"]],
        queue=False,
        **quiet,
    )
    demo.unload(left)


SHOWN = (
    "progress",
    "shown",
    "viewer",
    "truth_note",
    "faces",
    "busy",
    "result",
    "failure",
    "failure_text",
    "start",
    "start_note",
    "batch",
    "batch_note",
    "entries",
    "table",
    "zip",
)


def _open(demo: gr.Blocks, parts: dict, handlers: Handlers) -> None:
    """What a page shows when it is opened: that there is no model, and the result of a link."""

    def notice() -> dict:
        said = getattr(handlers.localizer, "notice", "")
        return gr.update(value=notice_panel(said), visible=bool(said))

    def linked(request: gr.Request) -> Iterator[Any]:
        ticket = request.query_params.get("result")
        if not ticket:
            yield gr.skip()
            return
        for updates in handlers.open_link(ticket, str(request.session_hash)):
            yield {parts[name]: value for name, value in updates.items()}

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    changes = [parts[name] for name in (*SHOWN, "choice")]
    demo.load(notice, None, parts["notice"], queue=False, **quiet)
    demo.load(linked, None, changes, concurrency_limit=MOST_VISITORS, **quiet)
