"""The evaluation of made-up scores whose numbers can be worked out by hand."""

import json

import numpy as np
import pytest

from deeploc.annotations import ClipTruth
from deeploc.calibration import Calibration
from deeploc.curves import FORGERY_SCORE
from deeploc.metrics import resample
from deeploc.scores import STREAMS, FrameScores
from deeploc.timeline import FrameGrid, Segment, Timeline
from train.data.cache import CachedClip
from train.evaluate import plots
from train.evaluate.evaluation import BOUNDED, precision_curves
from train.evaluate.families import (
    by_family,
    by_kind,
    errors_by_family,
    reliability,
    seen_families,
    unseen,
)
from train.evaluate.methods import CHANCE, CHECKPOINT, ERROR, Method, chance
from train.evaluate.plots import write_plots
from train.evaluate.protocol import ALARMS, AP_TIOUS, AR_COUNTS, describe_protocol, evaluate_stream
from train.evaluate.tables import (
    alarm_table,
    family_table,
    interval_table,
    markdown,
    protocol,
    table,
)

GRID = FrameGrid(rate_hz=25, n_frames=250)  # 10 seconds
THRESHOLDS = {"visual": 0.5, "audio": 0.5, "fused": 0.5}
CALIBRATION = Calibration(
    thresholds=THRESHOLDS,
    bands={"some": 0.5, "strong": 0.8},
    honest={"all": {"clips": 40, "some": 8, "strong": 2}},
)
FORGED = ((50, 75),)


def sample(file, visual=None, audio=None, null=False, identity=None):
    """A clip whose streams are forged from 2 to 3 s by the named families."""
    families = {k: v for k, v in (("visual", visual), ("audio", audio)) if v}
    forged = Timeline((Segment(2, 3),))
    segments = {
        "visual": forged if visual else Timeline(),
        "audio": forged if audio else Timeline(),
        "fused": forged if visual or audio else Timeline(),
    }
    if null:
        families = {"visual": "null", "audio": "null"}
    return CachedClip(ClipTruth(file, segments, identity=identity, families=families), None)


def curve(stream, runs=(), height=0.9, definition=FORGERY_SCORE, seed=0):
    values = np.random.default_rng(seed).uniform(0.05, 0.1, GRID.n_frames).astype(np.float32)
    for start, end in runs:
        values[start:end] = height
    return FrameScores(GRID, stream, definition, values)


def method(runs_by_file, height=0.9):
    scores = {
        file: {stream: curve(stream, runs, height, seed=number) for stream in STREAMS}
        for number, (file, runs) in enumerate(runs_by_file.items())
    }
    return Method(scores, THRESHOLDS)


SAMPLES = [
    sample("a", visual="swap", identity="ann"),
    sample("b", visual="new", identity="bob"),
    sample("c", audio="pitch", identity="bob"),
    sample("d", visual="swap", audio="new", identity="cid"),
    sample("e", identity="ann"),
    sample("f", identity="dan"),
    sample("g", null=True, identity="cid"),
]
SEEN = {"visual": {"swap"}, "audio": {"pitch"}, "fused": set()}
# b is missed; the null forgery g raises two alarms, the authentic e one
RUNS = {
    "a": FORGED,
    "b": (),
    "c": FORGED,
    "d": FORGED,
    "e": ((100, 120),),
    "f": (),
    "g": ((20, 40), (150, 170)),
}
DRAWS = resample([item.annotation.identity for item in SAMPLES], 200, seed=0)


@pytest.fixture(scope="module")
def evaluations():
    return {stream: evaluate_stream(SAMPLES, method(RUNS), stream) for stream in STREAMS}


def test_every_column_that_was_asked_for_is_there(evaluations):
    values = evaluations["fused"].all_metrics(np.ones(len(SAMPLES)))
    assert AP_TIOUS == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.95)
    assert AR_COUNTS == (100, 50, 20, 10, 5, 2)
    expected = {"mean AP", *(f"AP@{t}" for t in AP_TIOUS), *(f"AR@{n}" for n in AR_COUNTS)}
    expected |= {"frame AUC", "frame AUC inside", "clip AUC", "clip EER", ALARMS}
    assert set(values) == expected and expected > set(BOUNDED)
    mean = np.mean([values[f"AP@{tiou}"] for tiou in AP_TIOUS[:7]])
    assert values["mean AP"] == pytest.approx(mean)


def test_false_alarms_count_intervals_in_authentic_clips_by_the_minute(evaluations):
    values = evaluations["fused"].all_metrics(np.ones(len(SAMPLES)))
    assert values[ALARMS] == pytest.approx(3 / 0.5)  # three intervals, three clips of 10 s
    uncalibrated = evaluate_stream(SAMPLES, Method(method(RUNS).scores), "fused")
    assert np.isnan(uncalibrated.all_metrics(np.ones(len(SAMPLES)))[ALARMS])


def test_null_forgeries_stand_beside_authentic_clips():
    kinds = {row["kind"]: row for row in by_kind(SAMPLES, method(RUNS), CALIBRATION, DRAWS)}
    clean, null, both = (
        kinds[kind] for kind in ("authentic clips", "null forgeries", "all of them")
    )
    assert (clean["clips"], null["clips"], both["clips"]) == (2, 1, 3)
    assert clean[f"{ALARMS}, fused"] == pytest.approx(1 / (20 / 60))
    assert null[f"{ALARMS}, fused"] == pytest.approx(2 / (10 / 60))
    assert both[f"{ALARMS}, fused"] == pytest.approx(6)
    assert clean["clips at some"] == 0.5 and null["clips at some"] == 1.0
    assert both["clips at strong"] == pytest.approx(2 / 3)


def test_authentic_clips_coded_once_more_have_a_line_of_their_own():
    again = ClipTruth(
        "h",
        {stream: Timeline() for stream in STREAMS},
        identity="dan",
        families={"audio": "recoded"},
    )
    samples = [*SAMPLES, CachedClip(again, None)]
    draws = resample([item.annotation.identity for item in samples], 50, seed=0)
    rows = by_kind(samples, method(RUNS | {"h": ((0, 30),)}), CALIBRATION, draws)
    kinds = {row["kind"]: row for row in rows}
    coded, null = kinds["re-encoded authentic clips"], kinds["null forgeries"]
    assert (coded["clips"], null["clips"], kinds["all of them"]["clips"]) == (1, 1, 4)
    assert coded[f"{ALARMS}, fused"] == pytest.approx(1 / (10 / 60))
    assert null[f"{ALARMS}, fused"] == pytest.approx(2 / (10 / 60))
    assert not samples[-1].pristine and list(kinds)[-1] == "all of them"
    facts = describe_protocol(samples, "identities", 50)
    assert (facts["null forgeries among them"], facts["re-encoded among them"]) == (1, 1)
    assert "| re-encoded authentic clips | 1 | 0.2 |" in alarm_table({"alarms": rows})


def test_seen_families_are_read_from_the_train_split(tmp_path):
    def row(file, split, family, forged=True):
        spans = [[1, 2]] if forged else []
        return {
            "file": file,
            "split": split,
            "modify_video": forged,
            "modify_audio": False,
            "fake_periods": spans,
            "family_visual": family,
        }

    rows = [row("a", "train", "swap"), row("b", "test", "new"), row("c", "train", "null", False)]
    (tmp_path / "metadata.json").write_text(json.dumps(rows))
    seen = seen_families(tmp_path / "metadata.json")
    assert seen == {"visual": {"swap"}, "audio": set(), "fused": set()}


def test_one_unseen_family_makes_the_clip_unseen():
    asked = {item.annotation.file: item for item in SAMPLES}
    assert [unseen(asked[file], SEEN, "fused") for file in "abcd"] == [False, True, False, True]
    assert [unseen(asked[file], SEEN, "visual") for file in "abd"] == [False, True, False]
    assert unseen(asked["c"], SEEN, "visual") is None  # its picture is authentic
    assert unseen(asked["g"], SEEN, "visual") is None


def test_families_are_held_against_authentic_streams(evaluations):
    rows = {
        (row["stream"], row["family"]): row for row in by_family(SAMPLES, evaluations, SEEN, DRAWS)
    }
    assert rows["visual", "swap"]["clips"] == 2 and rows["visual", "new"]["clips"] == 1
    assert rows["visual", "swap"]["seen"] and not rows["audio", "new"]["seen"]
    assert rows["fused", "unseen families"]["clips"] == 2
    assert rows["visual", "swap"]["frame AUC inside"] == 1.0
    assert rows["visual", "new"]["frame AUC inside"] < 0.7
    assert not any(family == "null" for _, family in rows)
    # c is found; of a, b, e, f and g, whose sound is authentic, a, e and g are as loud
    assert rows["audio", "pitch"]["clip AUC"] == pytest.approx((2 + 3 / 2) / 5)


def test_weighing_clips_is_evaluating_them_alone(evaluations):
    alone = [item for item in SAMPLES if item.annotation.file not in "bd"]
    expected = evaluate_stream(alone, method(RUNS), "audio").all_metrics(np.ones(len(alone)))
    weights = np.array([item in alone for item in SAMPLES], float)
    found = evaluations["audio"].all_metrics(weights)
    assert found == pytest.approx(expected, nan_ok=True)


def test_intervals_hold_the_number_and_come_from_the_seed(evaluations):
    names = ("AP@0.5", "AR@10", "frame AUC")
    found = evaluations["fused"].intervals(names, DRAWS)
    values = evaluations["fused"].all_metrics(np.ones(len(SAMPLES)))
    assert all(low <= values[name] <= high for name, (low, high) in found.items())
    assert found["AP@0.5"][0] < found["AP@0.5"][1]
    assert found == evaluations["fused"].intervals(names, DRAWS.copy())


def test_reliability_counts_forged_clips_of_each_band():
    facts = reliability(SAMPLES, method(RUNS), CALIBRATION)
    bands = {row["band"]: (row["clips"], row["forged"]) for row in facts["bands"]}
    assert bands == {"none": (2, 1), "some": (0, 0), "strong": (5, 3)}
    assert sum(row["clips"] for row in facts["scores"]) == len(SAMPLES)
    assert facts["stated"] == {"some": 0.2, "strong": 0.05}


def test_errors_are_told_apart_by_forged_steps():
    (swap,) = (row for row in errors_by_family(SAMPLES, method(RUNS)) if row["family"] == "swap")
    assert swap["clips"] == 2
    assert swap["forged"] == pytest.approx([0.9] * 5)
    assert max(swap["authentic"]) < 0.11


def test_chance_keeps_unscored_steps_and_is_the_same_every_time():
    scores = {"a": {"visual": curve("visual")}}
    scores["a"]["visual"].values[:5] = np.nan
    one, other = (chance(scores)["a"]["visual"].values for _ in range(2))
    assert np.isnan(one[:5]).all() and not np.isnan(one[5:]).any()
    assert np.array_equal(one, other, equal_nan=True)


@pytest.fixture(scope="module")
def result(evaluations):
    everybody = {CHECKPOINT: evaluations, ERROR: evaluations, CHANCE: evaluations}
    ones = np.ones(len(SAMPLES))
    kinds = by_kind(SAMPLES, method(RUNS), CALIBRATION, DRAWS)
    families = by_family(SAMPLES, evaluations, SEEN, DRAWS)
    found = {
        "model": {"name": "tiny", "sha256": ""},
        "protocol": {
            "split": "test",
            "clips": 7,
            "forged": 4,
            "authentic": 3,
            "null forgeries among them": 1,
            "identities": 4,
            "empty_rule": "a forged clip without proposals counts as missed",
            "tiou": "AP is strict (IoU > t)",
            "area": "AP counts from recall 0",
            "intervals": "95 % bootstrap over identities",
        },
        "rows": {
            name: {stream: item.all_metrics(ones) for stream, item in streams.items()}
            for name, streams in everybody.items()
        },
        "intervals": {
            name: {stream: item.intervals(BOUNDED, DRAWS) for stream, item in streams.items()}
            for name, streams in everybody.items()
        },
        "families": families,
        "error families": families,
        "errors": errors_by_family(SAMPLES, method(RUNS)),
        "alarms": kinds,
        "reliability": reliability(SAMPLES, method(RUNS), CALIBRATION),
        "curves": {
            name: {stream: precision_curves(item) for stream, item in streams.items()}
            for name, streams in everybody.items()
        },
    }
    return json.loads(json.dumps(found), parse_constant=lambda nan: None)


def test_tables_show_the_numbers_and_their_protocol(result):
    fused = result["rows"][CHECKPOINT]["fused"]
    (line,) = (row for row in table(result).splitlines() if row.startswith("| checkpoint | fused"))
    assert line.endswith("| 6.0 |")  # alarms are no percentage
    assert f"| {100 * fused['AP@0.5']:.1f} |" in line
    low, high = result["intervals"][CHECKPOINT]["fused"]["AP@0.5"]
    text = f"{100 * fused['AP@0.5']:.1f} ({100 * low:.1f}-{100 * high:.1f})"
    assert text in interval_table(result)
    assert "| visual | new * | 1 |" in family_table(result)
    assert "| visual | swap | 2 |" in family_table(result)
    assert "| null forgeries | 1 | 0.2 |" in alarm_table(result)
    assert "7 clips (4 forged, 3 authentic, 1 of those null forgeries) of 4 identities" in protocol(
        result
    )
    whole = markdown(result).splitlines()
    for part in (table(result), interval_table(result), family_table(result), alarm_table(result)):
        assert set(part.splitlines()) <= set(whole)
    columns = {row.count("|") for row in table(result).splitlines()}
    assert len(columns) == 1


def test_a_number_that_is_undefined_is_a_dash(result):
    rows = {CHANCE: {"fused": dict.fromkeys(result["rows"][CHANCE]["fused"])}}
    assert table(result | {"rows": rows}).splitlines()[-1] == "| chance | fused" + " | -" * 8 + " |"


def test_the_page_of_pictures_needs_no_network(result, tmp_path, monkeypatch):
    def without_kaleido(*args, **kwargs):
        raise ValueError("Image export requires the Kaleido package")

    monkeypatch.setattr(plots.plotly.io, "write_images", without_kaleido)
    said = list(write_plots(result, tmp_path))
    assert said[0].endswith("metrics.html") and said[1].startswith("no SVG: Image export")
    page = (tmp_path / "metrics.html").read_text()
    assert page.count("Plotly.newPlot(") == 3 and "<script src=" not in page
    for title in ("Precision against recall", "Reliability of the verdict", "By manipulation"):
        assert title in page
