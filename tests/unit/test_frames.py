import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deeploc.export.table import frame_table, write_frames_csv, write_frames_parquet
from deeploc.report import Unscored
from deeploc.timeline import Segment
from tests.fakes import fake_report


def test_a_row_is_a_step_with_its_source_frame():
    pts_s = np.array([0, 0.1, 0.2, 0.9])
    table = frame_table(fake_report(pts_s=pts_s))
    assert len(table) == 50
    assert table.source_frame[[0, 1, 2, 3, 7, 30]].tolist() == [0, 0, 1, 1, 2, 3]
    assert table.flagged.to_numpy().nonzero()[0].tolist() == list(range(20, 30))
    assert table.forgery_visual[24] == pytest.approx(0.91234)
    assert table.forgery_visual[40:].isna().all()


def test_every_step_says_why_it_was_not_scored_and_in_which_shot_it_is():
    unscored = (
        Unscored(Segment(0, 0.2), "no speech", "audio"),
        Unscored(Segment(0.76, 0.84), "cut", "visual"),
        Unscored(Segment(1.6, 2.0), "no face"),
    )
    table = frame_table(fake_report(unscored=unscored))
    assert table.unscored_audio.dropna().to_dict() == {
        **dict.fromkeys(range(5), "no speech"),
        **dict.fromkeys(range(40, 50), "no face"),
    }
    assert table.unscored_visual[18:22].fillna("").tolist() == ["", "cut", "cut", ""]
    assert table.shot.tolist() == [1] * 20 + [2] * 30
    assert set(frame_table(fake_report(shots=())).shot) == {0}


def test_even_frames_without_times():
    report = fake_report()
    table = frame_table(replace(report, media=replace(report.media, fps=50.0)))
    assert table.source_frame[[0, 1, 49]].tolist() == [1, 3, 99]


def test_csv_and_parquet_hold_the_same(tmp_path):
    report = fake_report()
    write_frames_csv(report, tmp_path / "a.csv")
    write_frames_parquet(report, tmp_path / "a.parquet")
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert text.splitlines()[25].startswith("24,0.960,1.000,24,0.9123,")
    assert text.splitlines()[-1].startswith("49,1.960,2.000,49,,,")
    parquet = pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(text)), parquet, check_dtype=False, atol=1e-4
    )


def test_a_report_without_scores_still_has_its_steps():
    assert len(frame_table(fake_report(scores=(), timeline=()))) == 50
