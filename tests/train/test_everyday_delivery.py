"""Everyday changes of editing and delivery: what each does, and that nothing else changes."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from deeploc.preprocess.audio import STEP_SAMPLES
from train.everyday import delivery, editing
from train.everyday.recording import ADDED, Change, Recording
from train.everyday.registry import KINDS

pytestmark = pytest.mark.slow

N_STEPS = 60
SIZE = (64, 96)
FACE = (36.0, 16.0, 60.0, 44.0)
EDITING = [name for name, kind in KINDS.items() if kind.group == "editing"]
DELIVERY = [name for name, kind in KINDS.items() if kind.group == "delivery"]
OWN = [*EDITING, *DELIVERY]


def recorded(n_steps: int, size: tuple[int, int] = SIZE, seed: int = 0) -> Recording:
    """A texture that moves three pixels a step to the left, and a modulated tone with noise."""
    rng = np.random.default_rng(seed)
    field = rng.standard_normal((size[0], size[1] + 3 * n_steps, 3))
    field = gaussian_filter(field, (1.5, 1.5, 0))
    field = np.clip(128 + 45 * field / field.std(), 0, 255).astype(np.uint8)
    frames = np.stack([field[:, 3 * step : 3 * step + size[1]] for step in range(n_steps)])
    times = np.arange(n_steps * STEP_SAMPLES) / 16_000
    audio = 0.2 * np.sin(2 * np.pi * 300 * times) * (1.2 + np.sin(2 * np.pi * 3 * times)) / 2.2
    audio += 0.02 * rng.standard_normal(len(times))
    face = np.tile(np.array(FACE, np.float32), (n_steps, 1))
    return Recording.of(frames, audio.astype(np.float32), face)


def changed(name: str, recording: Recording, seed: int = 0) -> Change:
    other = recorded(60, (60, 120), seed=9) if KINDS[name].needs_other else None
    return KINDS[name].change(recording, np.random.default_rng(seed), other)


def many(name: str, recording: Recording, seeds: int = 8) -> list[Change]:
    """The first changes of a kind that seeds give."""
    return [changed(name, recording, seed) for seed in range(seeds)]


def outside(change: Change) -> np.ndarray:
    steps = np.ones(change.recording.n_steps, bool)
    for start, end in change.spans:
        steps[start:end] = False
    return steps


@pytest.fixture(scope="module")
def clip() -> Recording:
    return recorded(N_STEPS)


@pytest.mark.parametrize("name", OWN)
def test_a_kind_is_drawn_from_its_seed_and_leaves_its_input_alone(name):
    clip = recorded(30)
    before = clip.frames.copy(), clip.audio.copy(), clip.source_steps.copy(), clip.face.copy()
    one, same = changed(name, clip, 3), changed(name, clip, 3)
    for field in ("frames", "audio", "source_steps", "face"):
        made = getattr(one.recording, field)
        assert np.array_equal(made, getattr(same.recording, field), equal_nan=field == "face")
    assert one.spans == same.spans
    assert one.params == same.params == json.loads(json.dumps(one.params))
    assert one.params != changed(name, clip, 4).params
    for array, kept in zip(
        (clip.frames, clip.audio, clip.source_steps, clip.face), before, strict=True
    ):
        assert np.array_equal(array, kept)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("case", ["short", "faceless", "silent", "short and odd"])
def test_a_kind_takes_short_faceless_and_silent_clips(name, case):
    size = (38, 62) if case == "short and odd" else SIZE
    recording = recorded(30 if case in ("faceless", "silent") else 16, size)
    if case == "silent":
        recording = recording.with_audio(np.zeros_like(recording.audio))
    if case == "faceless":
        recording = Recording.of(recording.frames, recording.audio)
    for seed in range(2 if name in EDITING else 1):
        change = changed(name, recording, seed)
        made = change.recording
        assert made.frames.shape[1:] == recording.frames.shape[1:]
        assert np.isfinite(made.audio).all()
        assert change.spans
        assert all(0 <= start < end <= made.n_steps for start, end in change.spans)
        known = made.source_steps[made.source_steps != ADDED]
        assert known.size
        assert known.max() < recording.n_steps


@pytest.mark.parametrize("name", EDITING)
def test_editing_leaves_the_steps_outside_its_spans(name, clip):
    for change in many(name, clip):
        made, still = change.recording, outside(change)
        steps = made.source_steps[still]
        assert still.any()
        assert (steps != ADDED).all()
        assert np.array_equal(made.frames[still], clip.frames[steps])
        assert np.array_equal(
            made.audio.reshape(-1, STEP_SAMPLES)[still],
            clip.audio.reshape(-1, STEP_SAMPLES)[steps],
        )


@pytest.mark.parametrize("name", DELIVERY)
def test_delivery_goes_through_the_whole_clip_in_sync(name, clip):
    change = changed(name, clip, 1)
    assert change.spans == ((0, clip.n_steps),)
    assert np.array_equal(change.recording.source_steps, clip.source_steps)
    assert not np.array_equal(change.recording.frames, clip.frames)
    middle = slice(10 * STEP_SAMPLES, -10 * STEP_SAMPLES)
    made = change.recording.audio[middle]
    assert np.corrcoef(made, clip.audio[middle])[0, 1] > 0.8


def test_a_third_of_the_kinds_is_held_out_and_never_part_of_several_in_a_row():
    held_out = {name for name in OWN if KINDS[name].held_out}
    assert held_out == {"cutaway", "interlaced", "screen-recording", "frame-rate-50"}
    assert not held_out & set(delivery.IN_A_ROW)


def test_a_jump_cut_takes_a_piece_out_of_picture_and_sound(clip):
    for change in many("jump-cut", clip):
        removed = change.params["removed"]
        kept = np.delete(
            np.arange(N_STEPS), np.concatenate([np.arange(*piece) for piece in removed])
        )
        assert np.array_equal(change.recording.source_steps, kept)
        for start, end in change.spans:
            assert change.recording.source_steps[end - 1] > start + 1
    forged = np.zeros(N_STEPS, bool)
    start, end = removed[0]
    forged[start:end] = True
    assert not change.recording.moved(forged).any()


def test_a_reverse_shot_adds_somebody_else_as_loud_as_the_clip(clip):
    for change in many("reverse-shot", clip):
        (start, end), made = change.spans[0], change.recording
        assert (made.source_steps[start:end] == ADDED).all()
        assert np.array_equal(
            np.delete(made.source_steps, np.arange(start, end)), np.arange(N_STEPS)
        )
        inserted = made.taken(np.arange(start, end))
        levels = [editing._loudness_db(item.audio) for item in (inserted, clip)]
        assert abs(levels[0] - levels[1]) < 2.5
        assert np.isfinite(inserted.face).all()
        assert inserted.frames.std() > 20


def test_a_cutaway_hides_the_face_and_keeps_the_sound(clip):
    changes = many("cutaway", clip)
    assert {change.params["picture"] for change in changes} == {"landscape", "defocused"}
    for change in changes:
        start, end = change.spans[0]
        assert np.array_equal(change.recording.audio, clip.audio)
        assert np.array_equal(change.recording.source_steps, clip.source_steps)
        assert np.isnan(change.recording.face[start:end]).all()
        assert np.isfinite(change.recording.face[outside(change)]).all()
        shown = change.recording.frames[start:end].astype(float)
        assert np.abs(shown - clip.frames[start:end]).mean() > 8


def test_the_sound_of_a_clip_goes_on_under_the_picture_of_another(clip):
    for change in many("sound-of-another", clip):
        start, end = change.spans[0]
        assert change.covered == ((start, end),)
        assert np.array_equal(change.recording.audio, clip.audio)
        other = change.recording.frames[start:end].astype(float)
        assert np.abs(other - clip.frames[start:end]).mean() > 8
        assert np.isfinite(change.recording.face[start:end]).all()


def test_a_title_card_is_added_and_stands_still(clip):
    changes = many("title-card", clip, 20)
    assert {change.params["at"] == 0 for change in changes} == {True, False}
    for change in changes:
        start, end = change.spans[0]
        card = change.recording.taken(np.arange(start, end))
        assert (card.source_steps == ADDED).all()
        fade = change.params["fade"]
        still = card.frames[fade : card.n_steps - fade]
        assert (still == still[0]).all()
        assert still[0].std(axis=(0, 1)).max() > 2
        assert card.audio.any() == (change.params["music_db"] is not None)


def shown_steps(frames: np.ndarray, clip: Recording) -> np.ndarray:
    """Of each frame the step of the clip that it resembles most."""
    small = clip.frames[:, ::4, ::2].reshape(clip.n_steps, -1).astype(np.float32)
    given = frames[:, ::4, ::2].reshape(len(frames), -1).astype(np.float32)
    apart = (given**2).sum(1)[:, None] - 2 * given @ small.T + (small**2).sum(1)
    return np.argmin(apart, axis=1)


@pytest.mark.parametrize(
    ("name", "fewest", "most"), [("frame-rate-24", 1, 8), ("frame-rate-30", 5, 25)]
)
def test_a_frame_rate_repeats_and_drops_what_it_must(name, fewest, most, clip):
    nearest = [
        change
        for change in many(name, clip, 6)
        if change.params["manner"] == "nearest" and change.params["jitter_s"] == 0
    ]
    assert nearest
    for change in nearest:
        steps = shown_steps(change.recording.frames, clip)
        assert (np.abs(steps - np.arange(N_STEPS)) <= 1).all()
        assert fewest <= (np.diff(steps) == 0).sum() <= most


def test_a_blended_frame_rate_shows_two_pictures_at_once(clip):
    changes = many("frame-rate-60", clip, 6)
    assert {change.params["manner"] for change in changes} == {"nearest", "blended"}
    blended = next(change for change in changes if change.params["manner"] == "blended")
    assert blended.recording.frames.std() < 0.95 * clip.frames.std()


def test_deinterlaced_pictures_have_fewer_lines(clip):
    changes = many("interlaced", clip, 6)
    assert {change.params["manner"] for change in changes} == {"bob", "blend"}

    def detail(frames: np.ndarray) -> float:
        return float(np.abs(np.diff(frames.astype(float), 2, axis=1)).mean())

    assert all(detail(change.recording.frames) < 0.9 * detail(clip.frames) for change in changes)


def test_a_messenger_leaves_little_detail_and_a_narrow_band(clip):
    noise = np.random.default_rng(0).standard_normal(len(clip.audio)) * 0.1
    for change in many("messenger", clip.with_audio(noise), 3):
        spectrum = np.abs(np.fft.rfft(change.recording.audio)) ** 2
        band = spectrum[int(len(spectrum) * 7800 / 8000) :].sum() / spectrum.sum()
        assert band < 0.005
        edges = [
            np.abs(np.diff(item.frames.astype(float), axis=2)).mean()
            for item in (change.recording, clip)
        ]
        assert edges[0] < edges[1]


def test_a_screen_recording_has_a_border_and_late_pictures(clip):
    for change in many("screen-recording", clip, 3):
        own, box = change.recording.face[0], np.array(FACE)
        assert own[2] - own[0] == pytest.approx((box[2] - box[0]) * change.params["filled"], abs=1)
        assert change.params["late"] > 0
        frames = change.recording.frames
        edges = (
            np.concatenate([frames[:, 0], frames[:, -1]]),
            np.concatenate([frames[:, :, 0], frames[:, :, -1]]),
        )
        assert min(edge.std(axis=1).mean() for edge in edges) < 25


def test_several_in_a_row_names_what_was_done(clip):
    made = changed("several-in-a-row", clip).params["made"]
    assert 2 <= len(made) <= 3
    assert {entry["kind"] for entry in made} <= set(delivery.IN_A_ROW)
