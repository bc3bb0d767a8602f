"""Evidence is measured once for an MAE, whatever else its checkpoint holds, and read clip by clip."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from deeploc.calibration import Calibration
from deeploc.checkpoints import load_checkpoint
from deeploc.measure import Evidence
from deeploc.models.rt_deeploc import RTDeepLoc
from tests.train.made_cache import made_cache
from train import ablate, evaluate, evidence
from train.data import load_cache
from train.evidence import Measured, fingerprint, measure_samples

CLIPS = (("train", 2), ("dev", 2), ("test", 6))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return made_cache(tmp_path_factory.mktemp("cache"), CLIPS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoint")
    RTDeepLoc().save_pretrained(folder)
    return folder


def changed(checkpoint, folder, change):
    """Another checkpoint: the same one with `change` done to its model."""
    model, _ = load_checkpoint(checkpoint)
    with torch.no_grad():
        model = change(model) or model
    model.save_pretrained(folder)
    return folder


def other_fdn(model):
    for weights in model.fdn.parameters():
        weights.add_(1)


def other_statistics(model):
    model.face_mean.fill_(3)
    model.sound_std.fill_(2)


def other_calibration(model):
    return model.calibrated(Calibration(bands={"some": 0.3}, clips=9), "another")


def half(model):
    return model.half()


def other_mae(model):
    next(model.mae.parameters()).add_(0.1)


def test_only_the_mae_decides_what_is_measured(cache, checkpoint, tmp_path, monkeypatch):
    samples = load_cache(cache, "test")[:2]
    first = measure_samples(checkpoint, samples, tmp_path / "evidence")
    with monkeypatch.context() as patch:
        patch.setattr(evidence, "measure", lambda *_: pytest.fail("measured anew"))
        for change in (other_fdn, other_statistics, other_calibration, half):
            twin = changed(checkpoint, tmp_path / change.__name__, change)
            again = measure_samples(twin, samples, tmp_path / "evidence")
            np.testing.assert_array_equal(again[0].visual, first[0].visual)
    other = changed(checkpoint, tmp_path / "other", other_mae)
    anew = measure_samples(other, samples, tmp_path / "evidence")
    assert not np.array_equal(anew[0].visual, first[0].visual)
    assert len(list((tmp_path / "evidence").iterdir())) == 2


def test_a_run_and_what_came_of_it_share_evidence_that_is_raw(cache, checkpoint, tmp_path):
    """Whoever measures first: neither statistics nor a rounding of weights shows in what is kept."""
    samples = load_cache(cache, "test")[:1]
    finished = changed(checkpoint, tmp_path / "finished", lambda m: other_statistics(m) or m.half())
    one = measure_samples(checkpoint, samples, tmp_path / "one")
    other = measure_samples(finished, samples, tmp_path / "other")
    assert one.paths[0].relative_to(tmp_path / "one") == other.paths[0].relative_to(
        tmp_path / "other"
    )
    np.testing.assert_array_equal(one[0].visual, other[0].visual)
    model = load_checkpoint(finished)[0]
    shifted = other.standardised(model)[0]
    np.testing.assert_allclose(shifted.visual, other[0].visual - 3, atol=1e-5)
    np.testing.assert_allclose(shifted.audio, other[0].audio / 2, atol=1e-5)


def test_other_sizes_are_another_mae(checkpoint):
    model, _ = load_checkpoint(checkpoint)
    before = fingerprint(model)
    model.mae.config = replace(model.mae.config, tubelet=4)
    assert fingerprint(model) != before


class Alive(Measured):
    """Counts how much evidence is in memory at the same time, and how often each clip is read."""

    alive, most, read = 0, 0, 0

    def __getitem__(self, index):
        found = super().__getitem__(index)
        Alive.alive, Alive.read = Alive.alive + 1, Alive.read + 1
        Alive.most = max(Alive.most, Alive.alive)
        weakref.finalize(found, self._gone)
        return found

    @staticmethod
    def _gone():
        Alive.alive -= 1

    def standardised(self, model):
        return Alive(self.paths, super().standardised(model).scale)


@pytest.fixture
def counted(monkeypatch):
    monkeypatch.setattr(Alive, "most", 0)
    monkeypatch.setattr(Alive, "read", 0)
    monkeypatch.setattr(evidence, "Measured", Alive)


def test_evaluate_holds_the_evidence_of_one_clip_at_a_time(cache, checkpoint, tmp_path, counted):
    told = ["--evidence", str(tmp_path / "kept"), "--out", str(tmp_path / "out")]
    evaluate.main([str(checkpoint), str(cache), *told, "--resamples", "5"])
    assert Alive.read == 6 and 0 < Alive.most <= 2  # one is dropped while the next is there


def test_so_does_ablate(cache, checkpoint, tmp_path, counted):
    run = tmp_path / "run"
    run.mkdir()
    (run / "mae").symlink_to(checkpoint)
    told = ["--seeds", "1", "--epochs", "1", "--rows", "MIL alone", "--settings", "clip"]
    ablate.main([str(cache), str(run), *told, "--resamples", "5"])
    assert Alive.read > 6 and Alive.most <= 2


def test_what_counts_can_fail(tmp_path, counted):
    np.savez(tmp_path / "a.npz", visual=np.ones((5, 36, 12)), audio=np.ones((5, 10, 12)))
    kept = list(Alive([tmp_path / "a.npz"] * 4))
    assert isinstance(kept[0], Evidence) and Alive.most == 4
