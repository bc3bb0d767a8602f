import json

import numpy as np

from deeploc.scores import FrameScores
from tests.canned import GRID, canned_report, forgery

SCHEMA = {
    "schema": 1,
    "media": {"name", "duration_s", "fps", "width", "height", "has_audio", "sha256"},
    "model": {"name", "revision", "sha256"},
    "video_score": 0.7124,
    "verdict": "some evidence of forgery",
    "timeline": {"start_s", "end_s", "stream"},
    "proposals": {"start_s", "end_s", "score", "stream"},
    "scores": {"kind", "stream", "rate_hz", "values"},
    "unscored": {"start_s", "end_s", "reason", "stream"},
    "warnings": ["The sound ends before the picture."],
    "timing": {"seconds_per_second", "stages"},
    "calibration": {"error_marks", "thresholds", "bands", "false_alarms", "clips"},
}


def keys(value):
    """The keys of an object or of every object in a list; anything else as it is."""
    if isinstance(value, dict):
        return set(value)
    if isinstance(value, list) and isinstance(value[0], dict):
        (shared,) = {frozenset(item) for item in value}
        return set(shared)
    return value


def test_to_dict_is_exactly_the_schema():
    data = canned_report().to_dict()
    assert list(data) == list(SCHEMA)
    assert {key: keys(value) for key, value in data.items()} == SCHEMA


def test_to_dict_is_json_through_and_through():
    data = canned_report().to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_unscored_steps_are_null_and_scores_are_rounded():
    forgery_scores, errors = canned_report().to_dict()["scores"]
    assert (forgery_scores["kind"], forgery_scores["stream"]) == ("forgery", "visual")
    assert (errors["kind"], errors["stream"]) == ("error", "fused")
    assert forgery_scores["rate_hz"] == 25
    values = forgery_scores["values"]
    assert len(values) == GRID.n_frames
    assert values[40:] == [None] * 10
    assert None not in values[:40]
    assert values[24] == 0.9123


def test_seconds_are_plain():
    data = canned_report().to_dict()
    assert data["timeline"] == [{"start_s": 0.8, "end_s": 1.2, "stream": "visual"}]
    assert data["proposals"][0] == {"start_s": 0.8, "end_s": 1.2, "score": 0.6, "stream": "visual"}
    assert data["unscored"] == [
        {"start_s": 1.6, "end_s": 2.0, "reason": "no face", "stream": "fused"}
    ]
    assert data["media"]["duration_s"] == 2.0
    assert data["timing"] == {"seconds_per_second": 0.5, "stages": {"decode": 0.1, "faces": 0.4}}


def test_no_score_stays_no_score():
    data = canned_report(video_score=None, timeline=(), proposals=()).to_dict()
    assert data["video_score"] is None
    assert data["timeline"] == data["proposals"] == []


def test_numpy_numbers_do_not_leak():
    scores = FrameScores(GRID, "visual", "forgery", forgery().values.astype(np.float64))
    report = canned_report(video_score=np.float64(0.5), scores=(scores,))
    json.dumps(report.to_dict(), allow_nan=False)
