from fractions import Fraction

import numpy as np
import pytest

from deeploc.errors import DeepLocError
from deeploc.media.clip import open_clip
from deeploc.media.trim import trim_clip
from tests.app.numbered_clips import BITS, SIDE, write_numbered


def index_in(picture: np.ndarray) -> int:
    row = picture[SIDE, SIDE // 2 :: SIDE, 0]
    return sum(int(row[bit] > 127) << bit for bit in range(BITS))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_numbered(tmp_path_factory.mktemp("source") / "clip.mp4", Fraction(25), 300)


def test_a_cut_begins_at_the_keyframe_before_and_keeps_every_picture(source, tmp_path):
    cut = trim_clip(source, 4.0, 7.0, tmp_path)
    assert cut.start_s == pytest.approx(96 / 25)  # a keyframe every 48 pictures
    shown = [index_in(picture) for picture in open_clip(cut.path).frames()]
    assert shown == list(range(96, 96 + len(shown)))
    assert 175 <= shown[-1] <= 179
    assert cut.path.name == source.name


def test_the_same_cut_is_made_once(source, tmp_path):
    first = trim_clip(source, 1.0, 3.0, tmp_path).path
    assert trim_clip(source, 1.0, 3.0, tmp_path).path.stat().st_mtime_ns == first.stat().st_mtime_ns


@pytest.mark.parametrize(("start", "end"), [(3, 2), (-1, 4), (1, 1.5), (float("nan"), 3)])
def test_a_range_that_is_none(source, tmp_path, start, end):
    with pytest.raises(DeepLocError, match="no part of clip"):
        trim_clip(source, start, end, tmp_path)
