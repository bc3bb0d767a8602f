"""The evidence panels in a real Chromium: inspector, rows on canvases, heat limits, face picker."""

import pytest
from playwright.sync_api import expect

from app.wording import REASONS
from tests.app.browser import analysed, click_at, cursor_s

pytestmark = [pytest.mark.browser, pytest.mark.slow]

INSPECTED = "document.querySelector('.dl-inspected video')"
# the step that the first tile of the fake inspection clip tells in 7 stripes
TOLD = """() => {
    const video = document.querySelector(".dl-inspected video");
    const canvas = Object.assign(document.createElement("canvas"), { width: 576, height: 192 });
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 576, 192);
    const bit = (index) => context.getImageData(index * 24 + 12, 96, 1, 1).data[0] > 128 ? 1 : 0;
    return [0, 1, 2, 3, 4, 5, 6].reduce((step, index) => 2 * step + bit(index), 0);
}"""
GREY = """() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 576, height: 192 });
    const context = canvas.getContext("2d");
    context.drawImage(document.querySelector(".dl-inspected video"), 0, 0, 576, 192);
    return [12, 300, 500].map((x) => context.getImageData(x, 96, 1, 1).data[0]);
}"""
COLOURS = """(key) => {
    const canvas = document.querySelector(`.dl-strip-${key} canvas`);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const found = new Set();
    for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] > 0) found.add(data.slice(at, at + 4).join());
    }
    return [...found];
}"""
MARK = """(mark) => {
    const context = document.querySelector(".dl-strip-face canvas").getContext("2d");
    if (mark) { context.fillStyle = "#ff0000"; context.fillRect(0, 0, 2, 2); }
    return context.getImageData(0, 0, 1, 1).data.join();
}"""
SCALES = "() => [...document.querySelectorAll('.dl-legend')].map((one) => one.dataset.scale)"


def landed(page, step):
    page.wait_for_function(f"{INSPECTED}.dataset.step === '{step}' && !{INSPECTED}.seeking")


DRAWN = "new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))"


def test_the_inspector_shows_the_step_under_the_cursor(page, clip):
    analysed(page, clip)
    for seconds in (1.5, 0.3, 2.9):
        click_at(page, seconds)
        step = int(seconds * 25)
        landed(page, step)
        assert page.evaluate(TOLD) == step
        expect(page.locator(".dl-inspector output")).to_contain_text(f"step {step} ")
    page.locator(".dl-cursor").focus()
    page.keyboard.press(".")
    landed(page, 73)
    assert page.evaluate(TOLD) == 73
    click_at(page, 3.8)
    landed(page, 95)
    assert page.evaluate(GREY) == pytest.approx([128] * 3, abs=6)
    expect(page.locator(".dl-inspector output")).to_contain_text("face not scored")


def test_the_inspector_keeps_up_with_fast_seeking(page, clip):
    analysed(page, clip)
    page.locator(".dl-cursor").focus()
    for _ in range(40):
        page.keyboard.press(".")
    page.wait_for_function("!document.querySelector('.dl-stage video').seeking")
    page.wait_for_timeout(300)
    step = round(cursor_s(page) * 25)
    assert step > 10
    landed(page, step)
    assert page.evaluate(TOLD) == step


def test_rows_are_painted_and_not_again_while_playing(page, clip):
    analysed(page, clip)
    for key in ("face", "spectrogram", "sound", "waveform"):
        assert page.evaluate(COLOURS, key), key
    page.evaluate(MARK, True)
    page.get_by_label("Play", exact=True).click()
    page.wait_for_function("Number(document.querySelector('.dl-cursor').ariaValueNow) > 0.3")
    assert page.evaluate(MARK, False) == "255,0,0,255"
    page.set_viewport_size({"width": 1100, "height": 1000})
    page.wait_for_function(f"({MARK})(false) !== '255,0,0,255'")


def test_zoom_paints_the_visible_range(page, clip):
    analysed(page, clip)
    assert len(page.evaluate(COLOURS, "face")) > 0
    page.locator(".dl-plot").first.scroll_into_view_if_needed()
    box = page.locator(".dl-plot").first.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 40, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Show whole clip")).to_be_visible()
    page.evaluate(DRAWN)
    assert page.evaluate(COLOURS, "face") == []  # nothing stands out in the first half second
    page.get_by_role("button", name="Show whole clip").click()
    page.evaluate(DRAWN)
    assert page.evaluate(COLOURS, "face")


def test_heat_limits_are_the_same_for_every_clip(page, clip):
    analysed(page, clip)
    forged, colours = page.evaluate(SCALES), page.evaluate(COLOURS, "face")
    assert len(forged) >= 4 and any(colours)
    page.get_by_role("button", name="Analyse another clip").click()
    analysed(page, clip, "quiet.mp4")
    expect(page.locator(".dl-verdict")).to_contain_text("quiet.mp4")
    assert page.evaluate(SCALES) == forged
    for key in ("face", "sound"):
        assert page.evaluate(COLOURS, key) == []  # not stretched to the quiet clip's own range


def test_hatches_give_the_reason_of_their_own_stream(page, clip):
    analysed(page, clip)

    def titles(row):
        hatches = page.locator(f"[data-row={row}] .dl-hatch")
        return [hatch.get_attribute("title") for hatch in hatches.all()]

    face = f"Not scored: no usable face. {REASONS['no usable face']}"
    assert titles("face") == titles("error-visual") == [face]
    for row in ("sound", "spectrogram", "error-audio"):
        assert titles(row) == [f"Not scored: no sound. {REASONS['no sound']}"]


def test_rows_are_toggled_by_key_and_remembered(page, clip):
    analysed(page, clip)
    waveform = page.get_by_role("button", name="Waveform")
    waveform.focus()
    page.keyboard.press("Enter")
    expect(waveform).to_have_attribute("aria-pressed", "false")
    expect(page.locator("[data-row=waveform]")).to_be_hidden()
    page.reload()
    page.wait_for_selector(".dl-card")
    analysed(page, clip)
    expect(page.locator("[data-row=waveform]")).to_be_hidden()
    page.get_by_role("button", name="Waveform").click()
    expect(page.locator("[data-row=waveform] canvas")).to_be_visible()
    assert page.evaluate(COLOURS, "waveform")


def test_a_face_is_picked_on_the_video(page, clip):
    analysed(page, clip, "two.mp4")
    click_at(page, 1.0)
    boxes = page.locator(".dl-face")
    expect(boxes).to_have_count(2)
    stage, other = page.locator(".dl-stage").bounding_box(), boxes.nth(1).bounding_box()
    share = (other["x"] - stage["x"]) / stage["width"]
    assert share == pytest.approx((30 + 2 * 25 + 90) / 320, abs=0.02)
    click_at(page, 3.9)
    expect(boxes.nth(1)).to_be_hidden()
    click_at(page, 1.0)
    boxes.nth(1).click()
    expect(page.get_by_role("button", name="Scored: Face 2")).to_be_visible()
    expect(page.locator(".dl-face[data-scored]")).to_have_text("2")


def test_an_inspection_clip_that_is_gone_is_said(page, clip):
    page.route("**/fake-1.mp4", lambda route: route.abort())
    analysed(page, clip)
    expect(page.locator(".dl-inspector")).to_contain_text("Analyse the clip again")
    expect(page.locator(".dl-face, .dl-face-list")).to_have_count(0)  # one face needs no picker
    click_at(page, 1.5)
    expect(page.locator(".dl-inspector output")).to_contain_text("step 37 ")
