"""Configurations: made from a command line, saved beside a run, compared when it is resumed."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest
import tyro

from train.config import LOSS_TERMS, DiscoverConfig, LossConfig, PretrainConfig, flags, keep_config


@pytest.fixture
def begun(tmp_path):
    """The state of a run that was begun with the defaults."""
    path = tmp_path / "model_state.pt"
    keep_config(tmp_path / "model_config.json", DiscoverConfig(), path, "abc")
    path.touch()
    return path


def resumed(begun, config, data="abc"):
    keep_config(begun.with_name("model_config.json"), config, begun, data)


def test_a_configuration_is_frozen_and_named_fields_are_replaced():
    with pytest.raises(FrozenInstanceError):
        PretrainConfig().steps = 3
    assert replace(DiscoverConfig(), guide=0).guide == 0
    assert set(LOSS_TERMS) < set(LossConfig.__dataclass_fields__)


def test_it_lies_beside_the_run_as_json(begun):
    kept = json.loads(begun.with_name("model_config.json").read_text())
    assert kept["config"]["lr"] == 0.002 and kept["config"]["labels"] == "clip"


def test_the_same_settings_are_resumed(begun):
    resumed(begun, DiscoverConfig())


def test_another_setting_is_refused_with_field_both_values_and_what_to_do(begun):
    with pytest.raises(SystemExit) as refusal:
        resumed(begun, DiscoverConfig(lr=0.01, labels="streams", symmetric=True))
    sentence = str(refusal.value)
    assert "lr 0.002 (now 0.01)" in sentence and "labels clip (now streams)" in sentence
    assert "give --labels clip --no-symmetric --lr 0.002 to resume" in sentence
    assert "delete model_state.pt to start anew" in sentence


def test_a_setting_that_the_run_did_not_know_is_refused(begun):
    path = begun.with_name("model_config.json")
    kept = json.loads(path.read_text())
    del kept["config"]["cola"]
    path.write_text(json.dumps(kept))
    with pytest.raises(SystemExit, match=r"cola unknown \(now 0") as refusal:
        resumed(begun, DiscoverConfig())
    assert "to resume" not in str(refusal.value)


def test_other_clips_are_refused(begun):
    with pytest.raises(SystemExit, match="other clips or another autoencoder"):
        resumed(begun, DiscoverConfig(), "def")


def test_a_state_without_settings_is_refused(begun):
    begun.with_name("model_config.json").unlink()
    with pytest.raises(SystemExit, match=r"has no model_config\.json beside it"):
        resumed(begun, DiscoverConfig())


def test_a_run_that_left_no_state_may_be_begun_anew(begun):
    begun.unlink()
    resumed(begun, DiscoverConfig(lr=0.01))
    assert json.loads(begun.with_name("model_config.json").read_text())["config"]["lr"] == 0.01


def test_flags_are_what_makes_one_configuration_of_another():
    base = DiscoverConfig(epochs=3)
    row = replace(base, labels="streams", aicl=0.0, symmetric=True, lr=5e-3)
    words = flags(row, base)
    assert words == "--labels streams --symmetric --aicl 0 --lr 0.005"
    assert tyro.cli(DiscoverConfig, args=words.split(), default=base) == row
    assert flags(base, base) == ""


def test_clip_labels_need_a_term_that_reads_them():
    with pytest.raises(ValueError, match="Nothing would be learnt from clip labels"):
        LossConfig(mil=0, streams=0)
    with pytest.raises(SystemExit):
        tyro.cli(DiscoverConfig, args=["--mil", "0", "--streams", "0"])
    assert LossConfig(mil=0, streams=0, p2s=1).p2s == 1
