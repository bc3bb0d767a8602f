"""Everybody can use the page: axe finds nothing serious, and the keyboard goes all the way."""

import json
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.app.browser import CURRENT_TIME, analysed, block, upload

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
LONGER = pytest.mark.slow
WIDTHS = {1440: 900, 390: 844}
# The rules of WCAG 2.2 AA and of good practice, on all of the page but Gradio's own footer.
RUN = """async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await axe.run({ exclude: [["footer"]] }, { runOnly: tags });
    return violations.filter(({ impact }) => impact === "serious" || impact === "critical").map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => html.slice(0, 160) + " " +
            any.map(({ message }) => message).join("; ").slice(0, 200)).slice(0, 4).join(" | ")}`);
}"""


def empty(page: Page, clip) -> None:
    page.wait_for_selector(".dl-card")


def chosen(page: Page, clip) -> None:
    content = {"name": "clip.mp4", "mimeType": "video/mp4", "buffer": clip.read_bytes()}
    page.set_input_files("#dl-drop-file", files=[content])
    expect(page.locator(".dl-facts")).to_contain_text("4.0 s")
    page.get_by_text("Analyse only a range").click()


def running(page: Page, clip) -> None:
    upload(page, clip, "slow.mp4")
    page.wait_for_selector(".dl-growing")


def authentic(page: Page, clip) -> None:
    analysed(page, clip, "authentic.mp4")


def cuts(page: Page, clip) -> None:
    analysed(page, clip, "cuts.mp4")


def forged(page: Page, clip) -> None:
    page.locator(".dl-card").click()
    page.wait_for_selector(".dl-plot svg")


def failing(page: Page, clip) -> None:
    upload(page, clip, "noface.mp4")
    page.get_by_role("alert").wait_for()


@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "reach",
    [
        empty,
        forged,
        *(pytest.param(one, marks=LONGER) for one in (chosen, running, authentic, cuts, failing)),
    ],
)
def test_axe_finds_nothing_serious(page, clip, reach, width):
    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    reach(page, clip)
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
    page.locator(".dl-theme").click()
    page.wait_for_timeout(300)  # colours fade
    assert page.evaluate(RUN) == []
    if reach is running:
        page.get_by_role("button", name="Cancel").click()


def test_from_upload_to_export_by_keyboard_alone(page, clip):
    """Tab, Enter, Space and the viewer's keys; the file dialog itself is the browser's."""
    choosers = []
    page.on(
        "filechooser", lambda chooser: choosers.append(chooser)
    )  # long before the key: catching it takes a moment
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.id") != "dl-drop-file":
        page.keyboard.press("Tab")
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    choosers[0].set_files(clip)
    expect(page.get_by_role("button", name="Analyse", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_selector(".dl-plot svg")
    expect(page.locator(".dl-viewer")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(f"Math.abs({CURRENT_TIME} - 1.2) < 0.05")
    for key in ("3", "ArrowDown", "]", "]", "a"):
        page.keyboard.press(key)
    with page.expect_download() as download:
        page.keyboard.press("Control+s")
    (segment,) = json.loads(Path(download.value.path()).read_text())["segments"]
    assert (segment["start_frame"], segment["end_frame"]) == (30, 48)


def test_the_cursor_is_a_slider_that_says_where_it_is(page, clip):
    analysed(page, clip)
    cursor = page.get_by_role("slider", name="Position in the clip")
    block(page, "predicted").click()
    page.wait_for_function(f"Math.abs({CURRENT_TIME} - 1.2) < 0.05")
    said = cursor.get_attribute("aria-valuetext")
    assert said == "1.20 s, frame 30, reconstruction error 0.5 times p95, inside interval 1"
    expect(page.locator(".dl-aloud")).to_have_text("Entered interval 1.")


def test_stages_are_read_out(page, clip):
    upload(page, clip, "slow.mp4")
    expect(page.locator(".dl-read-out")).to_have_text("Reconstruct face and sound")
    page.get_by_role("button", name="Cancel").click()


def test_at_200_percent_and_on_a_phone_nothing_is_cut_off(page, clip):
    """WCAG 1.4.10: 1280 pixels at 400 % are 320; 1440 at 200 % are 720."""
    analysed(page, clip)
    for width in (720, 390, 320):
        page.set_viewport_size({"width": width, "height": 700})
        page.wait_for_timeout(150)
        overflow = "document.documentElement.scrollWidth - window.innerWidth"
        assert page.evaluate(overflow) <= 0, width


def test_nothing_moves_for_those_who_asked(browser, address):
    page = browser.new_page(reduced_motion="reduce")
    page.goto(address)
    page.wait_for_selector(".dl-card")
    moving = """() => [...document.querySelectorAll('.dl-card, .dl-bar i, .dl-viewer button')]
        .filter((node) => getComputedStyle(node).transitionDuration !== '0s').length"""
    assert page.evaluate(moving) == 0
    page.close()


def test_what_has_the_focus_shows_it(page, clip):
    analysed(page, clip)
    outlined = """() => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 || boxShadow !== 'none';
    }"""
    for _ in range(25):
        page.keyboard.press("Tab")
        plain = page.evaluate("document.activeElement.matches('body, .dl-viewer')")
        assert plain or page.evaluate(outlined), page.evaluate("document.activeElement.outerHTML")


def test_on_a_phone_the_selected_interval_is_a_sheet_and_the_table_is_cards(page, clip):
    page.set_viewport_size({"width": 390, "height": 844})
    analysed(page, clip)
    block(page, "predicted").click()
    sheet = page.get_by_role("region", name="Selected interval")
    box = sheet.bounding_box()
    assert box["y"] + box["height"] == pytest.approx(844, abs=1)
    assert box["height"] < 0.5 * 844
    row = page.get_by_role("row").nth(1)
    assert row.bounding_box()["width"] < 390
    expect(row.get_by_role("cell").nth(2)).to_have_attribute("data-label", "Start")
    page.get_by_role("button", name="Close the selected interval (Escape)").click()
    expect(page.get_by_text("No interval selected")).to_be_attached()
    assert sheet.evaluate("node => getComputedStyle(node).position") == "static"
