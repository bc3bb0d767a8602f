"""How far a verdict can be trusted, in words: every share has its count, and nothing is made up."""

import re
from dataclasses import replace

import pytest

from app.trust import KIND_WORDS, UNKNOWN_MISSES, UNKNOWN_RATE, false_alarms, kind_words, trust
from app.verdict import headline
from deeploc.calibration import BANDS, Calibration
from tests.app.fakes import MEASURED, counts, fake_report
from train.everyday import corpus  # noqa: F401  imported for the kinds that it registers
from train.everyday.registry import KINDS


def test_the_false_alarms_are_stated_with_clips_share_and_interval():
    assert (
        false_alarms(MEASURED, "some")
        == false_alarms(MEASURED, "none")
        == (
            "Of 459 authentic clips that were kept out of its training, this model flags 37 "
            "(8%, 95% interval 6 to 11%)."
        )
    )
    assert false_alarms(MEASURED, "strong").endswith(
        "Of these, 4 are flagged as strongly as this clip."
    )


def test_misses_stand_beside_false_alarms_and_the_worst_mistakes_have_names():
    by_footage, misses, mistakes = trust(MEASURED, "some")
    assert by_footage == (
        "Of clips as they are, it flags 2 of 41 laboratory recordings (5%, 1 to 16%) and 3 of 18 "
        "ordinary recordings (17%, 6 to 39%). Of clips under everyday changes that are no forgery, "
        "it flags 25 of 209 (12%)."
    )
    assert misses == (
        "It finds nothing in 77 of 114 self-made forgeries (68%, 58 to 75%) and 96 of 189 "
        "forgeries by published generators (51%, 44 to 58%)."
    )
    assert mistakes == (
        "Honest changes that it flags most: soft focus (6 of 40 clips), silence before "
        "the speech (5 of 40 clips) and a burst of noise (4 of 40 clips)."
    )


def test_where_nothing_was_found_the_misses_stand_first():
    assert trust(MEASURED, "none")[0].startswith("It finds nothing in 77 of 114")


def test_what_was_not_measured_is_not_claimed():
    bare = replace(MEASURED, honest={"all": counts(41, 8, 2)}, forged={})
    assert trust(bare, "some") == [UNKNOWN_MISSES]
    assert "8 (20%, 95% interval 10 to 34%)" in false_alarms(bare, "some")
    unknown = replace(bare, honest={"all": {"clips": 41}})
    assert false_alarms(unknown, "some") == UNKNOWN_RATE
    quiet = replace(bare, honest={"all": counts(41, 0), "jump-cut": counts(40, 0)})
    assert trust(quiet, "some") == [
        "Of clips under everyday changes that are no forgery, it flags 0 of 40 (0%).",
        UNKNOWN_MISSES,
    ]
    assert "this model flags 0 (0%, 95% interval 0 to 9%)" in false_alarms(quiet, "some")


def test_no_verdict_has_no_rates():
    for changes in (
        {"calibration": Calibration(), "band": "unscored"},
        {"calibration": MEASURED, "video_score": None, "band": "unscored"},
        {"calibration": MEASURED, "model": replace(fake_report().model, name="")},
    ):
        assert headline(replace(fake_report(), **changes))["trust"] == []


@pytest.mark.parametrize("band", BANDS)
def test_no_percentage_stands_without_its_count(band):
    texts = [false_alarms(MEASURED, band), *trust(MEASURED, band)]
    for text in texts:
        for found in re.finditer(r"\((\d[\d.]*)%", text):
            before = text[: found.start()]
            assert re.search(r"\d+ of \d+[ a-z-]*$|Of \d+ [^.]*flags \d+ $", before), before


def test_little_is_not_called_nothing():
    rare = replace(MEASURED, honest={"all": counts(1000, 3)})
    assert "3 (0.3%, 95% interval 0.1 to 0.9%)" in false_alarms(rare, "some")


def test_every_everyday_change_has_plain_words():
    assert set(KIND_WORDS) <= set(KINDS)
    for kind in KINDS:
        words = kind_words(kind)
        assert words and "-" not in words, kind
    assert kind_words("soft-focus") == "soft focus"
    assert kind_words("of-tomorrow") == "of tomorrow"
