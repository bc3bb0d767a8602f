import numpy as np
import pytest

from deeploc.sound import FLAT_BANDS, MEL_BINS, MEL_PER_STEP, log_mel


@pytest.mark.parametrize("n_frames", [16, 25, 1501, 3011])
def test_four_rows_a_step_whatever_the_length(n_frames):
    mel = log_mel(np.zeros(640 * n_frames, np.float32), n_frames)
    assert mel.shape == (MEL_PER_STEP * n_frames, MEL_BINS + FLAT_BANDS)


def test_a_click_shows_at_its_time_also_past_the_first_minute():
    for second in (0.5, 59.99, 60.0, 61.37):
        audio = np.zeros(16_000 * 70, np.float32)
        audio[int(second * 16_000)] = 1
        loudest = log_mel(audio, 25 * 70)[:, :MEL_BINS].sum(axis=1).argmax()
        assert loudest / 100 == pytest.approx(second, abs=0.011)


def test_a_tone_lights_its_own_bins_only():
    audio = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    mel = log_mel(audio, 25)[50, :MEL_BINS]
    assert 20 < mel.argmax() < 40
    assert mel[70:].max() < mel.max() - 5


def test_missing_sound_is_silence():
    short = log_mel(np.zeros(0, np.float32), 25)
    assert np.allclose(short[:, :MEL_BINS], np.log(1e-6))
    assert np.allclose(short[:, MEL_BINS:], 0, atol=1e-5)


def test_harmonics_are_less_flat_than_noise():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 16_000).astype(np.float32)
    tones = np.sin(2 * np.pi * 250 * np.arange(16_000)[:, None] / 16_000 * np.arange(1, 30)).sum(1)
    flat = [log_mel(np.float32(audio), 25)[20:80, MEL_BINS:].mean(0) for audio in (noise, tones)]
    assert (flat[0] > -1).all()
    assert (flat[1][2:9] < flat[0][2:9] - 1).all()
