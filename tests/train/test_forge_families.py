"""What every family of forged sound must keep: length, loudness, seams, and its seed."""

import numpy as np
import pytest

from train import examples
from train.forge.registry import SOUND_FAMILIES
from train.forge.sound import families, vocoders
from train.forge.sound.families import forge_sound

SECONDS = 3
SPAN = (14_400, 32_000)
FAMILIES = [name for name, family in SOUND_FAMILIES.items() if not family.null]
VOCODERS = (*vocoders.VOCODERS, "griffinlim", *vocoders.WORLDS)


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    rngs = [np.random.default_rng(seed) for seed in range(2)]
    return [examples.simulate_room(examples.synthetic_voice(SECONDS, rng), rng) for rng in rngs]


def forged(family, sounds, seed=0):
    if not SOUND_FAMILIES[family].available:
        pytest.skip(f"{SOUND_FAMILIES[family].requires.name} is not installed")
    rng = np.random.default_rng(seed)
    return forge_sound(sounds[0], SPAN, family, rng, sounds[1])[0]


def kept(audio, made):
    """Asserts what no forgery may change; `made` is `audio` with `SPAN` forged."""
    start, end = SPAN
    assert made.shape == audio.shape and made.dtype == np.float32 and np.isfinite(made).all()
    assert np.array_equal(made[:start], audio[:start]) and np.array_equal(made[end:], audio[end:])
    assert not np.array_equal(made[start:end], audio[start:end])
    loudness = [20 * np.log10(sound[start:end].std()) for sound in (audio, made)]
    assert abs(loudness[0] - loudness[1]) < 2
    usual = max(np.quantile(np.abs(np.diff(sound)), 0.999) for sound in (audio, made))
    for seam in SPAN:
        assert np.abs(np.diff(made[seam - 8 : seam + 8])).max() < 2 * usual


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_keeps_length_loudness_and_seams_by_its_seed(family, sounds):
    one, same, other = (forged(family, sounds, seed) for seed in (0, 0, 1))
    for made in (one, other):
        kept(sounds[0], made)
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("vocoder", VOCODERS)
def test_so_does_every_vocoder(vocoder, sounds, monkeypatch):
    if vocoder in vocoders.WORLDS and not vocoders.HAS_WORLD:
        pytest.skip("pyworld is not installed")
    monkeypatch.setattr(families, "draw_vocoder", lambda *_: vocoder)
    one, same = (forged("copy-synthesis", sounds) for _ in range(2))
    kept(sounds[0], one)
    assert np.array_equal(one, same)


def test_a_click_at_a_seam_is_found(sounds):
    made = sounds[0].copy()
    made[slice(*SPAN)] = np.roll(made, 5000)[slice(*SPAN)]
    made[SPAN[0]] += 0.9 * np.abs(made).max()
    with pytest.raises(AssertionError):
        kept(sounds[0], made)


def test_another_speed_says_the_same_words_sooner_or_later(sounds):
    """Levels of the stretched sound, laid on those of the source at the rate that it tells."""
    rng = np.random.default_rng(3)
    made, how = forge_sound(sounds[0], SPAN, "speed", rng)
    own = vocoders.frame_levels(sounds[0][SPAN[0] :])
    found = vocoders.frame_levels(made[slice(*SPAN)])
    places = np.arange(len(found)) * how["rate"]
    expected = np.interp(places, np.arange(len(own)), own)[5:90]
    here = own[: len(found)][5:90]
    assert how["rate"] != 1
    assert np.corrcoef(found[5:90], expected)[0, 1] > np.corrcoef(found[5:90], here)[0, 1]
