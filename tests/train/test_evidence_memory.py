"""Evaluation and ablation hold the evidence of one clip at a time."""

import weakref

import numpy as np
import pytest
import torch

from deeploc.checkpoints import load_checkpoint
from deeploc.evidence import Evidence
from deeploc.models.rt_deeploc import RTDeepLoc
from tests.train.made_cache import made_cache
from train.data import evidence_store as evidence
from train.data.cache import load_cache
from train.data.evidence_store import EvidenceStore, measure_clips
from train.evaluate import ablation, evaluation

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


class Alive(EvidenceStore):
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
    monkeypatch.setattr(evidence, "EvidenceStore", Alive)


@pytest.mark.slow
def test_evaluate_holds_the_evidence_of_one_clip_at_a_time(cache, checkpoint, tmp_path, counted):
    words = ["--evidence", str(tmp_path / "kept"), "--out", str(tmp_path / "out")]
    evaluation.main([str(checkpoint), str(cache), *words, "--resamples", "5"])
    assert Alive.read >= 6 and 0 < Alive.most <= 2  # one is dropped while the next is there


def test_it_does_not_matter_who_measures_first(cache, checkpoint, tmp_path):
    """The MAE of a run, or the model that came of it, which is stored in half precision."""
    samples = load_cache(cache, "test")[:1]
    load_checkpoint(checkpoint)[0].half().save_pretrained(tmp_path / "model")
    one, other = (
        measure_clips(folder, samples, tmp_path / name)[0]
        for folder, name in ((checkpoint, "one"), (tmp_path / "model", "other"))
    )
    np.testing.assert_array_equal(one.visual, other.visual)
    np.testing.assert_array_equal(one.audio, other.audio)


@pytest.mark.slow
def test_so_does_ablate(cache, checkpoint, tmp_path, counted):
    run = tmp_path / "run"
    run.mkdir()
    (run / "mae").symlink_to(checkpoint)
    words = ["--seeds", "1", "--epochs", "1", "--rows", "MIL alone", "--settings", "clip"]
    ablation.main([str(cache), str(run), *words, "--resamples", "5"])
    assert Alive.read > 6 and Alive.most <= 2


def test_what_counts_can_fail(tmp_path, counted):
    shapes = {"visual": (5, 36, 12), "audio": (5, 10, 12), "lines": (5, 6)}
    shapes |= {"surroundings": (5, 2, 4), "scenes": (5,)}
    values = {name: np.ones(shape) for name, shape in shapes.items()}
    np.savez(tmp_path / "a.npz", **values)
    kept = list(Alive([tmp_path / "a.npz"] * 4))
    assert isinstance(kept[0], Evidence) and Alive.most == 4
