import importlib.util
import json
from importlib.machinery import PathFinder

import numpy as np
import pytest

from deeploc.curves import FORGERY_SCORE, RECONSTRUCTION_ERROR
from deeploc.metrics import (
    AR_TIOUS,
    Overlaps,
    Ranking,
    average_precision,
    average_recall,
    clip_auc,
    equal_error_rate,
    frame_auc,
    interval,
    resample,
    step_labels,
    step_ranking,
)
from deeploc.report import Localization
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid, Segment, Timeline


def segments(*spans):
    return [Segment(*span) for span in spans]


def found(*rows):
    return [Localization(Segment(start, end), score, "fused") for score, start, end in rows]


TRUTH = {
    "A": segments((1.0, 2.0), (3.0, 3.5)),
    "B": segments((0.0, 0.8)),
    "C": [],
    "D": segments((2.0, 2.4)),
}
PROPOSALS = {
    "A": found((0.9, 1.0, 2.1), (0.8, 3.02, 3.45), (0.3, 0.0, 0.5)),
    "B": found((0.95, 2.0, 3.0), (0.7, 0.1, 0.8)),
    "C": found((0.6, 0.5, 1.0)),
    "D": [],
}


@pytest.mark.parametrize(
    ("tiou", "expected"), [(0.5, 0.5625), (0.75, 0.5625), (0.9, 0.125), (0.95, 0.0)]
)
def test_golden_average_precision(tiou, expected):
    assert average_precision(TRUTH, PROPOSALS, tiou) == pytest.approx(expected)


def test_an_authentic_clip_lowers_precision_by_a_confident_false_alarm():
    louder = PROPOSALS | {"C": found((0.85, 0.5, 1.0))}
    assert average_precision(TRUTH, louder, 0.5) == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("n", "missed", "dropped"), [(1, 0.225, 0.3), (2, 0.625, 5 / 6), (100, 0.625, 5 / 6)]
)
def test_golden_average_recall(n, missed, dropped):
    assert average_recall(TRUTH, PROPOSALS, n) == pytest.approx(missed)
    assert average_recall(TRUTH, PROPOSALS, n, drop_empty=True) == pytest.approx(dropped)


def test_order_of_a_list_does_not_matter():
    shuffled = {clip: items[::-1] for clip, items in PROPOSALS.items()}
    assert average_precision(TRUTH, shuffled, 0.5) == pytest.approx(0.5625)
    assert average_recall(TRUTH, shuffled, 1) == pytest.approx(0.225)


def test_missing_clips_count_as_empty():
    without = {clip: items for clip, items in PROPOSALS.items() if items}
    assert average_precision(TRUTH, without, 0.5) == pytest.approx(0.5625)
    assert average_recall(TRUTH, without, 100) == pytest.approx(0.625)


def test_a_proposal_is_used_once():
    truth = {"a": segments((0, 1), (1.2, 2))}
    both = {"a": found((0.9, 0.0, 2.0))}  # tIoU 0.5 and 0.4
    assert average_precision(truth, both, 0.3) == pytest.approx(0.5)
    twice = {"a": found((0.9, 0, 1), (0.8, 0, 1), (0.7, 1.2, 2))}
    assert average_precision(truth, twice, 0.5) == pytest.approx((1 + 2 / 3) / 2)


def test_the_threshold_is_strict():
    assert average_precision({"a": segments((0, 1))}, {"a": found((0.9, 0, 2))}, 0.5) == 0.0


def test_perfect_and_useless():
    truth = {"a": Timeline((Segment(0, 1), Segment(2, 3))), "b": Timeline()}
    perfect = {"a": found((0.9, 0, 1), (0.8, 2, 3))}
    assert average_precision(truth, perfect, 0.95) == 1.0
    assert average_recall(truth, perfect, 2) == 1.0
    assert average_recall(truth, perfect, 1) == 0.5
    assert average_precision(truth, {}, 0.5) == average_recall(truth, {}, 5) == 0.0


def test_without_a_forged_segment_there_is_no_number():
    assert np.isnan(average_precision({"c": []}, {"c": found((0.5, 0, 1))}, 0.5))
    assert np.isnan(average_recall({"c": []}, {"c": found((0.5, 0, 1))}, 10))
    assert np.isnan(average_recall({"d": segments((0, 1))}, {}, 10, drop_empty=True))


def test_proposals_of_an_unknown_clip_are_refused():
    with pytest.raises(ValueError, match="no truth for x"):
        average_precision(TRUTH, {"x": []}, 0.5)


def test_clip_auc_by_hand():
    assert clip_auc([1, 1, 0, 0], [0.9, 0.4, 0.5, 0.1]) == pytest.approx(0.75)
    assert clip_auc([1, 0], [0.2, 0.2]) == pytest.approx(0.5)
    assert clip_auc([1, 1, 0, 0], [3, 2, 2, 1]) == pytest.approx(0.875)
    assert clip_auc([1, 0, 1, 0], [0.9, 0.1, np.nan, np.nan]) == 1.0
    assert np.isnan(clip_auc([1, 1], [0.1, 0.2]))
    assert np.isnan(clip_auc([], []))


def test_clip_auc_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(3)
    labels, scores = rng.random(80) < 0.3, rng.integers(0, 9, 80) / 9
    above = scores[labels][:, None] - scores[~labels][None]
    pairs = (above > 0).mean() + (above == 0).mean() / 2
    assert clip_auc(labels, scores) == pytest.approx(pairs)


def test_step_labels_take_the_middle_of_a_step():
    grid = FrameGrid(rate_hz=10, n_frames=6)
    labels = step_labels(segments((0.1, 0.3), (0.44, 0.56)), grid)
    assert labels.tolist() == [False, True, True, False, True, True]
    labels = step_labels(segments((0.16, 0.24)), grid)
    assert not labels.any()


def test_frame_auc_pools_steps_and_skips_unscored_ones():
    grid = FrameGrid(rate_hz=1, n_frames=4)

    def scores(*values):
        return FrameScores(grid, "fused", FORGERY_SCORE, np.array(values, np.float32))

    truth = {"a": segments((0, 2)), "b": Timeline()}
    both = {"a": scores(0.9, np.nan, 0.2, 0.1), "b": scores(0.95, 0.3, np.nan, 0.3)}
    assert frame_auc(truth, both) == pytest.approx(0.8)
    assert frame_auc(truth, {"a": both["a"]}) == 1.0
    assert np.isnan(frame_auc(truth, {"b": both["b"]}))
    assert np.isnan(frame_auc(truth, {}))
    with pytest.raises(ValueError, match="no truth for c"):
        frame_auc(truth, {"c": both["a"]})


def random_case(seed, n_clips=30):
    """Clips with 0-3 true segments, and 1-15 proposals of which about half lie near a true one."""
    rng = np.random.default_rng(seed)
    truth, proposals = {}, {}
    for clip in range(n_clips):
        starts = np.sort(rng.uniform(0, 8, rng.integers(0, 4)))
        spans = [(start, start + rng.uniform(0.2, 1.5)) for start in starts]
        items = []
        for _ in range(rng.integers(1, 16)):
            start, end = spans[rng.integers(len(spans))] if spans else (2.0, 3.0)
            near = rng.random() < 0.5
            start = max(0, start + rng.normal(0, 0.1)) if near else rng.uniform(0, 8)
            end = (
                max(start + 0.1, end + rng.normal(0, 0.1)) if near else start + rng.uniform(0.1, 2)
            )
            items.append((rng.random(), start, end))
        truth[f"{clip}.mp4"], proposals[f"{clip}.mp4"] = segments(*spans), found(*items)
    return truth, proposals


def plain_precision(truth, proposals, tiou):
    """The definition, step by step: `Segment.iou`, a list of (score, hit), recall by recall."""
    pooled, n_true = [], 0
    for clip, wanted in truth.items():
        items = sorted(proposals[clip], key=lambda item: -item.score)
        used = set()
        for segment in wanted:
            n_true += 1
            for number, item in enumerate(items):
                if number not in used and item.segment.iou(segment) > tiou:
                    used.add(number)
                    break
        pooled += [(item.score, number in used) for number, item in enumerate(items)]
    pooled.sort(key=lambda pair: -pair[0])
    points, hits = [], 0
    for rank, (_, hit) in enumerate(pooled, start=1):
        hits += hit
        points.append((hits / n_true, hits / rank))
    steps = [step / n_true for step in range(1, n_true + 1)]
    return (
        sum(max((p for r, p in points if r >= step - 1e-9), default=0) for step in steps) / n_true
    )


def plain_recall(truth, proposals, n):
    """The share of true segments that one of the first n overlaps, tIoU by tIoU."""
    shares = []
    for tiou in AR_TIOUS:
        reached = []
        for clip, wanted in truth.items():
            items = sorted(proposals[clip], key=lambda item: -item.score)[:n]
            reached += [any(item.segment.iou(s) > tiou for item in items) for s in wanted]
        shares.append(np.mean(reached))
    return np.mean(shares)


@pytest.mark.parametrize("seed", range(5))
def test_random_cases_agree_with_the_plain_definition(seed):
    truth, proposals = random_case(seed)
    for tiou in (0.1, 0.5, 0.75, 0.95):
        expected = plain_precision(truth, proposals, tiou)
        assert average_precision(truth, proposals, tiou) == pytest.approx(expected)
    for n in (2, 5, 100):
        expected = plain_recall(truth, proposals, n)
        assert average_recall(truth, proposals, n) == pytest.approx(expected)


@pytest.fixture(scope="module")
def published():
    """The compiled part of avdeepfake1m; the package around it needs old numpy and lightning."""
    package = importlib.util.find_spec("avdeepfake1m")
    if package is None:
        pytest.skip("avdeepfake1m is not installed (see requirements-dev.txt)")
    spec = PathFinder.find_spec("_evaluation", package.submodule_search_locations)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def first_step(truth, proposals, tiou):
    """The area up to the recall of the very best proposal, which avdeepfake1m leaves out: its curve
    begins there, so that a perfect answer to two true segments gets 0.5."""
    best = max((item.score, clip) for clip, items in proposals.items() for item in items)
    (item,) = (item for item in proposals[best[1]] if item.score == best[0])
    is_hit = any(item.segment.iou(segment) > tiou for segment in truth[best[1]])
    n_true = sum(len(wanted) for wanted in truth.values())
    return Overlaps.of(truth, proposals).curve(tiou)[1][0] / n_true if is_hit else 0.0


def written(folder, truth, proposals):
    """Both files of avdeepfake1m; best first, because it takes the order of the list."""
    spans = {clip: [[item.start, item.end] for item in wanted] for clip, wanted in truth.items()}
    rows = {
        clip: sorted(([p.score, p.segment.start, p.segment.end] for p in items), reverse=True)
        for clip, items in proposals.items()
    }
    asked, answers = folder / "truth.json", folder / "proposals.json"
    asked.write_text(json.dumps([{"file": clip, "spans": spans[clip]} for clip in truth]))
    answers.write_text(json.dumps(rows))
    return str(answers), str(asked), "file", "spans", 1.0


@pytest.mark.parametrize("seed", range(8))
def test_random_cases_agree_with_avdeepfake1m(published, tmp_path, seed):
    truth, proposals = random_case(seed)
    paths = written(tmp_path, truth, proposals)
    tious, counts = [0.1, 0.3, 0.5, 0.75, 0.95], [100, 50, 20, 10, 5, 2]
    precisions = {round(key, 4): value for key, value in published.ap_1d(*paths, tious).items()}
    for tiou in tious:
        ours = average_precision(truth, proposals, tiou) - first_step(truth, proposals, tiou)
        assert ours == pytest.approx(precisions[tiou], abs=1e-5), tiou
    recalls = published.ar_1d(*paths, counts, list(AR_TIOUS))
    for n in counts:
        assert average_recall(truth, proposals, n) == pytest.approx(recalls[n], abs=1e-5), n


def test_the_golden_case_is_what_avdeepfake1m_answers(published, tmp_path):
    far_away = PROPOSALS | {"D": found((0.0, 50, 51))}  # it fails on a clip without proposals
    paths = written(tmp_path, TRUTH, far_away)
    precisions = published.ap_1d(*paths, [0.5, 0.75, 0.9, 0.95])
    assert sorted(precisions.values()) == pytest.approx([0.0, 0.125, 0.5625, 0.5625])
    recalls = published.ar_1d(*paths, [1, 2, 100], list(AR_TIOUS))
    assert [recalls[n] for n in (1, 2, 100)] == pytest.approx([0.225, 0.625, 0.625])


def test_avdeepfake1m_leaves_out_the_first_step(published, tmp_path):
    truth = {"a": segments((0, 1), (2, 3))}
    perfect = {"a": found((0.9, 0, 1), (0.8, 2, 3))}
    (theirs,) = published.ap_1d(*written(tmp_path, truth, perfect), [0.5]).values()
    assert theirs == pytest.approx(0.5)
    assert average_precision(truth, perfect, 0.5) == 1.0


def repeated(cases, weights):
    return {f"{k} {n}": cases[k] for k, w in zip(cases, weights, strict=True) for n in range(w)}


def test_weighing_a_clip_is_repeating_it():
    truth, proposals = random_case(11)
    weights = np.random.default_rng(1).integers(0, 4, len(truth))
    more = repeated(truth, weights), repeated(proposals, weights)
    overlaps = Overlaps.of(truth, proposals)
    for tiou in (0.3, 0.5):
        expected = average_precision(*more, tiou)
        assert overlaps.average_precision(tiou)(weights) == pytest.approx(expected)
    assert overlaps.average_recall(5)(weights) == pytest.approx(average_recall(*more, 5))

    rng = np.random.default_rng(2)
    grid = FrameGrid(rate_hz=2, n_frames=20)
    scores = {
        clip: FrameScores(grid, "fused", RECONSTRUCTION_ERROR, np.float32(rng.integers(0, 9, 20)))
        for clip in truth
    }
    expected = frame_auc(more[0], repeated(scores, weights))
    assert step_ranking(truth, scores).auc(weights) == pytest.approx(expected)


def test_equal_error_rate_by_hand():
    assert equal_error_rate([1, 1, 0, 0], [4, 3, 2, 1]) == 0.0
    assert equal_error_rate([1, 1, 0, 0], [1, 2, 3, 4]) == 1.0
    assert equal_error_rate([1, 1, 0, 0], [4, 2, 3, 1]) == pytest.approx(0.5)
    assert equal_error_rate([1, 0, 1, 0], [1, 1, 1, 1]) == pytest.approx(0.5)
    # one of four missed and one of four flagged at a threshold between 3 and 4
    labels, scores = [1, 1, 1, 1, 0, 0, 0, 0], [9, 8, 7, 2, 6, 3, 1, 0]
    assert equal_error_rate(labels, scores) == pytest.approx(0.25)
    assert equal_error_rate([1, 0, 1], [0.9, 0.1, np.nan]) == 0.0
    assert np.isnan(equal_error_rate([1, 1], [0.1, 0.2]))
    assert np.isnan(equal_error_rate([], []))


def test_the_curve_encloses_the_average_precision():
    truth, proposals = random_case(4)
    overlaps = Overlaps.of(truth, proposals)
    recall, precision = overlaps.curve(0.5)
    assert (np.diff(precision) <= 0).all() and (np.diff(recall) > 0).all()
    area = (np.diff(recall, prepend=0) * precision).sum()
    assert area == pytest.approx(average_precision(truth, proposals, 0.5))
    assert [len(part) for part in Overlaps.of(TRUTH, {}).curve(0.5)] == [0, 0]


def test_resampling_draws_whole_units_by_a_seed():
    units = ["ann", "ann", "bob", "cid", "bob"]
    draws = resample(units, 50, seed=3)
    assert draws.shape == (50, 5)
    assert (draws[:, 0] == draws[:, 1]).all() and (draws[:, 2] == draws[:, 4]).all()
    assert (draws[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert np.array_equal(draws, resample(units, 50, seed=3))
    assert not np.array_equal(draws, resample(units, 50, seed=4))
    assert len(resample(["ann"] * 5, 50, seed=3)) == 0


def test_an_interval_covers_what_it_should():
    """The mean of 40 values is known to have a standard error of their spread / sqrt(40)."""
    values = np.random.default_rng(5).normal(2.0, 1.0, 40)
    draws = resample([str(n) for n in range(40)], 2000, seed=0)
    low, high = interval(lambda weights: weights @ values / weights.sum(), draws)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 40**0.5, rel=0.1)
    assert low < values.mean() < high


def test_an_interval_leaves_out_undefined_draws():
    ranking = Ranking.of([True, False], [0.9, 0.1])
    draws = np.array([[1.0, 1.0], [2.0, 1.0], [2.0, 0.0]])
    assert interval(ranking.auc, draws) == (1.0, 1.0)
    assert np.isnan(interval(ranking.auc, draws[1:])).all()
    assert np.isnan(interval(ranking.auc, draws[:0])).all()
