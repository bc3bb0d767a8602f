import numpy as np
import pytest

from deeploc.preprocess import audio as sound
from deeploc.preprocess.audio import (
    FLAT_BANDS,
    FRAME_RATES_HZ,
    MEL_BINS,
    MEL_PER_STEP,
    log_mel,
    vocoder_lines,
)


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


def hissing(seconds, rate_hz=None, start=0, end=None):
    """Noise, from `start` to `end` seconds with faint tones at all multiples of `rate_hz`."""
    audio = np.random.default_rng(0).normal(0, 0.1, 16_000 * seconds)
    if rate_hz:
        time = np.arange(len(audio)) / 16_000
        tones = sum(np.cos(2 * np.pi * k * rate_hz * time + k * k) for k in range(1, 8000 // 50))
        audio[start * 16_000 : end * 16_000] += 0.003 * tones[start * 16_000 : end * 16_000]
    return audio.astype(np.float32)


@pytest.mark.parametrize("place", range(len(FRAME_RATES_HZ)))
def test_lines_of_a_frame_rate_stand_out_at_that_rate_and_where_they_are(place):
    lines = vocoder_lines(hissing(8, FRAME_RATES_HZ[place], 3, 5), 200)
    assert lines.shape == (200, len(FRAME_RATES_HZ))
    inside, outside = lines[80:120].mean(0), np.delete(lines, slice(70, 130), axis=0)
    assert inside.argmax() == place and inside[place] > 1.5
    assert np.abs(outside.mean(0)).max() < 0.4
    assert outside.std(0).max() < 1.6


def test_lines_do_not_depend_on_the_pieces_that_they_are_worked_in(monkeypatch):
    audio = hissing(8, 80.0, 3, 5)
    whole = vocoder_lines(audio, 200)
    monkeypatch.setattr(sound, "LINE_PIECE", 37)
    np.testing.assert_allclose(vocoder_lines(audio, 200), whole, atol=1e-4)


def test_neither_loudness_nor_silence_makes_lines():
    audio = hissing(4, 80.0, 1, 2)
    np.testing.assert_allclose(vocoder_lines(audio / 4, 100), vocoder_lines(audio, 100), atol=0.05)
    for nothing in (np.zeros(64_000, np.float32), np.zeros(0, np.float32)):
        assert np.abs(vocoder_lines(nothing, 100)).max() < 1e-3
