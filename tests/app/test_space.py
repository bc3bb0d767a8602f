"""What a Space needs: lent GPUs, limits, a page before the model, files that go, the folder."""

import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from packaging.requirements import Requirement

from app.examples import EXAMPLES
from app.handlers import Handlers
from app.jobs import Job
from app.runtime import bundle
from app.runtime.analysis import Failure, Progress, Stopped, run
from app.runtime.limits import Limits, limits_from
from app.runtime.models import Models
from app.runtime.space import ZeroGpuModels, gpu_seconds
from app.ui import build_demo
from app.wording import BROKEN, NO_GPU
from deeploc.errors import DeepLocError
from deeploc.report import Report
from tests.app.fake_spaces import FakeGpu
from tests.app.fakes import NO_FACE, FakeAnalyzer, FakeModels, write_moving_clip

ROOT = Path(__file__).parents[2]


class DeviceAnalyzer(FakeAnalyzer):
    """Says in its report on which device and in which process it worked."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(0.02)
        self.device = device

    def to(self, device: str) -> "DeviceAnalyzer":
        return DeviceAnalyzer(device)

    def __call__(self, path, **given) -> Report:
        if Path(path).name.startswith("unplaced") and self.device != "cpu":
            raise MemoryError("out of GPU memory")
        report = super().__call__(path, **given)
        place = f"{self.device} {os.environ.get('DEEPLOC_TEST_LENT', 'here')}"
        return replace(report, warnings=(place,))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    content = write_moving_clip(folder / "clip.mp4").read_bytes()
    for name in ("noface", "slow", "broken"):
        (folder / f"{name}.mp4").write_bytes(content)
    return folder


def zero_gpu(gpu: FakeGpu) -> ZeroGpuModels:
    return ZeroGpuModels(Models(lambda checkpoint: DeviceAnalyzer()), "cuda", gpu=gpu)


def states(models, path, stop=None, inspection=None):
    stop = stop or threading.Event()
    return list(run(models.ready, str(path), None, stop, inspection=inspection))


def test_the_work_is_done_in_the_other_process_and_all_of_it_comes_back(clips, tmp_path):
    gpu = FakeGpu()
    *progress, last = states(zero_gpu(gpu), clips / "clip.mp4", inspection=tmp_path)
    assert last.warnings == ("cuda 1",)
    assert last.evidence.heat.shape == (100, 8, 8)
    assert last.inspection.is_file()
    assert {"faces", "reconstruct"} <= {state.stage for state in progress}
    assert np.nanmax(progress[-1].errors["visual"]) == 1
    assert gpu.asked == [pytest.approx(15 + 0.4 * 4)]
    assert "DEEPLOC_TEST_LENT" not in os.environ


def test_an_expected_error_comes_back_as_its_sentence(clips):
    assert states(zero_gpu(FakeGpu()), clips / "noface.mp4")[-1] == Failure(NO_FACE)
    assert states(zero_gpu(FakeGpu()), clips / "broken.mp4")[-1] == Failure(BROKEN)


def test_cancel_ends_the_work_in_the_other_process(clips):
    stop, gpu = threading.Event(), FakeGpu()
    following = run(zero_gpu(gpu).ready, str(clips / "slow.mp4"), None, stop)
    while next(following).stage != "reconstruct":
        pass
    (worker,) = [each for each in threading.enumerate() if each.name == "analysis"]
    stop.set()
    assert isinstance(list(following)[-1], Stopped)
    worker.join(5)  # `FakeGpu` checks that the other process is gone
    assert not worker.is_alive()


@pytest.mark.parametrize("gpu", [FakeGpu(refuses=True), FakeGpu(aborts=0), FakeGpu(aborts=2)])
def test_without_a_gpu_it_goes_on_on_the_processor_and_says_so(clips, gpu):
    *_, last = states(zero_gpu(gpu), clips / "clip.mp4")
    assert last.warnings == (NO_GPU, "cpu here")


def test_a_clip_that_cannot_be_read_asks_for_no_gpu(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    gpu = FakeGpu()
    assert isinstance(states(zero_gpu(gpu), tmp_path / "empty.mp4")[-1], Failure)
    assert gpu.asked == []


def test_no_gpu_is_asked_for_longer_than_visitors_are_given():
    assert gpu_seconds("long.mp4", None, None, "", 1800.0) == 120


def test_a_space_has_limits_that_the_environment_can_change():
    assert limits_from({}) == Limits(30, "500mb", 1, 16)
    shared = {"SPACE_ID": "me/deeploc", "DEEPLOC_WAITING": "3"}
    assert limits_from(shared) == Limits(4, "200mb", 1, 3)
    assert limits_from({**shared, "DEEPLOC_MAX_MINUTES": "2.5"}).max_minutes == 2.5
    with pytest.raises(DeepLocError, match="DEEPLOC_AT_ONCE is 'two'"):
        limits_from({"DEEPLOC_AT_ONCE": "two"})
    with pytest.raises(DeepLocError, match=r"DEEPLOC_MAX_MINUTES is 'half an hour'.*to a number"):
        limits_from({"DEEPLOC_MAX_MINUTES": "half an hour"})


def test_a_longer_clip_than_the_page_allows_is_refused(clips, tmp_path):
    handlers = Handlers(FakeModels(), tmp_path, limits=Limits(max_minutes=0.01))
    job = Job(str(clips / "clip.mp4"), kind="label")
    (last,) = handlers.analyse(job, None, None, "visitor")
    assert "the limit is 0.01" in last.failure_text


def test_the_page_does_not_wait_for_the_model(clips):
    there = threading.Event()

    def load(checkpoint):
        there.wait(10)
        return DeviceAnalyzer()

    models = Models(load)
    assert models.info is None and models.notice == ""
    following = run(models.ready, str(clips / "clip.mp4"), None, threading.Event())
    assert isinstance(next(following), Progress)
    there.set()
    assert isinstance(list(following)[-1], Report)
    assert models.info == DeviceAnalyzer.info


def test_examples_open_while_the_model_is_loading(tmp_path):
    never = threading.Event()
    handlers = Handlers(Models(lambda checkpoint: never.wait()), tmp_path)
    *_, last = handlers.analyse(Job(str(EXAMPLES / "picture.mp4")), None, None, "visitor")
    assert last.viewer["headline"]["band"] == "Some evidence of forgery"
    never.set()


@pytest.mark.parametrize(
    ("error", "said"), [(DeepLocError("It is gone."), "It is gone."), (KeyError("x"), BROKEN)]
)
def test_a_model_that_cannot_be_had_is_a_notice(clips, error, said):
    def load(checkpoint):
        raise error

    models = Models(load)
    last = states(models, clips / "clip.mp4")[-1]
    assert isinstance(last, Failure) and said in last.message
    assert models.notice == last.message and models.info is None


def test_torch_is_not_loaded_before_the_page():
    code = "import sys, app.runtime.space, app.ui; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_what_was_uploaded_and_made_is_deleted(clips, tmp_path, monkeypatch):
    """By Gradio's own schedule, which is made to come by every 0.2 s."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr("app.ui.SWEEP_S", 0.2)
    monkeypatch.setattr("app.ui.CACHE_S", 1.5)
    demo = build_demo(FakeModels(), tmp_path / "none")
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, run_history=False)
    try:
        client = Client(url, verbose=False)
        client.predict(handle_file(clips / "clip.mp4"), api_name="/analyse")
        made = tmp_path / "display" / "made" / "proxy.mp4"
        made.parent.mkdir(parents=True)
        made.write_bytes(b"film")
        (tmp_path / "tmpbroken_off").write_bytes(b"half a clip")
        assert files_below(tmp_path) >= {"clip.mp4", "proxy.mp4"}
        until = time.monotonic() + 10
        while files_below(tmp_path) and time.monotonic() < until:
            time.sleep(0.1)
        assert files_below(tmp_path) == set()
        made.write_bytes(b"film")
    finally:
        demo.close()
    assert files_below(tmp_path) == set()


def files_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_the_front_matter_names_the_gradio_that_is_installed():
    front = (ROOT / "README.md").read_text().split("---")[1]
    (version,) = re.findall(r"sdk_version: (\S+)", front)
    files = ("requirements.txt", "requirements-mcp.txt", "requirements-push.txt")
    lines = [line for file in files for line in required(file)]
    pins = [str(one.specifier) for one in lines if one.name == "gradio"]
    assert pins == [f"=={version}"] * 3
    assert gr.__version__ == version
    assert re.findall(r"app_file: (\S+)", front) == ["app.py"]


def required(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def test_a_space_holds_what_it_needs_and_nothing_else(tmp_path):
    folder = tmp_path / "space"
    bundle.assemble(folder)
    (folder / "app" / "left_over.py").write_text("")
    bundle.assemble(folder)
    assert {path.name for path in folder.iterdir()} == {*bundle.PARTS, ".gitattributes"}
    assert not (folder / "app" / "left_over.py").exists()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pyc", ".pyi")]
    large = {pattern[1:] for pattern in bundle.LARGE}
    for path in files:
        assert (b"\0" in path.read_bytes()) == (path.suffix in large), path
    assert (folder / "assets" / "examples" / "results" / "picture.npz").exists()


def test_a_folder_with_anything_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.doc").write_text("dear")
    with pytest.raises(SystemExit):
        bundle.main([str(tmp_path), "--no-start"])
    assert "thesis.doc, which is no part of a Space" in capsys.readouterr().err
    with pytest.raises(ValueError):
        bundle.assemble(ROOT)
    assert (tmp_path / "thesis.doc").exists() and (ROOT / "app.py").exists()
