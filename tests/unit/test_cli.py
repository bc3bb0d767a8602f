import json
import subprocess
import sys

import pytest

from deeploc.cli.analyse import main
from deeploc.errors import BadCheckpoint, NoFace
from deeploc.report import Localization
from deeploc.report_files import report_to_dict
from deeploc.timeline import Segment
from tests.fakes import fake_report


class FakeLocalizer:
    """Answers with a fake report; clips named after a trouble run into it."""

    def __init__(self):
        self.calls = []

    def __call__(self, path, hook=lambda *_: None, face=None):
        self.calls.append((path.name, face))
        hook("decode", 1, 2)
        if "faceless" in path.name:
            raise NoFace(f"No face was found in {path.name}.")
        if "broken" in path.name:
            raise RuntimeError("shape mismatch")
        if "stopped" in path.name:
            raise KeyboardInterrupt
        return fake_report(path.name)


@pytest.fixture
def localizer():
    return FakeLocalizer()


@pytest.fixture
def run(localizer, capsys):
    """Runs the command line: (exit status, stdout, stderr)."""

    def run(*arguments, load=lambda options: localizer):
        status = main([str(argument) for argument in arguments], load)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def clip(tmp_path):
    def clip(name="clip.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        return path

    return clip


def test_one_clip_prints_a_table(run, clip):
    status, out, err = run(clip())
    assert (status, err) == (0, "")
    assert "clip.mp4: 2.00 s, 25 fps, 640x360, with sound" in out
    assert "some evidence of forgery (score 0.712, model tiny)" in out
    (row,) = [line.split() for line in out.splitlines() if line.startswith("visual")]
    assert row == ["visual", "0:00.80", "0:01.20", "0.40", "s", "0.912"]
    (gap,) = [line for line in out.splitlines() if line.startswith("unscored")]
    assert gap.split() == ["unscored", "0:01.60", "0:02.00", "0.40", "s", "no", "face"]
    assert "warning: The sound ends before the picture." in out
    assert "0.50 s of work a second of clip" in out


def test_nothing_found_and_nothing_judged(clip, run):
    report = fake_report(timeline=(), video_score=None, band="unscored")
    _, out, _ = run(clip(), load=lambda options: lambda path, **_: report)
    assert "not enough evidence to judge (no score, model tiny)" in out
    assert "no intervals above the threshold" in out


def test_minutes_are_shown(clip, run):
    late = Localization(Segment(59.999, 605.5), 0.5, "audio")
    _, out, _ = run(clip(), load=lambda options: lambda path, **_: fake_report(timeline=(late,)))
    (row,) = [line.split() for line in out.splitlines() if line.startswith("audio")]
    assert row == ["audio", "1:00.00", "10:05.50", "545.50", "s", "0.500"]


def test_json_of_one_clip(run, clip, tmp_path):
    target = tmp_path / "out" / "report.json"
    assert run(clip(), "--json", target)[0] == 0
    assert json.loads(target.read_text()) == report_to_dict(fake_report("clip.mp4"))
    (tmp_path / "folder").mkdir()
    assert run(clip(), "--json", tmp_path / "folder")[0] == 0
    assert (tmp_path / "folder" / "clip.json").exists()


def test_options_reach_the_localizer(run, clip, localizer):
    seen = []

    def load(options):
        seen.append((options.checkpoint, options.device))
        return localizer

    run(clip(), "--checkpoint", "me/mine", "--device", "cpu", "--face", "2", load=load)
    assert seen == [("me/mine", "cpu")]
    assert localizer.calls == [("clip.mp4", 2)]


def test_a_folder_gives_one_json_a_clip(run, clip, tmp_path, localizer):
    for name in ["in/b.mp4", "in/a.MOV", "in/a.mp4", "in/deep/a.mp4", "in/a-2.mp4", "in/note.txt"]:
        clip(name)
    status, out, _ = run(tmp_path / "in", "--json", tmp_path / "out")
    assert status == 0
    written = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    assert len(written) == len(localizer.calls) == 5
    assert set(written) == {"a.json", "a-2.json", "a-3.json", "a-4.json", "b.json"}
    assert sorted(data["media"]["name"] for data in written.values()) == sorted(
        ["b.mp4", "a.MOV", "a.mp4", "a.mp4", "a-2.mp4"]
    )
    for line in out.splitlines():
        assert "some evidence of forgery, score 0.712, 1 interval -> " in line
    assert len(out.splitlines()) == 5


def test_a_failing_clip_is_told_and_skipped(run, clip, tmp_path):
    clips = [clip("faceless.mp4"), clip("broken.mp4"), clip("good.mp4"), tmp_path / "gone.mp4"]
    status, out, err = run(*clips, "--json", tmp_path / "out")
    assert status == 1
    assert "faceless.mp4: No face was found in faceless.mp4." in err
    assert "shape mismatch" in err and "please report it" in err
    assert "gone.mp4: there is no such file." in err
    assert "3 of 4 clips failed" in err
    assert "Traceback" not in err
    assert "good.mp4: some evidence" in out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.json"]


@pytest.mark.parametrize("name", ["faceless.mp4", "broken.mp4"])
def test_one_failing_clip_writes_nothing(run, clip, tmp_path, name):
    status, out, err = run(clip(name), "--json", tmp_path / "out.json")
    assert (status, out) == (1, "")
    assert err.startswith("deeploc: ") and "Traceback" not in err
    assert not (tmp_path / "out.json").exists()


def test_what_is_wrong_before_the_first_clip(run, clip, tmp_path):
    def load(options):
        raise BadCheckpoint("There is no checkpoint in x: download one.")

    assert run(clip(), load=load) == (
        1,
        "",
        "deeploc: There is no checkpoint in x: download one.\n",
    )
    assert run(tmp_path / "gone.mp4")[0] == 1
    (tmp_path / "empty").mkdir()
    status, _, err = run(tmp_path / "empty")
    assert status == 1 and "holds no video files" in err


def test_several_clips_refuse_one_json_file(run, clip, capsys):
    with pytest.raises(SystemExit) as stop:
        run(clip("a.mp4"), clip("b.mp4"), "--json", clip("report.json"))
    assert stop.value.code == 2
    assert "several clips need a folder" in capsys.readouterr().err


def test_a_target_that_cannot_be_written_is_told(run, clip):
    status, _, err = run(clip(), "--json", clip("file") / "under.json")
    assert status == 1 and err.startswith("deeploc: ") and "file" in err


@pytest.mark.parametrize("others", [[], ["a.mp4", "b.mp4"]])
def test_ctrl_c_is_quiet(run, clip, others):
    status, _, err = run(clip("stopped.mp4"), *map(clip, others))
    assert status == 130
    assert "stopped" in err and "Traceback" not in err


def test_profile(run, clip):
    _, out, _ = run(clip("a.mp4"), clip("b.mp4"), "--profile")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert (rows["decode"], rows["faces"], rows["sum"]) == (["0.100"], ["0.400"], ["0.500"])
    assert rows["peak"][0] == "memory" and float(rows["peak"][1]) > 0


def test_help_loads_no_torch():
    code = (
        "import sys; sys.argv = ['deeploc', '--help']; import runpy\n"
        "try: runpy.run_module('deeploc', run_name='__main__')\n"
        "except SystemExit as stop: print('exit', stop.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "--checkpoint" in done.stdout
    assert done.stdout.rstrip().endswith("exit 0 False"), done.stderr


def test_the_longest_clip_is_a_flag_or_a_variable(run, clip, localizer, monkeypatch, capsys):
    seen = []

    def load(options):
        seen.append(options.max_minutes)
        return localizer

    run(clip(), load=load)
    monkeypatch.setenv("DEEPLOC_MAX_MINUTES", "90")
    run(clip(), load=load)
    run(clip(), "--max-minutes", "0.5", load=load)
    assert seen == [30, 90, 0.5]
    monkeypatch.setenv("DEEPLOC_MAX_MINUTES", "half an hour")
    with pytest.raises(SystemExit):
        run(clip(), load=load)
    assert "to a number of minutes" in capsys.readouterr().err
