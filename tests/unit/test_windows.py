from itertools import pairwise

import numpy as np
import pytest

from deeploc.preprocess.windows import OverlapAdd, cut_windows, window_starts

LENGTH, STRIDE = 16, 8


@pytest.mark.parametrize("n_frames", [16, 17, 24, 25, 100, 333])
def test_windows_cover_every_step_and_end_with_the_clip(n_frames):
    starts = window_starts(n_frames, LENGTH, STRIDE)
    assert starts[0] == 0 and starts[-1] + LENGTH == n_frames
    assert all(0 < after - before <= STRIDE for before, after in pairwise(starts))


def test_windows_hold_the_right_faces_and_sound():
    faces = [np.full((4, 4, 3), step, np.uint8) for step in range(37)]
    faces[5] = None
    mel = np.arange(4 * 37)[:, None].astype(np.float32)
    heard = np.arange(37) >= 10
    for window in cut_windows(iter(faces), mel, heard, 4, LENGTH, STRIDE):
        steps = np.arange(window.start, window.start + LENGTH)
        assert window.seen.tolist() == (steps != 5).tolist()
        assert window.heard.tolist() == (steps >= 10).tolist()
        expected = np.where(steps == 5, 0, steps)
        assert window.faces[:, 0, 0, 0].tolist() == expected.tolist()
        assert window.mel[::4, 0].tolist() == (4 * steps).tolist()


def test_only_one_window_of_faces_is_read_ahead():
    read = 0

    def stream():
        nonlocal read
        for _ in range(400):
            read += 1
            yield np.zeros((2, 2, 3), np.uint8)

    windows = cut_windows(stream(), np.zeros((1600, 1)), np.ones(400, bool), 2, LENGTH, STRIDE)
    for window in windows:
        assert read == window.start + LENGTH


def test_pieces_of_a_signal_add_up_to_it_again():
    signal = np.random.default_rng(0).normal(size=(53, 3)).astype(np.float32)
    signal[10:12, 1] = np.nan
    whole = OverlapAdd(53, (3,))
    for start in window_starts(53, LENGTH, STRIDE):
        whole.add(start, signal[start : start + LENGTH])
    np.testing.assert_allclose(whole.mean(), signal, rtol=1e-6)


def test_overlaps_are_averaged_over_what_is_known():
    whole = OverlapAdd(3, ())
    whole.add(0, np.array([1.0, 2.0]))
    whole.add(1, np.array([4.0, np.nan]))
    assert whole.mean()[:2].tolist() == [1, 3]
    assert np.isnan(whole.mean()[2])
