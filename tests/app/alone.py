"""The viewer on a page of its own, with a clip, a payload and a server that are made up: no Gradio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np

from app.viewer.component import MODULES
from app.viewer.payload import to_payload
from deeploc.media import MediaInfo
from deeploc.timeline import Segment, Timeline
from tests.app.canned import HEIGHT, SECONDS, WIDTH, canned_report

SHA256 = "5e" * 32
FPS = 30000 / 1001
# Draws nothing, quickly.
NO_PLOTLY = b"window.Plotly = { react: (plot) => { plot.innerHTML = '<svg></svg>'; } };"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>viewer</title><style>
:root { --background-fill-primary: #fff; --background-fill-secondary: #f4f6f9; --body-text-color: #1f2937;
  --border-color-primary: #dde2ea; }
.dark { --background-fill-primary: #0f1524; --background-fill-secondary: #1a2234; --body-text-color: #e6eaf2;
  --border-color-primary: #2c3650; background: #0b0f19; }
body { font-family: sans-serif; margin: 16px; }
</style><div class="dl-viewer"></div><script type="module">
import { mount } from "/viewer/viewer.js";
const payload = await (await fetch("/payload.json")).json();
const clip = URL.createObjectURL(await (await fetch("/clip.mp4")).blob());
window.calls = [];
const server = {
    export_annotation: async (json, format) => { calls.push([json, format]); return format === "bad"
        ? { error: "This format holds no notes." } : { name: "clip.vtt", base64: btoa("WEBVTT"), type: "text/vtt" }; },
    import_annotation: async (file, media) => { calls.push([file, media]); return { format: "deeploc-annotation", version: 1,
        media, segments: [{ start_s: 1.3, end_s: 1.9, start_frame: 39, end_frame: 57, stream: "audio", status: "proposed", origin: "file" }] }; },
};
window.viewer = mount(document.querySelector(".dl-viewer"), { plotly: "/plotly.js", fileUrl: () => clip, server,
    formats: [["json", "DeepLoc JSON"], ["vtt", "WebVTT"], ["bad", "Broken"]] });
await viewer.show(payload);
</script></html>"""


def payload_of(clip: Path, truth: list[tuple[float, float]] | None = None, fps: float = FPS) -> dict:
    """The canned report on a clip of `fps`, with visual truth segments where given."""
    report = canned_report(clip)
    media = MediaInfo(clip.name, float(SECONDS), fps, WIDTH, HEIGHT, False)
    pts = np.arange(int(SECONDS * fps)) / fps
    known = None if truth is None else {"visual": Timeline(tuple(Segment(*span) for span in truth))}
    return to_payload(replace(report, media=media, pts_s=pts), clip, known) | {"sha256": SHA256}


@contextmanager
def served(clip: Path, payload: dict, plotly: bytes = NO_PLOTLY) -> Iterator[str]:
    """The address of the page, as long as the context is open."""
    pages = {
        "/": ("text/html", PAGE.encode()),
        "/payload.json": ("application/json", json.dumps(payload).encode()),
        "/plotly.js": ("text/javascript", plotly),
        "/clip.mp4": ("video/mp4", clip.read_bytes()),
    }

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in pages:
                self.path = self.path.removeprefix("/viewer")
                return super().do_GET()
            kind, content = pages[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return None

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(MODULES)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
