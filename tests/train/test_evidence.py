"""Evidence on disk: measured once for every autoencoder, read clip by clip."""

from itertools import islice

import numpy as np
import pytest
import torch

from deeploc.checkpoints import load_checkpoint
from deeploc.evidence import Evidence
from deeploc.models.rt_deeploc import RTDeepLoc
from tests.train.made_cache import made_cache
from train.data.cache import load_cache
from train.data.evidence_store import (
    EvidenceByFile,
    EvidenceStore,
    autoencoder_digest,
    measure_clips,
    set_statistics,
)
from train.engine.checkpointing import save_model


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return made_cache(tmp_path_factory.mktemp("cache"), (("dev", 4),))


@pytest.fixture(scope="module")
def evidence(cache, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    save_model(RTDeepLoc(), run / "mae")
    measure_clips(run / "mae", load_cache(cache, "dev"), run / "evidence")
    return run


def test_what_the_autoencoder_did_not_make_is_not_measured_anew(evidence, cache, tmp_path):
    samples = load_cache(cache, "dev")
    before = measure_clips(evidence / "mae", samples, evidence / "evidence")
    model, _ = load_checkpoint(evidence / "mae")
    torch.nn.init.ones_(model.fdn.fused_head.bias)
    set_statistics(model, before)
    save_model(model.half(), tmp_path / "model")
    again = measure_clips(tmp_path / "model", samples, evidence / "evidence")
    assert again.paths == before.paths
    torch.nn.init.ones_(model.mae.faces_head.bias)
    save_model(model, tmp_path / "other")
    assert autoencoder_digest(tmp_path / "other") != autoencoder_digest(tmp_path / "model")


def test_evidence_is_raw_whatever_statistics_the_checkpoint_has(evidence, cache, tmp_path):
    samples = load_cache(cache, "dev")[:1]
    raw = measure_clips(evidence / "mae", samples, evidence / "evidence")
    model, _ = load_checkpoint(evidence / "mae")
    set_statistics(model, raw)
    save_model(model, tmp_path / "model")
    again = measure_clips(tmp_path / "model", samples, tmp_path / "evidence")
    np.testing.assert_array_equal(again[0].visual, raw[0].visual)


def test_evidence_by_file_is_read_anew(evidence, cache, monkeypatch):
    samples = load_cache(cache, "dev")
    read = []
    load = EvidenceStore.__getitem__
    monkeypatch.setattr(
        EvidenceStore, "__getitem__", lambda self, i: read.append(i) or load(self, i)
    )
    by_file = EvidenceByFile.of(
        samples, measure_clips(evidence / "mae", samples, evidence / "evidence")
    )
    assert len(by_file) == len(samples) and not read
    assert list(by_file) == [sample.annotation.file for sample in samples] and not read
    by_file[samples[2].annotation.file]
    assert read == [2]


def test_evidence_is_read_when_asked_for(tmp_path):
    path = tmp_path / "one.npz"
    measured = EvidenceStore([path, tmp_path / "absent.npz"])
    shapes = {"visual": (5, 36, 12), "audio": (5, 10, 12), "lines": (5, 6)}
    shapes |= {"surroundings": (5, 2, 4), "scenes": (5,)}
    np.savez(path, **{name: np.ones(shape) for name, shape in shapes.items()})
    assert isinstance(measured[0], Evidence) and len(measured[:1]) == 1
    assert len(list(islice(measured, 1))) == 1
