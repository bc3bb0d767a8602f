import json

import numpy as np
import pytest

from app.viewer.payload import to_payload
from deeploc.report_files import (
    BadReport,
    read_report,
    save_report,
)
from tests.app.canned import canned_report


def test_a_saved_report_gives_the_same_page(tmp_path):
    report = canned_report(n_faces=2, face=2)
    save_report(report, tmp_path / "report.npz")
    before = to_payload(report, "clip.mp4")
    after = to_payload(read_report(tmp_path / "report.npz"), "clip.mp4")
    scores = [item.pop("score") for item in after["intervals"]]
    shown = [item.pop("score") for item in before["intervals"]]
    assert scores == pytest.approx(shown, abs=0.05)  # the JSON holds the curve, not the peak
    assert after == before


def test_the_json_of_the_page_is_enough_for_the_curves(tmp_path):
    report = canned_report()
    (tmp_path / "clip.deeploc.json").write_text(json.dumps(report.to_dict()))
    found = read_report(tmp_path / "clip.deeploc.json")
    assert found.evidence is None
    assert found.calibration == report.calibration
    for one, other in zip(found.scores, report.scores, strict=True):
        assert (one.kind, one.stream) == (other.kind, other.stream)
        np.testing.assert_allclose(one.values, other.values, atol=1e-4)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1}', "\x00\x01"])
def test_anything_else_is_a_sentence(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(BadReport, match=r"other\.json is no DeepLoc report"):
        read_report(tmp_path / "other.json")
    (tmp_path / "other.npz").write_text(text)
    with pytest.raises(BadReport):
        read_report(tmp_path / "other.npz")
