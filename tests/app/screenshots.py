"""Pictures of the page in its states: `python -m tests.app.screenshots FOLDER`.

An authentic, a forged, a cut and a failing clip, the start and the look at a chosen one, at 1440,
768 and 390 pixels, light and dark, with the embedded results of the examples: no model is needed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from app.examples import EXAMPLES
from app.page.theme import CSS, THEME
from app.ui import build_demo
from deeploc.errors import NoFace
from deeploc.report import Report
from tests.app.browser import CHROMIUM, FLAGS, analysed
from tests.app.fakes import NO_FACE, FakeAnalyzer, FakeModels, write_moving_clip

WIDTHS = {1440: 1000, 768: 1000, 390: 844}


def shown(page: Page, title: str) -> None:
    page.locator(".dl-card", has_text=title).click()
    page.wait_for_selector(".dl-plot svg")
    page.wait_for_function("document.querySelector('.dl-stage video').readyState >= 3")
    page.evaluate("document.querySelector('.dl-viewer').focus()")
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(400)


def chosen(page: Page) -> None:
    page.set_input_files("#dl-drop-file", EXAMPLES / "authentic.mp4")
    page.wait_for_timeout(400)


def failed(page: Page) -> None:
    chosen(page)
    page.get_by_role("button", name="Analyse", exact=True).click()
    page.get_by_role("alert").wait_for()


def cuts(page: Page) -> None:
    """Three shots, the first of which begins in stillness and silence."""
    with TemporaryDirectory() as folder:
        analysed(page, write_moving_clip(Path(folder) / "cuts.mp4"), "cuts.mp4")
    page.wait_for_timeout(400)


class Refusing(FakeAnalyzer):
    """Finds no face in any clip but one; the examples are shown from their results."""

    def __call__(self, path: str, *args: object, **options: object) -> Report:
        if Path(path).name.startswith("cuts"):
            return super().__call__(path, *args, **options)
        raise NoFace(NO_FACE)


STATES = {
    "start": lambda page: None,
    "chosen": chosen,
    "authentic": lambda page: shown(page, "Authentic"),
    "forged": lambda page: shown(page, "Forged picture"),
    "cuts": cuts,
    "failing": failed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Takes pictures of the page.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--state", choices=STATES, action="append")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    demo = build_demo(FakeModels(Refusing()))
    _, url, _ = demo.launch(
        theme=THEME, css=CSS, prevent_thread_lock=True, quiet=True, run_history=False
    )
    with sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for state in options.state or STATES:
            for width, height in WIDTHS.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                page.goto(url)
                page.wait_for_selector(".dl-card")
                STATES[state](page)
                for mode in ("light", "dark"):
                    target = options.folder / f"{state}-{width}-{mode}.png"
                    page.screenshot(path=target, full_page=True)
                    print(target)
                    page.locator(".dl-theme").click()
                    page.wait_for_timeout(400)
                page.close()
        browser.close()
    demo.close()


if __name__ == "__main__":
    main()
