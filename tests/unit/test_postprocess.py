import time

import numpy as np
import pytest

from deeploc.curves import FORGERY_SCORE, RECONSTRUCTION_ERROR
from deeploc.postprocess import PostprocessConfig, clip_score, to_proposals, to_timeline
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid, Segment

RATE = 25
SHARP = PostprocessConfig(smoothing_s=0.0)


def scored(values, curve=FORGERY_SCORE):
    values = np.asarray(values, np.float32)
    return FrameScores(FrameGrid(RATE, len(values)), "visual", curve, values)


def clip(n=250, level=0.1, **spans):
    """A flat score with raised spans given in steps: `a=(start, end, value)`."""
    values = np.full(n, level)
    for start, end, value in spans.values():
        values[start:end] = value
    return values


def noisy(seed, n=400):
    """A random walk with holes, 0..1."""
    rng = np.random.default_rng(seed)
    values = np.clip(0.4 + np.cumsum(rng.normal(0, 0.06, n)), 0, 1)
    for start in rng.integers(0, n, 4):
        values[start : start + rng.integers(1, 40)] = np.nan
    return values


def test_a_clear_forgery_is_the_best_proposal():
    proposals = to_proposals(scored(clip(a=(100, 120, 0.9))))
    assert proposals[0].segment.iou(Segment(4.0, 4.8)) > 0.8
    assert proposals[0].stream == "visual"
    assert proposals[0].score > 0.5


def test_two_forgeries_come_before_anything_else():
    proposals = to_proposals(scored(clip(a=(50, 70, 0.9), b=(150, 165, 0.6))))
    first = [
        max(item.segment.iou(Segment(*span)) for item in proposals[:2])
        for span in [(2.0, 2.8), (6.0, 6.6)]
    ]
    assert min(first) > 0.7


def test_scores_compare_across_clips():
    rng = np.random.default_rng(0)
    authentic = to_proposals(scored(0.1 + 0.03 * rng.random(250)))
    forged = to_proposals(scored(clip(a=(100, 120, 0.8)) + 0.03 * rng.random(250)))
    assert forged[0].score > 3 * authentic[0].score


def test_a_dull_clip_with_a_bump_proposes_the_bump():
    proposals = to_proposals(scored(clip(level=0.45, a=(100, 120, 0.6))))
    assert proposals[0].segment.iou(Segment(4.0, 4.8)) > 0.8


def test_a_clip_forged_throughout_is_proposed_whole():
    proposals = to_proposals(scored(np.full(250, 0.95)))
    assert proposals[0].segment == Segment(0.0, 10.0)
    assert proposals[0].score > 0.5


def test_errors_are_squashed():
    proposals = to_proposals(scored(clip(level=-0.2, a=(100, 120, 30.0)), RECONSTRUCTION_ERROR))
    assert proposals[0].segment.iou(Segment(4.0, 4.8)) > 0.8
    assert all(0 <= item.score <= 1 for item in proposals)


@pytest.mark.parametrize("seed", range(12))
def test_properties_of_proposals(seed):
    scores = scored(noisy(seed))
    proposals = to_proposals(scores)
    ranks = [item.score for item in proposals]
    assert ranks == sorted(ranks, reverse=True)
    assert 0 < len(proposals) <= 100
    assert all(0 <= rank <= 1 for rank in ranks)
    assert len({item.segment for item in proposals}) == len(proposals)
    for item in proposals:
        start, end = scores.grid.span(item.segment)
        assert scores.scored[start:end].all()
        assert end - start >= 3
        assert scores.grid.segment(start, end) == item.segment
    assert proposals == to_proposals(scored(noisy(seed)))


@pytest.mark.parametrize("seed", range(12))
def test_properties_of_timelines(seed):
    scores = scored(noisy(seed))
    previous = None
    for threshold in (0.2, 0.5, 0.8):
        timeline = to_timeline(scores, threshold)
        for segment in timeline:
            start, end = scores.grid.span(segment)
            assert scores.scored[start:end].all()
            assert end - start >= 5
        ends = [moment for segment in timeline for moment in (segment.start, segment.end)]
        assert ends == sorted(ends)
        assert previous is None or timeline.duration <= previous
        previous = timeline.duration


@pytest.mark.parametrize("seed", range(12))
def test_clip_score_is_the_highest_threshold_with_an_interval(seed):
    scores = scored(noisy(seed))
    score = clip_score(scores)
    assert to_timeline(scores, score)
    assert not to_timeline(scores, score + 1e-9)


def test_clip_score_by_hand():
    values = clip(a=(100, 104, 0.9), b=(200, 206, 0.6))  # 0.16 s are too short to count
    assert clip_score(scored(values), SHARP) == pytest.approx(0.6)
    assert clip_score(scored([0.2] * 5)) == pytest.approx(0.2)
    assert clip_score(scored([0.2] * 4)) is None
    assert clip_score(scored([0.2, 0.2, np.nan, 0.2, 0.2])) is None
    assert clip_score(scored([np.nan] * 50)) is None


def test_no_more_than_asked_for():
    config = PostprocessConfig(max_proposals=3)
    assert len(to_proposals(scored(noisy(1)), config)) == 3


def test_nothing_scored_gives_nothing():
    empty = scored(np.full(50, np.nan))
    assert to_proposals(empty) == []
    assert not to_timeline(empty, 0.5)
    assert to_proposals(scored([])) == []
    assert not to_timeline(scored([]), 0.5)


def test_a_flat_zero_proposes_nothing():
    assert to_proposals(scored(np.zeros(100))) == []
    assert not to_timeline(scored(np.zeros(100)), 0.5)


def test_timeline_merges_short_gaps_only():
    near = clip(a=(50, 60, 0.9), b=(64, 80, 0.9))  # a gap of 0.16 s
    far = clip(a=(50, 60, 0.9), b=(65, 80, 0.9))  # a gap of 0.2 s
    assert list(to_timeline(scored(near), 0.5, SHARP)) == [Segment(2.0, 3.2)]
    assert list(to_timeline(scored(far), 0.5, SHARP)) == [Segment(2.0, 2.4), Segment(2.6, 3.2)]


def test_timeline_drops_short_runs_only():
    assert not to_timeline(scored(clip(a=(50, 54, 0.9))), 0.5, SHARP)
    assert list(to_timeline(scored(clip(a=(50, 55, 0.9))), 0.5, SHARP)) == [Segment(2.0, 2.2)]
    assert list(to_timeline(scored(clip(a=(0, 5, 0.9))), 0.5, SHARP)) == [Segment(0.0, 0.2)]


def test_a_short_run_counts_beside_a_long_one_only():
    pieces = clip(a=(50, 53, 0.9), b=(55, 58, 0.9))
    assert not to_timeline(scored(pieces), 0.5, SHARP)
    tail = clip(a=(50, 60, 0.9), b=(62, 64, 0.9))
    assert list(to_timeline(scored(tail), 0.5, SHARP)) == [Segment(2.0, 2.56)]


def test_timeline_never_bridges_an_unscored_step():
    values = clip(a=(50, 80, 0.9))
    values[64] = np.nan
    assert list(to_timeline(scored(values), 0.5)) == [Segment(2.0, 2.56), Segment(2.6, 3.2)]


def test_the_threshold_belongs_to_the_timeline():
    assert list(to_timeline(scored(np.full(50, 0.5)), 0.5, SHARP)) == [Segment(0.0, 2.0)]


def test_ten_minutes_take_less_than_a_second():
    rng = np.random.default_rng(5)
    scores = scored(rng.random(15_000))
    began = time.perf_counter()
    to_proposals(scores)
    to_timeline(scores, 0.5)
    assert time.perf_counter() - began < 1.0
