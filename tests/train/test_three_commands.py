"""From a folder of talking clips to a table of numbers, by the three commands of the README."""

import json

import numpy as np
import pytest

from deeploc.checkpoints import load_checkpoint
from deeploc.localizer import load_localizer
from deeploc.media.writer import write_clip
from train import __main__ as train
from train import examples

pytestmark = pytest.mark.slow
PEOPLE = ("ann", "bea", "cyd")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A drawn talker as three people: as drawn, mirrored, in other colours."""
    folder = tmp_path_factory.mktemp("authentic")
    rng = np.random.default_rng(0)
    sound = examples.simulate_room(examples.synthetic_voice(2.8, rng), rng)
    frames = examples.render_speaker(sound, seed=0, size=(144, 192))
    looks = (frames, frames[:, :, ::-1], frames[..., [1, 0, 2]])
    for name, look in zip(PEOPLE, looks, strict=True):
        write_clip(folder / f"{name}.mp4", look, sound, rate_hz=25)
    return folder


def test_three_commands_lead_from_clips_to_a_table(clips, tmp_path):
    corpus, run = tmp_path / "corpus", tmp_path / "run"
    train.main(["forge", "--authentic", str(clips), "--out", str(corpus), "--workers", "1"])
    words = ["run", str(corpus), str(run), "--name", "smallest", "--steps", "2", "--epochs", "1"]
    train.main(words)
    train.main(["evaluate", str(run / "model"), str(run / "cache"), "--resamples", "10"])
    metrics = json.loads((run / "model" / "metrics.json").read_text())
    assert metrics["model"]["name"] == "smallest" and metrics["protocol"]["identities"] == 1
    assert "| checkpoint | fused |" in (run / "model" / "metrics.md").read_text()
    report = load_localizer(run / "model", device="cpu")(clips / "ann.mp4")
    assert report.model.name == "smallest"
    before = load_checkpoint(run / "model")[1].sha256
    train.main(words)  # all is done: nothing is done again
    assert load_checkpoint(run / "model")[1].sha256 == before
