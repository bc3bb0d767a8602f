import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from app.examples import EXAMPLES, result_paths
from app.viewer.payload import to_payload
from deeploc.calibration import Calibration
from deeploc.config import PostprocessConfig, Settings
from deeploc.curves import FORGERY_SCORE
from deeploc.report_files import SCHEMA_FILE, BadReport, read_report, report_to_dict, write_report
from deeploc.scores import FrameScores
from deeploc.timeline import Segment
from tests.app.fakes import fake_report as page_report
from tests.fakes import GRID, fake_report, forgery

CASES = Path(__file__).parents[1] / "cases"
OLD = [CASES / "report-schema-1.json", CASES / "report-schema-1.npz"]
KEYS = {
    "schema": 2,
    "version": "0.2.0",
    "media": {"name", "duration_s", "fps", "width", "height", "has_audio", "sha256"},
    "model": {"name", "revision", "sha256"},
    "settings": {"face", "part", "device", "postprocess"},
    "video_score": 0.7124,
    "band": "some",
    "timeline": {"start_s", "end_s", "score", "stream"},
    "proposals": {"start_s", "end_s", "score", "stream"},
    "curves": {"kind", "label", "description", "unit", "range", "usual", "proposes"},
    "scores": {"kind", "stream", "rate_hz", "marks", "values"},
    "shots": [[0.0, 0.8], [0.8, 2.0]],
    "unscored": {"start_s", "end_s", "reason", "stream"},
    "warnings": ["The sound ends before the picture."],
    "timing": {"seconds_per_second", "stages"},
    "calibration": {"error_marks", "thresholds", "bands", "honest", "forged"},
}


def keys(value):
    """The keys of an object or of every object in a list; anything else as it is."""
    if isinstance(value, dict):
        return set(value)
    if isinstance(value, list) and isinstance(value[0], dict):
        (shared,) = {frozenset(item) for item in value}
        return set(shared)
    return value


@pytest.fixture(scope="module")
def schema():
    content = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


def test_the_json_has_exactly_these_keys():
    data = report_to_dict(fake_report())
    assert list(data) == list(KEYS)
    assert {key: keys(value) for key, value in data.items()} == KEYS


def test_the_published_schema_names_every_key(schema):
    """What is written is described, and what must be there is written: all but the shots."""
    described = schema.schema
    assert list(described["properties"]) == list(KEYS)
    assert described["required"] == [key for key in KEYS if key != "shots"]
    for key, wanted in KEYS.items():
        one = described["properties"][key]
        one = one.get("items", one)
        one = described["$defs"][one["$ref"].split("/")[-1]] if "$ref" in one else one
        if isinstance(wanted, set):
            assert set(one["properties"]) == wanted == set(one["required"]), key


@pytest.mark.parametrize(
    "report",
    [
        fake_report(),
        fake_report(video_score=None, band="unscored", timeline=(), proposals=(), scores=()),
        page_report(),
        page_report(n_faces=2, face=2),
        replace(page_report(), settings=Settings(1, Segment(0.5, 4.5), "cpu")),
    ],
)
def test_reports_follow_the_published_schema(schema, report):
    data = json.loads(json.dumps(report_to_dict(report), allow_nan=False))
    assert data == report_to_dict(report)
    schema.validate(data)


def test_the_schema_refuses_what_is_no_report(schema):
    data = report_to_dict(fake_report())
    for change in (
        {"schema": 1},
        {"band": "some evidence of forgery"},
        {"timeline": [{"start_s": 0, "end_s": 1, "stream": "visual"}]},
        {"video_score": 1.5},
        {"scores": [{**data["scores"][0], "stream": "video"}]},
    ):
        assert not schema.is_valid(data | change), change
    assert not schema.is_valid({key: value for key, value in data.items() if key != "curves"})


def test_the_examples_of_the_page_follow_the_schema(schema):
    for clip in sorted(EXAMPLES.glob("*.mp4")):
        schema.validate(report_to_dict(read_report(result_paths(clip)[0])))


def test_unscored_steps_are_null_and_scores_are_rounded():
    forgery_scores, errors = report_to_dict(fake_report())["scores"]
    assert (forgery_scores["kind"], forgery_scores["stream"]) == ("forgery", "visual")
    assert (errors["kind"], errors["stream"]) == ("error", "fused")
    assert forgery_scores["rate_hz"] == 25
    values = forgery_scores["values"]
    assert len(values) == GRID.n_frames
    assert values[40:] == [None] * 10
    assert None not in values[:40]
    assert values[24] == 0.9123


def test_seconds_are_plain_and_every_interval_has_its_score():
    data = report_to_dict(fake_report())
    assert data["timeline"] == [{"start_s": 0.8, "end_s": 1.2, "score": 0.9123, "stream": "visual"}]
    assert data["proposals"][0] == {"start_s": 0.8, "end_s": 1.2, "score": 0.6, "stream": "visual"}
    assert data["unscored"] == [
        {"start_s": 1.6, "end_s": 2.0, "reason": "no face", "stream": "fused"}
    ]
    assert data["media"]["duration_s"] == 2.0
    assert data["timing"] == {"seconds_per_second": 0.5, "stages": {"decode": 0.1, "faces": 0.4}}


def test_no_score_stays_no_score():
    data = report_to_dict(fake_report(video_score=None, timeline=(), proposals=()))
    assert data["video_score"] is None
    assert data["timeline"] == data["proposals"] == []


def test_shots_are_pairs_of_seconds_and_none_where_they_are_missing(schema, tmp_path):
    data = report_to_dict(fake_report())
    assert data["shots"] == [[0, 0.8], [0.8, 2.0]]
    (tmp_path / "new.json").write_text(json.dumps(data))
    assert read_report(tmp_path / "new.json").shots == fake_report().shots
    del data["shots"]
    schema.validate(data)
    (tmp_path / "before.json").write_text(json.dumps(data))
    assert read_report(tmp_path / "before.json").shots == ()
    for bad in ([[0, 1, 2]], [[0]], ["0-1"], [[1, 0]], None):
        (tmp_path / "bad.json").write_text(json.dumps(data | {"shots": bad}))
        with pytest.raises(BadReport):
            read_report(tmp_path / "bad.json")


def test_numpy_numbers_do_not_leak():
    scores = FrameScores(GRID, "visual", FORGERY_SCORE, forgery().values.astype(np.float64))
    report = fake_report(video_score=np.float64(0.5), scores=(scores,))
    json.dumps(report_to_dict(report), allow_nan=False)


def test_a_saved_report_gives_the_same_page(tmp_path):
    report = page_report(n_faces=2, face=2)
    write_report(report, tmp_path / "report.npz")
    before = to_payload(report, "clip.mp4")
    after = to_payload(read_report(tmp_path / "report.npz"), "clip.mp4")
    assert json.loads(json.dumps(after)) == json.loads(json.dumps(before))


def test_the_json_of_the_page_is_enough_for_the_curves(tmp_path):
    report = page_report()
    write_report(report, tmp_path / "clip.deeploc.json")
    found = read_report(tmp_path / "clip.deeploc.json")
    assert found.evidence is None
    assert found.calibration == report.calibration
    assert found.curves == report.curves
    for one, other in zip(found.scores, report.scores, strict=True):
        assert (one.curve, one.stream) == (other.curve, other.stream)
        np.testing.assert_allclose(one.values, other.values, atol=1e-4)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_where_it_comes_from_is_kept(tmp_path, suffix):
    settings = Settings(2, Segment(1.5, 5.5), "cuda", PostprocessConfig(smoothing_s=0.12))
    report = replace(page_report(n_faces=2, face=2), settings=settings, version="9.9")
    report = replace(report, media=replace(report.media, sha256="cd" * 32))
    write_report(report, tmp_path / f"report{suffix}")
    found = read_report(tmp_path / f"report{suffix}")
    assert (found.version, found.settings) == ("9.9", settings)
    assert (found.media.sha256, found.model) == ("cd" * 32, report.model)
    assert (found.band, found.timeline) == (report.band, report.timeline)


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.suffix)
def test_schema_1_still_reads(path):
    """As DeepLoc 0.1 wrote it: a sentence as verdict, no score of an interval, no definitions."""
    found, now = read_report(path), page_report("clip.mp4", 2, 2)
    assert found.band == "some"
    assert (found.proposals, found.unscored) == (now.proposals, now.unscored)
    assert [item.segment for item in found.timeline] == [item.segment for item in now.timeline]
    assert found.timeline[0].score == pytest.approx(0.8857)  # the peak of the fused curve
    assert [(one.curve, one.stream) for one in found.scores] == (
        [(one.curve, one.stream) for one in now.scores]
    )
    for one, other in zip(found.scores, now.scores, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-4)
    if path.suffix == ".npz":
        assert (found.evidence.track.number, found.settings.face) == (2, 2)
        assert len(found.evidence.tracks) == 2 and found.sound is not None


@pytest.mark.parametrize(
    ("score", "clips", "band"),
    [(0.2, 120, "none"), (0.5, 120, "some"), (0.8, 120, "strong"), (None, 120, "unscored")]
    + [(0.8, 0, "unscored")],
)
def test_the_band_of_schema_1_comes_from_score_and_calibration(tmp_path, score, clips, band):
    """Never from its sentence."""
    data = json.loads(OLD[0].read_text())
    data |= {"video_score": score, "verdict": "strong evidence of forgery"}
    data["calibration"]["clips"] = clips
    (tmp_path / "old.json").write_text(json.dumps(data))
    assert read_report(tmp_path / "old.json").band == band


def test_an_untrained_model_is_unscored():
    assert Calibration().band(0.99) == "unscored"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 3}', '{"schema": 2}', '{"schema": 1}', "\x00\x01"]
)
def test_anything_else_is_a_sentence(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(BadReport, match=r"other\.json is no DeepLoc report"):
        read_report(tmp_path / "other.json")
    (tmp_path / "other.npz").write_text(text)
    with pytest.raises(BadReport):
        read_report(tmp_path / "other.npz")


@pytest.mark.parametrize(
    "change",
    [{"band": "some evidence of forgery"}, {"curves": []}, {"timeline": [{"start_s": 0}]}],
)
def test_half_a_report_is_a_sentence(tmp_path, change):
    data = report_to_dict(fake_report()) | change
    (tmp_path / "half.json").write_text(json.dumps(data))
    with pytest.raises(BadReport):
        read_report(tmp_path / "half.json")
