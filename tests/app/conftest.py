"""A real Chromium on the page, whose analyzer answers at once."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, expect, sync_playwright

from app.page.theme import CSS, THEME
from app.ui import build_demo
from deeploc.annotations import read_truths
from tests.app.browser import CHROMIUM, FLAGS, PATIENCE_MS
from tests.app.fakes import FORGED, FakeModels, write_moving_clip

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session", autouse=True)
def uploads(tmp_path_factory) -> None:
    """A folder for each test process: of one clip, two would write the same file."""
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("uploads"))


@pytest.fixture(scope="session", autouse=True)
def own_uploads(tmp_path_factory):
    """Servers of tests delete files below this when they end: let it be nobody else's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        yield


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_moving_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="module")
def address(tmp_path_factory, clip):
    examples = tmp_path_factory.mktemp("examples")
    (examples / "picture.mp4").write_bytes(clip.read_bytes())
    truth = f"file,start_s,end_s,stream\npicture.mp4,{FORGED.start},{FORGED.end},visual\n"
    (examples / "truth.csv").write_text(truth)
    assert len(read_truths(examples / "truth.csv")) == 1
    demo = build_demo(FakeModels(), examples)
    _, url, _ = demo.launch(
        theme=THEME, css=CSS, prevent_thread_lock=True, quiet=True, run_history=False
    )
    yield url
    demo.close()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        try:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except Error as error:
            pytest.skip(f"there is no Chromium to drive: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".dl-card")
    yield page
    page.close()
    assert not problems
