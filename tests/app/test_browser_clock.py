"""Frame-exact: what the viewer says it shows is what was decoded, on every kind of timing."""

from dataclasses import replace
from fractions import Fraction

import pytest

from app.viewer.payload import to_payload
from deeploc.media.clip import open_clip
from tests.app.fakes import fake_report
from tests.app.numbered_clips import READ, write_numbered
from tests.app.viewer_page import served

pytestmark = pytest.mark.browser

STEPS = 300
RATES = {
    "23.976": Fraction(24000, 1001),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "60": Fraction(60),
    "variable": None,
}
SHOWN = "Number(/frame (\\d+)/.exec(document.querySelector('.dl-readout').textContent)[1])"
# Presses a key, waits until the browser presents a frame, and compares; [expected, said, decoded].
WALK = f"""async ([key, moves]) => {{
    const read = {READ};
    const video = document.querySelector(".dl-stage video");
    const cursor = document.querySelector(".dl-cursor");
    const wrong = [];
    const begin = {SHOWN};
    for (const [at, move] of moves.entries()) {{
        const frame = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
        cursor.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
        await frame;
        const found = [begin + move, {SHOWN}, read(video)];
        if (new Set(found).size > 1) wrong.push(found);
    }}
    return wrong;
}}"""
SEEK = f"""async (targets) => {{
    const read = {READ};
    const video = document.querySelector(".dl-stage video");
    const field = document.querySelector(".dl-cursor");
    const wrong = [];
    for (const target of targets) {{
        const frame = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
        window.shown.clock.seekFrame(target);
        await frame;
        const found = [target, {SHOWN}, read(video)];
        if (new Set(found).size > 1) wrong.push(found);
    }}
    return wrong;
}}"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbered")
    return {name: write_numbered(folder / f"{name}.mp4", rate, 305) for name, rate in RATES.items()}


@pytest.fixture
def opened(browser, clips, request):
    """The viewer alone on one of the clips."""
    path = clips[request.param]
    clip = open_clip(path)
    report = replace(fake_report(path), media=clip.info, pts_s=clip.pts_s)
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    with served(path, to_payload(report, path)) as address:
        page.goto(address)
        page.wait_for_function("document.querySelector('.dl-stage video')?.readyState >= 4")
        yield page
    page.close()


@pytest.mark.parametrize(
    "opened",
    [rate if rate == "variable" else pytest.param(rate, marks=pytest.mark.slow) for rate in RATES],
    indirect=True,
)
def test_300_steps_show_300_frames(opened):
    opened.locator(".dl-cursor").focus()
    assert opened.evaluate(WALK, [".", list(range(1, STEPS + 1))]) == []
    assert opened.evaluate(WALK, [",", [-1, -2, -3]]) == []


@pytest.mark.parametrize("opened", ["29.97", "variable"], indirect=True)
def test_seeks_land_on_the_frame(opened):
    targets = [270, 3, 150, 151, 47, 48, 49, 304, 0, 200]
    assert opened.evaluate(SEEK, targets) == []


@pytest.mark.parametrize("opened", ["25"], indirect=True)
def test_a_seek_beside_the_frame_is_corrected_once(opened):
    opened.evaluate("""() => {
        const { clock } = window.shown, middle = clock.middle.bind(clock);
        let first = true;
        clock.middle = (frame) => { 
            const beside = first ? 1 : 0;
            first = false;
            return middle(frame + beside);
        };
        clock.seekFrame(100);
    }""")
    opened.wait_for_function(
        f"({READ})(document.querySelector('.dl-stage video')) === 100 && {SHOWN} === 100"
    )


def test_without_frame_callbacks_the_viewer_says_so(browser, clips):
    page = browser.new_page()
    page.add_init_script("delete HTMLVideoElement.prototype.requestVideoFrameCallback")
    path = clips["25"]
    clip = open_clip(path)
    report = replace(fake_report(path), media=clip.info, pts_s=clip.pts_s)
    with served(path, to_payload(report, path)) as address:
        page.goto(address)
        page.wait_for_function(
            "document.querySelector('.dl-readout')?.textContent.includes('±1 frame')"
        )
    page.close()


@pytest.mark.parametrize("opened", ["25"], indirect=True)
def test_a_tick_moves_the_cursor_alone(opened):
    """Nothing in the chart is laid out or drawn again when the frame changes."""
    opened.evaluate("""() => {
        window.drawn = 0;
        const { chart } = window.shown, draw = chart.draw.bind(chart);
        chart.draw = () => { window.drawn += 1; draw(); };
        window.moved = new Set();
        new MutationObserver((changes) => changes.forEach(({ target }) => window.moved.add(target)))
            .observe(document.querySelector(".dl-chart"), { subtree: true, childList: true });
    }""")
    assert opened.evaluate(WALK, [".", list(range(1, 11))]) == []
    assert opened.evaluate("window.drawn") == 0
    plots = "[...window.moved].filter((node) => node.closest('.dl-plot')).length"
    assert opened.evaluate(plots) == 0
