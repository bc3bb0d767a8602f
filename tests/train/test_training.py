"""The three training commands at their smallest, on made-up tensors."""

import json
from unittest.mock import Mock

import pytest
import torch

from deeploc.checkpoints import load_checkpoint
from deeploc.localizer import load_localizer
from tests.train.made_cache import STEPS, made_cache
from train import discover, pretrain
from train.data.cache import AuthenticWindows, load_cache
from train.engine.checkpointing import StateFiles
from train.evaluate import evaluation as evaluate

pytestmark = pytest.mark.slow
PRETRAINING = ("--batch", "8", "--every", "10", "--validation-batches", "1", "--tiny")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return made_cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def run(cache, tmp_path_factory):
    """Pretraining, killed and resumed, then discovery, then evaluation."""
    folder = tmp_path_factory.mktemp("run")
    pretraining = [str(cache), str(folder), "--steps", "60", *PRETRAINING]
    with pytest.MonkeyPatch.context() as patch:
        save, killed = StateFiles.save, KeyboardInterrupt
        outcomes = Mock(side_effect=[None, None, killed])

        def killing(files, log, **state):
            outcomes()
            save(files, log, **state)

        patch.setattr(StateFiles, "save", killing)
        with pytest.raises(killed):
            pretrain.main(pretraining)
    pretrain.main(pretraining)
    discover.main(
        [str(cache), str(folder), "--labels", "streams", "--epochs", "30", "--batch", "6"]
    )
    evaluate.main([str(folder / "model"), str(cache)])
    return folder


def test_pretraining_lowers_the_validation_loss(run):
    log = [json.loads(line) for line in (run / "mae_log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [10, 20, 30, 40, 50, 60]
    assert log[-1]["miss"] + log[-1]["surprise"] < 0.8 * (log[0]["miss"] + log[0]["surprise"])


def test_a_finished_pretraining_resumes_as_finished(run, cache):
    before = (run / "mae_log.jsonl").read_text()
    pretrain.main([str(cache), str(run), "--steps", "60", *PRETRAINING])
    assert (run / "mae_log.jsonl").read_text() == before


def test_resuming_with_other_settings_is_refused(run, cache):
    with pytest.raises(SystemExit, match=r"other settings: steps 60 \(now 70\)"):
        pretrain.main([str(cache), str(run), "--steps", "70", *PRETRAINING])


def test_mae_alone_gives_no_verdict(run):
    model, _ = load_checkpoint(run / "mae")
    assert model.calibration.band(0.99) == "unscored"


def test_obvious_forgeries_of_unseen_clips_are_localized(run):
    rows = json.loads((run / "model" / "metrics.json").read_text())["rows"]
    for stream in ("visual", "audio", "fused"):
        ours, noise = rows["checkpoint"][stream], rows["chance"][stream]
        assert ours["frame AUC"] > 0.9 > noise["frame AUC"]
        assert ours["AP@0.5"] > noise["AP@0.5"] + 0.2


def test_the_checkpoint_is_complete_and_loads_in_the_localizer(run):
    localizer = load_localizer(run / "model", device="cpu")
    scale = localizer.model.calibration
    assert scale.clips == 3
    assert scale.bands["some"] <= scale.bands["strong"]
    assert set(scale.thresholds) == {"visual", "audio", "fused"}
    assert len(localizer.info.sha256) == 64


def test_only_clips_labelled_authentic_are_reconstructed(cache):
    samples = load_cache(cache, "train")
    forged = [sample for sample in samples if sample.annotation.forged]
    assert len(forged) == 6
    windows = AuthenticWindows(samples, 16, seed=0)
    used = {sample.annotation.file for clips in windows.people.values() for sample in clips}
    assert used.isdisjoint(sample.annotation.file for sample in forged)
    with pytest.raises(AssertionError):
        AuthenticWindows(forged, 16, seed=0)


def test_clips_without_a_window_end_with_a_sentence(cache):
    windows = AuthenticWindows(load_cache(cache, "train"), STEPS + 1, seed=0)
    with pytest.raises(ValueError, match="76 steps on end"):
        next(iter(windows))


def test_same_seed_same_windows(cache):
    samples = load_cache(cache, "train")
    one, other = (iter(AuthenticWindows(samples, 16, seed=3)) for _ in range(2))
    for _ in range(5):
        for left, right in zip(next(one), next(other), strict=True):
            assert torch.equal(left, right)
