"""The page with the real localizer: an honest clip that begins in silence stays quiet.

The clip is the drawn example that nobody forged, behind a second of its first picture and digital
silence: its voice is espeak-ng's, which the detector of speech takes for one.
"""

import numpy as np
import pytest
from playwright.sync_api import expect

from app.examples import EXAMPLES
from app.page.theme import CSS, THEME
from app.ui import build_demo
from deeploc.localizer import load_localizer
from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ, open_clip
from deeploc.media.writer import write_clip
from tests.app.browser import block, upload
from tests.app.fakes import FakeModels

pytestmark = pytest.mark.browser

LEAD_IN_S = 1
WORK_MS = 400_000  # for a real analysis on a busy machine


@pytest.fixture(scope="module")
def address():
    demo = build_demo(FakeModels(load_localizer(device="cpu")))
    _, url, _ = demo.launch(
        theme=THEME, css=CSS, prevent_thread_lock=True, quiet=True, run_history=False
    )
    yield url
    demo.close()


@pytest.fixture(scope="module")
def lead_in(tmp_path_factory):
    example = open_clip(EXAMPLES / "authentic.mp4")
    frames, silence = list(example.frames()), np.zeros(LEAD_IN_S * int(AUDIO_RATE_HZ), np.float32)
    path = tmp_path_factory.mktemp("clips") / "lead-in.mp4"
    still = [frames[0]] * (LEAD_IN_S * int(VIDEO_RATE_HZ))
    write_clip(path, [*still, *frames], np.concatenate([silence, example.audio]))
    return path


def test_silence_before_the_speech_is_hatched_and_flags_nothing(page, lead_in):
    upload(page, lead_in, lead_in.name)
    page.wait_for_selector(".dl-plot svg", timeout=WORK_MS)
    expect(page.locator(".dl-verdict h2")).to_have_text("No evidence of forgery found")
    expect(block(page, "predicted")).to_have_count(0)
    expect(page.locator(".dl-table")).to_contain_text("No interval reaches the threshold.")

    hatch = page.locator("[data-row=error-audio] .dl-hatch[data-reason='no speech']").first
    expect(hatch).to_be_visible()
    expect(hatch).to_have_text("no speech")
    assert hatch.get_attribute("title").startswith("Not scored: no speech.")
    row = page.locator("[data-row=error-audio] .dl-plot").bounding_box()
    box = hatch.bounding_box()
    second = (row["width"] - 84) / (LEAD_IN_S + 8.8)
    assert box["x"] == pytest.approx(row["x"] + 44, abs=2)
    assert LEAD_IN_S * second - 2 <= box["width"] <= (LEAD_IN_S + 0.5) * second

    listed = page.get_by_role("region", name="Not scored, and shots").get_by_role("listitem")
    for reason in ("no speech", "frozen picture"):
        expect(listed.filter(has_text=reason)).to_contain_text("0:00.00 to 0:0")
    expect(page.locator(".dl-lane-P .dl-hatch-audio").first).to_be_visible()
    expect(page.locator(".dl-shot")).to_have_count(0)
