"""The mp4 of original, reconstruction and error, and what is kept for it."""

from dataclasses import replace

import av
import numpy as np
import pytest

from deeploc.calibration import heat_scale
from deeploc.checkpoints import load_checkpoint
from deeploc.evidence import BATCH, measure_evidence
from deeploc.export.inspection import COLOURS, GREY, TILE, error_tile, open_inspection
from deeploc.preprocess.windows import Window

SCALE = [1.0, 2.0, 3.0, 6.0]
UNSEEN = range(20, 30)


@pytest.fixture(scope="module")
def model():
    return load_checkpoint("tiny")[0]


def clip(steps, unseen=()):
    """Faces whose red tells the step, and sound."""
    rng = np.random.default_rng(0)
    faces = [np.full((96, 96, 3), (2 * step % 256, 60, 60), np.uint8) for step in range(steps)]
    faces = [None if step in unseen else face for step, face in enumerate(faces)]
    heard = np.arange(steps) >= 8
    mel = rng.normal(-5, 2, (4 * steps, 90)).astype(np.float32)
    return faces, mel, np.zeros((steps, 6), np.float32), heard


def frames(path):
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24")


@pytest.fixture(scope="module")
def inspected_clip(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "face.mp4"
    with open_inspection(path, 45, SCALE) as inspection:
        evidence = measure_evidence(model, *clip(45, UNSEEN), observer=inspection)
    return path, inspection, evidence


def test_evidence_is_the_same_with_and_without(model, inspected_clip):
    plain = measure_evidence(model, *clip(45, UNSEEN))
    np.testing.assert_array_equal(plain.visual, inspected_clip[2].visual)
    np.testing.assert_array_equal(plain.audio, inspected_clip[2].audio)


def test_one_frame_a_step_each_with_its_own_picture(inspected_clip):
    shown = list(frames(inspected_clip[0]))
    assert [time for time, _ in shown] == pytest.approx([step / 25 for step in range(45)])
    for step, (_, picture) in enumerate(shown):
        assert picture.shape == (TILE, 3 * TILE, 3)
        if step in UNSEEN:
            assert np.abs(picture.astype(int) - GREY).max() < 6
        else:
            assert picture[:, :TILE, 0].mean() == pytest.approx(2 * step, abs=6)


def test_the_error_tile_shows_the_error_of_the_report(inspected_clip):
    error = inspected_clip[2].face_error
    for step, (_, picture) in enumerate(frames(inspected_clip[0])):
        if step not in UNSEEN:
            expected = error_tile(error[step], SCALE)
            drawn = picture[:, 2 * TILE :].astype(int)
            assert np.abs(drawn - expected).mean() < 12  # chroma is stored at half the size


def test_rebuilt_sound_is_there_where_there_is_sound(inspected_clip):
    mel = inspected_clip[1].rebuilt_mel
    assert mel.shape == (180, 80)
    assert np.isnan(mel[:32]).all()
    assert not np.isnan(mel[32:]).any()


def test_the_colours_are_fixed_by_the_scale_alone():
    cells = np.repeat([0.5, 1.0, 1.5, 6.0, 99.0, 3.5], 6).astype(np.float32)
    tile = error_tile(cells, SCALE)[TILE // 12 :: TILE // 6, 0].astype(int)
    assert (tile[:2] == 0).all()
    assert (tile[3:5] == COLOURS[-1]).all()
    assert tile[5].tolist() == ((COLOURS[3] + COLOURS[4]) / 2).round().tolist()
    assert 0 < tile[2].sum() < COLOURS[0].sum() + COLOURS[1].sum()


def test_the_scale_lends_rows_the_marks_of_cells():
    assert heat_scale({"cell": [1, 2, 3]}, "row") == [1, 2, 3, 6]
    assert heat_scale({"cell": [1, 2, 3], "row": [2, 3, 4]}, "row") == [2, 3, 4, 8]
    assert heat_scale({}) == SCALE


def test_no_more_than_a_batch_is_held(model, tmp_path, monkeypatch):
    held = []
    with open_inspection(tmp_path / "face.mp4", 400, SCALE) as inspection:
        monkeypatch.setattr(
            type(inspection), "add", watched(type(inspection).add, inspection, held)
        )
        measure_evidence(model, *clip(400), observer=inspection)
    assert len(held) > 2
    assert max(held) <= 8 * BATCH + 16
    assert inspection.written == 400


def watched(add, inspection, held):
    def call(self, *arguments):
        add(self, *arguments)
        held.append(len(inspection._steps))

    return call


def test_a_run_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(KeyError), open_inspection(tmp_path / "face.mp4", 40, SCALE) as inspection:
        inspection.finish(np.ones((3, 36), np.float32))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_two_windows_are_averaged(tmp_path):
    window = Window(0, np.zeros((16, 96, 96, 3), np.uint8), np.zeros((64, 90)), None, None)
    batch = [window, replace(window, start=8)]
    pictures = np.stack([np.full((16, 96, 96, 3), value, np.uint8) for value in (100, 200)])
    known = np.ones((2, 16), bool)
    known[1, 2] = False  # step 10 only counts in the first window
    with open_inspection(tmp_path / "face.mp4", 24, SCALE) as inspection:
        inspection.add(batch, pictures, np.zeros((2, 64, 80)), known, known)
        inspection.finish(np.ones((24, 36), np.float32))
    middle = [picture[:, TILE : 2 * TILE].mean() for _, picture in frames(tmp_path / "face.mp4")]
    assert middle[:8] == pytest.approx([100] * 8, abs=2)
    assert middle[8:16] == pytest.approx([150, 150, 100, *[150] * 5], abs=2)
    assert middle[16:] == pytest.approx([200] * 8, abs=2)
