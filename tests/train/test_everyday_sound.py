"""What every everyday change of the sound must keep, and what each of them really does."""

import json

import numpy as np
import pytest
from scipy.signal import stft

from train.everyday import noises, silence, sound  # noqa: F401  # they register their kinds
from train.everyday.recording import ADDED, Change, Recording
from train.everyday.registry import KINDS

pytestmark = pytest.mark.slow

NAMES = [name for name, kind in KINDS.items() if kind.group == "sound"]
SILENCES = ("silence-before", "silence-behind", "silence-within")
ADDITIONS = ("music", "noise-burst", "breath", "laughter-or-applause")
SEEDS = range(6)
STEP = 640


def clip(n_steps: int = 75, with_face: bool = True, loudness: float = 1.0) -> Recording:
    """A texture that moves, and syllables of a buzzing voice over a quiet room, with pauses."""
    rng = np.random.default_rng(7)
    texture = rng.integers(0, 256, (48, 64 + n_steps, 3), dtype=np.uint8)
    frames = np.stack([texture[:, step : step + 64] for step in range(n_steps)])
    time_s = np.arange(n_steps * STEP) / 16_000
    voice = sum(np.sin(2 * np.pi * 140 * number * time_s) / number for number in range(1, 40))
    syllables = np.clip(np.sin(2 * np.pi * 2.2 * time_s), 0, 1) * (time_s % 1.5 < 1.1)
    audio = 0.12 * syllables * voice + 0.001 * rng.normal(0, 1, len(time_s))
    face = np.tile(np.float32([20, 10, 44, 40]), (n_steps, 1)) if with_face else None
    return Recording.of(frames, (loudness * audio).astype(np.float32), face)


RECORDING = clip()
VARIANTS = {
    "usual": RECORDING,
    "short": clip(16),
    "faceless": clip(40, with_face=False),
    "silent": clip(40, loudness=0.0),
}


def changed(name: str, recording: Recording = RECORDING, seed: int = 0) -> Change:
    return KINDS[name].change(recording, np.random.default_rng(seed), None)


def drawn(name: str, **wanted: object) -> Change:
    """The first change of the kind that drew these parameters."""
    changes = (changed(name, seed=seed) for seed in range(60))
    return next(made for made in changes if wanted.items() <= made.params.items())


def inside(change: Change) -> np.ndarray:
    """Which steps of the changed clip lie in a span: `(T,) bool`."""
    steps = np.arange(change.recording.n_steps)[:, None]
    starts, ends = np.array(change.spans, int).reshape(-1, 2).T
    return ((steps >= starts) & (steps < ends)).any(axis=1)


def parts(recording: Recording) -> np.ndarray:
    return recording.audio.reshape(-1, STEP)


def loudness(audio: np.ndarray) -> float:
    return float(np.sqrt((audio.astype(np.float64) ** 2).mean()))


def high_share(audio: np.ndarray) -> float:
    """The share of energy above 4.2 kHz."""
    frequencies, _, spectrum = stft(audio, 16_000, nperseg=512)
    energy = (np.abs(spectrum) ** 2).sum(axis=1)
    return float(energy[frequencies > 4200].sum() / energy.sum())


def test_a_third_of_the_kinds_is_held_out():
    held_out = [name for name in NAMES if KINDS[name].held_out]
    assert len(NAMES) >= 11 and len(held_out) == round(len(NAMES) / 3), (NAMES, held_out)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", NAMES)
def test_every_kind_keeps_the_contract(name, variant):
    recording = VARIANTS[variant]
    before = (recording.frames.tobytes(), recording.audio.tobytes())
    for seed in SEEDS[:3]:
        change = changed(name, recording, seed)
        made, again = change.recording, changed(name, recording, seed)
        assert np.array_equal(made.audio, again.recording.audio)
        assert np.array_equal(made.frames, again.recording.frames)
        assert (change.spans, change.params) == (again.spans, again.params)
        assert json.loads(json.dumps(change.params)) == change.params
        assert all(0 <= start < end <= made.n_steps for start, end in change.spans)
        assert np.isfinite(made.audio).all() and np.abs(made.audio).max() <= 1
        assert made.frames.shape[1:] == recording.frames.shape[1:]
        kept = np.flatnonzero(made.source_steps != ADDED)
        assert np.array_equal(made.source_steps[kept], np.arange(recording.n_steps))
        assert np.array_equal(made.frames[kept], recording.frames)
        assert np.array_equal(made.face[kept], recording.face, equal_nan=True)
        outside = ~inside(change)
        source = parts(recording)[made.source_steps[outside]]
        assert np.array_equal(parts(made)[outside], source)
        assert (recording.frames.tobytes(), recording.audio.tobytes()) == before


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_changes_the_sound_in_its_spans_and_by_its_seed(name):
    changes = [changed(name, seed=seed) for seed in SEEDS]
    for change in changes:
        assert change.spans
        for start, end in change.spans:
            steps = change.recording.source_steps[start:end]
            different = parts(change.recording)[start:end] != parts(RECORDING)[steps]
            assert (steps == ADDED).all() or different.any()
    assert len({change.recording.audio.tobytes() for change in changes}) == len(SEEDS)


@pytest.mark.parametrize("name", SILENCES)
@pytest.mark.parametrize("picture", ["still", "idle"])
def test_a_silence_adds_quiet_steps_of_a_waiting_picture(name, picture):
    change = drawn(name, picture=picture)
    ((start, end),) = change.spans
    made, last = change.recording, RECORDING.n_steps
    assert made.n_steps == last + end - start
    assert np.array_equal(np.flatnonzero(made.source_steps == ADDED), np.arange(start, end))
    assert {"silence-before": 0, "silence-behind": last}.get(name, start) == start
    if name == "silence-within":
        assert 0 < start < last
    settled = made.audio[start * STEP + 320 : end * STEP - 320]
    assert loudness(settled) < 0.05 * loudness(RECORDING.audio)
    assert not made.moved(np.ones(last, bool))[start:end].any()
    still = (made.frames[start:end] == made.frames[start]).all()
    assert still == (picture == "still")


def test_a_digital_silence_is_digital_and_a_room_is_not():
    for name, is_silent in (("digital", True), ("room", False), ("hiss", False)):
        change = drawn("silence-before", sound=name)
        settled = change.recording.audio[: change.spans[0][1] * STEP - 320]
        assert (np.abs(settled).max() == 0) == is_silent


def test_a_pause_within_falls_into_a_quiet_moment_and_has_no_clicks():
    for seed in SEEDS:
        change = changed("silence-within", seed=seed)
        ((start, end),) = change.spans
        usual = np.abs(np.diff(RECORDING.audio)).max()
        for seam in (start * STEP, end * STEP):
            assert np.abs(np.diff(change.recording.audio[seam - 8 : seam + 8])).max() <= usual
        assert loudness(parts(RECORDING)[start]) < loudness(RECORDING.audio)


@pytest.mark.parametrize("manner", ["in", "out", "both"])
def test_a_fade_begins_or_ends_with_nothing(manner):
    audio = drawn("sound-fade", manner=manner).recording.audio
    ends = {"in": [audio[:80]], "out": [audio[-80:]], "both": [audio[:80], audio[-80:]]}
    assert all(loudness(end) < 0.0005 for end in ends[manner])
    middle = slice(len(audio) // 3, -(len(audio) // 3))
    assert np.array_equal(audio[middle], RECORDING.audio[middle])


def test_a_noise_gate_silences_the_room_and_leaves_the_voice():
    for seed in SEEDS:
        made = parts(changed("noise-gate", seed=seed).recording)
        level = np.sqrt((parts(RECORDING) ** 2).mean(axis=1))
        gain_db = 20 * np.log10(np.sqrt((made**2).mean(axis=1)) / level)
        assert gain_db[level < 0.002].min() < -6
        assert np.median(gain_db[level > np.quantile(level, 0.8)]) > -3


@pytest.mark.parametrize("manner", ["filter", "subtraction"])
def test_a_denoiser_takes_the_room_and_leaves_the_voice_in_its_place(manner):
    change = drawn("denoiser", manner=manner)
    steps = inside(change)
    level = np.sqrt((parts(RECORDING) ** 2).mean(axis=1))
    made, own = parts(change.recording), parts(RECORDING)
    quiet, loud = steps & (level < 0.002), level > np.quantile(level, 0.7)
    assert loudness(made[quiet]) < 0.6 * loudness(own[quiet])
    assert np.corrcoef(made[loud].ravel(), own[loud].ravel())[0, 1] > 0.95


def test_a_volume_step_is_a_constant_gain():
    for seed in SEEDS:
        change = changed("volume-step", seed=seed)
        middle = (change.spans[0][0] + change.spans[0][1]) // 2
        own, made = parts(RECORDING)[middle], parts(change.recording)[middle]
        gain_db = 20 * np.log10(loudness(made) / loudness(own))
        assert gain_db == pytest.approx(change.params["gain_db"], abs=0.5)


@pytest.mark.parametrize("manner", ["normaliser", "compressor"])
def test_an_automatic_gain_brings_soft_and_loud_together(manner):
    def contrast(recording):
        level = np.sqrt((parts(recording) ** 2).mean(axis=1))
        return np.quantile(level, 0.9) / np.quantile(level, 0.5)

    assert contrast(drawn("automatic-gain", manner=manner).recording) < contrast(RECORDING)


@pytest.mark.parametrize("manner", ["hard", "soft"])
def test_clipping_flattens_the_peaks(manner):
    change = drawn("clipping", manner=manner)
    steps = inside(change)

    def crest(recording):
        part = parts(recording)[steps][1:-1]
        return np.abs(part).max() / loudness(part)

    assert crest(change.recording) < 0.9 * crest(RECORDING)


def test_a_telephone_has_no_high_frequencies():
    for seed in SEEDS:
        change = changed("telephone-band", seed=seed)
        steps = inside(change)
        own, made = (parts(clip)[steps].ravel() for clip in (RECORDING, change.recording))
        assert high_share(made) < 0.4 * high_share(own)


def test_another_room_rings_on_where_the_voice_has_stopped():
    quiet = np.sqrt((parts(RECORDING) ** 2).mean(axis=1)) < 0.002
    for seed in SEEDS:
        change = changed("other-room", seed=seed)
        steps = quiet & inside(change)
        assert not steps.any() or loudness(parts(change.recording)[steps]) > 2 * loudness(
            parts(RECORDING)[steps]
        )


@pytest.mark.parametrize("name", ADDITIONS)
def test_sounds_beside_the_voice_are_as_loud_as_drawn(name):
    for seed in SEEDS:
        change = changed(name, seed=seed)
        added = change.recording.audio - RECORDING.audio
        loudest = sound.levels(added).max() / sound.speech_level(RECORDING.audio)
        clipped = np.abs(change.recording.audio).max() == 1
        level_db = change.params["level_db"]
        assert clipped or abs(20 * np.log10(loudest) - level_db) < 6
        assert np.abs(added).max() > 0


def test_music_is_made_of_tones_that_come_and_go():
    quiet = clip(125, loudness=0.0)
    change = next(
        made
        for made in (changed("music", quiet, seed) for seed in range(60))
        if made.spans != ((0, 125),) and not made.params["beat"]
    )
    ((start, end),) = change.spans
    assert not change.recording.audio[: start * STEP].any()
    spectrum = np.abs(np.fft.rfft(change.recording.audio[start * STEP : end * STEP])) ** 2
    assert np.sort(spectrum)[-len(spectrum) // 50 :].sum() > 0.8 * spectrum.sum()


@pytest.mark.parametrize("manner", ["door", "cough", "cup", "knocks"])
def test_a_burst_is_short(manner):
    change = drawn("noise-burst", manner=manner)
    assert all(end - start < 75 for start, end in change.spans)
    assert len(change.spans) <= len(change.params["starts_s"]) <= 3


def test_breath_falls_into_quiet_moments():
    level = np.sqrt((parts(RECORDING) ** 2).mean(axis=1))
    for seed in SEEDS:
        for start, _ in changed("breath", seed=seed).spans:
            assert level[start] < np.median(level)


@pytest.mark.parametrize("manner", ["laughter", "applause"])
def test_people_laugh_and_clap_in_one_stretch(manner):
    change = drawn("laughter-or-applause", manner=manner)
    ((start, end),) = change.spans
    assert change.params["people"] >= 1 and end - start >= 10
