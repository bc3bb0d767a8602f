"""What was not scored, and the shots, in a real Chromium: seen, pointed at, read and gone to."""

import pytest
from playwright.sync_api import expect

from app.wording import REASONS
from tests.app.browser import CURRENT_TIME, analysed

pytestmark = pytest.mark.browser

CUTS = "cuts.mp4"
PATTERN = """(reason) => getComputedStyle(
    document.querySelector(`.dl-missing .dl-hatch[data-reason="${reason}"]`), "::before"
).backgroundImage"""


def test_every_reason_is_named_where_it_is_hatched(page, clip):
    analysed(page, clip, CUTS)

    def found(row):
        hatches = page.locator(f"{row} .dl-hatch").all()
        return [hatch.get_attribute("title").split(". ")[0] for hatch in hatches]

    cut, no_face = "Not scored: cut", "Not scored: no usable face"
    picture = ["Not scored: frozen picture", cut, cut, no_face]
    assert found("[data-row=error-visual]") == found("[data-row=face]") == picture
    assert found("[data-row=sound]") == ["Not scored: no speech"]
    assert found(".dl-lane-P") == [*picture, "Not scored: no speech"]
    both = "Not scored: picture: frozen picture; sound: no speech"
    assert found("[data-row=forgery]") == [both, no_face.replace(": no", ": picture: no")]
    label = page.locator("[data-row=error-audio] .dl-hatch span")
    expect(label).to_be_visible()
    expect(label).to_have_text("no speech")
    value = page.locator("[data-row=error-audio] .dl-now")
    expect(value).to_have_text("not scored: no speech")
    cursor = page.get_attribute(".dl-cursor", "aria-valuetext")
    assert "picture not scored: frozen picture, sound not scored: no speech, shot 1 of 3" in cursor


def test_the_list_says_it_without_eyes_or_pointer_and_goes_there(page, clip):
    analysed(page, clip, CUTS)
    rows = page.get_by_role("region", name="Not scored, and shots").get_by_role("listitem")
    expect(rows).to_have_count(5)
    expect(rows.filter(has_text="no speech")).to_contain_text("sound, 1.00 s")
    expect(rows.filter(has_text="no speech")).to_contain_text(REASONS["no speech"])
    page.get_by_label("Go to a stretch that was not scored: cut").select_option(index=2)
    page.wait_for_function(f"Math.abs({CURRENT_TIME} - 2.92) < 0.05")
    reasons = ("frozen picture", "no speech", "cut", "no usable face")
    assert len({page.evaluate(PATTERN, reason) for reason in reasons}) == len(reasons)
    page.get_by_role("button", name="Label blind").click()
    expect(rows.filter(visible=True)).to_have_count(1)  # the shots, which no model found
    page.get_by_role("button", name="Done: show the model").click()


def test_beside_the_verdict_stands_how_often_it_is_wrong(page, clip):
    analysed(page, clip, CUTS)
    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict).to_contain_text("Of 459 authentic clips")
    expect(verdict).to_contain_text("this model flags 37 (8%, 95% interval 6 to 11%)")
    sentences = verdict.get_by_role("list", name="How far to trust this").get_by_role("listitem")
    expect(sentences).to_have_count(3)
    expect(sentences.nth(1)).to_contain_text("It finds nothing in 77 of 114 self-made forgeries")
    expect(sentences.nth(2)).to_contain_text("soft focus (6 of 40 clips)")


def test_shots_are_marked_on_the_overview_and_keys_go_there(page, clip):
    analysed(page, clip, CUTS)
    marks = page.locator(".dl-overview").get_by_role("img")
    expect(marks).to_have_count(2)
    expect(marks.first).to_have_accessible_name("Shot 2 of 3 begins at 0:02.40.")
    page.locator(".dl-viewer").focus()
    page.keyboard.press("PageDown")
    page.wait_for_function(f"Math.abs({CURRENT_TIME} - 2.4) < 0.05")
    expect(page.locator(".dl-said")).to_have_text("Shot 2 of 3 begins at 0:02.40.")
    marks.last.click()
    page.wait_for_function(f"Math.abs({CURRENT_TIME} - 3.0) < 0.05")


def test_a_clip_of_one_shot_that_was_scored_throughout_has_none_of_it(page, clip):
    analysed(page, clip)
    expect(page.locator(".dl-shot")).to_have_count(0)
    expect(page.locator(".dl-missing")).not_to_contain_text("shot")
