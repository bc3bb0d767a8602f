"""What a calibration tells: rates with their intervals, and the bands of older checkpoints."""

from dataclasses import asdict

import pytest
from scipy.stats import binomtest

from deeploc.calibration import Calibration, Rate
from deeploc.checkpoints import EMBEDDED, load_checkpoint

COUNTS = {
    "all": {"clips": 200, "people": 20, "independent": 50, "some": 20, "strong": 4},
    "laboratory": {"clips": 60, "some": 3, "strong": 0},
    "jump-cut": {"clips": 70, "some": 5, "strong": 1},
    "noise-burst": {"clips": 70, "some": 12, "strong": 3},
}
SCALE = Calibration(
    bands={"some": 0.5, "strong": 0.8},
    honest=COUNTS,
    forged={"self-made": {"clips": 80, "some": 30, "strong": 10}},
)


@pytest.mark.parametrize(("flagged", "clips"), [(8, 41), (0, 40), (40, 40), (2, 1000)])
def test_the_interval_is_wilsons(flagged, clips):
    rate = Rate(flagged, clips)
    assert rate.share == flagged / clips
    wanted = binomtest(flagged, clips).proportion_ci(method="wilson")
    assert rate.interval == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_clips_of_the_same_people_tell_less():
    low, high = Rate(20, 200, independent=50).interval
    assert (low, high) == Rate(5, 50).interval
    assert low < Rate(20, 200).interval[0] and high > Rate(20, 200).interval[1]


def test_alarms_and_misses():
    assert SCALE.clips == 200
    assert SCALE.alarms("some") == Rate(20, 200, 50)
    assert SCALE.alarms("strong", "noise-burst") == Rate(3, 70)
    assert SCALE.misses("self-made") == Rate(50, 80)
    assert SCALE.alarms("none") is None and SCALE.alarms("some", "music") is None
    assert SCALE.misses("real generators") is None


def test_kinds_are_those_that_are_flagged_most():
    assert SCALE.kinds == ("noise-burst", "jump-cut")


def test_plain_data_is_enough():
    assert Calibration.of(asdict(SCALE)) == SCALE
    assert Calibration.of({"from the future": 1}) == Calibration()


def test_shares_of_before_become_counts():
    shares = {"some": 0.1951, "strong": 0.0488}
    found = Calibration.of({"bands": SCALE.bands, "false_alarms": shares, "clips": 41})
    assert found.honest == {"all": {"clips": 41, "some": 8, "strong": 2}}
    assert found.band(0.6) == "some" and found.forged == {}
    assert Calibration.of({"false_alarms": {}, "clips": 0}).band(0.6) == "unscored"


def test_the_embedded_checkpoint_was_set_on_some_clips():
    scale = load_checkpoint(EMBEDDED)[0].calibration
    assert scale.clips >= 41
    some, strong = scale.alarms("some"), scale.alarms("strong")
    assert some.share > 0 and strong.share <= some.share
