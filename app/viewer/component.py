"""The Gradio side of the viewer and of the place to drop clips.

Both are a `gr.HTML` whose content is drawn by the ES modules beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import gradio as gr
import plotly

MODULES = Path(__file__).parent
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
Formats = Sequence[tuple[str, str]]  # key and label

ADDRESSES = (
    f"""
const [MODULES, PLOTLY] = {json.dumps([MODULES.as_posix(), PLOTLY.as_posix()])};
"""
    + """
const config = window.gradio_config ?? {};
const api = `${config.root ?? ""}${config.api_prefix ?? "/gradio_api"}`;
const fileUrl = (path) => `${api}/file=` + path.split("/").map(encodeURIComponent).join("/");
"""
)
ON_VIEWER = """
const root = element.querySelector(".dl-viewer");
import(fileUrl(MODULES + "/viewer.js")).then(({ mount }) => {
    const face = (number) => document.querySelector(`#dl-faces input[value="${number}"]`);
    const chooseFace = (number) => face(number)?.click();
    const options = { plotly: fileUrl(PLOTLY), fileUrl, chooseFace, server, ...OPTIONS };
    const viewer = mount(root, options);
    const show = () => viewer.show(props.value ? JSON.parse(props.value) : null);
    watch("value", show);
    show();
});
"""
ON_DROP = """
const root = element.querySelector(".dl-drop");
import(fileUrl(MODULES + "/upload/clip-upload.js")).then(({ ClipUpload }) => {
    const limits = { seconds: OPTIONS.seconds, bytes: config.max_file_size ?? null };
    const sent = (data) => trigger("upload", data);
    const uploadUrl = `${api}/upload`;
    const options = { ...OPTIONS, uploadUrl, limits, sent, turn: props.value };
    const clipUpload = new ClipUpload(root, options);
    let turn = props.value;
    watch("value", () => {
        if (props.value === turn) return;
        turn = props.value;
        clipUpload.restart(turn);
    });
});
"""


def script(text: str, **options: object) -> str:
    """The script of a component; its `OPTIONS` survive what hides and shows components."""
    return f"{ADDRESSES}const OPTIONS = {json.dumps(options)};\n{text}"


class Viewer(gr.HTML):
    """Shows the payload of one report (`app.viewer.payload.to_payload`), or nothing for None.

    `server_functions`: what the page may call, each with one argument or the list of several;
    `formats`, `downloads`: the formats that these write of an annotation and of the report;
    `accepted`: the suffixes of the annotations that they read.
    """

    def __init__(
        self,
        server_functions: list[Callable] | None = None,
        formats: Formats = (),
        accepted: Sequence[str] = (),
        downloads: Formats = (),
        **options,
    ) -> None:
        self.formats, self.downloads = list(formats), list(downloads)
        self.accepted = list(accepted)
        super().__init__(
            value=None,
            html_template='<div class="dl-viewer"></div>',
            js_on_load=script(ON_VIEWER, formats=formats, accepted=accepted, downloads=downloads),
            apply_default_css=False,
            server_functions=server_functions,
            **options,
        )

    def postprocess(self, value: dict | None) -> str | None:  # type: ignore[override]  # gr.HTML says str
        """The payload as JSON text; its videos are put where the browser may fetch them."""
        if value is None:
            return None
        videos = {name: self._served(value.get(name)) for name in ("video", "inspection")}
        return json.dumps({**value, **videos}, separators=(",", ":"))

    def _served(self, path: str | None) -> str | None:
        """Where browsers may fetch the file: in Gradio's cache, from which age deletes it."""
        served = self.move_resource_to_block_cache(path)
        return None if served is None else Path(served).as_posix()


class ClipUpload(gr.HTML):
    """Looks at a clip in the browser, then sends it: `upload` carries `kind`, `path`, `report`,
    `start`, `end`. Any new value forgets the chosen clip. `seconds`: the longest clip that fits."""

    def __init__(self, label: str, accept: str, seconds: float, **options) -> None:
        self.accept, self.seconds = accept, seconds
        super().__init__(
            value="",
            html_template='<div class="dl-drop"></div>',
            js_on_load=script(ON_DROP, label=label, accept=accept, seconds=seconds),
            apply_default_css=False,
            label=label,
            **options,
        )
