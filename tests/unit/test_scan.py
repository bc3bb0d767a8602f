"""An archive on Ray: every clip is one row, whatever it is, and whatever happens meanwhile."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deeploc.cli import scan as scanning
from deeploc.cli.scan import ResultFiles, Scorer, main, scan
from deeploc.errors import NoFace
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip
from tests.fakes import fake_report

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "assets" / "examples" / "picture.mp4"


def answer(path):
    """Stands for a localizer; what the clip is named says what happens."""
    if "faceless" in path.name:
        raise NoFace(f"No face was found in {path.name}.")
    if "odd" in path.name:
        raise RuntimeError("shape mismatch")
    if "killer" in path.name:
        os._exit(1)
    report = fake_report(path.name)
    return replace(report, video_score=None) if "short" in path.name else report


answer.info = fake_report().model


def load():
    return answer


@pytest.fixture
def clips(tmp_path):
    names = ("a.mp4", "faceless.mp4", "odd.mp4", "short.mp4", "z.mp4")
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    return [*(str(tmp_path / name) for name in names), str(tmp_path / "gone.mp4")]


@pytest.fixture
def without_ray(monkeypatch):
    """The workers' work, done here; counts what was scored."""
    asked = []

    def blocks(clips, load, workers, gpus, size):
        scorer = Scorer(load)
        for start in range(0, len(clips), size):
            piece = clips[start : start + size]
            asked.extend(piece)
            yield [row for clip in piece for row in scorer({"clip": clip})["row"]]

    monkeypatch.setattr(scanning, "_blocks", blocks)
    return asked


def table(folder):
    return pd.read_parquet(folder).set_index("clip")


def test_every_clip_is_one_row_with_what_was_found_or_went_wrong(clips, tmp_path, without_ray):
    assert scan(clips, ResultFiles(str(tmp_path / "out")), load, 1) == 6
    rows = table(tmp_path / "out")
    assert [rows.state[clip] for clip in clips] == [
        *("scored", "error", "error", "unscored", "scored", "error")
    ]
    assert rows.error[clips[1]] == "NoFace" and rows.error[clips[2]] == "RuntimeError"
    assert rows.error[clips[5]] == "UnreadableMedia"
    found, report = rows.loc[clips[0]], fake_report("a.mp4")
    assert found.video_score == report.video_score and found.band == report.band
    assert [item["start_s"] for item in found.intervals] == [
        item.segment.start for item in report.timeline
    ]
    (visual,) = (
        item for item in report.scores if (item.kind, item.stream) == ("forgery", "visual")
    )
    np.testing.assert_array_equal(found.forgery_visual, visual.values)
    assert set(rows.model_sha256) == {report.model.sha256}
    assert rows.sha256[clips[1]] == hashlib.sha256(b"x").hexdigest()
    assert rows.sha256.isna().sum() == 1  # of the clip that is gone


def test_what_has_a_row_is_not_done_again_and_torn_files_count_for_nothing(
    clips, tmp_path, without_ray
):
    results = ResultFiles(str(tmp_path / "out"))
    scan(clips[:2], results, load, 1)
    (tmp_path / "out" / ".part-9.parquet").write_bytes(b"PAR1 torn")
    without_ray.clear()
    scan(clips, results, load, 1)
    assert without_ray == clips[2:]
    assert len(table(tmp_path / "out")) == 6


def test_results_may_be_anywhere(clips, without_ray):
    results = ResultFiles("memory://results")
    scan(clips, results, load, 1)
    assert len(results.rows(["clip"])) == 6


def test_clips_that_no_worker_survives_are_rows(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(scanning, "_blocks", lambda *_: iter(()))
    scan(clips, ResultFiles(str(tmp_path / "out")), load, 1)
    assert set(table(tmp_path / "out").error) == {"WorkerDied"}


def test_without_ray_it_says_what_to_install(clips, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(scanning, "HAS_RAY", False)
    assert main([clips[0], "--out", str(tmp_path / "out")]) == 1
    assert "pip install -r requirements-scan.txt" in capsys.readouterr().err


def test_a_count_of_workers_that_cannot_be_is_refused(clips, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([clips[0], "--out", str(tmp_path / "out"), "--workers", "-1"])
    assert "at least 1" in capsys.readouterr().err


@pytest.mark.slow
def test_workers_that_cannot_start_are_a_sentence(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    command = [sys.executable, "-m", "deeploc", "scan", "a.mp4", "--out", "out", "--workers", "1"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(
        [*command, "--device", "cuda"], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert "deeploc: the workers could not go on" in ended.stderr
    assert "Traceback" not in ended.stderr and not list((tmp_path / "out").iterdir())


def test_results_of_another_model_are_left_alone(clips, tmp_path, without_ray, capsys):
    scan(clips, ResultFiles(str(tmp_path / "out")), load, 1)
    assert main([*clips, "--out", str(tmp_path / "out")]) == 1
    assert "results of another model" in capsys.readouterr().err


@pytest.mark.slow
def test_a_clip_that_kills_its_worker_costs_no_other_clip(clips, tmp_path):
    killer = tmp_path / "killer.mp4"
    killer.write_bytes(b"x")
    places = [*clips[:3], str(killer), *clips[3:]]
    with scanning._ray(2):
        scan(places, ResultFiles(str(tmp_path / "out")), load, 2)
    rows = table(tmp_path / "out")
    assert len(rows) == 7 and rows.error[str(killer)] == "WorkerDied"
    assert Counter(rows.state) == {"scored": 2, "unscored": 1, "error": 4}


def archive(folder):
    """180 clips with a face, too short for a verdict, and 20 with five kinds of trouble."""
    folder.mkdir()
    clip = open_clip(EXAMPLE).beginning(0.8)
    write_clip(folder / "good.mp4", clip.frames(), clip.audio)
    good = (folder / "good.mp4").read_bytes()
    (folder / "good.mp4").unlink()
    write_clip(folder / "grey.mp4", [np.full((120, 160, 3), 99, np.uint8)] * 25, None)
    write_clip(folder / "brief.mp4", [np.full((120, 160, 3), 99, np.uint8)] * 5, None)
    grey, brief = ((folder / f"{name}.mp4").read_bytes() for name in ("grey", "brief"))
    for name in ("grey", "brief"):
        (folder / f"{name}.mp4").unlink()
    troubles = cycle((b"", b"no video at all", good[: len(good) // 2], grey, brief))
    for number, trouble in enumerate(islice(troubles, 20)):
        (folder / f"{number * 10:03}.mp4").write_bytes(trouble)
    for number in range(200):
        if number % 10:
            (folder / f"{number:03}.mp4").write_bytes(good)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_clips_with_twenty_broken_ones_killed_and_resumed(tmp_path):
    """Two workers and the embedded model; the kill comes at a random moment."""
    archive(tmp_path / "clips")
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "deeploc",
        "scan",
        "clips",
        "--out",
        str(out),
        "--workers",
        "2",
    ]
    start = partial(subprocess.Popen, command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    environ = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    first = start(env=environ, start_new_session=True)
    until = time.monotonic() + 300
    while len(list(out.glob("part-*"))) < 3 and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(np.random.default_rng().uniform(0, 3))
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    before = table(out)
    assert 24 <= len(before) < 200
    output = start(env=environ).communicate(timeout=500)[0]
    assert f"200 clips, {len(before)} of them done before" in output
    rows = table(out)
    assert len(rows) == 200 and rows.index.is_unique
    assert Counter(rows.state) == {"unscored": 180, "error": 20}
    errors = Counter(rows.error.dropna())
    assert errors == {"UnreadableMedia": 12, "NoFace": 4, "ClipTooShort": 4}
    assert rows.message[rows.state == "error"].str.len().min() > 20
    pd.testing.assert_series_equal(rows.work_s[before.index], before.work_s)
