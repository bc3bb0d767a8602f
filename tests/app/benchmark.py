"""How fast the viewer answers on a ten-minute clip: `python -m tests.app.benchmark`.

Prints the median and the worst of 20 of each interaction, in milliseconds from the event to the
painted picture of the display, in Chromium, with a fake report and a small clip.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from playwright.sync_api import sync_playwright

from app.viewer.component import PLOTLY
from app.viewer.payload import to_payload
from deeploc.media.clip import MediaInfo
from deeploc.report import FaceEvidence, Localization, Report, SoundEvidence
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid, Segment
from tests.app.browser import CHROMIUM, FLAGS
from tests.app.fakes import fake_report
from tests.app.numbered_clips import BITS, SIDE, write_numbered
from tests.app.viewer_page import served

MINUTES, RATE_HZ, TIMES, LIMIT_MS = 10, 25, 20, 100
MEASURE = """async ([name, values]) => {
    const { scale, clock, overview } = window.shown;
    const stack = document.querySelector(".dl-stack"), box = stack.getBoundingClientRect();
    const y = box.top + 60;
    const pointer = (type, x) => stack.dispatchEvent(new PointerEvent(type,
        { clientX: box.left + x, clientY: y, button: 0, bubbles: true, pointerType: "mouse" }));
    const wheel = (options) => stack.dispatchEvent(new WheelEvent("wheel",
        { clientX: box.left + 500, clientY: y, bubbles: true, cancelable: true, ...options }));
    const click = (x) => { pointer("pointerdown", x); pointer("pointerup", x); };
    const threshold = (value) => {
        field.value = value.toFixed(2);
        field.dispatchEvent(new Event("input"));
    };
    const field = document.querySelector(".dl-threshold-value");
    const video = document.querySelector(".dl-stage video");
    const actions = {
        hover: (share) => pointer("pointermove", 44 + share * scale.plot),
        "seek, cursor": (share) => click(44 + share * scale.plot),
        "seek, picture": (share) => clock.seek(share * clock.duration),
        zoom: (share) => wheel({ deltaY: share < 0.5 ? -300 : 300, ctrlKey: true }),
        pan: (share) => wheel({ deltaX: (share - 0.5) * 600 }),
        overview: (share) => scale.show(share * 500, 60),
        threshold: (share) => threshold(0.05 + 0.9 * share),
    };
    const painted = () => new Promise((done) => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => done();
        port2.postMessage(0);
    }));
    const presented = () => new Promise((done) => video.requestVideoFrameCallback(done));
    const rest = () => new Promise((done) => setTimeout(done, 260));
    const found = [];
    for (const value of values) {
        await rest();
        const begin = performance.now();
        const done = name === "seek, picture" ? presented() : null;
        actions[name](value);
        await (done ?? painted());
        found.push(performance.now() - begin);
    }
    return found;
}"""
ACTIONS = ("hover", "seek, cursor", "seek, picture", "zoom", "pan", "overview", "threshold")


def long_report(path: Path) -> Report:
    """Ten minutes with forty intervals, heat, spectrograms and a face that is always there."""
    grid = FrameGrid(RATE_HZ, MINUTES * 60 * RATE_HZ)
    random = np.random.default_rng(1)
    noise = random.random((6, grid.n_frames), np.float32)
    bumps = (np.arange(grid.n_frames) % 375 < 40).astype(np.float32)
    base = fake_report(path)
    scores = [
        FrameScores(grid, old.stream, old.curve, values * (0.4 if old.curve.proposes else 1.5))
        for old, values in zip(base.scores, noise + 1.3 * bumps, strict=True)
    ]
    starts = [second for second in range(0, MINUTES * 60, 15)]
    timeline = tuple(Localization(Segment(s, s + 1.6), 0.9, "visual") for s in starts)
    squares = np.tile(np.array([10, 2, 40, 30], np.float32), (grid.n_frames, 1))
    seen = np.ones(grid.n_frames, bool)
    track = replace(base.evidence.track, boxes=squares, confidence=seen * 1.0, visible=seen)
    heat = 3 * random.random((grid.n_frames, 12, 12), np.float32)
    sound = SoundEvidence(
        mel=random.normal(-4, 3, (4 * grid.n_frames, 80)).astype(np.float16),
        error=3 * random.random((grid.n_frames, 5), np.float32),
        peaks=random.uniform(-1, 1, (4 * grid.n_frames, 2)).astype(np.float16),
    )
    return replace(
        base,
        media=MediaInfo(path.name, grid.duration, RATE_HZ, BITS * SIDE, 2 * SIDE, True),
        scores=tuple(scores),
        timeline=timeline,
        proposals=timeline,
        unscored=(),
        evidence=FaceEvidence(track, heat, squares, (track,)),
        sound=sound,
        inspection=None,
        pts_s=np.arange(grid.n_frames) / RATE_HZ,
    )


def measured(folder: Path) -> Iterator[tuple[str, list[float]]]:
    """Each interaction with its latencies in milliseconds."""
    clip = write_numbered(folder / "long.mp4", Fraction(RATE_HZ), MINUTES * 60 * RATE_HZ)
    payload = to_payload(long_report(clip), clip)
    shares = np.random.default_rng(2).random(TIMES).tolist()
    with sync_playwright() as playwright, served(clip, payload, PLOTLY.read_bytes()) as address:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 2400})
        page.goto(address)
        page.wait_for_function("window.shown && document.querySelector('.dl-plot svg')")
        for name in ACTIONS:
            yield name, page.evaluate(MEASURE, [name, shares])
        browser.close()


def main() -> int:
    slow = 0
    print(f"{'':16}median ms   worst ms   (of {TIMES}, {MINUTES} minutes)")
    with TemporaryDirectory() as folder:
        for name, found in measured(Path(folder)):
            print(f"{name:16}{statistics.median(found):9.0f}{max(found):11.0f}", flush=True)
            slow += statistics.median(found) > LIMIT_MS
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
