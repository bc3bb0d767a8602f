"""Pretraining within a time, from drawn faces, where PyAV and face detection are absent."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from deeploc.media.writer import Mp4Writer
from deeploc.models.aligned_mae import MOUTH_PLACES, AlignedConfig, AlignedMAE
from train.aligned.cache import (
    SIDE,
    STEP_SAMPLES,
    Piece,
    read_faces,
    read_index,
    read_sound,
    write_index,
    write_sound,
)
from train.aligned.pretrain import rate_at
from train.aligned.store import KINDS, Store, draw_hidden, draw_hidden_speech, hidden_region, hide
from train.aligned.variation import varied_faces, varied_waves

STEPS = 20
COMMAND = """
import sys
for name in ("av", "facenet_pytorch", "gradio", "pandas"):
    sys.modules[name] = None
from train.aligned.pretrain import main
main(sys.argv[1:])
"""


def drawn(number):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    base = np.stack([rows, columns, 100 + 0 * rows], axis=-1) % 256
    frames = np.stack([base for _ in range(STEPS)])
    for step, frame in enumerate(frames):
        frame[140:160, 70 : 90 + 2 * step] = 40 * number
    return frames.astype(np.uint8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    (folder / "faces").mkdir()
    pieces, rng = [], np.random.default_rng(0)
    for number, split in enumerate(("train", "train", "dev", "dev")):
        name, talking, sounding = f"{number}", number != 1, number != 3
        if talking:
            path = folder / "faces" / f"{name}.mp4"
            options = {"crf": "15", "mbtree": "0"}
            with Mp4Writer(path, (SIDE, SIDE), Fraction(1, 25), Fraction(25), None, options) as out:
                for step, frame in enumerate(drawn(number)):
                    out.add_frame(frame, step, 1)
        if sounding:
            time = np.arange(STEPS * STEP_SAMPLES) / 16_000
            audio = 0.2 * np.sin(2 * np.pi * 300 * time) + 0.02 * rng.normal(size=len(time))
            write_sound(folder, name, audio.astype(np.float32), 0.7)
        pieces.append(
            Piece(name, f"{name}.mp4", f"person {number}", split, "drawn", "none", False, 0, STEPS,
                  talking, sounding, 200.0)
        )  # fmt: skip
    write_index(folder, pieces)
    return folder


def run(cache, folder, minutes, *more):
    arguments = [str(cache), str(folder), "--tiny", "--batch", "2", "--per-person", "1",
                 "--every-s", "0.2", "--device", "cpu", "--minutes", str(minutes)]  # fmt: skip
    arguments += more
    command = [sys.executable, "-c", COMMAND, *arguments]
    root = Path(__file__).parents[2]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=500)
    assert not done.returncode, done.stderr[-2000:]
    log = (folder / "log.jsonl").read_text().splitlines()
    return done.stdout, [json.loads(line) for line in log]


def test_a_cache_gives_back_pictures_and_sound(cache):
    piece = read_index(cache, "dev")[0]
    faces, sound = read_faces(cache, piece), read_sound(cache, piece)
    assert np.abs(faces.astype(int) - drawn(2)).mean() < 3
    assert sound.shape == (STEPS * STEP_SAMPLES,)
    assert 3000 < np.abs(sound.astype(int)).max() < 12_000
    with pytest.raises(ValueError, match="ends at step"):
        read_faces(cache, Piece(**(vars(piece) | {"steps": STEPS + 5})))


def test_windows_are_those_of_the_pieces(cache):
    store = Store(cache, "dev", 16, torch.device("cpu"))
    starts = store.talking
    assert len(starts.frames) == 2 * (STEPS - 16 + 1)
    assert starts.sounding.tolist() == [True] * 5 + [False] * 5
    assert not starts.sounding[starts.spread(3)].logical_not().any()
    assert torch.equal(store.pictures(starts.frames[6:7])[0], store.faces[STEPS + 1 : STEPS + 17])
    assert not store.waves(starts.samples[7:8]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_both_seen_and_asked_for(kind):
    config = AlignedConfig()
    hidden = draw_hidden(config, kind, 3, torch.device("cpu"))
    for row in range(3):
        seen = set(hidden.visible[row].tolist())
        asked = set(hidden.pictures[row].tolist())
        asked |= set((hidden.sounds[row] + config.visual_patches).tolist())
        assert asked and not seen & asked
        assert len(seen) == hidden.visible.shape[1]
    spoken = draw_hidden_speech(config, 3, torch.device("cpu"))
    assert bool((spoken.visible >= config.visual_patches).all())


def test_variation_keeps_shapes_and_never_repeats():
    torch.manual_seed(0)
    faces = torch.from_numpy(drawn(1)[:16]).permute(0, 3, 1, 2)[None].expand(4, -1, -1, -1, -1)
    varied = varied_faces(faces)
    assert varied.shape == (4, 16, 3, 192, 192) and varied.dtype == torch.uint8
    assert not torch.equal(varied[0], varied[1])
    assert varied.float().std() > 10
    waves = 0.1 * torch.randn(1, 4800 + 10_752).expand(4, -1)
    heard = varied_waves(waves)
    assert heard.shape == (4, 10_752) and bool(heard.isfinite().all())
    assert not torch.equal(heard[0], heard[1])


def test_the_learning_rate_rises_and_falls():
    rates = [rate_at(share / 100) for share in range(101)]
    assert max(rates) <= 1 and rates[0] < 0.1 and rates[-1] < 0.02
    assert np.argmax(rates) < 10


@pytest.mark.slow
def test_it_trains_within_its_time_and_goes_on(cache, tmp_path):
    _, log = run(cache, tmp_path / "run", 0.01, "--views", "2")
    assert log[0]["steps"] == log[0]["windows"]  # batches of 2, each learnt from twice
    splits = {record["of"] for record in log}
    assert splits == {"training", "dev", "train"}
    model = AlignedMAE.from_pretrained(tmp_path / "run")
    assert model.config.width == 32
    assert (tmp_path / "run" / "model.safetensors").stat().st_size < 2_000_000
    output, longer = run(cache, tmp_path / "run", (log[-1]["s"] + 2) / 60)
    assert "goes on after" in output
    trained = [record["windows"] for record in longer if record["of"] == "training"]
    assert trained == sorted(trained) and len(longer) > len(log)
    start = ["--start", str(tmp_path / "run"), "--lr", "0"]
    _, again = run(cache, tmp_path / "more", 0.001, *start)
    ends = [[r for r in records if r["of"] == "dev"][-1] for records in (longer, again)]
    assert ends[1]["psnr mouth"] == pytest.approx(ends[0]["psnr mouth"], abs=0.05)


def test_the_pretrained_weights_load_and_expect_a_face_rather_than_noise():
    folder = Path(__file__).parents[2] / "train" / "pretrained"
    assert (folder / "model.safetensors").stat().st_size <= 16_000_000
    mae = AlignedMAE.from_pretrained(folder).float().eval()
    assert mae.config == AlignedConfig()
    assert all(bool(value.isfinite().all()) for value in mae.state_dict().values())
    rows = np.linspace(200, 80, 192, dtype=np.uint8)[:, None, None]
    faces = torch.from_numpy(np.broadcast_to(rows, (192, 192, 3)).copy()).permute(2, 0, 1)
    faces = faces.expand(1, 16, -1, -1, -1)
    with torch.inference_mode():
        patches = mae.targets(faces, torch.zeros(1, 16 * 640 + 512))
        asked = hide(mae.config, hidden_region(mae.config, MOUTH_PLACES), 1)
        encoded = mae.encode(mae.embed(patches), asked.visible)
        expected = mae.decode(encoded, asked.pictures, asked.sounds)
    assert -1.5 < float(expected.faces.mean()) < 1.5
    assert float(expected.faces.std()) > 0.05
