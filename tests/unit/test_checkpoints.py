"""Checkpoints from folders and from a Hub: a small one that speaks real HTTP on this machine."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deeploc.checkpoints import load_checkpoint
from deeploc.errors import BadCheckpoint

REPO, COMMIT = "someone/deeploc-tiny", "c0ffee" + "0" * 34


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint")
    load_checkpoint("tiny")[0].save_pretrained(path)
    return path


def test_a_folder_is_loaded_with_its_hash(folder):
    _, info = load_checkpoint(folder)
    assert (info.name, info.revision, len(info.sha256)) == ("tiny", "local", 64)


def test_the_environment_names_the_default(folder, monkeypatch):
    monkeypatch.setenv("DEEPLOC_MODEL", str(folder))
    assert load_checkpoint()[1].revision == "local"


def test_a_missing_folder_says_what_to_give(tmp_path):
    with pytest.raises(BadCheckpoint, match="Give a folder"):
        load_checkpoint(tmp_path / "nowhere")


def test_an_empty_folder_says_what_is_missing(tmp_path):
    with pytest.raises(BadCheckpoint, match=r"no config\.json and no model\.safetensors"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("config", ['{"model_type": "bert"}', "[1, 2]", "not json"])
def test_a_foreign_checkpoint_is_refused(folder, tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(BadCheckpoint, match="not made by DeepLoc"):
        load_checkpoint(tmp_path)


def test_weights_of_another_size_are_refused(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    config["fdn"] = {"width": 8, "depth": 1, "dropout": 0.0}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(BadCheckpoint, match="don't fit"):
        load_checkpoint(tmp_path)


def test_truncated_weights_are_refused(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    whole = (folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadCheckpoint, match="don't fit"):
        load_checkpoint(tmp_path)


@pytest.fixture
def hub(folder):
    """The routes that a download needs, serving one repository."""
    files = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.split("?")[0].rsplit("/", 1)[1]
            if REPO not in self.path:
                self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            elif "/tree/" in self.path:
                sizes = {file: len(content) for file, content in files.items()}
                tree = [
                    {"type": "file", "path": file, "size": size, "oid": file}
                    for file, size in sizes.items()
                ]
                self.answer(200, json.dumps(tree))
            elif self.path.startswith("/api/models/"):
                listed = [{"rfilename": file} for file in files]
                self.answer(200, json.dumps({"id": REPO, "sha": COMMIT, "siblings": listed}))
            elif name in files:
                self.answer(200, files[name], {"ETag": f'"{name}"', "X-Repo-Commit": COMMIT})
            else:
                self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})

        do_HEAD = do_GET

        def answer(self, status, body, headers=()):
            body = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for key, value in {"Content-Length": len(body), **dict(headers)}.items():
                self.send_header(key, str(value))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


LOAD = """
import sys
from deeploc.checkpoints import load_checkpoint
from deeploc.errors import BadCheckpoint
try:
    print(load_checkpoint(sys.argv[1])[1].revision)
except BadCheckpoint as error:
    print("refused:", error)
"""


def load_from(endpoint, repo, cache, **more):
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(cache), **more}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", LOAD, repo], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_a_hub_repository_is_loaded_and_then_found_in_the_cache(hub, tmp_path):
    assert load_from(hub, REPO, tmp_path) == COMMIT
    assert load_from("http://127.0.0.1:9", REPO, tmp_path, HF_HUB_OFFLINE="1") == COMMIT


def test_an_unknown_hub_repository_is_a_sentence(hub, tmp_path):
    assert load_from(hub, "someone/nothing", tmp_path).startswith("refused: The checkpoint")
