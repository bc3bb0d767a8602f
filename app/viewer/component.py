"""The Gradio side of the viewer: a `gr.HTML` whose content is drawn by the ES modules beside it."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr
import plotly

MODULES = Path(__file__).parent
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

ON_LOAD = (
    f"""
const [MODULES, PLOTLY] = {json.dumps([MODULES.as_posix(), PLOTLY.as_posix()])};
"""
    + """
const config = window.gradio_config ?? {};
const fileUrl = (path) => `${config.root ?? ""}${config.api_prefix ?? "/gradio_api"}/file=`
    + path.split("/").map(encodeURIComponent).join("/");
const root = element.querySelector(".dl-viewer");
import(fileUrl(MODULES + "/viewer.js")).then(({ mount }) => {
    const face = (number) => document.querySelector(`#dl-faces input[value="${number}"]`);
    const chooseFace = (number) => face(number)?.click();
    const viewer = mount(root, { plotly: fileUrl(PLOTLY), fileUrl, chooseFace });
    const show = () => viewer.show(props.value ? JSON.parse(props.value) : null);
    watch("value", show);
    show();
});
"""
)


class Viewer(gr.HTML):
    """Shows the payload of one report (`app.viewer.payload.to_payload`), or nothing for None."""

    def __init__(self, **options) -> None:
        super().__init__(
            value=None,
            html_template='<div class="dl-viewer"></div>',
            js_on_load=ON_LOAD,
            apply_default_css=False,
            **options,
        )

    def postprocess(self, value: dict | None) -> str | None:  # type: ignore[override]
        """The payload as JSON text; its videos are put where the browser may fetch them."""
        if value is None:
            return None
        videos = {name: self._served(value.get(name)) for name in ("video", "inspection")}
        return json.dumps({**value, **videos}, separators=(",", ":"))

    def _served(self, path: str | None) -> str | None:
        served = self.move_resource_to_block_cache(path)
        return None if served is None else Path(served).as_posix()
