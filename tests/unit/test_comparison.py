"""A report against its truth, in the words and numbers of one clip."""

import pytest

from deeploc.annotations.truth import with_fused
from deeploc.comparison import compare_with_truth
from deeploc.report import Localization
from deeploc.timeline import Segment, Timeline
from tests.fakes import fake_report

TRUTH = with_fused(
    {"visual": Timeline((Segment(0.8, 1.0),)), "audio": Timeline((Segment(1.5, 2.0),))}
)


def test_what_was_found_and_missed_and_by_how_much():
    found = compare_with_truth(fake_report(), TRUTH, 0.5)
    assert found["counts"] == {"TP": 1, "LOC": 0, "DUP": 0, "FP": 0, "FN": 1}
    (interval,) = found["intervals"]
    assert (interval["start_off_s"], interval["end_off_s"], interval["tiou"]) == (0.0, 0.2, 0.5)
    assert found["missed"] == [{"start_s": 1.5, "end_s": 2.0, "stream": "audio"}]
    assert found["falsely_flagged_s_per_minute"] == pytest.approx(0.2 / 2.00044 * 60, abs=1e-3)


def test_the_fused_proposals_count_where_there_are_some():
    better = Localization(Segment(0.8, 1.0), 0.9, "visual")
    report = fake_report()
    assert compare_with_truth(report, TRUTH)["average_precision"]["0.5"] == 0.0
    only = fake_report(proposals=(better,))
    assert compare_with_truth(only, TRUTH)["average_precision"]["0.5"] == 0.5


def test_an_authentic_clip_leaves_recall_undefined():
    found = compare_with_truth(fake_report(), with_fused({}))
    assert found["counts"] == {"TP": 0, "LOC": 0, "DUP": 0, "FP": 1, "FN": 0}
    assert set(found["average_recall"].values()) == {None}
    assert found["frame_auc"] is None
    assert found["falsely_flagged_s_per_minute"] == pytest.approx(0.4 / 2.00044 * 60, abs=1e-3)
