"""Puts the page together: layout, events, and the endpoints for programs."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from app import annotation_files
from app.api import Api, add_api
from app.examples import EXAMPLES
from app.handlers import Handlers
from app.page.events import MAX_VISITORS, wire
from app.page.layout import lay_out
from app.runtime import downloads
from app.runtime.limits import Limits
from app.runtime.models import ModelSource
from app.runtime.results import ResultStore
from app.runtime.storage import LeftoverFiles
from app.viewer.component import MODULES, PLOTLY, Viewer
from app.wording import TITLE

EXAMPLE_ORDER = ("picture.mp4", "sound.mp4", "authentic.mp4")
CACHE_S, SWEEP_S = 3600, 300


def build_demo(
    models: ModelSource,
    examples: Path = EXAMPLES,
    limits: Limits = Limits(),
    pushing: bool = False,
) -> gr.Blocks:
    """The page around the models that analyse.

    `pushing`: whether visitors may sign in and keep what they see on the Hub.
    """
    clips = sorted(examples.glob("*.mp4"), key=lambda path: _rank(path.name))
    gr.set_static_paths([MODULES, PLOTLY, *clips])
    with gr.Blocks(
        title=TITLE, fill_width=True, delete_cache=(SWEEP_S, CACHE_S), analytics_enabled=False
    ) as demo:
        uploads = Path(get_upload_folder())
        written = uploads / "display"
        results = ResultStore(written, CACHE_S)
        demo.temp_file_sets.append(LeftoverFiles(written, uploads))  # type: ignore[arg-type]  # Gradio says set[str]
        page = lay_out(clips, _viewer(results), CACHE_S, pushing, limits.max_minutes)
        handlers = Handlers(models, written, results, limits)
        wire(demo, page, handlers, {path.as_posix() for path in clips})
        add_api(Api(models, handlers.queue, results, limits), MAX_VISITORS)
    return demo


def _rank(name: str) -> tuple[int, str]:
    known = name in EXAMPLE_ORDER
    return (EXAMPLE_ORDER.index(name) if known else len(EXAMPLE_ORDER), name)


def _viewer(results: ResultStore) -> Viewer:
    """The viewer, and what its page may ask the server for."""

    def export_annotation(sent: list) -> dict:
        return annotation_files.export_annotation(*sent)

    def import_annotation(sent: list) -> dict:
        return annotation_files.import_annotation(*sent)

    def save_report(sent: list) -> dict:
        return downloads.write_download(results, *sent)

    return Viewer(
        [export_annotation, import_annotation, save_report],
        annotation_files.EXPORT_FORMATS,
        annotation_files.IMPORT_SUFFIXES,
        downloads.LABELS,
        elem_id="dl-viewer",
        render=False,
    )
