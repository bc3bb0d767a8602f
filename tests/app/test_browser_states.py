"""The page's other states: pre-check, range, queue, growing curve, and no model at all."""

import json
from fractions import Fraction

import pytest
from playwright.sync_api import expect

from app.page.theme import CSS, THEME
from app.runtime.models import Models
from app.ui import build_demo
from deeploc.errors import BadCheckpoint
from deeploc.report_files import report_to_dict, write_report
from tests.app.browser import PATIENCE_MS, analysed, block, cursor_s, upload
from tests.app.fakes import fake_report
from tests.app.numbered_clips import write_numbered

pytestmark = pytest.mark.browser


def choose(page, name, content, kind="video/mp4"):
    page.set_input_files(
        "#dl-drop-file", files=[{"name": name, "mimeType": kind, "buffer": content}]
    )


def test_a_look_at_the_clip_before_anything_is_sent(page, clip):
    sent = []
    page.on("request", lambda request: sent.append(request))
    choose(page, "clip.mp4", clip.read_bytes())
    panel = page.get_by_role("region", name="Chosen clip")
    expect(panel).to_contain_text("4.0 s · 320")
    expect(page.get_by_role("button", name="Analyse", exact=True)).to_be_focused()
    for request in sent:  # the page's own load events may still be among them
        assert "/gradio_api/upload" not in request.url, request.url
        assert b"clip.mp4" not in (request.post_data_buffer or b""), request.url


def test_what_is_no_video_is_stopped_in_the_browser(page):
    choose(page, "notes.txt", b"hello", "text/plain")
    expect(page.locator("#dl-drop")).to_contain_text("This is no video file")
    expect(page.get_by_role("button", name="Analyse", exact=True)).to_be_disabled()


def test_what_the_browser_cannot_play_is_said_and_may_be_sent(page):
    choose(page, "clip.avi", b"RIFFxxxxAVI ", "video/x-msvideo")
    expect(page.locator("#dl-drop")).to_contain_text("converted for viewing")
    expect(page.get_by_role("button", name="Analyse", exact=True)).to_be_enabled()


def test_only_a_range_is_analysed_and_its_place_is_said(page, tmp_path):
    source = write_numbered(tmp_path / "long.mp4", Fraction(25), 300)
    choose(page, "long.mp4", source.read_bytes())
    page.get_by_text("Analyse only a range").click()
    page.get_by_role("spinbutton", name="From").fill("4")
    page.get_by_role("spinbutton", name="To").fill("8")
    expect(page.locator(".dl-notes")).to_contain_text("keyframe")
    page.get_by_role("button", name="Analyse", exact=True).click()
    expect(page.locator(".dl-warnings")).to_contain_text("Only 3.84 s to 7.84 s of the file")


def test_progress_shows_the_growing_curve_and_frames(page, clip):
    upload(page, clip, "slow.mp4")
    expect(page.locator("li.now")).to_contain_text("Reconstruct")
    expect(page.locator(".dl-growing polyline").first).to_be_attached()
    expect(page.locator("li.now")).to_contain_text("of 600 frames")
    expect(page.locator(".dl-progress p")).to_contain_text("to go")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#dl-drop")).to_contain_text("slow.mp4")


def test_a_second_visitor_waits_in_line(page, browser, address, clip):
    other = browser.new_page()
    other.goto(address)
    other.wait_for_selector(".dl-card")
    upload(page, clip, "slow.mp4")
    expect(page.locator("li.now")).to_contain_text("Reconstruct")
    upload(other, clip)
    expect(other.locator(".dl-progress")).to_contain_text("yours is number 2 of 2")
    page.get_by_role("button", name="Cancel").click()
    other.wait_for_selector(".dl-plot svg")
    other.close()


def test_the_report_is_saved_and_opens_again(page, clip, tmp_path):
    analysed(page, clip)
    page.get_by_label("Save the report").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report with evidence, NPZ").click()
    download.value.save_as(tmp_path / "clip.deeploc.npz")
    page.get_by_role("button", name="Analyse another clip").click()
    choose(page, "clip.mp4", clip.read_bytes())
    page.set_input_files("input[aria-label='Saved report']", tmp_path / "clip.deeploc.npz")
    expect(block(page, "predicted")).to_have_attribute("data-start", "1.2")
    assert page.locator(".dl-heat").count() == 1


@pytest.fixture(scope="module")
def without_model(tmp_path_factory, clip):
    examples = tmp_path_factory.mktemp("examples")
    (examples / "picture.mp4").write_bytes(clip.read_bytes())
    (examples / "results").mkdir()
    write_report(fake_report(examples / "picture.mp4"), examples / "results" / "picture.npz")

    def load(checkpoint):
        raise BadCheckpoint("the checkpoint is missing.")

    demo = build_demo(Models(load), examples)
    _, url, _ = demo.launch(
        theme=THEME, css=CSS, prevent_thread_lock=True, quiet=True, run_history=False
    )
    yield url
    demo.close()


@pytest.fixture
def bare(browser, without_model):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(without_model)
    page.wait_for_selector(".dl-card")
    yield page
    page.close()


def test_without_a_model_examples_open(bare):
    expect(bare.get_by_role("note")).to_contain_text("the checkpoint is missing")
    bare.locator(".dl-card").click()
    expect(block(bare, "predicted")).to_have_attribute("data-start", "1.2")
    assert bare.locator(".dl-heat").count() == 1


def test_without_a_model_a_saved_report_opens(bare, clip):
    choose(bare, "clip.mp4", clip.read_bytes())
    text = json.dumps(report_to_dict(fake_report("clip.mp4"))).encode()
    report = {"name": "clip.deeploc.json", "mimeType": "application/json", "buffer": text}
    bare.set_input_files("input[aria-label='Saved report']", files=[report])
    expect(bare.locator(".dl-verdict h2")).to_have_text("Some evidence of forgery")
    expect(block(bare, "predicted")).to_have_attribute("data-start", "1.2")
    assert bare.locator(".dl-plot").count() == 3


def test_without_a_model_a_clip_can_be_labelled(bare, clip):
    choose(bare, "clip.mp4", clip.read_bytes())
    bare.get_by_role("button", name="Only look and label").click()
    expect(bare.locator(".dl-verdict h2")).to_have_text("Not analysed")
    bare.locator(".dl-cursor").focus()
    for key in ("3", "i", "ArrowRight", "o"):
        bare.keyboard.press(key)
    expect(bare.locator(".dl-lane-E .dl-block")).to_have_count(1)
    assert cursor_s(bare) == pytest.approx(1, abs=0.05)


def test_without_a_model_a_new_clip_fails_calmly(bare, clip):
    upload(bare, clip)
    expect(bare.get_by_role("alert")).to_contain_text("There is no model")
