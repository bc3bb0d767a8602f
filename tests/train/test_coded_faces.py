"""Faces on disk: the very same pixels, of which only those asked for are decoded."""

import numpy as np
import pytest

from train.data import face_images as coded_faces
from train.data.cache import ClipTensors

HERE = np.ones(12, bool)
SCENE, AROUND = np.zeros(12, int), np.zeros((12, 2, 4))


@pytest.fixture(scope="module")
def clip() -> ClipTensors:
    """Gradients and noise, every value of a byte among them, and an unseen step."""
    rng = np.random.default_rng(0)
    faces = np.tile(np.arange(48, dtype=np.uint8)[:, None, None] * 5, (12, 1, 48, 3))
    faces += rng.integers(0, 8, faces.shape, dtype=np.uint8)
    faces[5] = rng.integers(0, 256, faces[5].shape, dtype=np.uint8)
    faces[7] = 0
    mel, lines = (rng.normal(size=size).astype(np.float32) for size in ((48, 90), (12, 6)))
    return ClipTensors(faces, mel, lines, HERE, HERE, SCENE, AROUND)


@pytest.fixture(scope="module")
def kept(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("coded") / "clip.npz"
    clip.save(path)
    return path


def test_what_is_read_is_what_was_kept_to_the_last_bit(clip, kept):
    faces = ClipTensors.load(kept).faces
    assert faces.shape == clip.faces.shape and len(faces) == 12
    for index in (slice(3, 9), slice(None), slice(10, 40), slice(1, 11, 4), 0, 5, -1, np.int64(7)):
        found = faces[index]
        assert found.dtype == np.uint8 and np.array_equal(found, clip.faces[index])
    assert np.array_equal(np.asarray(faces), clip.faces)
    assert all(np.array_equal(*pair) for pair in zip(faces, clip.faces, strict=True))
    with pytest.raises(IndexError):
        faces[12]


def test_it_is_smaller_and_bytes_stay_on_disk(clip, kept):
    faces = ClipTensors.load(kept).faces
    assert isinstance(faces.data, np.memmap) and len(faces.data) < 0.6 * clip.faces.nbytes


def test_only_what_is_asked_for_is_decoded(kept, monkeypatch):
    faces, opened = ClipTensors.load(kept).faces, []
    once = coded_faces.Image.open
    monkeypatch.setattr(coded_faces.Image, "open", lambda file: opened.append(1) or once(file))
    faces[4:7]
    assert len(opened) == 3


def test_a_cache_of_before_is_refused_with_what_to_do(clip, tmp_path):
    path = tmp_path / "old.npz"
    np.savez(path, faces=clip.faces, mel=clip.mel.astype(np.float16), seen=HERE, heard=HERE)
    with pytest.raises(ValueError, match=r"old.npz is of an earlier version: run python -m train"):
        ClipTensors.load(path)


def test_speech_without_a_picture_has_no_pixels_to_code(clip, tmp_path):
    nothing = np.zeros((12, 0, 0, 3), np.uint8)
    speech = ClipTensors(nothing, clip.mel, clip.lines, ~HERE, HERE, SCENE, AROUND)
    speech.save(tmp_path / "speech.npz")
    assert ClipTensors.load(tmp_path / "speech.npz").faces.shape == (12, 0, 0, 3)
