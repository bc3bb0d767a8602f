import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from app.examples import EXAMPLES, example_report, result_paths
from app.viewer.payload import to_payload
from deeploc.report import ModelInfo

CHECKPOINT = Path(__file__).parents[2] / "assets" / "checkpoint" / "model.safetensors"
CLIPS = ("authentic.mp4", "picture.mp4", "sound.mp4")


@pytest.mark.parametrize("name", CLIPS)
def test_examples_open_at_once_with_the_model_that_is_here(name):
    """After a new checkpoint: `make results`."""
    sha256 = hashlib.sha256(CHECKPOINT.read_bytes()).hexdigest()
    report = example_report(EXAMPLES / name, ModelInfo("any", "any", sha256))
    assert report is not None
    payload = to_payload(report, EXAMPLES / name)
    assert payload["heat"] and payload["sound"] and payload["waveform"] and payload["inspection"]
    clip = hashlib.sha256((EXAMPLES / name).read_bytes()).hexdigest()
    assert report.media.sha256 == clip


def test_results_of_another_model_are_not_shown():
    info = example_report(EXAMPLES / CLIPS[0], None).model
    assert example_report(EXAMPLES / CLIPS[0], replace(info, sha256="0" * 64)) is None


def test_a_clip_without_a_result_has_none(tmp_path):
    assert example_report(tmp_path / "clip.mp4", None) is None


def test_a_broken_result_is_none(tmp_path):
    path, _ = result_paths(tmp_path / "clip.mp4")
    path.parent.mkdir()
    path.write_bytes(b"PK")
    assert example_report(tmp_path / "clip.mp4", None) is None
