"""Calibration on made-up clip scores whose levels can be counted by hand."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from deeploc.annotations import ClipTruth
from deeploc.checkpoints import load_checkpoint
from deeploc.errors import DeepLocError
from deeploc.models.rt_deeploc import TINY, RTDeepLoc
from deeploc.scores import STREAMS
from deeploc.timeline import Segment, Timeline
from tests.train.made_cache import measured_cache
from train import calibrate as calibration
from train.calibrate import (
    calibrate,
    count_clips,
    independent_clips,
    level,
    main,
    summary,
)
from train.data.cache import CachedClip, load_cache
from train.data.evidence_store import EvidenceStore, measure_clips
from train.everyday.kinds import is_held_out, without_held_out
from train.everyday.registry import KINDS

HELD_OUT = next(name for name, kind in KINDS.items() if kind.held_out)
SEEN = [name for name, kind in KINDS.items() if not kind.held_out]


AUTHENTIC = dict.fromkeys(STREAMS, Timeline())
FORGED = dict.fromkeys(STREAMS, Timeline((Segment(1, 2),)))


def clip(file, change=None, footage=None, identity=None, forged=False, families=()):
    truth = ClipTruth(
        file,
        FORGED if forged else AUTHENTIC,
        identity=identity,
        families=dict(families),
        footage=footage,
        change=change,
    )
    return CachedClip(truth, None)


def flagged(scores, groups, height):
    return {
        group: float(
            np.mean([s >= height for s, g in zip(scores, groups, strict=True) if g == group])
        )
        for group in set(groups)
    }


def test_one_more_flagged_clip_is_counted_among_them():
    """Of 41 clips 3 may be flagged: (3 + 1) of 42 are less than a tenth, (4 + 1) are more."""
    scores = np.linspace(0, 0.8, 41)
    height = level(scores, np.array(["jump-cut"] * 41), 0.1)
    assert (scores >= height).sum() == 3
    assert scores[37] < height <= scores[38]


@pytest.mark.parametrize(("clips", "rate", "found"), [(9, 0.1, 0), (19, 0.1, 1), (99, 0.02, 1)])
def test_few_clips_are_read_with_care(clips, rate, found):
    scores = np.linspace(0.1, 0.9, clips)
    assert (scores >= level(scores, np.array(["ordinary"] * clips), rate)).sum() == found


def test_equal_scores_are_flagged_together_or_not_at_all():
    scores = np.array([0.2] * 30 + [0.7] * 10)
    height = level(scores, np.array(["laboratory"] * 40), 0.1)
    assert 0.7 < height < 0.701
    assert (scores >= height).sum() == 0


def test_a_large_group_does_not_outvote_the_others():
    """Ten quiet clips of each of four kinds, a thousand of a fifth: by number one in ten would be
    flagged, but then most of two kinds."""
    rng = np.random.default_rng(0)
    groups = np.array(["music"] * 1000 + [kind for kind in SEEN[:4] for _ in range(10)])
    loud = np.isin(groups, SEEN[:2])
    scores = rng.uniform(0, 0.5, len(groups)) + 0.4 * loud
    height = level(scores, groups, 0.1)
    assert np.mean(list(flagged(scores, groups, height).values())) <= 0.1
    assert (scores >= height).mean() <= 0.1
    assert height > np.quantile(scores, 0.95)


def test_a_footage_as_it_is_keeps_the_rate_if_it_has_enough_clips():
    quiet, loud = np.linspace(0, 0.3, 400), np.linspace(0.3, 0.9, 20)
    scores = np.concatenate([quiet, loud])
    kinds = np.array(["music"] * 400 + ["ordinary"] * 20)
    height = level(scores, kinds, 0.1)
    assert (loud >= height).sum() == 1  # 2 of 21 with one more, 3 would be too many
    few = level(np.concatenate([quiet, loud[:8]]), kinds[:408], 0.1)
    assert few < level(np.concatenate([quiet, loud[:9]]), kinds[:409], 0.1) > loud[8]
    # no promise is made to a single kind
    assert level(scores, np.where(kinds == "ordinary", "logo", kinds), 0.1) <= height


def test_clips_without_a_score_set_nothing():
    scores = np.linspace(0, 0.8, 41)
    groups = np.array(["laboratory"] * 41)
    more = np.concatenate([scores, [np.nan] * 5])
    assert level(more, np.array(["laboratory"] * 46), 0.1) == level(scores, groups, 0.1)


def test_clips_of_one_person_say_as_much_as_they_differ():
    people = np.repeat([f"p{n}" for n in range(20)], 10)
    by_person = np.repeat(np.arange(20) < 4, 10)  # of one person all or none
    scattered = np.arange(200) % 10 < 2  # of every person two
    assert independent_clips(by_person, people) == 19
    assert independent_clips(scattered, people) == 200
    assert independent_clips(by_person & False, people) == 20
    assert independent_clips(scattered, np.arange(200)) == 200
    assert independent_clips(scattered, np.zeros(200)) == 1
    counts = count_clips(by_person * 0.9, people, {"some": 0.5, "strong": 0.95})
    assert counts == {"clips": 200, "people": 20, "independent": 19, "some": 40, "strong": 0}


@pytest.fixture
def scored(monkeypatch):
    """Clips with their evidence, which is a number: the score of each stream."""

    def found(model, number):
        return dict.fromkeys(STREAMS, float(number)) | {"audio": 1 - float(number)}

    class NoMarks:
        def __init__(self, clips):
            self.clips = clips

        def add(self, evidence):
            self.clips -= 1

        def percentiles(self):
            assert not self.clips
            return {"cell": [1.0, 2.0, 3.0]}

    monkeypatch.setattr(calibration, "clip_scores", found)
    monkeypatch.setattr(calibration, "_ErrorMarks", NoMarks)

    def calibrated(clips, scores):
        return calibrate(None, clips, list(scores))

    return calibrated


def test_honest_clips_of_every_group_set_the_levels_and_are_counted(scored):
    lab = [clip(f"l{n}", footage="laboratory", identity=f"p{n}") for n in range(60)]
    own = [clip(f"o{n}", footage="ordinary", identity=f"q{n}") for n in range(60)]
    cut = [clip(f"c{n}", "jump-cut", "ordinary", f"q{n}") for n in range(60)]
    others = [
        clip("null", families={"visual": "null"}),
        clip("again", families={"audio": "recoded"}),
        clip("speech.wav"),
        clip("blank"),
    ]
    forged = [clip(f"f{n}", identity="p0", forged=True) for n in range(20)]
    forged.append(clip("changed", "jump-cut", forged=True))
    scores = np.concatenate([np.linspace(0.1, 0.9, 60)] * 3)
    scale = scored(
        [*lab, *own, *cut, *others, *forged],
        [*scores, 1.0, 1.0, 1.0, np.nan, *[0.99] * 15, *[0.0] * 5, 1.0],
    )
    assert list(scale.honest) == ["all", "laboratory", "ordinary", "jump-cut"]
    everyone = scale.honest["all"]
    assert (everyone["clips"], everyone["people"]) == (180, 120)
    for name, counts in scale.honest.items():
        assert counts["some"] <= 0.1 * counts["clips"], name
        assert counts["strong"] <= 0.02 * counts["clips"], name
        assert counts["some"] >= 0.08 * counts["clips"], name
    assert scale.forged["self-made"] | {"independent": 0} == {
        "clips": 20,
        "people": 1,
        "independent": 0,
        "some": 15,
        "strong": 15,
    }
    assert scale.thresholds["fused"] == scale.thresholds["visual"] == scale.bands["some"]
    assert scale.misses("self-made").share == 0.25
    assert scale.thresholds["audio"] == pytest.approx(0.9 - 0.8 * 5.5 / 59, abs=0.01)
    assert any(line.startswith("jump-cut: 5 of 60") for line in summary(scale))


def test_footage_that_no_one_named_is_a_group_too(scored):
    scale = scored([clip(str(n)) for n in range(30)], np.linspace(0, 1, 30))
    assert list(scale.honest) == ["all", "other"]
    assert scale.forged == {}


def test_nothing_honest_is_a_sentence(scored):
    with pytest.raises(DeepLocError, match="nothing to calibrate on"):
        scored([clip("a"), clip("b", forged=True)], [np.nan, 0.5])


def test_held_out_kinds_are_left_out(capsys, scored):
    clips = [clip("a"), clip("b", HELD_OUT), clip("c", SEEN[0]), clip("d", "of another version")]
    assert [each.annotation.file for each in without_held_out(clips)] == ["a", "c"]
    assert f"2 clips of held-out kinds: {min(HELD_OUT, 'of another version')}" in (
        capsys.readouterr().out
    )
    assert not is_held_out(None)
    with pytest.raises(AssertionError, match="never calibrated on"):
        scored(clips[:2], [0.1, 0.2])


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    RTDeepLoc(asdict(TINY)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_error_marks_need_the_error_of_untouched_clips_alone(tmp_path, monkeypatch, checkpoint):
    files = [ClipTruth(f"{n}.mp4", FORGED if n > 3 else AUTHENTIC, "dev") for n in range(6)]
    files[3] = replace(files[3], change=SEEN[0])
    cache = measured_cache(tmp_path / "cache", checkpoint, files)
    model, clips = load_checkpoint(checkpoint)[0], load_cache(cache, "dev")
    ready, read = measure_clips(checkpoint, clips, cache / "evidence"), []

    class WithoutErrors(EvidenceStore):
        """As a store that does not measure the error of changed clips."""

        def __getitem__(self, index):
            read.append(index)
            found = super().__getitem__(index)
            if clips[index].annotation.change:
                found.visual[..., 4:], found.audio[..., 4:] = np.nan, np.nan
            return found

    whole = calibrate(model, clips, ready)
    part = calibrate(model, clips, WithoutErrors(ready.paths))
    assert part == whole and set(whole.error_marks) == {*STREAMS, "cell", "row"}
    assert (whole.clips, whole.honest[SEEN[0]]["clips"]) == (4, 1)
    assert sorted(read) == list(range(len(clips)))
    monkeypatch.setattr(calibration, "SAMPLED", 60 * 3)
    sampled = calibrate(model, clips, ready)
    assert sampled.error_marks != whole.error_marks
    assert replace(sampled, error_marks=whole.error_marks) == whole
    for name, marks in whole.error_marks.items():
        assert sampled.error_marks[name][0] == pytest.approx(marks[0], abs=0.2)


def test_a_checkpoint_is_calibrated_anew_beside_forgeries_of_another_cache(
    tmp_path, capsys, checkpoint
):
    kinds = {"a.mp4": None, "b.mp4": SEEN[0], "c.mp4": HELD_OUT}
    clips = [ClipTruth(file, split="dev", change=kind) for file, kind in kinds.items()]
    clips += [ClipTruth(f"{n}.mp4", FORGED, "dev") for n in range(3)]
    cache = measured_cache(tmp_path / "cache", checkpoint, clips)
    others = [ClipTruth("d.mp4", FORGED, "dev"), ClipTruth("e.mp4", FORGED, "dev", change=SEEN[0])]
    splices = measured_cache(tmp_path / "splices", checkpoint, [*others, clips[0]])
    weights = (checkpoint / "model.safetensors").read_bytes()
    main([str(checkpoint), str(cache), "--forged", "real generators", str(splices)])
    main([str(checkpoint), str(cache), "--forged", "real generators", str(splices)])
    model, info = load_checkpoint(checkpoint)
    scale = model.calibration
    assert list(scale.honest) == ["all", "other", SEEN[0]] and scale.clips == 2
    assert {name: each["clips"] for name, each in scale.forged.items()} == {
        "self-made": 3,
        "real generators": 1,
    }
    assert info.name == "tiny"
    assert len((checkpoint / "model.safetensors").read_bytes()) < len(weights)  # half precision
    said = capsys.readouterr().out
    assert HELD_OUT in said and "real generators: " in said
