"""What tests do with the page in the browser: upload, click, read the cursor."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.app.fakes import SECONDS

CHROMIUM = Path(os.environ.get("DEEPLOC_CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
PATIENCE_MS = 30_000
FRAME_S = 1 / 25
CURRENT_TIME = "document.querySelector('.dl-stage video').currentTime"


def upload(page: Page, clip: Path, name: str = "clip.mp4") -> None:
    content = {"name": name, "mimeType": "video/mp4", "buffer": clip.read_bytes()}
    page.set_input_files("#dl-drop-file", files=[content])
    page.get_by_role("button", name="Analyse", exact=True).click()


def analysed(page: Page, clip: Path, name: str = "clip.mp4") -> None:
    upload(page, clip, name)
    page.wait_for_selector(".dl-plot svg")
    page.wait_for_function("document.querySelector('.dl-stage video').readyState >= 2")


def click_at(page: Page, seconds: float) -> None:
    """Clicks the first curve where `seconds` are, between its left and right margins."""
    page.locator(".dl-plot").first.scroll_into_view_if_needed()
    box = page.locator(".dl-plot").first.bounding_box()
    assert box
    x = box["x"] + 44 + seconds / SECONDS * (box["width"] - 44 - 40)
    page.mouse.click(x, box["y"] + box["height"] / 2)


def cursor_s(page: Page) -> float:
    return float(page.get_attribute(".dl-cursor", "aria-valuenow") or "nan")


def block(page: Page, kind: str) -> Locator:
    return page.locator(f".dl-lanes .dl-{kind}")
