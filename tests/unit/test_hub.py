"""Checkpoints from the Hub: how each download ends. The Hub is ours, the HTTP is real."""

import os
import subprocess
import sys

import pytest

from deeploc.checkpoints import load_checkpoint
from tests.hub import FIRST, SECOND, Hub, serving

REPO = "someone/deeploc-tiny"
TOKEN = "hf_test"

LOAD = """
import sys
from deeploc.checkpoints import load_checkpoint
from deeploc.errors import BadCheckpoint
try:
    info = load_checkpoint(*sys.argv[1:])[1]
    print(info.name, info.revision, info.sha256)
except BadCheckpoint as error:
    print("refused:", error)
"""
FROM_PRETRAINED = """
import sys
from deeploc.models.rt_deeploc import RTDeepLoc
print(RTDeepLoc.from_pretrained(sys.argv[1], revision=sys.argv[2]).name)
"""
PUSH = """
import sys
from deeploc.checkpoints import load_checkpoint
load_checkpoint("tiny")[0].push_to_hub(sys.argv[1])
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint")
    load_checkpoint("tiny")[0].save_pretrained(path)
    return {name: (path / name).read_bytes() for name in ("config.json", "model.safetensors")}


@pytest.fixture
def hub(files):
    older = {**files, "config.json": files["config.json"].replace(b'"tiny"', b'"older"')}
    repos = {f"models/{REPO}": {FIRST: older, SECOND: files}}
    with serving(Hub(repos, tokens={TOKEN: "someone"})) as hub:
        yield hub


def start(hub, cache, script, *arguments, **environment):
    quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    quick = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
    home = {"HF_ENDPOINT": hub.url, "HF_HOME": str(cache), **environment}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **quiet, **quick, **home},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process):
    told, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return told.strip()


def load(hub, cache, *source, **environment):
    return said(start(hub, cache, LOAD, *source, **environment))


def test_first_from_the_hub_then_from_the_cache_without_a_network(hub, tmp_path):
    name, revision, sha256 = load(hub, tmp_path, REPO).split()
    assert (name, revision, len(sha256)) == ("tiny", SECOND, 64)
    downloads = [path for path in hub.asked if path.startswith("GET") and "resolve" in path]
    assert len(downloads) == 2
    assert load(Hub(url="http://127.0.0.1:9"), tmp_path, REPO).split()[1] == SECOND
    assert load(hub, tmp_path, REPO, HF_HUB_OFFLINE="1").split()[1] == SECOND
    assert [path for path in hub.asked if "resolve" in path and "GET" in path] == downloads


@pytest.mark.slow
def test_a_revision_can_be_pinned(hub, tmp_path):
    assert load(hub, tmp_path, f"{REPO}@{FIRST}").split()[:2] == ["older", FIRST]
    assert load(hub, tmp_path, REPO, FIRST).split()[1] == FIRST
    assert load(hub, tmp_path, REPO).split()[1] == SECOND
    assert load(hub, tmp_path, f"{REPO}@{FIRST}", HF_HUB_OFFLINE="1").split()[1] == FIRST


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("someone/nothing", "someone/nothing is not on the Hub, or not for you to see"),
        (f"{REPO}@{'0' * 40}", f"{REPO} has no revision {'0' * 40}"),
        ("not a name/..", "neither a folder here nor"),
    ],
)
def test_what_is_not_there_is_a_sentence(hub, tmp_path, source, sentence):
    told = load(hub, tmp_path, source)
    assert told.startswith("refused: ") and sentence in told, told


@pytest.mark.slow
def test_without_weights_in_safetensors_nothing_is_loaded(hub, tmp_path, files):
    pickled = {"config.json": files["config.json"], "pytorch_model.bin": files["model.safetensors"]}
    hub.repos["models/someone/pickled"] = {FIRST: pickled}
    assert "holds no model.safetensors" in load(hub, tmp_path, "someone/pickled")
    assert not any("pytorch_model.bin" in path for path in hub.asked)
    process = start(hub, tmp_path, FROM_PRETRAINED, "someone/pickled", FIRST)
    assert "safetensors" in process.communicate()[1] and process.returncode


@pytest.mark.slow
def test_what_is_too_large_is_not_downloaded(hub, tmp_path):
    hub.sizes["model.safetensors"] = 2_000_000_000
    assert "larger than 1 GB" in load(hub, tmp_path, REPO)
    assert not any("resolve" in path and "GET" in path for path in hub.asked)


@pytest.mark.slow
@pytest.mark.parametrize("config", [b'{"model_type": "bert"}', b"<html>"])
def test_the_wrong_format_is_refused(hub, tmp_path, files, config):
    hub.repos["models/someone/bert"] = {FIRST: {**files, "config.json": config}}
    assert "not made by DeepLoc" in load(hub, tmp_path, "someone/bert")


@pytest.mark.slow
def test_a_download_that_breaks_off_can_be_tried_again(hub, tmp_path):
    hub.cut = True
    assert "came only in part" in load(hub, tmp_path, REPO)
    hub.cut = False
    assert load(hub, tmp_path, REPO).split()[1] == SECOND


@pytest.mark.slow
def test_a_slow_hub_is_waited_for(hub, tmp_path):
    hub.delay_s = 0.3
    assert load(hub, tmp_path / "slow", REPO).split()[1] == SECOND


@pytest.mark.slow  # it is tried again several times
def test_a_stalled_hub_is_not(hub, tmp_path):
    hub.delay_s = 30
    assert "did not answer in time" in load(hub, tmp_path / "stalled", REPO)


def test_a_hub_that_is_away_is_a_sentence(tmp_path):
    assert "can't be reached" in load(Hub(url="http://127.0.0.1:9"), tmp_path, REPO)
    told = load(Hub(url="http://127.0.0.1:9"), tmp_path, REPO, HF_HUB_OFFLINE="1")
    assert "can't be reached" in told


@pytest.mark.slow
def test_the_model_is_pushed_and_loaded_by_the_hubs_own_names(hub, tmp_path):
    said(start(hub, tmp_path, PUSH, "someone/mine", HF_TOKEN=TOKEN))
    pushed = hub.newest("models/someone/mine")
    assert {"config.json", "model.safetensors", "README.md"} <= set(pushed)
    assert load(hub, tmp_path, "someone/mine").split()[0] == "tiny"
    assert said(start(hub, tmp_path, FROM_PRETRAINED, REPO, FIRST)) == "older"
