"""Alignment of landmarks that were placed by a known transform, and of drawn pictures."""

from dataclasses import dataclass

import numpy as np
import pytest

from deeploc.faces.alignment import MIDDLE, TEMPLATE, align, align_track, aligned_faces
from deeploc.faces.detector import Detections
from deeploc.faces.tracker import DETECT_EVERY, track_faces
from deeploc.media.shots import Shots
from tests.unit.test_faces import DrawnClip, DrawnFrame


def landmarks(middle, side, tilt):
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return (side * (TEMPLATE - MIDDLE)) @ turn.T + middle


def sightings(n_frames, place, every=6):
    steps = np.arange(0, n_frames, every)
    return steps, np.stack([landmarks(*place(step)) for step in steps]).astype(np.float32)


def test_a_known_transform_is_recovered():
    steps, points = sightings(61, lambda step: ((100.0, 80.0), 90.0, 0.3))
    found = align(steps, points, np.ones(61, bool))
    assert np.allclose(found.middle, (100, 80), atol=1e-3)
    assert np.allclose(found.side, 90, atol=1e-3)
    assert np.allclose(found.tilt, 0.3, atol=1e-5)
    back = np.linalg.inv(np.vstack([found.matrices(192)[7], [0, 0, 1]]))
    aligned = points[0] @ back[:2, :2].T + back[:2, 2]
    assert np.allclose(aligned, 192 * TEMPLATE, atol=1e-2)


def test_corners_are_those_of_the_turned_square():
    steps, points = sightings(20, lambda step: ((100.0, 80.0), 90.0, np.pi / 2))
    corners = align(steps, points, np.ones(20, bool)).corners()[3]
    middle = np.array([100.0, 80.0])
    assert np.allclose(corners[0], middle + 90 * np.array([MIDDLE[1], -MIDDLE[0]]), atol=1e-2)
    assert np.allclose(np.linalg.norm(corners[1] - corners[0]), 90, atol=1e-2)


def test_a_margin_shows_more_around_the_same_face():
    steps, points = sightings(20, lambda step: ((100.0, 80.0), 90.0, 0.1))
    found = align(steps, points, np.ones(20, bool))
    plain, wide = found.matrices(192)[0], found.matrices(208, 8 / 192)[0]
    place = np.array([50.0, 60.0])
    assert np.allclose(plain[:, :2] @ place + plain[:, 2], wide[:, :2] @ (place + 8) + wide[:, 2])


def test_jitter_is_smoothed():
    rng = np.random.default_rng(0)
    steps, points = sightings(300, lambda step: ((100.0 + 0.1 * step, 80.0), 90.0, 0.0))
    shaken = points + rng.normal(0, 1.5, points.shape)
    found = align(steps, shaken, np.ones(300, bool))
    inner = slice(20, -20)
    away = found.middle[inner] - np.stack([100 + 0.1 * np.arange(300), np.full(300, 80)], 1)[inner]
    raw = shaken.mean(1) - points.mean(1)
    alone = [align(steps[:1], shaken[[i]], np.ones(1, bool)).side[0] for i in range(len(steps))]
    assert found.side[inner].std() < 0.6 * np.std(alone)
    assert away.std() < 0.7 * raw.std()


def test_a_single_wrong_sighting_is_left_out():
    steps, points = sightings(120, lambda step: ((100.0, 80.0), 90.0, 0.0))
    points[7] += 60
    points[11] = landmarks((100, 80), 180, 0.8)
    found = align(steps, points, np.ones(120, bool))
    assert np.allclose(found.middle, (100, 80), atol=0.1)
    assert np.allclose(found.side, 90, atol=0.1)


def test_a_fast_head_is_followed():
    steps, points = sightings(120, lambda step: ((100.0 + 3 * step, 80.0), 90.0, 0.0))
    found = align(steps, points, np.ones(120, bool))
    assert np.allclose(found.middle[20:-20, 0], 100 + 3 * np.arange(20, 100), atol=0.5)


def test_tilt_is_smoothed_across_a_half_turn():
    steps, points = sightings(60, lambda step: ((0.0, 0.0), 50.0, np.pi - 0.1 + 0.004 * step))
    tilt = align(steps, points, np.ones(60, bool)).tilt
    assert np.all(np.abs(np.diff(tilt)) < 0.01)


def test_gaps_are_interpolated_but_stay_marked():
    steps, points = sightings(100, lambda step: ((100.0 + step, 80.0), 90.0, 0.0))
    seen = np.ones(100, bool)
    seen[31:60] = False
    keep = (steps <= 30) | (steps >= 60)
    found = align(steps[keep], points[keep], seen)
    assert np.array_equal(found.seen, seen)
    assert np.isfinite(found.middle).all()
    assert np.allclose(found.middle[45], (145, 80), atol=0.5)


@dataclass
class Spotted(DrawnClip):
    """Five coloured spots where the landmarks are."""

    def lazy_frames(self, every=1):
        for _ in range(0, self.n_frames, every):
            frame = np.full((240, 320, 3), 40, np.uint8)
            for x, y in landmarks((150, 110), 120, 0.2).round().astype(int):
                frame[y - 3 : y + 4, x - 3 : x + 4] = 250
            yield DrawnFrame(frame)


class Knowing:
    def __call__(self, frames):
        points = landmarks((150, 110), 120, 0.2)[None].astype(np.float32)
        box = np.array([[110, 60, 190, 160]], np.float32)
        return [Detections(box, np.ones(1, np.float32), points) for _ in frames]


@pytest.fixture
def track():
    shots = Shots(np.zeros(1, int), np.zeros(1, int), np.zeros(40, bool))
    return track_faces(Spotted(40), shots, Knowing(), lambda done, total: None)[0]


def test_a_track_keeps_its_landmarks(track):
    assert track.sighted.tolist() == list(range(0, 40, DETECT_EVERY))
    assert track.landmarks.shape == (7, 5, 2)


def test_aligned_pictures_have_the_landmarks_where_the_template_says(track):
    for size in (192, 96):
        faces = list(aligned_faces(Spotted(40), align_track(track), size))
        assert len(faces) == 40
        face = faces[20].astype(float)
        assert face.shape == (size, size, 3)
        for x, y in size * TEMPLATE:
            assert face[int(y), int(x), 0] > 150
        assert np.median(face) == 40


def test_unseen_steps_and_missing_pictures_are_none(track):
    alignment = align_track(track)
    alignment.seen[:5] = False
    assert [face is None for face in aligned_faces(Spotted(30), alignment, 64)] == (
        [True] * 5 + [False] * 25 + [True] * 10
    )
