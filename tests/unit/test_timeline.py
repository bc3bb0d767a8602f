import itertools
import random

import pytest

from deeploc.timeline import FrameGrid, Segment, Timeline


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (-0.1, 1), (float("nan"), 1)])
def test_segments_need_a_positive_length(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="not a segment"):
        Segment(start, end)


def test_overlap_and_iou() -> None:
    a, b = Segment(0, 2), Segment(1, 4)
    assert a.overlap(b) == b.overlap(a) == 1
    assert a.iou(b) == b.iou(a) == 0.25
    assert a.iou(a) == 1
    assert a.overlap(Segment(2, 3)) == 0  # half-open: touching is no overlap
    assert a.iou(Segment(2, 3)) == 0


def test_spans_round_trip_exactly() -> None:
    grid = FrameGrid(25, 200)
    for span in itertools.combinations(range(201), 2):
        assert grid.span(grid.segment(*span)) == span


@pytest.mark.parametrize("rate_hz", [24000 / 1001, 30000 / 1001, 60.0])
def test_spans_round_trip_at_other_rates(rate_hz: float) -> None:
    grid = FrameGrid(rate_hz, 80)
    for span in itertools.combinations(range(81), 2):
        assert grid.span(grid.segment(*span)) == span


def test_spans_cover_what_they_touch_and_stay_on_the_grid() -> None:
    grid = FrameGrid(25, 50)
    assert grid.duration == 2
    assert grid.span(Segment(0.05, 0.09)) == (1, 3)
    assert grid.span(Segment(1.9, 7)) == (47, 50)
    assert grid.span(Segment(3, 4)) == (50, 50)


def test_runs_are_the_true_steps() -> None:
    grid = FrameGrid(25, 5)
    assert grid.runs([True, True, False, False, True]).segments == (
        Segment(0, 0.08),
        Segment(0.16, 0.2),
    )
    assert len(grid.runs([False] * 5)) == 0
    for steps in itertools.product([False, True], repeat=5):
        covered = [False] * 5
        for segment in grid.runs(steps):
            start, end = grid.span(segment)
            covered[start:end] = [True] * (end - start)
        assert covered == list(steps)


def test_timeline_merges_what_overlaps_or_touches() -> None:
    timeline = Timeline.of([Segment(3, 4), Segment(0, 1), Segment(1, 2), Segment(0.5, 0.7)])
    assert timeline.segments == (Segment(0, 2), Segment(3, 4))
    assert timeline.duration == 3
    assert timeline.overlap(Segment(1.5, 3.5)) == 1


def test_timeline_is_sorted_disjoint_and_keeps_its_cover() -> None:
    draw = random.Random(0)
    for _ in range(200):
        starts = [draw.randrange(30) for _ in range(draw.randrange(1, 8))]
        segments = [Segment(start, start + draw.randrange(1, 6)) for start in starts]
        timeline = Timeline.of(segments)
        assert timeline.segments == Timeline.of(reversed(segments)).segments
        assert Timeline.of(timeline) == timeline
        for before, after in itertools.pairwise(timeline):
            assert before.end < after.start
        covered = {second for s in segments for second in range(int(s.start), int(s.end))}
        assert timeline.duration == len(covered)
        assert {t for s in timeline for t in range(int(s.start), int(s.end))} == covered
