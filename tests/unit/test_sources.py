"""Where many clips are: each place gives the same clips that it holds."""

import os
import subprocess
import sys

import fsspec
import pytest

from deeploc.cli.sources import find_clips, local_copy
from deeploc.errors import UnreadableMedia
from tests.hub import FIRST, Hub, serving

LIST = """
import sys
from deeploc.cli.sources import find_clips, local_copy
for clip in find_clips(sys.argv[1:]):
    with local_copy(clip) as path:
        print(clip, path.name, path.read_bytes().decode())
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("b.mp4", "a.MOV", "deep/c.webm", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_folder_is_looked_through(folder):
    found = [os.path.relpath(clip, folder) for clip in find_clips([str(folder)])]
    assert found == ["a.MOV", "b.mp4", "deep/c.webm"]


def test_a_clip_is_taken_once_and_as_it_is_named(folder):
    clip = str(folder / "b.mp4")
    assert find_clips([clip, str(folder), clip])[0] == clip
    assert len(find_clips([clip, str(folder), clip])) == 3


@pytest.mark.parametrize("column", ["file", "path"])
def test_paths_in_a_csv_count_from_its_folder(folder, column):
    csv = folder / "list.csv"
    csv.write_text(
        f"id,{column}\n1,b.mp4\n2, deep/c.webm \n3,\n4,{folder / 'a.MOV'}\n5,hf://x/y.mp4\n"
    )
    found = find_clips([str(csv)])
    assert [os.path.relpath(clip, folder) for clip in found[:3]] == [
        "b.mp4",
        "deep/c.webm",
        "a.MOV",
    ]
    assert found[3:] == ["hf://x/y.mp4"]


@pytest.mark.parametrize(
    ("content", "said"),
    [("name\nx\n", "none of the columns"), ("", "can't be read"), ("file\n", "no video")],
)
def test_a_csv_of_something_else_is_a_sentence(tmp_path, content, said):
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(UnreadableMedia, match=said):
        find_clips([str(tmp_path / "list.csv")])


def test_a_pattern_gives_the_clips_that_it_fits(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert find_clips(["*.mp4"]) == ["b.mp4"]
    assert find_clips(["**/*"]) == ["a.MOV", "b.mp4", "deep/c.webm"]
    with pytest.raises(UnreadableMedia, match="holds no video files"):
        find_clips(["*.avi"])
    (folder / "b*.mp4").write_text("a file of that very name")
    assert find_clips(["b*.mp4"]) == ["b*.mp4"]
    fsspec.filesystem("memory").pipe("/pattern/one.mp4", b"one")
    assert find_clips(["memory://pattern/*.mp4"]) == ["memory:///pattern/one.mp4"]


def test_an_empty_folder_and_an_unknown_protocol_are_sentences(tmp_path):
    with pytest.raises(UnreadableMedia, match="holds no video files"):
        find_clips([str(tmp_path)])
    with pytest.raises(UnreadableMedia, match="can't be read"):
        find_clips(["gopher://somewhere/clips"])


def test_other_file_systems_are_read_through_fsspec():
    memory = fsspec.filesystem("memory")
    memory.pipe("/archive/one.mp4", b"one")
    memory.pipe("/archive/list.csv", b"file\none.mp4\nnone.mp4\n")
    assert find_clips(["memory://archive"]) == ["memory:///archive/one.mp4"]
    first, second = find_clips(["memory://archive/list.csv"])
    with local_copy(first) as path:
        assert (path.name, path.read_bytes()) == ("one.mp4", b"one")
    assert not path.exists()
    with pytest.raises(UnreadableMedia, match="could not be fetched"), local_copy(second):
        pass


def test_a_dataset_of_the_hub_is_read(tmp_path):
    files = {"clips/one.mp4": b"one", "README.md": b"# clips"}
    with serving(Hub({"datasets/someone/clips": {FIRST: files}})) as hub:
        environ = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
        command = [sys.executable, "-c", LIST, "hf://datasets/someone/clips"]
        ended = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True)
    assert ended.stdout == "hf://datasets/someone/clips/clips/one.mp4 one.mp4 one\n", ended.stderr


def test_a_hub_that_cannot_be_reached_is_a_sentence(tmp_path):
    environ = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "deeploc", "hf://datasets/someone/clips"]
    ended = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("deeploc: hf://datasets/someone/clips can't be read")
    assert "Traceback" not in ended.stderr
