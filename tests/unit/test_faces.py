"""Tracking and cropping on drawn faces, with a detector that knows where it drew them."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from deeploc.errors import NoFace
from deeploc.faces.crop import crop_faces, crop_squares
from deeploc.faces.detector import NO_FACES, Detections, FaceDetector
from deeploc.faces.surroundings import SurroundingsMeter
from deeploc.faces.tracker import DETECT_EVERY, track_faces
from deeploc.media.clip import MediaInfo
from deeploc.media.shots import Shots
from deeploc.timeline import FrameGrid


@dataclass
class DrawnFrame:
    """Looks like a LazyFrame."""

    rgb: np.ndarray

    @property
    def height(self):
        return len(self.rgb)

    @property
    def width(self):
        return self.rgb.shape[1]

    @property
    def luma(self):
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)

    def region(self, box):
        left, top, right, bottom = box
        return self.rgb[top:bottom, left:right]

    def no_wider_than(self, width):
        by = max(1, self.width // width)
        return self.rgb[::by, ::by]


@dataclass
class DrawnClip:
    """Looks like a Clip: every frame holds its own number in its first pixel."""

    n_frames: int
    decoded: int | None = None

    @property
    def pts_s(self):
        return np.arange(self.n_frames) / 25

    @property
    def grid(self):
        return FrameGrid(25.0, self.n_frames)

    @property
    def info(self):
        return MediaInfo("drawn.mp4", self.n_frames / 25, 25.0, 320, 240, False)

    def lazy_frames(self, every=1):
        for number in range(0, self.decoded or self.n_frames, every):
            frame = np.zeros((240, 320, 3), np.uint8)
            frame[0, 0] = number // 256, number % 256, 0
            yield DrawnFrame(frame)


def detector(*faces):
    """Detects `(first, end, left, speed, size)` faces; speed in pixels a frame."""

    def detect(frames):
        found = []
        for frame in frames:
            number = int(frame[0, 0, 0]) * 256 + int(frame[0, 0, 1])
            boxes = [
                (left + speed * number, 50, left + speed * number + size, 50 + size)
                for first, end, left, speed, size in faces
                if first <= number < end
            ]
            count = len(boxes)
            found.append(
                Detections(np.array(boxes, np.float32), np.ones(count), np.zeros((count, 5, 2)))
                if boxes
                else NO_FACES
            )
        return found

    return detect


def track(clip, *faces, cuts=()):
    shots = Shots(np.array([0, *cuts]), np.zeros(1 + len(cuts), int), np.zeros(clip.n_frames, bool))
    return track_faces(clip, shots, detector(*faces), lambda done, total: None)


def test_a_moving_face_is_followed_through_every_step():
    (found,) = track(DrawnClip(200), (0, 200, 50, 0.5, 80))
    assert found.visible.all()
    middle = found.boxes[20:180]
    np.testing.assert_allclose(middle[:, 0], 50 + 0.5 * np.arange(20, 180), atol=0.5)
    np.testing.assert_allclose(middle[:, 3] - middle[:, 1], 80, atol=0.1)


def test_steps_without_the_face_are_not_interpolated():
    (found,) = track(DrawnClip(200), (0, 60, 50, 0, 80), (120, 200, 52, 0, 80))
    assert found.visible[:55].all() and found.visible[125:].all()
    assert not found.visible[70:115].any()
    assert np.isnan(found.boxes[~found.visible]).all()


def test_boxes_are_neither_interpolated_nor_smoothed_over_a_cut():
    (found,) = track(DrawnClip(200), (0, 103, 50, 0, 80), (103, 200, 70, 0, 80), cuts=(103,))
    assert found.visible.all()
    np.testing.assert_allclose(found.boxes[:103, 0], 50)
    np.testing.assert_allclose(found.boxes[103:, 0], 70)


def test_one_missed_detection_is_bridged():
    missed = 10 * DETECT_EVERY
    (found,) = track(DrawnClip(200), (0, missed, 50, 0, 80), (missed + 1, 200, 50, 0, 80))
    assert found.visible.all()


def test_longest_present_largest_face_comes_first_and_all_are_listed():
    faces = (0, 200, 10, 0, 50), (0, 200, 200, 0, 90), (0, 60, 120, 0, 60)
    found = track(DrawnClip(200), *faces)
    assert [round(item.height) for item in found] == [90, 50, 60]
    assert [item.number for item in found] == [1, 2, 3]
    assert found[2].presence == pytest.approx(0.3, abs=0.03)


def test_no_face_is_an_error_with_a_sentence():
    with pytest.raises(NoFace, match=r"drawn\.mp4"):
        track(DrawnClip(100))
    with pytest.raises(NoFace):
        track(DrawnClip(100), (0, 7, 50, 0, 80))


def test_steps_that_do_not_decode_are_unseen():
    (found,) = track(DrawnClip(200, decoded=120), (0, 200, 50, 0, 80))
    assert found.visible[:116].all() and not found.visible[120:].any()
    crops = list(crop_faces(DrawnClip(200, decoded=120).lazy_frames(), crop_squares(found), 32))
    assert len(crops) == 200 and crops[150] is None and crops[50] is not None


def crop(frame, square, size=16):
    return next(crop_faces([DrawnFrame(frame)], np.array([square], np.float32), size))


def test_the_crop_is_the_square_of_the_picture():
    frame = np.random.default_rng(0).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    np.testing.assert_array_equal(crop(frame, (20, 30, 36, 46)), frame[30:46, 20:36])


def test_a_crop_may_reach_outside_and_repeats_the_edge():
    frame = np.full((100, 120, 3), 7, np.uint8)
    frame[:, 0] = 9
    outside = crop(frame, (-8, -8, 8, 8))
    assert (outside[:, :9] == 9).all() and (outside[:, 9:] == 7).all()


def test_squares_hold_the_face_with_its_margin(tmp_path):
    (found,) = track(DrawnClip(50), (0, 50, 50, 0, 80))
    left, top, right, bottom = crop_squares(found)[25]
    assert right - left == pytest.approx(88, abs=0.1) == bottom - top
    assert (left + right) / 2 == pytest.approx(90, abs=0.1)


def test_mtcnn_finds_nothing_in_noise():
    noise = np.random.default_rng(0).integers(0, 255, (2, 120, 160, 3), dtype=np.uint8)
    assert all(len(found.boxes) == 0 for found in FaceDetector()(list(noise)))
    assert FaceDetector()([]) == []


@pytest.mark.parametrize("size", [(16, 16), (18, 64), (100, 2400)])
def test_pictures_too_small_for_a_face_hold_none(size):
    (found,) = FaceDetector()([np.zeros((*size, 3), np.uint8)])
    assert len(found.boxes) == 0


def around(frames, square=(110, 80, 210, 180)):
    meter = SurroundingsMeter(96)
    return np.stack([meter(DrawnFrame(frame), np.array(square, np.float32)) for frame in frames])


def noisy(steps, strength=20, seed=0):
    rng = np.random.default_rng(seed)
    still = rng.integers(60, 190, (240, 320, 3))
    return [
        np.clip(still + rng.normal(0, strength, still.shape), 0, 255).astype(np.uint8)
        for _ in range(steps)
    ]


def test_what_happens_to_the_face_alone_is_not_seen_around_it():
    frames = noisy(6)
    inside = [frame.copy() for frame in frames]
    for frame in inside[3:]:
        frame[82:178, 112:208] = 90
    np.testing.assert_allclose(around(inside)[:, 1], around(frames)[:, 1])
    np.testing.assert_allclose(around(inside)[:, 0], around(frames)[:, 0], atol=0.4)


def test_a_soft_picture_has_less_detail_around_the_face_and_a_dark_one_a_lower_level():
    level, fine, change, detail = range(4)
    sharp = around(noisy(6))
    soft = around([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in noisy(6)])
    dark = around([frame // 2 for frame in noisy(6)])
    assert (soft[:, :, detail] < sharp[:, :, detail] - 2).all()
    assert (soft[:, :, fine] < sharp[:, :, fine] - 1).all()
    assert (dark[:, :, level] < sharp[:, :, level] - 0.5).all()
    still = around([noisy(1)[0]] * 6)
    assert np.isnan(still[0, :, change]).all()
    assert (still[1:, :, change] < sharp[1:, :, change] - 3).all()


def test_nothing_is_measured_where_nothing_is():
    meter = SurroundingsMeter(96)
    frame = DrawnFrame(noisy(1)[0])
    assert np.isnan(meter(None, np.zeros(4))).all()
    assert np.isnan(meter(frame, np.full(4, np.nan))).all()
    whole = meter(frame, np.array([0, 0, 320, 240], np.float32))
    assert np.isnan(whole).all()  # the face fills the picture
