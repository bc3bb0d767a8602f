"""Several clips at once, in a real Chromium: a table, its rows in the viewer, a zip."""

import csv
import io
from zipfile import ZipFile

import pytest
from playwright.sync_api import expect

from tests.app.browser import block
from tests.app.test_browser_access import AXE, RUN

pytestmark = pytest.mark.browser


def choose(page, clip, *names):
    content = clip.read_bytes()
    files = [{"name": name, "mimeType": "video/mp4", "buffer": content} for name in names]
    page.set_input_files("#dl-drop-file", files=files)


def cells(page):
    """The text of each row of the table."""
    rows = page.locator("#dl-table").get_by_role("row").all()[1:]
    return [
        [cell.inner_text().strip() for cell in row.get_by_role("gridcell").all()] for row in rows
    ]


def opened(page, name):
    page.locator("#dl-table").get_by_role("gridcell", name=name).click()


def analyse(page, clip, *names):
    choose(page, clip, *names)
    page.get_by_role("button", name=f"Analyse {len(names)} clips").click()
    expect(page.locator("#dl-batch")).to_contain_text(f"{len(names)} clips are done.")


def test_each_clip_is_a_row_and_opens(page, clip):
    analyse(page, clip, "one.mp4", "noface.mp4", "two.mp4")
    assert [row[1] for row in cells(page)] == ["one.mp4", "noface.mp4", "two.mp4"]
    assert "No face" in cells(page)[1][-1]
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
    opened(page, "two.mp4")
    expect(block(page, "predicted")).to_be_visible()
    expect(page.locator(".dl-model").first).to_contain_text("two.mp4")
    opened(page, "noface.mp4")
    expect(page.get_by_role("alert")).to_contain_text("No face")
    opened(page, "one.mp4")
    expect(page.locator(".dl-model").first).to_contain_text("one.mp4")


@pytest.mark.slow
def test_all_reports_are_saved_together(page, clip):
    analyse(page, clip, "one.mp4", "noface.mp4", "one.mp4")
    with page.expect_download() as download:
        page.get_by_text("Save all reports").click()
    with ZipFile(download.value.path()) as archive:
        names = archive.namelist()
        table = list(csv.reader(io.StringIO(archive.read("reports.csv").decode())))
    assert names == ["reports.csv", "one-1.deeploc.json", "one-3.deeploc.json"]
    assert [row[1] for row in table[1:]] == ["one.mp4", "noface.mp4", "one.mp4"]
    assert table[0][:4] == ["number", "file", "band", "video_score"]
    assert [row[2] for row in table[1:]] == ["some", "", "some"]


@pytest.mark.slow
def test_cancel_keeps_the_rows_that_are_done(page, clip):
    choose(page, clip, "one.mp4", "slow.mp4")
    page.get_by_role("button", name="Analyse 2 clips").click()
    expect(page.locator("#dl-batch")).to_contain_text("Clip 2 of 2: slow.mp4")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#dl-start")).to_be_visible()
    assert [row[1] for row in cells(page)] == ["one.mp4"]
    opened(page, "one.mp4")
    expect(block(page, "predicted")).to_be_visible()


def test_what_cannot_be_sent_is_said_before(page, clip):
    content = {"name": "clip.mp4", "mimeType": "video/mp4", "buffer": clip.read_bytes()}
    text = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no video"}
    page.set_input_files("#dl-drop-file", files=[content, text])
    expect(page.locator(".dl-several")).to_contain_text("notes.txt: This is no video file")
    expect(page.get_by_role("button", name="Analyse 1 clip")).to_be_enabled()
