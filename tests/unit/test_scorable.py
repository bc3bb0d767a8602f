"""Shots, frozen pictures and speech: what of a clip can be judged at all."""

from itertools import groupby

import numpy as np
import pytest
import torch

from app.examples import EXAMPLES
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import open_clip
from deeploc.media.shots import Shots, shots_of
from deeploc.models.fdn import relative_to_usual
from deeploc.postprocess import verdict_score
from deeploc.preprocess.scorable import (
    CUT,
    FROZEN,
    NO_FACE,
    SCORABLE,
    SHORT_SHOT,
    picture_reasons,
)
from deeploc.preprocess.speech import steps_with_speech
from tests.unit.test_postprocess import scored

RNG = np.random.default_rng(0)


def scene(seed: int, steps: int) -> list[np.ndarray]:
    """Blocks of grey that stay, under noise that never does."""
    blocks = np.random.default_rng(seed).integers(30, 220, (9, 16, 3))
    still = np.kron(blocks, np.ones((8, 8, 1)))
    noise = RNG.normal(0, 6, (steps, *still.shape))
    return list(np.clip(still + noise, 0, 255).astype(np.uint8))


def runs(values) -> list[tuple]:
    return [(value, len(list(group))) for value, group in groupby(np.asarray(values).tolist())]


def test_a_steady_picture_is_one_shot_and_never_frozen():
    shots = shots_of(scene(1, 60), 60)
    assert shots.spans == [(0, 60)] and not shots.frozen.any() and not shots.cuts.any()


def test_shot_and_reverse_shot_are_three_shots_of_two_scenes():
    shots = shots_of([*scene(1, 40), *scene(2, 40), *scene(1, 40)], 120)
    assert shots.spans == [(0, 40), (40, 80), (80, 120)]
    assert shots.alike.tolist() == [0, 1, 0]
    assert runs(shots.scenes) == [(0, 40), (1, 40), (0, 40)]
    assert np.flatnonzero(shots.cuts).tolist() == [38, 39, 40, 41, 78, 79, 80, 81]


def test_pictures_that_are_repeated_to_reach_25_a_second_are_neither_cuts_nor_frozen():
    pictures = scene(1, 30)
    shots = shots_of([picture for picture in pictures for _ in range(3)], 90)
    assert shots.spans == [(0, 90)] and not shots.frozen.any()


@pytest.mark.parametrize("first", [0, 40])
def test_a_still_picture_is_frozen_from_its_first_repetition_on(first):
    live, held = scene(1, first), scene(1, 1) * 30
    shots = shots_of([*live, *held, *scene(1, 40)], first + 70)
    assert runs(shots.frozen)[-2:] == [(True, 30 if first == 0 else 29), (False, 40)]


def test_an_encoder_that_draws_a_still_picture_anew_does_not_thaw_it():
    held = scene(1, 1)[0]
    anew = np.clip(held.astype(int) + RNG.integers(-3, 4, held.shape), 0, 255).astype(np.uint8)
    shots = shots_of([*([held] * 20), *([anew] * 20)], 40)
    assert shots.frozen.all()


def test_a_file_that_ends_early_stands_still_from_there_on():
    assert runs(shots_of(scene(1, 40), 60).frozen) == [(False, 40), (True, 20)]


def test_a_file_whose_pictures_cannot_be_decoded_is_one_shot():
    shots = shots_of([], 30)
    assert shots.spans == [(0, 30)] and shots.frozen.all()


def track(visible: np.ndarray) -> FaceTrack:
    boxes = np.where(visible[:, None], [10.0, 10.0, 90.0, 100.0], np.nan).astype(np.float32)
    return FaceTrack(1, boxes, visible.astype(np.float32), visible)


def test_each_step_has_one_reason_and_a_scene_too_short_to_be_usual_is_one():
    frozen = np.zeros(130, bool)
    frozen[:10] = True
    shots = Shots(np.array([0, 60, 80]), np.array([0, 1, 2]), frozen)
    visible = np.ones(130, bool)
    visible[120:] = False
    assert runs(picture_reasons(track(visible), shots)) == [
        (FROZEN, 10),
        (SCORABLE, 48),
        (CUT, 4),
        (SHORT_SHOT, 16),
        (CUT, 4),
        (SCORABLE, 38),
        (NO_FACE, 10),
    ]


def test_parts_of_one_scene_count_together():
    shots = Shots(np.array([0, 20, 40]), np.array([0, 1, 0]), np.zeros(60, bool))
    reasons = picture_reasons(track(np.ones(60, bool)), shots)
    assert (reasons[:18] == SCORABLE).all() and (reasons[22:38] == SHORT_SHOT).all()


def test_silence_is_no_speech_and_pauses_between_words_are():
    clip = open_clip(EXAMPLES / "authentic.mp4")
    spoken = clip.audio[16_000 : 16_000 * 5]
    silence = np.zeros(16_000 * 2, np.float32)
    speaks = steps_with_speech(np.concatenate([silence, spoken, silence]), 200)
    assert not speaks[:48].any() and not speaks[153:].any()
    assert speaks[55:145].all()


def test_noise_is_no_speech():
    noise = RNG.normal(0, 0.05, 16_000 * 4).astype(np.float32)
    assert not steps_with_speech(noise, 100).any()


def test_what_is_usual_is_usual_in_the_own_scene():
    scenes = torch.tensor([[0] * 30 + [1] * 30])
    x = torch.where(scenes == 0, 1.0, 5.0)[..., None]
    here = torch.ones(1, 60, dtype=torch.bool)
    assert relative_to_usual(x, here, scenes).abs().max() == 0
    assert relative_to_usual(x, here).abs().max() == 4
    x[0, 40] = 7
    assert relative_to_usual(x, here, scenes)[0, :, 0].nonzero().tolist() == [[40]]


def test_a_clip_in_which_too_little_was_seen_gets_no_score():
    def forgery(seen: int, steps: int):
        values = np.full(steps, 0.9)
        picture = np.where(np.arange(steps) < seen, values, np.nan)
        return {"visual": scored(picture), "fused": scored(values)}

    assert verdict_score(forgery(50, 100)) is not None
    assert verdict_score(forgery(49, 60)) is None
    assert verdict_score(forgery(50, 101)) is None
