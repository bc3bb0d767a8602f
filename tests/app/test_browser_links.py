"""A link opens the page with a result, as long as it is kept."""

from fractions import Fraction

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import expect

from tests.app.browser import analysed, block
from tests.app.numbered_clips import write_numbered

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def opened(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(15_000)
    page.goto(address)
    return page


def test_a_copied_link_opens_the_result_for_somebody_else(page, browser, address, clip):
    analysed(page, clip)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link was copied. Whoever has it")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{address}?result=")
    other = opened(browser, link)
    expect(other.locator(".dl-verdict h2")).to_have_text("Some evidence of forgery")
    expect(block(other, "predicted")).to_have_attribute("data-start", "1.2")
    expect(other.locator("#dl-start")).to_be_hidden()
    other.wait_for_function("document.querySelector('.dl-stage video').readyState >= 2")
    other.get_by_role("button", name="Analyse another clip").click()
    expect(other.locator("#dl-drop")).to_be_visible()
    other.close()


def test_the_page_of_a_report_that_a_program_asked_for(browser, address, tmp_path):
    """Its clip is one that browsers can't play as it is."""
    film = write_numbered(tmp_path / "film.mkv", Fraction(25), 100)
    client = Client(address, verbose=False)
    report = client.predict(handle_file(film), api_name="/analyse")
    page = opened(browser, address.rstrip("/") + report["page"])
    expect(page.locator(".dl-verdict")).to_contain_text("film.mkv", timeout=15_000)
    page.wait_for_function("document.querySelector('.dl-stage video').readyState >= 2")
    page.close()


def test_a_link_to_nothing_says_so(browser, address):
    page = opened(browser, f"{address}?result=gone")
    expect(page.get_by_text("The result of this link is no longer kept")).to_be_visible()
    expect(page.locator("#dl-drop")).to_be_visible()
    page.close()
