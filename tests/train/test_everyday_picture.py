"""What every everyday change of the picture keeps, and what each of them does."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from train.everyday import camera, overlays, picture
from train.everyday.recording import Change, Recording
from train.everyday.registry import KINDS

MODULES = {module.__name__ for module in (camera, overlays, picture)}
pytestmark = pytest.mark.slow

NAMES = [name for name, kind in KINDS.items() if kind.change.__module__ in MODULES]
SEEDS = range(4)
MOVING = ("punch-in", "slow-zoom", "camera-shake", "motion-blur")


def made(steps=50, height=128, width=160, *, still=False, seed=0) -> Recording:
    """A texture that drifts, fine and coarse, with a face's box in its middle, and noise for a
    voice."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(60, 190, (6, 8, 3)), (width + steps, height))
    texture = np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)
    shifts = [0] * steps if still else range(steps)
    frames = np.stack([texture[:, shift : shift + width] for shift in shifts])
    times = np.arange(steps * 640) / 16_000
    audio = 0.1 * rng.standard_normal(len(times)) * (1 + np.sin(20 * times))
    box = np.array([0.35 * width, 0.25 * height, 0.65 * width, 0.75 * height])
    return Recording.of(frames, audio, np.tile(box, (steps, 1)))


@pytest.fixture(scope="module")
def clip() -> Recording:
    return made()


@pytest.fixture(scope="module")
def still() -> Recording:
    return made(still=True)


def changed(name: str, recording: Recording, seed: int = 0) -> Change:
    return KINDS[name].change(recording, np.random.default_rng(seed), None)


def inside(change: Change) -> np.ndarray:
    within = np.zeros(change.recording.n_steps, bool)
    for start, end in change.spans:
        within[start:end] = True
    return within


def middle(change: Change) -> int:
    start, end = change.spans[0]
    return (start + end) // 2


def detail(frames: np.ndarray) -> np.ndarray:
    """The energy of the Laplacian of each frame."""
    return np.array([cv2.Laplacian(frame, cv2.CV_32F).var() for frame in frames])


def keeps(before: Recording, change: Change) -> None:
    """Asserts what no change of the picture may touch."""
    after = change.recording
    assert after.frames.shape == before.frames.shape
    assert np.array_equal(after.audio, before.audio)
    assert np.array_equal(after.source_steps, before.source_steps)
    assert change.spans and all(0 <= a < b <= after.n_steps for a, b in change.spans)
    outside = ~inside(change)
    assert np.array_equal(after.frames[outside], before.frames[outside])
    assert np.array_equal(after.face[outside], before.face[outside], equal_nan=True)
    assert not np.array_equal(after.frames, before.frames)
    height, width = after.frames.shape[1:3]
    boxes = after.face[np.isfinite(after.face).all(axis=1)]
    assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
    assert json.loads(json.dumps(change.params)) == change.params and change.params


def test_the_group_has_its_kinds_and_holds_some_out():
    assert all(KINDS[name].group == "picture" for name in NAMES)
    held_out = [name for name in NAMES if KINDS[name].held_out]
    assert len(NAMES) >= 11 and 0.25 <= len(held_out) / len(NAMES) <= 0.4


@pytest.mark.parametrize("name", NAMES)
def test_a_change_keeps_sound_and_time_by_its_seed(name, clip):
    before = replace(clip, frames=clip.frames.copy(), face=clip.face.copy())
    changes = [changed(name, clip, seed) for seed in SEEDS]
    for change in changes:
        keeps(before, change)
    assert np.array_equal(clip.frames, before.frames) and np.array_equal(clip.face, before.face)
    again = changed(name, clip, 0)
    assert np.array_equal(again.recording.frames, changes[0].recording.frames)
    assert (again.spans, again.params) == (changes[0].spans, changes[0].params)
    assert any(change.params != changes[0].params for change in changes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(16, 48, 64), (17, 130, 74)])
def test_it_works_on_short_faceless_and_silent_clips(name, size):
    clip = made(*size)
    nobody = replace(clip, face=np.full_like(clip.face, np.nan), audio=np.zeros_like(clip.audio))
    partly = replace(clip, face=np.where(np.arange(size[0])[:, None] < 5, np.nan, clip.face))
    for seed in SEEDS:
        for before in (clip, nobody, partly):
            change = changed(name, before, seed)
            keeps(before, change)
        assert np.isnan(changed(name, nobody, seed).recording.face).all()


@pytest.mark.parametrize("name", ["soft-focus", "motion-blur", "compression-step"])
def test_detail_goes_within_the_span_only(name, clip):
    for seed in SEEDS:
        change = changed(name, clip, seed)
        share = detail(change.recording.frames) / detail(clip.frames)
        within = inside(change)
        assert share[within].min() < 0.9 and (share[~within] == 1).all()


def test_focus_is_lost_and_found_softly(clip):
    for seed in SEEDS:
        change = changed("soft-focus", clip, seed)
        (start, end), levels = change.spans[0], detail(change.recording.frames)
        assert levels[start] > levels[start:end].min() < levels[end - 1]


def test_exposure_gives_or_takes_light(still):
    for seed in range(8):
        change = changed("exposure-step", still, seed)
        light = change.recording.frames.mean((1, 2, 3)) - still.frames[0].mean()
        strongest = light[np.abs(light).argmax()]
        assert np.sign(strongest) == np.sign(change.params["stops"]) and abs(strongest) > 3
        assert change.params["returns"] or abs(light[-1]) > 0.9 * abs(strongest)


def test_white_balance_moves_red_against_blue(still):
    for seed in range(8):
        change = changed("white-balance-step", still, seed)
        red, _, blue = change.recording.frames[middle(change)].mean((0, 1)) - still.frames[0].mean(
            (0, 1)
        )
        assert np.sign(red - blue) == np.sign(change.params["warmth"])


def test_a_fade_reaches_its_colour(clip):
    for seed in range(8):
        change = changed("picture-fade", clip, seed)
        (start, end), frames = change.spans[0], change.recording.frames
        place = {"in": start, "out": end - 1, "through": middle(change)}[change.params["manner"]]
        assert (frames[place] == change.params["colour"]).all()


def test_noise_is_new_in_every_frame(still):
    for seed in SEEDS:
        change = changed("sensor-noise", still, seed)
        noise = change.recording.frames.astype(float) - still.frames
        step = middle(change)
        assert 0.4 < noise[step].std() / change.params["sigma"] < 2
        assert abs(np.corrcoef(noise[step].ravel(), noise[step - 1].ravel())[0, 1]) < 0.1


def test_a_frozen_picture_holds_one_frame_and_the_truth_goes_on(clip):
    for seed in SEEDS:
        change = changed("freeze", clip, seed)
        start, end = change.spans[0]
        held = change.recording.frames[start - 1 : end]
        assert (held == clip.frames[start - 1]).all()
        forged = np.arange(clip.n_steps) == middle(change)
        assert np.array_equal(change.recording.moved(forged), forged)


def test_a_dropped_frame_shows_the_one_before(clip):
    for seed in SEEDS:
        change = changed("dropped-frames", clip, seed)
        frames, lost = change.recording.frames, inside(change)
        assert not lost[0]
        for step in np.flatnonzero(lost):
            assert np.array_equal(frames[step], frames[step - 1])


@pytest.mark.parametrize("name", MOVING)
def test_the_face_box_moves_with_the_picture(name, still):
    """What the box holds afterwards, laid on what it held before."""

    def held(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        size = (box[2:] - box[:2]).astype(float)
        view = np.array([[size[0] / 32, 0, box[0]], [0, size[1] / 32, box[1]]], float)
        return cv2.warpAffine(
            cv2.GaussianBlur(frame, (0, 0), 3), view, (32, 32), flags=2 | cv2.WARP_INVERSE_MAP
        )

    for seed in SEEDS:
        change = changed(name, still, seed)
        boxes = change.recording.face
        step = int(np.abs(boxes - still.face).sum(1).argmax())
        assert np.abs(boxes[step] - still.face[step]).max() > 0.1
        before = held(still.frames[step], still.face[step]).astype(float)
        after = held(change.recording.frames[step], boxes[step]).astype(float)
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("name", MOVING)
def test_no_border_comes_into_view(name):
    """A ramp that grows to the right would fall at a mirrored border."""
    ramp = np.broadcast_to((3 * np.arange(80, dtype=np.uint8))[None, :, None], (48, 80, 3))
    clip = Recording.of(np.stack([ramp] * 40), np.zeros(25_600, np.float32))
    for seed in range(8):
        frames = changed(name, clip, seed).recording.frames.astype(int)
        assert np.diff(frames, axis=2).min() >= -1


def test_a_punch_in_is_a_cut_to_a_larger_picture(still):
    for seed in SEEDS:
        change = changed("punch-in", still, seed)
        start, end = change.spans[0]
        boxes = change.recording.face[start:end]
        assert (boxes == boxes[0]).all()
        grown = (boxes[0, 2] - boxes[0, 0]) / (still.face[0, 2] - still.face[0, 0])
        assert grown == pytest.approx(change.params["scale"], rel=0.01)


def test_a_slow_zoom_goes_one_way(still):
    for seed in SEEDS:
        change = changed("slow-zoom", still, seed)
        boxes = change.recording.face
        widths = (boxes[:, 2] - boxes[:, 0]) * (1 if change.params["inwards"] else -1)
        assert (np.diff(widths) >= -1e-4).all() and np.abs(np.diff(widths)).max() < 4


def test_a_shaking_camera_goes_to_and_fro(still):
    for seed in SEEDS:
        change = changed("camera-shake", still, seed)
        middles = change.recording.face.reshape(-1, 2, 2).mean(1)[:, 0]
        turns = np.diff(np.sign(np.diff(middles[inside(change)])))
        assert np.count_nonzero(turns) >= 1


def test_a_turned_head_moves_the_face_and_not_the_room(still):
    for seed in SEEDS:
        change = changed("head-turn", still, seed)
        step = middle(change)
        moved = change.recording.face[step] - still.face[step]
        assert np.sign(moved[0]) == np.sign(change.params["yaw"])
        assert moved[0] == pytest.approx(moved[2], abs=1e-4)
        after = change.recording.frames[step]
        assert np.array_equal(after[:, :10], still.frames[step][:, :10])
        assert np.array_equal(after[:, -10:], still.frames[step][:, -10:])
        face = (slice(32, 96), slice(56, 104))
        assert np.abs(after[face].astype(int) - still.frames[step][face]).mean() > 1


def test_something_comes_before_the_mouth_and_goes(still):
    for seed in SEEDS:
        change = changed("hand-before-face", still, seed)
        (start, end), step = change.spans[0], middle(change)
        difference = np.abs(change.recording.frames.astype(int) - still.frames).max(-1)
        mouth = difference[:, 76:92, 72:88].mean((1, 2))
        assert mouth[step] > 10 and mouth[step] > 2 * max(mouth[start], mouth[end - 1])
        assert difference[step, :16].max() == 0
        assert np.array_equal(change.recording.face, still.face)


def test_captions_change_and_stay_at_the_bottom(still):
    texts = []
    for seed in range(8):
        frames = changed("captions", still, seed).recording.frames
        assert np.array_equal(frames[:, :40], still.frames[:, :40])
        texts.append(len({frame.tobytes() for frame in frames}))
    assert max(texts) >= 3


def test_a_logo_stays_in_its_corner(still):
    for seed in range(8):
        change = changed("logo", still, seed)
        seen = np.abs(change.recording.frames.astype(int) - still.frames).max((0, 3)) > 0
        rows = np.flatnonzero(seen.any(1))
        top = "top" in change.params["corner"]
        assert rows.max() < 64 if top else rows.min() >= 64
        columns = np.flatnonzero(seen.any(0))
        left = "left" in change.params["corner"]
        assert columns.min() < 20 if left else columns.max() >= 140
