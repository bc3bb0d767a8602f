"""The viewer on a page of its own, with a clip, payload and server that are made up: no Gradio."""

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
from playwright.sync_api import Page

from app.viewer.component import MODULES
from app.viewer.payload import to_payload
from deeploc.media.clip import MediaInfo
from deeploc.timeline import Segment, Timeline
from tests.app.fakes import HEIGHT, SECONDS, WIDTH, fake_report

SHA256 = "5e" * 32
FPS = 30000 / 1001
SHOWN = "Number(document.querySelector('.dl-readout').textContent.split('frame ')[1])"
# Draws nothing, quickly.
NO_PLOTLY = b"window.Plotly = { react: (plot) => { plot.innerHTML = '<svg></svg>'; } };"
PAGE = Path(__file__).with_name("viewer_page.html")


def payload_of(
    clip: Path, truth: list[tuple[float, float]] | None = None, fps: float = FPS
) -> dict:
    """The fake report on a clip of `fps`, with visual truth segments where given."""
    report = fake_report(clip)
    media = MediaInfo(clip.name, float(SECONDS), fps, WIDTH, HEIGHT, False)
    pts = np.arange(int(SECONDS * fps)) / fps
    known = None if truth is None else {"visual": Timeline(tuple(Segment(*span) for span in truth))}
    return to_payload(replace(report, media=media, pts_s=pts), clip, known) | {"sha256": SHA256}


@contextmanager
def served(clip: Path, payload: dict, plotly: bytes = NO_PLOTLY) -> Iterator[str]:
    """The address of the page, as long as the context is open."""
    pages = {
        "/": ("text/html", PAGE.read_bytes()),
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


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def frame(page: Page) -> int:
    return int(page.evaluate(SHOWN))


def own(page: Page) -> list[tuple[int, int]]:
    """Lane E in frames."""
    spans = page.evaluate(
        "[...document.querySelectorAll('.dl-lane-E .dl-block')]"
        ".map(({ dataset }) => [Number(dataset.start), Number(dataset.end)])"
    )
    return sorted((round(start * FPS), round(end * FPS)) for start, end in spans)


def annotation(page: Page) -> dict:
    saved = page.evaluate(f"localStorage.getItem('deeploc-annotation:{SHA256}')")
    return json.loads(saved)["annotation"]


def x_of(page: Page, seconds: float, total: float = 4.0) -> float:
    page.locator(".dl-lane-E").scroll_into_view_if_needed()
    box = page.locator(".dl-lane-E").bounding_box()
    return box["x"] + 44 + seconds / total * (box["width"] - 84)


def middle(page: Page, selector: str) -> tuple[float, float]:
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
