"""What is measured of the aligned autoencoder, on numbers made up, and who is in which split."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from deeploc.models.aligned_mae import MOUTH_PLACES, PLACES, AlignedConfig, AlignedMAE
from deeploc.timeline import Segment, Timeline
from train.aligned.error import forged_steps, frame_auc, interval, measure, readings
from train.aligned.pack import split_people
from train.aligned.reconstruction import box_of, in_colours_of, measured, settled, smooth_surface

BOX = box_of(MOUTH_PLACES)


def ramp():
    rows, columns = np.mgrid[:192, :192]
    return np.stack([rows, columns, (rows + columns) / 2], axis=-1).astype(np.uint8)


def test_a_smooth_surface_continues_what_is_around_it():
    filled = smooth_surface(ramp(), BOX)
    assert np.abs(filled[BOX] - ramp()[BOX]).max() < 1.5


def test_what_is_settled_keeps_its_own_and_meets_its_edges():
    frame = ramp()
    guess = frame.astype(float)
    guess[BOX] += 40
    middle = BOX[0].start + 24, BOX[1].start + 48
    guess[middle] += 25
    result = settled(guess, frame, BOX)
    assert np.abs(result[BOX].mean() - frame[BOX].mean()) < 2
    assert result[middle].mean() - frame[middle].mean() > 20
    assert measured(result, frame, BOX)[0] > measured(guess, frame, BOX)[0] + 5


def test_a_mean_face_takes_on_the_colours_of_the_visible_rest():
    mean = np.random.default_rng(0).uniform(50, 200, (192, 192, 3))
    frame = np.rint(0.5 * mean + 20).astype(np.uint8)
    frame[BOX] = 0
    fitted = in_colours_of(mean, frame, BOX)
    assert np.abs(fitted[BOX] - (0.5 * mean + 20)[BOX]).max() < 2


def test_frame_auc_counts_pairs_and_leaves_out_what_is_unknown():
    forged = np.array([False, False, True, True, False])
    assert frame_auc(np.array([1.0, 2.0, 3.0, 1.5, np.nan]), forged) == 75
    assert np.isnan(frame_auc(np.ones(5), np.zeros(5, bool)))


def test_forged_steps_are_those_of_the_picture():
    spans = {"visual": Timeline.of([Segment(0.4, 0.8)]), "audio": Timeline()}
    truth = SimpleNamespace(segments=spans)
    assert np.flatnonzero(forged_steps(truth, 50)).tolist() == list(range(10, 20))


def test_an_odd_stretch_stands_out_in_the_readings():
    rng = np.random.default_rng(0)
    surprise = rng.normal(0, 0.1, (60, len(PLACES), 9))
    surprise[20:30, list(MOUTH_PLACES)] -= 1
    forged = np.zeros(60, bool)
    forged[20:30] = True
    scores = readings(surprise)
    assert frame_auc(scores["mouth, everything"], forged) > 99
    assert frame_auc(scores["mouth, hidden fine, less"], forged) > 99
    assert frame_auc(scores["mouth, no autoencoder: little detail"], forged) > 99


def test_intervals_draw_people():
    mean, low, high = interval({"a": [60.0, 60.0], "b": [80.0]}, np.random.default_rng(0))
    assert mean == 66.7 and low == 60 and high == 80


def test_clips_are_measured_with_and_without_sound_and_gaps_stay_unknown():
    torch.manual_seed(0)
    config = AlignedConfig(width=32, depth=1, heads=2, decoder_width=32, decoder_depth=1)
    mae = AlignedMAE(AlignedMAE.plain(config)).eval()
    rng = np.random.default_rng(0)
    faces = [rng.integers(0, 256, (192, 192, 3), dtype=np.uint8) for _ in range(36)]
    faces[3] = None
    audio = rng.normal(0, 0.1, 36 * 640).astype(np.float32)
    heard, silent = measure(mae, faces, audio), measure(mae, faces, None)
    assert heard.shape == (36, len(PLACES), 9)
    assert np.isnan(heard[:16]).all() and np.isfinite(heard[16:]).all()
    assert np.isfinite(silent[16:]).all() and not np.allclose(heard[20], silent[20])


def test_nobody_with_generated_counterparts_is_trained_on():
    rows = [
        dict(path=f"authentic/{n}.mp4", label="authentic", modified="", generator="",
             identity=f"p{n}", pair="", segments="", source="s", licence="CC BY 4.0")
        for n in range(20)
    ] + [
        dict(path=f"speech/{n}.flac", label="authentic", modified="", generator="", identity=name,
             pair="", segments="", source="s", licence="CC BY 4.0")
        for n, name in enumerate(["libri_7", "libritts_7", "a", "b", "c"])
    ]  # fmt: skip
    rows.append(rows[0] | dict(path="generated/0.mp4", label="forged", modified="visual",
                               generator="g", pair="authentic/0.mp4"))  # fmt: skip
    splits = split_people(pd.DataFrame(rows))
    assert splits["p0"] in ("dev", "test")
    assert splits["libri_7"] == splits["libritts_7"]
    assert set(splits.values()) == {"train", "dev", "test"}
