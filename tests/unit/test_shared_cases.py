"""The library on the cases that the viewer's JavaScript is tested on too (tests/viewer)."""

import json
from pathlib import Path

import numpy as np
import pytest

from deeploc.comparison import match
from deeploc.curves import FORGERY_SCORE
from deeploc.localizer import _timeline
from deeploc.metrics import average_precision, average_recall, frame_auc
from deeploc.postprocess import PostprocessConfig, to_timeline
from deeploc.report import Localization
from deeploc.scores import STREAMS, FrameScores
from deeploc.timeline import FrameGrid, Segment

CASES = Path(__file__).parents[1] / "cases"
TIMELINE = json.loads((CASES / "timeline.json").read_text())
COMPARISON = json.loads((CASES / "comparison.json").read_text())


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def scores(runs, rate_hz, stream="fused"):
    """`runs`: a value and how many steps have it, None for unscored."""
    values = [np.nan if value is None else value for value, count in runs for _ in range(count)]
    return FrameScores(
        FrameGrid(rate_hz, len(values)), stream, FORGERY_SCORE, np.array(values, np.float32)
    )


def defined(value):
    return None if np.isnan(value) else pytest.approx(value)


@named(TIMELINE["timelines"])
def test_timelines(case):
    found = to_timeline(
        scores(case["runs"], case["rate_hz"]), case["threshold"], PostprocessConfig(**case["rule"])
    )
    assert [(part.start, part.end) for part in found] == [
        pytest.approx(span) for span in case["expected"]
    ]


@named(TIMELINE["streams"])
def test_the_stream_of_an_interval(case):
    forgery = {stream: scores(case[stream], case["rate_hz"], stream) for stream in STREAMS}
    found = _timeline(forgery, case["thresholds"])
    assert [item.stream for item in found] == [row["stream"] for row in case["expected"]]
    for item, row in zip(found, case["expected"], strict=True):
        assert (item.segment.start, item.segment.end, item.score) == pytest.approx(
            (row["start"], row["end"], row["score"])
        )


@named(COMPARISON["matches"])
def test_matches(case):
    found = [
        Localization(Segment(start, end), score, "fused") for score, start, end in case["found"]
    ]
    matches, missed = match(found, [Segment(*span) for span in case["truth"]], case["tiou"])
    assert [[one.kind, one.truth, pytest.approx(one.tiou)] for one in matches] == case["kinds"]
    assert missed == case["missed"]


@named(COMPARISON["proposals"])
def test_precision_and_recall(case):
    truth = {"clip": [Segment(*span) for span in case["truth"]]}
    found = {
        "clip": [
            Localization(Segment(start, end), score, "fused")
            for score, start, end in case["proposals"]
        ]
    }
    for tiou, value in case["ap"].items():
        assert defined(average_precision(truth, found, float(tiou))) == value
    for n, value in case["ar"].items():
        assert defined(average_recall(truth, found, int(n))) == value


@named(COMPARISON["steps"])
def test_frame_auc(case):
    truth = {"clip": [Segment(*span) for span in case["truth"]]}
    found = frame_auc(truth, {"clip": scores(case["runs"], case["rate_hz"])})
    assert defined(found) == case["auc"]
