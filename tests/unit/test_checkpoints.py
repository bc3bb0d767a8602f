"""Checkpoints from folders; tests/unit/test_hub.py has those from the Hub."""

import json

import pytest

from deeploc.checkpoints import load_checkpoint
from deeploc.errors import BadCheckpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint")
    load_checkpoint("tiny")[0].save_pretrained(path)
    return path


def test_a_folder_is_loaded_with_its_hash(folder):
    _, info = load_checkpoint(folder)
    assert (info.name, info.revision, len(info.sha256)) == ("tiny", "local", 64)


def test_the_environment_names_the_default(folder, monkeypatch):
    monkeypatch.setenv("DEEPLOC_MODEL", str(folder))
    assert load_checkpoint()[1].revision == "local"


def test_a_missing_folder_says_what_to_give(tmp_path):
    with pytest.raises(BadCheckpoint, match="Give a folder"):
        load_checkpoint(tmp_path / "nowhere")


def test_an_empty_folder_says_what_is_missing(tmp_path):
    with pytest.raises(BadCheckpoint, match=r"no config\.json and no model\.safetensors"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("config", ['{"model_type": "bert"}', "[1, 2]", "not json"])
def test_a_foreign_checkpoint_is_refused(folder, tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(BadCheckpoint, match="not made by DeepLoc"):
        load_checkpoint(tmp_path)


def test_weights_of_another_size_are_refused(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    config["fdn"] = {"width": 8, "depth": 1, "dropout": 0.0}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(BadCheckpoint, match="don't fit"):
        load_checkpoint(tmp_path)


def test_truncated_weights_are_refused(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    whole = (folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadCheckpoint, match="don't fit"):
        load_checkpoint(tmp_path)
