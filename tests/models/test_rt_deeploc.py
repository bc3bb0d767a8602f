import numpy as np
import pytest
import torch

from deeploc.calibration import Calibration
from deeploc.checkpoints import load_checkpoint
from deeploc.evidence import Evidence, clip_error, error_scores, forgery_scores, measure_evidence
from deeploc.models.fdn import FACE_ZONES
from deeploc.models.rt_deeploc import RTDeepLoc


@pytest.fixture(scope="module")
def model():
    return load_checkpoint("tiny")[0]


def clip(steps, unseen=(), unheard=()):
    rng = np.random.default_rng(0)
    faces = list(rng.integers(0, 255, (steps, 96, 96, 3), dtype=np.uint8))
    for step in unseen:
        faces[step] = None
    heard = np.ones(steps, bool)
    heard[list(unheard)] = False
    mel = rng.normal(-5, 2, (4 * steps, 90)).astype(np.float32)
    return faces, mel, np.zeros((steps, 6), np.float32), heard


@pytest.mark.parametrize("steps", [16, 17, 40])
def test_every_step_of_a_clip_is_measured(model, steps):
    evidence = measure_evidence(model, *clip(steps))
    assert evidence.visual.shape == (steps, 36, 12)
    assert evidence.audio.shape == (steps, 10, 12)
    assert evidence.seen.all() and evidence.heard.all()
    assert (evidence.visual_error > 0).all()


def test_what_is_not_there_stays_unscored_and_only_that(model):
    evidence = measure_evidence(model, *clip(48, unseen=range(20, 30), unheard=range(0, 8)))
    assert (~evidence.seen).nonzero()[0].tolist() == list(range(20, 30))
    assert (~evidence.heard).nonzero()[0].tolist() == list(range(8))
    scores = forgery_scores(model, evidence)
    assert scores["visual"].unscored.duration == pytest.approx(0.4)
    assert scores["audio"].unscored.duration == pytest.approx(0.32)
    assert len(scores["fused"].unscored) == 0
    assert np.isnan(error_scores(evidence)["visual"].values[20:30]).all()


def test_a_clip_without_sound_is_scored_by_its_picture(model):
    *seen, heard = clip(32)
    evidence = measure_evidence(model, *seen, np.zeros_like(heard))
    scores = forgery_scores(model, evidence)
    assert np.isnan(scores["audio"].values).all()
    assert not np.isnan(scores["fused"].values).any()
    assert np.isnan(error_scores(evidence)["audio"].values).all()
    assert not np.isnan(error_scores(evidence)["fused"].values).any()


def test_measuring_twice_gives_the_same_numbers(model):
    one, other = (measure_evidence(model, *clip(40)) for _ in range(2))
    np.testing.assert_array_equal(one.visual, other.visual)
    np.testing.assert_array_equal(one.audio, other.audio)


def test_error_is_two_sided():
    visual = np.zeros((3, 36, 12), np.float32)
    visual[1, :, 4:], visual[2, :, 4:] = 2, -2
    sound = np.zeros((3, 10, 12), np.float32), np.zeros((3, 6), np.float32)
    error = Evidence(visual, *sound).visual_error
    assert error.tolist() == [0, 2, 2]


def test_error_is_against_the_clip_itself_and_what_is_even_over_the_face_weighs_most():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (100, 36, 12)).astype(np.float32)
    smooth = noise.copy()
    smooth[40:60, :, 4:] -= 1
    error = clip_error(smooth, FACE_ZONES)
    assert error[40:60].min() > np.delete(error, slice(40, 60)).max()
    np.testing.assert_allclose(clip_error(smooth + 3, FACE_ZONES), error, atol=1e-5)
    scattered = noise.copy()
    scattered[40:60, :, 4:] -= rng.choice([-1, 1], (20, 36, 8))
    assert clip_error(scattered, FACE_ZONES)[40:60].mean() < 0.7 * error[40:60].mean()
    smooth[:10] = np.nan
    assert np.isnan(clip_error(smooth, FACE_ZONES)).nonzero()[0].tolist() == list(range(10))


def test_saved_and_loaded_models_agree(model, tmp_path):
    scale = Calibration(
        {"visual": [1, 2, 3]},
        {"fused": 0.4},
        {"some": 0.4, "strong": 0.6},
        {"all": {"clips": 9, "some": 1}},
    )
    model.calibrated(scale, "mine").half().save_pretrained(tmp_path)
    loaded, info = load_checkpoint(tmp_path)
    again, _ = load_checkpoint(tmp_path)
    assert loaded.calibration == scale
    assert (info.name, info.revision) == ("mine", "local")
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        torch.testing.assert_close(value, model.state_dict()[name], atol=2e-3, rtol=2e-3)
    assert isinstance(loaded, RTDeepLoc)
