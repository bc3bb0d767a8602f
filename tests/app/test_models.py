"""Which model analyses: picked by name, from the Hub, or not at all."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.handlers import Handlers
from app.jobs import Job
from app.runtime.analysis import Failure, run
from app.runtime.models import Models, manifest
from app.runtime.results import ResultStore
from deeploc.errors import BadCheckpoint, DeepLocError
from deeploc.media.clip import file_sha256
from deeploc.report import ModelInfo
from tests.app.fakes import FakeAnalyzer, FakeModels, write_moving_clip


class Named(FakeAnalyzer):
    """Says in its report which checkpoint it was loaded from."""

    def __init__(self, checkpoint):
        super().__init__()
        self.info = ModelInfo(str(checkpoint), "r1", "cd" * 32)

    def __call__(self, path, hook, **options):
        return replace(super().__call__(path, hook, **options), model=self.info)


@pytest.fixture
def loaded():
    return []


@pytest.fixture
def models(loaded):
    def load(checkpoint):
        loaded.append(checkpoint)
        if checkpoint and "gone" in checkpoint:
            raise BadCheckpoint("It is gone.")
        return Named(checkpoint)

    models = Models(load)
    models.ready()
    return models


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def last(updates):
    *_, end = updates
    return end


def analysed(handlers, clip, model=""):
    return last(handlers.analyse(Job(str(clip), model=model), None, None, "visitor"))


def test_every_name_of_the_manifest_is_a_checkpoint_that_came_along():
    assert manifest()
    for checkpoint in manifest().values():
        assert (Path(checkpoint) / "model.safetensors").is_file()


def test_a_picked_model_analyses_and_is_loaded_once(models, loaded, clip, tmp_path):
    handlers = Handlers(models, tmp_path)
    for _ in range(2):
        result = analysed(handlers, clip, "someone/other@v2").result
        assert result.report.model.name == "someone/other@v2"
    assert analysed(handlers, clip).result.report.model.name == "None"
    assert loaded == [None, "someone/other@v2"]


@pytest.mark.parametrize("picked", ["/etc", "../secrets", "tiny", "a/b/c", "assets/../x/y", "x/y@"])
def test_no_path_can_be_picked(models, loaded, picked):
    with pytest.raises(BadCheckpoint, match="is no model"):
        models.ready(picked)
    assert loaded == [None]


def test_a_model_that_is_not_there_is_a_sentence_and_the_pages_own_goes_on(models, clip, tmp_path):
    handlers = Handlers(models, tmp_path)
    update = handlers.pick_model("someone/gone")
    assert update.model == "" and "It is gone." in update.model_note
    assert "It is gone." in analysed(handlers, clip, "someone/gone").failure_text
    assert analysed(handlers, clip).result.report.model.name == "None"
    assert "cd" * 32 in handlers.pick_model("").model_note


def test_where_the_pages_own_fails_the_embedded_one_stands_in(clip):
    def load(checkpoint):
        if checkpoint is None:
            raise DeepLocError("Its Hub is away.")
        return Named(checkpoint)

    models = Models(load)
    *_, report = run(models.ready, str(clip), None, threading.Event())
    assert not isinstance(report, Failure)
    assert report.model.name == next(iter(manifest().values()))
    assert "the embedded one is used. Its Hub is away." in models.notice


class Counting(Named):
    """Counts the clips that it analysed; it hashes them as the real one does."""

    def __init__(self):
        super().__init__("counting")
        self.runs = 0

    def __call__(self, path, hook, **options):
        self.runs += 1
        report = super().__call__(path, hook, **options)
        return replace(report, media=replace(report.media, sha256=file_sha256(Path(path))))


def test_the_same_file_is_not_analysed_twice(clip, tmp_path):
    analyzer = Counting()
    models = FakeModels(analyzer, analyzer.info)
    handlers = Handlers(models, tmp_path, ResultStore(tmp_path, 3600))
    analysed(handlers, clip)
    again = tmp_path / "renamed.mp4"
    again.write_bytes(clip.read_bytes())
    result = analysed(handlers, again).result
    assert analyzer.runs == 1
    assert result.report.media.name == "renamed.mp4"
    again.write_bytes(clip.read_bytes() + b"x")
    analysed(handlers, again)
    assert analyzer.runs == 2
    models.info = analyzer.info = replace(analyzer.info, sha256="ef" * 32)
    analysed(handlers, clip)
    assert analyzer.runs == 3


def test_a_result_whose_films_are_deleted_is_made_anew(clip, tmp_path):
    analyzer = Counting()
    models = FakeModels(analyzer, analyzer.info)
    handlers = Handlers(models, tmp_path, ResultStore(tmp_path, 3600))
    analysed(handlers, clip).result.report.inspection.unlink()
    analysed(handlers, clip)
    assert analyzer.runs == 2
