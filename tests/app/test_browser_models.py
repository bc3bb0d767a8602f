"""Picking a model on the page, in a real Chromium."""

import pytest
from playwright.sync_api import expect

from app.page.theme import CSS, THEME
from app.runtime.models import Models
from app.ui import build_demo
from deeploc.errors import BadCheckpoint
from tests.app.browser import PATIENCE_MS, upload
from tests.app.test_browser_access import AXE, RUN
from tests.app.test_models import Named

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    def load(checkpoint):
        if checkpoint == "someone/gone":
            raise BadCheckpoint("someone/gone is not on the Hub.")
        return Named(checkpoint or "own")

    demo = build_demo(Models(load), tmp_path_factory.mktemp("none"))
    _, url, _ = demo.launch(
        theme=THEME, css=CSS, prevent_thread_lock=True, quiet=True, run_history=False
    )
    yield url
    demo.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.locator("#dl-model button").first.click()
    yield page
    page.close()


def pick(page, name):
    field = page.get_by_role("combobox", name="Model")
    field.fill(name)
    field.press("Enter")


def test_a_repository_is_typed_and_analyses(page, clip):
    note = page.locator("#dl-model .dl-model-note")
    expect(note).to_contain_text("own, revision r1")
    pick(page, "someone/other@v2")
    expect(note).to_contain_text("someone/other@v2, revision r1")
    expect(note).to_contain_text("cd" * 32)
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
    upload(page, clip)
    expect(page.locator(".dl-model").filter(has_text="someone/other@v2").first).to_be_visible()


def test_one_that_is_not_there_is_said_and_the_pages_own_stays(page, clip):
    pick(page, "someone/gone")
    expect(page.locator("#dl-model")).to_contain_text("someone/gone is not on the Hub.")
    upload(page, clip)
    expect(page.locator(".dl-model").filter(has_text="own").first).to_be_visible()
