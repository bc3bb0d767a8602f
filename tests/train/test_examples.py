"""The drawn example clips: a face that a detector finds, a mouth that follows the voice."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deeploc.faces.detector import FaceDetector
from deeploc.media.clip import AUDIO_RATE_HZ, open_clip
from train import examples

SIZE = (144, 192)


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    rng = np.random.default_rng(1)
    voice = examples.synthetic_voice(1.2, rng)
    voice[: AUDIO_RATE_HZ // 2] = 0
    return examples.simulate_room(voice, rng)


def test_a_face_is_found_in_every_frame(audio):
    frames = examples.render_speaker(audio, seed=0, size=SIZE)
    assert frames.shape == (30, *SIZE, 3) and frames.dtype == np.uint8
    assert [len(found.boxes) for found in FaceDetector()(list(frames))] == [1] * 30


def test_the_jaw_follows_the_voice(audio):
    motion = examples.act(audio, np.random.default_rng(0))
    assert motion.opening[:9].max() < 0 < motion.opening[12:].max()


def test_the_same_seed_draws_the_same_frames(audio):
    short = audio[: 3 * examples.STEP_SAMPLES]
    first, again, other = (examples.render_speaker(short, seed, SIZE) for seed in (4, 4, 5))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_frames_are_no_frozen_still(audio):
    frames = examples.render_speaker(audio[: 8 * examples.STEP_SAMPLES], 0, SIZE).astype(float)
    assert np.abs(np.diff(frames, axis=0)).mean((1, 2, 3)).min() > 0.5


def test_the_shipped_clips_are_what_their_truth_says():
    folder: Path = examples.EXAMPLES
    truth = pd.read_csv(folder / "truth.csv")
    assert list(truth.columns) == ["file", "start_s", "end_s", "stream"]
    assert truth.file.tolist() == ["authentic.mp4", "picture.mp4", "sound.mp4"]
    authentic, picture, sound = (open_clip(folder / name) for name in truth.file)
    assert all((folder / name).stat().st_size < 1_000_000 for name in truth.file)
    start, end = truth.start_s[2], truth.end_s[2]
    gap = np.abs(sound.audio - authentic.audio)
    inside = slice(int(start * AUDIO_RATE_HZ), int(end * AUDIO_RATE_HZ))
    assert (
        gap[inside].mean() > 20 * np.r_[gap[: inside.start - 800], gap[inside.stop + 800 :]].mean()
    )
    assert np.abs(picture.audio - authentic.audio).max() < 1e-3
    assert 7 <= authentic.grid.duration <= 9
