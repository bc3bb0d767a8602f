"""The page in a real Chromium: from upload to intervals, and back."""

import json

import pytest
from playwright.sync_api import expect

from deeploc.annotations import read_truths
from tests.app.browser import CURRENT_TIME, FRAME_S, analysed, block, click_at, cursor_s, upload
from tests.app.fakes import FORGED, NO_FACE

pytestmark = pytest.mark.browser

HEAT_IS_PAINTED = """() => {
    const heat = document.querySelector(".dl-heat");
    const { data } = heat.getContext("2d").getImageData(0, 0, heat.width, heat.height);
    return data.some((value, index) => index % 4 === 3 && value > 100);
}"""


def test_upload_to_intervals_and_the_one_clock(page, clip):
    analysed(page, clip)
    expect(page.locator(".dl-verdict h2")).to_have_text("Some evidence of forgery")
    expect(block(page, "predicted")).to_have_attribute("data-start", "1.2")
    expect(block(page, "truth")).to_have_count(0)
    expect(page.locator(".dl-table tbody tr")).to_contain_text("0:01.20")
    assert page.locator(".dl-area .dl-hatch").first.get_attribute("title")

    click_at(page, 2.9)
    page.wait_for_function("!document.querySelector('.dl-stage video').seeking")
    assert page.evaluate(CURRENT_TIME) == pytest.approx(2.9, abs=FRAME_S / 2 + 0.01)
    assert cursor_s(page) == pytest.approx(2.88, abs=0.011)

    page.locator(".dl-table tbody tr").click()
    page.wait_for_function(f"Math.abs({CURRENT_TIME} - {FORGED.start}) < {FRAME_S}")
    assert "inside interval 1" in page.get_attribute(".dl-cursor", "aria-valuetext")


def test_playing_moves_the_cursor_and_keys_step(page, clip):
    analysed(page, clip)
    page.get_by_label("Speed").select_option("0.5")  # a busy machine must not reach the end
    page.locator(".dl-cursor").focus()
    page.keyboard.press(".")
    page.wait_for_function("document.querySelector('.dl-cursor').ariaValueNow === '0.04'")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.dl-cursor').ariaValueNow === '1.04'")
    before = page.locator(".dl-cursor").bounding_box()["x"]
    page.keyboard.press(" ")
    page.wait_for_function("Number(document.querySelector('.dl-cursor').ariaValueNow) > 1.3")
    assert page.locator(".dl-cursor").bounding_box()["x"] > before + 20
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('.dl-stage video').paused")
    shown = "Number(document.querySelector('.dl-cursor').ariaValueNow)"
    page.wait_for_function(f"Math.abs({shown} - {CURRENT_TIME}) < {2 * FRAME_S}")


def test_a_click_in_the_viewer_gives_it_the_keys(page, clip):
    analysed(page, clip)
    click_at(page, 1.0)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.dl-cursor').ariaValueNow === '2.00'")
    page.keyboard.press(" ")
    page.wait_for_function("!document.querySelector('.dl-stage video').paused")


def test_the_csv_is_a_truth_file_and_the_json_the_report(page, clip, tmp_path):
    analysed(page, clip)
    for name in ("CSV", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name, exact=True).click()
        download.value.save_as(tmp_path / name)
    (found,) = read_truths(tmp_path / "CSV")
    assert (found.file, tuple(found.segments["visual"])) == ("clip.mp4", (FORGED,))
    assert json.loads((tmp_path / "JSON").read_text())["schema"] == 2


def test_a_clip_that_the_browser_refuses_is_said(page, clip):
    page.route("**/clip.mp4", lambda route: route.abort())
    upload(page, clip)
    expect(page.get_by_text("This browser can't play the clip")).to_be_visible()
    expect(block(page, "predicted")).to_be_visible()


def test_an_example_shows_its_truth_and_heat(page):
    page.locator(".dl-card").click()
    expect(block(page, "truth")).to_have_attribute("data-start", "1.2")
    block(page, "truth").click()
    page.wait_for_function(HEAT_IS_PAINTED)


def test_errors_are_sentences_and_the_clip_is_kept(page, clip):
    upload(page, clip, "noface.mp4")
    expect(page.get_by_role("alert")).to_contain_text(NO_FACE)
    expect(page.locator("#dl-drop")).to_contain_text("noface")
    expect(page.get_by_role("button", name="Try this clip again")).to_be_visible()


def test_cancel_stops_and_returns_to_the_start(page, clip):
    upload(page, clip, "slow.mp4")
    expect(page.locator("li.now")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#dl-start")).to_contain_text("Stopped")
    expect(page.locator("#dl-busy")).to_be_hidden()
    page.locator(".dl-card").click()
    page.wait_for_selector(".dl-plot svg")


def test_another_face_can_be_scored(page, clip):
    analysed(page, clip, "two.mp4")
    page.get_by_role("button", name="Score Face 2").click()
    expect(page.get_by_role("button", name="Scored: Face 2")).to_be_visible()
    page.wait_for_selector(".dl-plot svg")


def test_a_phone_has_no_horizontal_scroll_and_keeps_the_video_in_sight(page, clip):
    page.set_viewport_size({"width": 390, "height": 844})
    analysed(page, clip)
    overflow = "document.documentElement.scrollWidth - window.innerWidth"
    assert page.evaluate(overflow) <= 0
    page.locator(".dl-lanes").scroll_into_view_if_needed()
    page.mouse.wheel(0, 600)
    page.wait_for_timeout(200)
    assert page.locator(".dl-stage").bounding_box()["y"] >= -1


def test_another_clip_starts_fresh(page, clip):
    analysed(page, clip)
    page.get_by_role("button", name="Analyse another clip").click()
    expect(page.locator("#dl-start")).to_be_visible()
    expect(page.locator("#dl-result")).to_be_hidden()
    page.locator(".dl-card").click()
    expect(block(page, "truth")).to_have_count(1)


def test_the_curves_follow_dark_mode(page, clip):
    analysed(page, clip)
    colour = "document.querySelector('.dl-plot .js-line').style.stroke"
    light = page.evaluate(colour)
    page.locator(".dl-theme").click()
    page.wait_for_function(f"{colour} !== '{light}'")
