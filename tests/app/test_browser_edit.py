"""Lanes, comparison and annotation in a real Chromium, on the viewer alone."""

import base64
import json

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from deeploc.curves import FORGERY_SCORE
from deeploc.postprocess import to_timeline
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid
from tests.app.browser import PATIENCE_MS, block
from tests.app.viewer_page import (
    FPS,
    SHA256,
    SHOWN,
    annotation,
    frame,
    middle,
    own,
    payload_of,
    press,
    served,
    x_of,
)
from tests.clips import write_av

pytestmark = pytest.mark.browser

TRUTH = [(1.1, 1.9), (3.0, 3.4)]
FRAMES = 119
RATE = "document.querySelector('.dl-stage video').playbackRate"
PAUSED = "document.querySelector('.dl-stage video').paused"


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    """Four seconds without sound at 29.97 frames a second."""
    times = np.arange(FRAMES) / FPS
    return write_av(tmp_path_factory.mktemp("silent") / "clip.mp4", times, size=(320, 180))


@pytest.fixture(scope="module")
def known(silent):
    with served(silent, payload_of(silent, TRUTH)) as address:
        yield address


@pytest.fixture(scope="module")
def unknown(silent):
    with served(silent, payload_of(silent)) as address:
        yield address


@pytest.fixture
def open_at(browser):
    """Opens the viewer in a fresh profile; no error may be left unseen."""
    context = browser.new_context(viewport={"width": 1280, "height": 2400}, accept_downloads=True)
    problems: list[str] = []

    def visit(address: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        page.wait_for_function("document.querySelector('.dl-stage video')?.readyState >= 2")
        page.wait_for_selector(".dl-plot svg")
        page.locator(".dl-viewer").focus()
        return page

    yield visit
    context.close()
    assert not problems


def test_the_seven_requests_of_label_studio_3693_by_keyboard(open_at, unknown):
    """https://github.com/HumanSignal/label-studio/issues/3693"""
    page = open_at(unknown)
    # 1 and 2: a video without sound, whose frame rate nobody typed
    press(page, ".", ".", ".")
    assert frame(page) == 3
    # something to work on: two intervals
    press(page, "3", "Delete", "ArrowDown", "Delete", "Home")
    press(page, *["Shift+ArrowRight"] * 2, "i", *["Shift+ArrowRight"] * 2, "o", "Escape")
    press(page, *["Shift+ArrowRight"] * 4, "i", "Shift+ArrowRight", "o", "Escape")
    expect(page.locator(".dl-lane-E .dl-block")).to_have_count(2)
    first, second = own(page)
    assert first == (20, 41)
    assert second == (80, 91)
    # 3: jump between segments
    press(page, "Home", "ArrowDown")
    assert frame(page) == 20
    press(page, "ArrowDown")
    assert frame(page) == 80
    press(page, "ArrowUp")
    assert frame(page) == 20
    # 4: both edges of the selected segment, both ways, by a frame
    press(page, "[", "[", "Shift+[", "Shift+]", "Shift+]", "]")
    assert own(page) == [(19, 42), second]
    # 7: seek to its start and to its end
    press(page, "End")
    assert frame(page) == 41
    press(page, "Home")
    assert frame(page) == 19
    # 6: speed, below 0.5 and above 2.5, while it plays
    press(page, "j", "j", "j")
    assert page.evaluate(RATE) < 0.5
    press(page, *["l"] * 7)
    assert page.evaluate(RATE) > 2.5
    # 5: play is locked to the segment
    press(page, "Space")
    page.wait_for_function(f"{PAUSED} && {SHOWN} === 41")
    press(page, "Space")
    page.wait_for_function(f"{SHOWN} < 41")
    page.wait_for_function(f"{PAUSED} && {SHOWN} === 41")


def test_a_loop_begins_again(open_at, unknown):
    page = open_at(unknown)
    page.evaluate(
        "window.turns = 0; document.querySelector('.dl-stage video')"
        ".addEventListener('seeked', () => window.turns++)"
    )
    press(page, "ArrowDown", "Shift+l", "r")
    page.wait_for_function("window.turns >= 3")
    assert 36 <= frame(page) <= 60 + 8
    press(page, "Escape", "Space")


def test_undo_redo_and_what_reload_restores(open_at, unknown):
    page = open_at(unknown)
    press(page, "ArrowDown", "[", "]")  # the prediction itself is not edited: its copy in E is
    assert own(page) == [(35, 59)]
    expect(block(page, "predicted")).to_have_attribute("data-start", "1.2")
    page.get_by_label("Note", exact=True).fill("lips")
    press(page, "Enter", "Escape", "Home", *["Shift+ArrowRight"] * 5)
    page.keyboard.press("b")  # the cursor is out of sight of the interval: nothing to split
    press(page, "Home", *["."] * 10, "b")
    assert own(page) == [(35, 45), (45, 59)]
    press(page, "Home", "m")
    assert own(page) == [(35, 59)]
    press(page, "Control+z")
    assert own(page) == [(35, 45), (45, 59)]
    press(page, "Control+z")
    assert own(page) == [(35, 59)]
    press(page, "Control+Shift+z")
    before = own(page)
    page.reload()
    expect(page.locator(".dl-lane-E .dl-block")).to_have_count(2)
    assert own(page) == before
    saved = annotation(page)
    assert [one["note"] for one in saved["segments"]] == ["lips", "lips"]
    assert (
        saved["segments"][0] | {"start_frame": 35, "end_frame": 45, "status": "adjusted"}
        == (saved["segments"][0])
    )
    expect(page.get_by_text("Your earlier work on this clip is back")).to_be_visible()


def test_accept_reject_and_delete(open_at, unknown):
    page = open_at(unknown)
    press(page, "3", "ArrowDown", "a")
    assert annotation(page)["segments"][0]["status"] == "accepted"
    press(page, "x")
    expect(page.locator(".dl-lane-E .dl-rejected")).to_have_count(1)
    page.get_by_label("Confidence").select_option("0.5")
    assert annotation(page)["segments"][0]["confidence"] == 0.5
    page.locator(".dl-viewer").focus()
    press(page, "Delete")
    assert own(page) == []


def test_blind_labelling_hides_the_model_until_done(open_at, known):
    page = open_at(known)
    page.get_by_role("button", name="Label blind").click()
    for hidden in (
        ".dl-verdict",
        "[data-row=forgery]",
        ".dl-heat",
        ".dl-comparison",
        ".dl-inspector",
    ):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator("[data-row=waveform]")).to_be_visible()
    for kind in ("predicted", "truth", "own"):
        expect(block(page, kind)).to_have_count(0)
    assert "model hidden" in page.get_attribute(".dl-cursor", "aria-valuetext")
    page.locator(".dl-viewer").focus()
    press(page, "i")
    page.reload()
    expect(page.locator(".dl-verdict")).to_be_hidden()
    expect(block(page, "own")).to_have_count(1)
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".dl-verdict")).to_be_visible()
    expect(block(page, "predicted")).to_have_count(1)
    assert "without seeing" in annotation(page)["history"][-1]["action"]


@pytest.mark.parametrize("way", ["typed", "dragged"])
def test_a_moved_threshold_gives_the_intervals_of_the_library(open_at, unknown, silent, way):
    page = open_at(unknown)
    if way == "typed":
        press(page, "t")
        page.keyboard.type("0.2")
    else:
        x, y = middle(page, ".dl-threshold")
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + 20, steps=4)
        page.mouse.up()
    threshold = float(page.get_attribute(".dl-threshold", "aria-valuenow") or "nan")
    assert threshold == 0.2 if way == "typed" else 0.1 < threshold < 0.45
    (curve,) = (
        one
        for one in payload_of(silent)["report"]["scores"]
        if (one["kind"], one["stream"]) == ("forgery", "fused")
    )
    values = np.array([np.nan if value is None else value for value in curve["values"]])
    scores = FrameScores(FrameGrid(25, len(values)), "fused", FORGERY_SCORE, values)
    found = to_timeline(scores, threshold)
    blocks = page.locator(".dl-lane-P .dl-block")
    expect(blocks).to_have_count(len(found))
    shown = [
        (float(one.get_attribute("data-start")), float(one.get_attribute("data-end")))
        for one in blocks.all()
    ]
    assert shown == [pytest.approx((part.start, part.end)) for part in found]
    assert own(page) == [(round(part.start * FPS), round(part.end * FPS)) for part in found]


def test_the_comparison_names_every_interval(open_at, known):
    page = open_at(known)
    panel = page.locator(".dl-comparison")
    expect(panel).to_contain_text("this clip, n = 2 segments", ignore_case=True)
    expect(page.locator(".dl-lane-P .dl-kind-TP")).to_have_count(1)
    expect(page.locator(".dl-lane-G .dl-kind-FN")).to_have_count(1)
    numbers = page.locator(".dl-numbers").inner_text()
    page.get_by_role("button", name="tIoU 0.9", exact=True).click()
    expect(page.locator(".dl-lane-P .dl-kind-LOC")).to_have_count(1)
    page.locator(".dl-lane-P .dl-block").click()
    expect(page.locator(".dl-pair-text")).to_contain_text("tIoU 0.78 · start +100 ms (+3 frames)")
    expect(page.locator(".dl-links line.dl-chosen")).to_have_count(2)
    # AP is of all proposals: the threshold of the display does not move it
    page.locator(".dl-threshold-value").fill("0.85")
    kept = [line for line in numbers.splitlines() if "s/min" not in line]
    assert set(kept) <= set(page.locator(".dl-numbers").inner_text().splitlines())


def test_next_disagreement_goes_round(open_at, known):
    page = open_at(known)
    places = []
    for _ in range(4):
        press(page, "g")
        places.append(frame(page))
    assert places == [33, 57, 90, 33]  # G only from 1.1 s, P only from 1.9 s, G only from 3 s
    expect(page.locator(".dl-said")).to_contain_text("only G flags 0.10 s")


def test_truth_that_was_drawn_compares_too(open_at, unknown):
    page = open_at(unknown)
    expect(page.locator(".dl-comparison")).to_contain_text("not known")
    y = middle(page, ".dl-lane-G")[1]
    page.mouse.move(x_of(page, 2.5), y)
    page.mouse.down()
    page.mouse.move(x_of(page, 3.5), y, steps=5)
    page.mouse.up()
    expect(block(page, "truth")).to_have_count(1)
    expect(page.locator(".dl-lane-P .dl-kind-FP")).to_have_count(1)
    page.reload()
    expect(block(page, "truth")).to_have_count(1)
    page.get_by_role("button", name="Clear G").click()
    expect(block(page, "truth")).to_have_count(0)


def test_an_edge_is_dragged_and_snaps(open_at, known):
    page = open_at(known)
    press(page, "3", "ArrowDown")
    for selector in (".dl-handle-start", ".dl-handle-end"):
        box = page.locator(selector).bounding_box()
        assert min(box["width"], box["height"]) >= 24

    def drag(to: float, alt: bool = False) -> float:
        y = middle(page, ".dl-handle-end")[1]
        end = float(page.get_attribute(".dl-handle-end", "aria-valuenow"))
        page.mouse.move(x_of(page, end) + 4, y)
        page.mouse.down()
        if alt:
            page.keyboard.down("Alt")
        page.mouse.move(x_of(page, to) + 4, y, steps=6)
        page.mouse.up()
        if alt:
            page.keyboard.up("Alt")
        return float(page.get_attribute(".dl-handle-end", "aria-valuenow"))

    assert drag(1.91) == pytest.approx(1.9, abs=1e-3)  # the edge of the truth
    assert drag(2.51) == pytest.approx(round(2.51 * FPS) / FPS, abs=1e-3)  # a frame
    free = drag(2.7, alt=True)
    assert free == pytest.approx(2.7, abs=0.006)
    assert "frame 81" in page.get_attribute(".dl-handle-end", "aria-valuetext")
    page.locator(".dl-handle-end").focus()
    press(page, "ArrowLeft")
    assert own(page) == [(36, 80)]
    page.get_by_label("end in seconds").fill("2.2")
    page.keyboard.press("Enter")
    assert annotation(page)["segments"][0]["end_s"] == 2.2
    page.get_by_label("end frame", exact=True).fill("70")
    page.keyboard.press("Enter")
    assert own(page) == [(36, 70)]


def test_the_table_holds_every_lane_and_sorts(open_at, known):
    page = open_at(known)
    page.get_by_role("button", name="Ground truth: 2 intervals").click()
    rows = page.locator(".dl-table tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("missed")
    page.get_by_role("button", name="Length").click()
    expect(rows.nth(0)).to_contain_text("0:03.00")
    rows.nth(0).get_by_role("button").click()
    assert frame(page) == 90


def test_files_go_out_and_come_in(open_at, unknown, tmp_path):
    page = open_at(unknown)
    with page.expect_download() as download:
        press(page, "Control+s")
    download.value.save_as(tmp_path / "own.json")
    written = json.loads((tmp_path / "own.json").read_text())
    assert (written["format"], written["media"]["sha256"]) == ("deeploc-annotation", SHA256)
    assert written["model"]["name"] == "fake"
    page.get_by_label("Export your edit").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="WebVTT").click()
    assert download.value.suggested_filename == "clip.vtt"
    page.get_by_label("Export your edit").click()
    page.get_by_role("button", name="Broken").click()
    expect(page.get_by_text("This format holds no notes.")).to_be_visible()

    (tmp_path / "labels.txt").write_text("1.3\t1.9\tA")
    page.get_by_label("Import an annotation file").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="as your edit").click()
    chooser.value.set_files(tmp_path / "labels.txt")
    expect(page.locator(".dl-lane-E .dl-block")).to_contain_text("A")
    assert own(page) == [(39, 57)]
    file, media = page.evaluate("calls.at(-1)")
    assert base64.b64decode(file["base64"]) == b"1.3\t1.9\tA"
    assert media["frames"] == FRAMES


def test_the_help_lists_the_keys_and_keys_stay_in_the_viewer(open_at, unknown):
    page = open_at(unknown)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("next disagreement")
    press(page, "i")  # the viewer is not listening behind the dialog
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    whole = page.get_by_role("button", name="Show whole clip")
    press(page, "+", "h")
    expect(whole).to_be_visible()
    expect(page.locator(".dl-heatbar input[type=checkbox]")).not_to_be_checked()
    press(page, "z")
    expect(whole).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    press(page, "i", ".")
    assert frame(page) == 0
    assert page.evaluate("localStorage.length") == 0


def test_a_key_can_be_changed(open_at, unknown):
    page = open_at(unknown)
    press(page, "?")
    page.get_by_role("button", name="Change the key: one frame on").click()
    press(page, "n")
    expect(page.get_by_role("button", name="Change the key: one frame on")).to_have_text("N")
    press(page, "Escape", "n", ".", "n")
    assert frame(page) == 2


def test_fingers_find_large_handles_and_every_drag_has_a_button(browser, unknown):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(unknown)
    page.wait_for_function("document.querySelector('.dl-stage video')?.readyState >= 2")
    page.get_by_role("button", name="Lane E, Your edit").tap()
    page.locator(".dl-lane-E .dl-block").tap()
    for selector in (".dl-handle-start", ".dl-handle-end"):
        box = page.locator(selector).bounding_box()
        assert min(box["width"], box["height"]) >= 44
    page.get_by_role("button", name="start one frame later").tap()
    page.get_by_role("button", name="end one frame earlier").tap()
    assert own(page) == [(36, 59)]
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    context.close()
