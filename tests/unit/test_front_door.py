"""What `import deeploc` offers: names that are there, a page of help, an example that runs."""

import pydoc
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import deeploc
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", deeploc.__all__)
def test_every_public_name_is_there_and_documented(name):
    found = getattr(deeploc, name)
    assert name in dir(deeploc)
    assert name == "__version__" or found.__doc__


def test_the_front_door_is_small_and_what_is_not_there_is_an_attribute_error():
    assert len(deeploc.__all__) <= 20
    with pytest.raises(AttributeError, match="has no attribute 'localise'"):
        deeploc.localise  # noqa: B018


def test_importing_it_loads_neither_torch_nor_anything_slow():
    code = (
        "import sys, deeploc; deeploc.Segment, deeploc.Report, deeploc.Analyzer, deeploc.open_clip;"
        "print([name for name in ('torch', 'gradio', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_help_reads_like_a_page():
    page = pydoc.plain(pydoc.render_doc(deeploc))
    assert "when was this talking-face clip forged" in page
    for name in {*deeploc.__all__} - {"__version__"}:
        assert name in page
    for name in re.findall(r"`([A-Za-z_]+)`", deeploc.__doc__):
        assert hasattr(deeploc, name), name


def test_the_example_of_the_help_runs(tmp_path, monkeypatch, capsys):
    lines = [line for line in deeploc.__doc__.splitlines() if line.startswith("    ")]
    clip = open_clip(ROOT / "assets" / "examples" / "picture.mp4").beginning(1.0)
    write_clip(tmp_path / "clip.mp4", clip.frames(), clip.audio)
    monkeypatch.chdir(tmp_path)
    exec(dedent("\n".join(lines)), {})
    assert len(lines) <= 12
    assert capsys.readouterr().out.count("fused [") == 2
    assert deeploc.read_report("report.npz").media.name == "clip.mp4"
