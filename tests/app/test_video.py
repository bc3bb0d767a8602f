"""The videos of a report, read back picture by picture."""

from dataclasses import replace

import av
import numpy as np
import pytest

from deeploc.errors import DeepLocError
from deeploc.export.video import (
    CURVE_HEIGHT,
    GROUND,
    ORANGE,
    curve_image,
    write_annotated_video,
    write_inspection_video,
)
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip
from tests.app.fakes import (
    FORGED,
    GRID,
    fake_report,
    with_cuts,
    write_inspection,
    write_moving_clip,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_moving_clip(tmp_path_factory.mktemp("clips") / "Клип 面.mp4")


@pytest.fixture(scope="module")
def annotated(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "annotated.mp4"
    write_annotated_video(fake_report(clip), clip, path)
    return path


def pictures(path):
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def near(picture, colour, limit=70):
    return np.abs(picture.astype(int) - colour).sum(axis=-1) < limit


def test_the_cursor_is_where_the_clip_is(annotated):
    film = pictures(annotated)
    assert len(film) == GRID.n_frames
    assert film[0].shape == (180 + CURVE_HEIGHT, 320, 3)
    for step in (0, 10, 37, 99):
        columns = film[step][-20:-4].min(axis=(0, 2))  # nothing else is white from top to bottom
        assert abs(int(columns.argmax()) - step / 100 * 318) <= 2


def test_what_is_flagged_says_so_and_nothing_else(annotated):
    film = pictures(annotated)
    first, after = GRID.span(FORGED)
    words = [near(picture[3:20, 3:100], ORANGE).sum() > 100 for picture in film]
    assert np.flatnonzero(words).tolist() == list(range(first, after))
    bar = near(film[0][180:184], ORANGE).sum(axis=0) > 1
    assert np.flatnonzero(bar)[[0, -1]] == pytest.approx([1.2 / 4 * 320, 2.0 / 4 * 320], abs=3)


def test_what_is_not_scored_says_so_at_the_bottom(clip, tmp_path):
    write_annotated_video(with_cuts(fake_report(clip)), clip, tmp_path / "cuts.mp4")
    words = [
        near(picture[162:178, 4:100], GROUND, 30).sum() > 300
        for picture in pictures(tmp_path / "cuts.mp4")
    ]
    assert np.flatnonzero(words).tolist() == [*range(25), *range(90, 100)]  # and not at cuts


def test_shots_are_marked_on_the_curve():
    plain, cut = (
        np.asarray(curve_image(replace(with_cuts(fake_report()), shots=shots), (400, CURVE_HEIGHT)))
        for shots in ((), with_cuts(fake_report()).shots)
    )
    changed = np.flatnonzero((plain != cut).any(axis=(0, 2)))
    assert changed.tolist() == [240, 300]


def test_the_face_is_in_a_box_while_it_is_there(annotated):
    film = pictures(annotated)
    for step, there in ((10, True), (35, True), (95, False)):
        left = 30 + 2 * step
        colour = ORANGE if step == 35 else (255, 255, 255)
        edge = near(film[step][50:53, left + 10 : left + 60], colour, 200)
        assert (edge.mean() > 0.5) == there


def test_the_sound_stays(annotated, clip):
    sound = open_clip(annotated).audio
    spectrum = np.abs(np.fft.rfft(sound[16_000:32_000]))
    assert spectrum.argmax() == 220
    original = open_clip(clip).audio
    assert np.std(sound) == pytest.approx(np.std(original), rel=0.1)


def test_a_silent_clip_of_odd_size_and_a_report_with_little(tmp_path):
    frames = (np.full((121, 91, 3), 90, np.uint8) for _ in range(20))
    write_clip(tmp_path / "silent.mp4", frames, None)
    bare = replace(fake_report(), scores=(), timeline=(), evidence=None)
    write_annotated_video(bare, tmp_path / "silent.mp4", tmp_path / "film.mp4")
    assert len(pictures(tmp_path / "film.mp4")) == 20
    assert open_clip(tmp_path / "film.mp4").audio is None


def test_the_inspection_strip_runs_with_the_clip(clip, tmp_path):
    report = fake_report(clip)
    report = replace(report, inspection=write_inspection(tmp_path, report))
    write_inspection_video(report, clip, tmp_path / "film.mp4")
    film = pictures(tmp_path / "film.mp4")
    assert len(film) == GRID.n_frames
    assert film[0].shape == (324 + 192 + CURVE_HEIGHT, 576, 3)
    for step in (0, 1, 33, 64, 89):
        stripes = film[step][324 + 60 : 324 + 130, :168].mean(axis=(0, 2)).reshape(7, 24).mean(1)
        assert int("".join("1" if stripe > 127 else "0" for stripe in stripes), 2) == step


def test_without_reconstructions_there_is_a_sentence(clip, tmp_path):
    with pytest.raises(DeepLocError, match="Analyse the clip again"):
        write_inspection_video(fake_report(clip), clip, tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())
