"""Annotations out of the page and into it again, through the server."""

import pytest
from playwright.sync_api import expect
from pympi import Eaf

from tests.app.browser import analysed

pytestmark = pytest.mark.browser


def bring(page, path):
    page.get_by_label("Import an annotation file").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="as your edit (lane E)").click()
    chooser.value.set_files(path)


def test_an_edit_leaves_as_elan_and_comes_back(page, clip, tmp_path):
    analysed(page, clip)
    page.get_by_label("Export your edit").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="ELAN").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "clip.eaf"
    eaf = Eaf(str(path))
    ((start, end, text),) = eaf.get_annotation_data_for_tier("visual")
    assert (start, end) == (1200, 2000) and text.startswith("proposed; proposal; score 0.91")
    eaf.add_annotation("audio", 2400, 3000, "a click")
    eaf.to_file(str(path))
    bring(page, path)
    expect(page.locator(".dl-said")).to_contain_text("2 intervals are now in lane E")
    expect(page.locator(".dl-lane-E .dl-block")).to_have_count(2)


def test_a_damaged_file_is_said(page, clip, tmp_path):
    analysed(page, clip)
    (tmp_path / "broken.vtt").write_text("no captions")
    bring(page, tmp_path / "broken.vtt")
    expect(page.locator(".dl-said")).to_contain_text("broken.vtt is no WebVTT file")
