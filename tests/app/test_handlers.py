import logging
import threading
import time

import numpy as np
import pytest

from app.handlers import Handlers
from app.jobs import Job
from app.page.panels import batch_panel
from app.page.updates import UNCHANGED, FaceChoices, PageUpdate
from app.runtime.analysis import Failure, Progress, Stopped, estimate_remaining_s, run
from app.truth import find_truth
from app.wording import BATCH_RUNNING, BROKEN, CANCELLED, STAGES
from deeploc.annotations import media_from_report
from deeploc.report import Report
from tests.app.fakes import NO_FACE, FakeAnalyzer, FakeModels, fake_report, write_moving_clip
from tests.clips import write_av

TRUTH = "file,start_s,end_s,stream\n{},1.0,2.0,visual\nother.mp4,,,\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_moving_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=1)


@pytest.fixture
def handlers(tmp_path):
    return Handlers(FakeModels(), tmp_path / "display")


def states(name, pause_s=0.0):
    return list(run(lambda: FakeAnalyzer(pause_s), name, None, threading.Event()))


def test_a_run_ends_with_the_report():
    *progress, last = states("clip.mp4", pause_s=0.03)
    assert isinstance(last, Report)
    assert all(isinstance(state, Progress) for state in progress)
    seen = [state.stage for state in progress]
    assert set(seen) <= set(STAGES)
    assert seen == sorted(seen, key=list(STAGES).index)
    assert seen[-1] != "decode"


def test_an_expected_error_is_its_sentence():
    assert states("noface.mp4")[-1] == Failure(NO_FACE)


def test_an_unexpected_error_is_calm_and_logged(caplog):
    with caplog.at_level(logging.ERROR, logger="app.runtime.analysis"):
        assert states("broken.mp4")[-1] == Failure(BROKEN)
    assert "tensor of unexpected shape" in caplog.text


def test_cancel_works_at_once_and_the_worker_ends():
    stop = threading.Event()
    following = run(FakeAnalyzer, "slow.mp4", None, stop)
    next(following)
    next(following)
    (worker,) = [each for each in threading.enumerate() if each.name == "analysis"]
    begin = time.monotonic()
    stop.set()
    assert isinstance(list(following)[-1], Stopped)
    assert time.monotonic() - begin < 0.5
    worker.join(2)
    assert not worker.is_alive()


def test_time_to_go_shrinks_as_stages_pass():
    assert estimate_remaining_s("decode", 0, 1, 0.2) is None
    early, late = (
        estimate_remaining_s("faces", 5, 10, 10.0),
        estimate_remaining_s("reconstruct", 9, 10, 10.0),
    )
    assert early > late > 0


def test_the_result_shows_viewer_and_keeps_the_report(handlers, clip):
    *_, last = handlers.analyse(Job(str(clip)), None, None, "visitor")
    assert last.viewer["video"] == str(clip)
    assert last.viewer["truth"] is None
    assert last.show_result is True
    assert last.faces == FaceChoices((1,), 1)
    assert isinstance(last.result.report, Report)


def test_cancel_while_a_proxy_is_made(handlers, tmp_path):
    path = write_av(tmp_path / "clip.mkv", np.arange(250) / 25)
    states = handlers.analyse(Job(str(path)), None, None, "visitor")
    while "Preparing" not in next(states).progress:
        pass
    handlers.cancel("visitor")
    assert next(states).start_note == CANCELLED


def test_several_faces_offer_a_picker(handlers, clip, tmp_path):
    two = tmp_path / "two.mp4"
    two.write_bytes(clip.read_bytes())
    *_, last = handlers.analyse(Job(str(two)), 2, None, "visitor")
    assert last.faces == FaceChoices((1, 2), scored=2)
    assert handlers.models.analyzer.faces == [2]


def test_a_failure_keeps_the_start_open(handlers):
    *_, last = handlers.analyse(Job("noface.mp4"), None, None, "visitor")
    assert NO_FACE in last.failure_text
    assert last.show_start is True
    assert "Traceback" not in last.failure_text


def test_a_clip_that_cannot_be_shown_is_a_calm_failure(handlers, tmp_path, monkeypatch, caplog):
    def refuse(clip, folder, progress):
        raise RuntimeError("encoder gone")

    monkeypatch.setattr("app.handlers.display_clip", refuse)
    *_, last = handlers.analyse(Job("clip.mp4"), None, None, "visitor")
    assert BROKEN.split(",")[0] in last.failure_text
    assert "encoder gone" in caplog.text


def test_failure_text_is_escaped(handlers):
    assert "<img" not in handlers.fail("<img src=x>").failure_text


def test_cancel_of_one_visitor_leaves_the_other(handlers):
    mine, other = handlers.sessions.begin("me"), handlers.sessions.begin("other")
    handlers.cancel("me")
    assert mine.is_set()
    assert not other.is_set()


def test_a_row_that_is_chosen_early_does_not_end_the_others(handlers, tmp_path):
    paths = [str(write_moving_clip(tmp_path / f"{n}.mp4", seconds=1)) for n in range(3)]
    batch = handlers.analyse(Job(paths[0], kind="batch", paths=tuple(paths)), None, None, "me")
    rows = []
    while not rows:
        rows = changed_rows(next(batch), rows)
    early = PageUpdate(batch_note=batch_panel(BATCH_RUNNING))
    assert list(handlers.open_row(rows, 1, "me")) == [early]
    for update in batch:
        rows = changed_rows(update, rows)
    assert len(rows) == 3
    assert list(handlers.open_row(rows, 1, "me"))[-1].show_result is True


def changed_rows(update, rows):
    return rows if update.batch_rows is UNCHANGED else update.batch_rows


def test_truth_by_file_name(clip, tmp_path):
    table = tmp_path / "truth.csv"
    table.write_text(TRUTH.format(clip.name))
    truth, note = find_truth(clip, str(table), media_from_report(fake_report(clip)))
    (segment,) = truth["visual"]
    assert (segment.start, segment.end) == (1.0, 2.0)
    assert "truth.csv" in note


def test_truth_for_another_clip_says_so(clip, tmp_path):
    table = tmp_path / "truth.csv"
    table.write_text(TRUTH.format("third.mp4"))
    truth, note = find_truth(clip, str(table))
    assert truth is None
    assert clip.name in note


def test_unreadable_truth_is_a_sentence(clip, tmp_path, handlers):
    table = tmp_path / "notes.csv"
    table.write_text("nothing,of,use\n1,2,3\n")
    *_, last = handlers.analyse(Job(str(clip)), None, str(table), "visitor")
    assert "no known format" in last.truth_note
    assert handlers.show_truth(last.result, None).truth_note == ""
