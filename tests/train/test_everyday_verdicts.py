"""How often honest clips are flagged, on made-up scores that can be counted by hand."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from deeploc.annotations import ClipTruth
from deeploc.calibration import Calibration, Rate
from deeploc.checkpoints import load_checkpoint
from deeploc.curves import FORGERY_SCORE
from deeploc.errors import DeepLocError
from deeploc.models.rt_deeploc import TINY, RTDeepLoc
from deeploc.scores import STREAMS, FrameScores
from deeploc.timeline import FrameGrid, Segment, Timeline
from tests.train.made_cache import measured_cache
from train.data.cache import CachedClip
from train.evaluate import evaluation
from train.evaluate.card import read_tests, tables
from train.evaluate.everyday import (
    ALL_KINDS,
    AS_THEY_ARE,
    HELD_OUT,
    TRAINED,
    by_change,
    verdict,
    verdicts,
)
from train.evaluate.plots import write_plots
from train.evaluate.tables import counted, everyday_table, markdown
from train.everyday.registry import KINDS

GRID = FrameGrid(rate_hz=25, n_frames=250)  # 10 seconds
CALIBRATION = Calibration(
    thresholds=dict.fromkeys(STREAMS, 0.5),
    bands={"some": 0.5, "strong": 0.8},
    honest={"all": {"clips": 100, "some": 10, "strong": 2}},
)
SEEN, UNSEEN = "jump-cut", "denoiser"
FORGED = dict.fromkeys(STREAMS, Timeline((Segment(2, 3),)))
AUTHENTIC = dict.fromkeys(STREAMS, Timeline())


def found(file, height, change=None, footage="laboratory", n_runs=1, seen=True, **truth):
    """The verdict on a clip whose picture has runs of that height."""
    values = np.full((3, GRID.n_frames), 0.1, np.float32)
    for number in range(n_runs):
        values[[0, 2], 20 + 40 * number : 40 + 40 * number] = height
    if not seen:
        values[0] = np.nan
    curves = {
        stream: FrameScores(GRID, stream, FORGERY_SCORE, row)
        for stream, row in zip(STREAMS, values, strict=True)
    }
    original = None if change is None else f"unchanged/{file}"
    name = f"{change or 'unchanged'}/{file}"
    segments = truth.pop("segments", AUTHENTIC)
    annotation = ClipTruth(
        name, segments, identity=file, footage=footage, change=change, original=original, **truth
    )
    return verdict(CachedClip(annotation, None), curves, CALIBRATION)


CLIPS = [
    found("a", 0.2),
    found("b", 0.6),
    found("c", 0.2, footage="ordinary"),
    found("d", 0.9, footage="ordinary"),
    found("a", 0.6, SEEN, n_runs=2),
    found("b", 0.9, SEEN, n_runs=3),
    found("c", 0.2, SEEN, footage="ordinary"),
    found("d", 0.2, SEEN, footage="ordinary", seen=False),
    found("a", 0.2, UNSEEN),
    found("c", 0.6, UNSEEN, footage="ordinary"),
    found("f", 0.9, segments=FORGED),
    found("f", 0.2, SEEN, segments=FORGED),
    found("g", 0.7, SEEN, segments=FORGED),
    found("null", 0.9, families={"visual": "null"}),
]


@pytest.fixture(scope="module")
def rows():
    return by_change(CLIPS, CALIBRATION)


@pytest.fixture(scope="module")
def by_name(rows):
    return {row["name"]: row for row in rows}


def test_every_footage_and_kind_has_a_row_and_several_stand_together(rows):
    assert [row["name"] for row in rows] == [
        *("laboratory", "ordinary"),
        *(kind for kind in KINDS if kind in (SEEN, UNSEEN)),
        *(AS_THEY_ARE, TRAINED, HELD_OUT, ALL_KINDS),
    ]
    assert [row["name"] for row in rows if row["held_out"]] == [UNSEEN, HELD_OUT]
    assert {row["group"] for row in rows} == {None, "editing", "sound"}


def test_clips_are_counted_with_their_interval(by_name):
    cut = by_name[SEEN]
    assert (cut["clips"], cut["unscored"], cut["some"], cut["strong"]) == (3, 1, 2, 1)
    assert cut["clips at some"] == 2 / 3
    assert cut["intervals"]["clips at some"] == pytest.approx(Rate(2, 3).interval)
    assert cut["footage"] == {
        "laboratory": {"clips": 2, "some": 2},
        "ordinary": {"clips": 1, "some": 0},
    }
    everything = by_name[ALL_KINDS]
    assert (everything["clips"], everything["some"], everything["people"]) == (5, 3, 3)
    assert (by_name[AS_THEY_ARE]["clips"], by_name[AS_THEY_ARE]["some"]) == (4, 2)


def test_alarms_are_counted_by_the_minute_and_stream(by_name):
    cut = by_name[SEEN]
    assert cut["minutes"] == pytest.approx(0.5)  # the clip without a verdict raises no alarm
    assert cut["false alarms/min, visual"] == pytest.approx(10)
    assert cut["false alarms/min, fused"] == pytest.approx(10)
    assert cut["false alarms/min, audio"] == 0


def test_the_same_clips_without_the_change_stand_beside(by_name):
    assert by_name[SEEN]["as they are"] == {"clips": 3, "some": 1}
    assert by_name[UNSEEN]["as they are"] == {"clips": 2, "some": 0}
    assert by_name["laboratory"]["as they are"] == {"clips": 0, "some": 0}


def test_forged_clips_are_counted_apart(by_name):
    assert by_name[SEEN]["forged"] == {"clips": 2, "some": 1}
    assert by_name["laboratory"]["forged"] == {"clips": 1, "some": 1}
    assert by_name[UNSEEN]["forged"] == {"clips": 0, "some": 0}


def test_a_split_of_clips_as_they_are_has_no_such_table():
    assert by_change([found("a", 0.2, footage=None)], CALIBRATION) == []
    assert by_change([], Calibration()) == []


def test_a_kind_of_forged_clips_alone_has_no_share():
    rows = by_change([found("f", 0.9, SEEN, segments=FORGED), *CLIPS[:4]], CALIBRATION)
    (cut,) = (row for row in rows if row["name"] == SEEN)
    assert cut["clips"] == 0 and "clips at some" not in cut
    assert f"| {SEEN} | editing | 0 | 0 | 0.0 | 0 | - | - |" in everyday_table({"everyday": rows})


def test_the_table_shows_them(rows):
    table = everyday_table({"everyday": rows})
    lines = {line.split(" | ")[0].lstrip("| "): line for line in table.splitlines()}
    low, high = Rate(2, 3).interval
    assert f"| 66.7 ({100 * low:.1f}-{100 * high:.1f}) |" in lines[SEEN]
    assert "| 1 of 3 | 2 of 2 | 0 of 1 | 10.0 | 0.0 | 10.0 | 1 of 2 |" in lines[SEEN]
    assert f"{UNSEEN} *" in lines and f"{HELD_OUT} *" in lines
    assert len({line.count("|") for line in table.splitlines()}) == 1
    assert counted(None) == counted({"clips": 0, "some": 0}) == "-"


def test_the_card_and_the_readme_tell_them(rows):
    tests = read_tests()
    before = {name: measured | {"everyday": []} for name, measured in tests.items()}
    assert tables(before)["everyday"] == "Not measured yet."
    assert "everyday" not in tables(before)["summary"]
    title = next(iter(tests))
    written = tables(before | {title: tests[title] | {"everyday": rows}})
    assert f"| {title} | {UNSEEN} * | 2 | 2 |" in written["everyday"]
    (line,) = (row for row in written["summary"].splitlines() if "everyday" in row)
    assert line.endswith("| 3 of 5 (1 of 2) | - |")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "model"
    torch.manual_seed(0)
    RTDeepLoc(asdict(TINY), calibration=asdict(CALIBRATION)).save_pretrained(folder)
    return folder


def test_changed_clips_are_in_no_other_table(tmp_path, checkpoint, capsys):
    clips = [
        ClipTruth(f"{n}.mp4", FORGED if n % 2 else AUTHENTIC, "test", identity=str(n))
        for n in range(4)
    ]
    cut = [replace(each, file=f"cut/{each.file}", change=SEEN) for each in clips]
    cache = measured_cache(tmp_path / "cache", checkpoint, [*clips, *cut])
    evaluation.main([str(checkpoint), str(cache), "--resamples", "5", "--out", str(tmp_path)])
    found = json.loads((tmp_path / evaluation.METRICS).read_text())
    assert (found["protocol"]["clips"], found["protocol"]["forged"]) == (4, 2)
    assert found["alarms"][-1]["clips"] == 2
    assert [row["name"] for row in found["everyday"]] == [
        *("other", SEEN),
        *(AS_THEY_ARE, TRAINED, ALL_KINDS),
    ]
    assert (tmp_path / evaluation.TABLES).read_text() == markdown(found)
    assert f"| {SEEN} | editing | 2 | 2 |" in markdown(found)
    with pytest.raises(DeepLocError, match="everyday changes alone"):
        alone = measured_cache(tmp_path / "alone", checkpoint, cut)
        evaluation.main([str(checkpoint), str(alone), "--out", str(tmp_path)])


def test_a_cache_without_forgeries_is_counted_too(tmp_path, checkpoint):
    """Alone, or beside the clips that localization is measured on."""
    clips = [ClipTruth(f"{n}.mp4", split="test", identity=str(n)) for n in range(4)]
    clips += [replace(each, file=f"cut/{each.file}", change=SEEN) for each in clips]
    honest = measured_cache(tmp_path / "honest", checkpoint, clips)
    evaluation.main([str(checkpoint), str(honest), "--resamples", "5", "--out", str(tmp_path)])
    found = json.loads((tmp_path / evaluation.METRICS).read_text())
    assert (found["protocol"]["forged"], len(found["everyday"])) == (0, 5)
    list(write_plots(found, tmp_path))
    corpus = [ClipTruth("f.mp4", FORGED, "test"), ClipTruth("a.mp4", split="test")]
    cache = measured_cache(tmp_path / "cache", checkpoint, corpus)
    words = [str(checkpoint), str(cache), "--honest", str(honest), "--resamples", "5"]
    evaluation.main([*words, "--out", str(tmp_path)])
    both = json.loads((tmp_path / evaluation.METRICS).read_text())
    assert both["everyday"] == found["everyday"] and both["protocol"]["forged"] == 1


def test_a_checkpoint_without_levels_gives_no_verdicts(tmp_path):
    torch.manual_seed(0)
    RTDeepLoc(asdict(TINY)).save_pretrained(tmp_path / "mae")
    assert verdicts(tmp_path / "mae", [], None) == (
        [],
        load_checkpoint(tmp_path / "mae")[0].calibration,
    )
