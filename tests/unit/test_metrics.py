import numpy as np
import pytest

from deeploc.metrics import average_precision, average_recall, clip_auc, frame_auc, step_labels
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
        return FrameScores(grid, "fused", "forgery", np.array(values, np.float32))

    truth = {"a": segments((0, 2)), "b": Timeline()}
    both = {"a": scores(0.9, np.nan, 0.2, 0.1), "b": scores(0.95, 0.3, np.nan, 0.3)}
    assert frame_auc(truth, both) == pytest.approx(0.8)
    assert frame_auc(truth, {"a": both["a"]}) == 1.0
    assert np.isnan(frame_auc(truth, {"b": both["b"]}))
    assert np.isnan(frame_auc(truth, {}))
    with pytest.raises(ValueError, match="no truth for c"):
        frame_auc(truth, {"c": both["a"]})
