"""What `pip install` of a clone brings: the package alone, with the embedded checkpoint."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

import deeploc
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip

ROOT = Path(__file__).parents[2]
CLONE = ("deeploc", "app", "train", "tests", "assets")
WITHOUT = shutil.ignore_patterns("__pycache__", "*.pyc")
EXTRAS = {"scan", "train", "forge", "mcp", "push", "test"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of the sources, so that nothing is left in them, with no network."""
    clone, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("wheel")
    for path in (*ROOT.glob("*.txt"), ROOT / "pyproject.toml", ROOT / "LICENSE", ROOT / "app.py"):
        shutil.copy2(path, clone)
    for name in CLONE:
        shutil.copytree(ROOT / name, clone / name, ignore=WITHOUT)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", out]
    subprocess.run([*build, clone], check=True, capture_output=True, timeout=120)
    (built,) = out.glob("*.whl")
    return built


def names_in(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_module_and_no_other_package(wheel):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "deeploc").rglob("*.py")}
    names = names_in(wheel)
    assert {name for name in names if name.endswith(".py")} == modules
    assert {name.split("/")[0] for name in names} == {
        "deeploc",
        f"deeploc-{deeploc.__version__}.dist-info",
    }


def test_the_embedded_checkpoint_and_the_schema_of_reports_travel(wheel):
    data = {name for name in names_in(wheel) if not name.endswith(".py")}
    assert {name for name in data if ".dist-info/" not in name} == {
        "deeploc/report.schema.json",
        "deeploc/assets/checkpoint/config.json",
        "deeploc/assets/checkpoint/model.safetensors",
        "deeploc/assets/examples/picture.mp4",
    }
    assert wheel.stat().st_size < 12e6


def test_the_metadata_says_what_the_requirements_say(wheel):
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = message_from_bytes(archive.read(name))
    assert metadata["Version"] == deeploc.__version__
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = {line.split("#")[0].strip() for line in lines} - {""}
    needed = [need for need in metadata.get_all("Requires-Dist") if "extra ==" not in need]
    assert len(needed) == len(wanted)


@pytest.mark.slow
def test_an_installed_deeploc_analyses_a_clip_in_any_folder(wheel, tmp_path):
    """In an environment of its own, which borrows the dependencies of this one."""
    home, folder = tmp_path / "environment", tmp_path / "elsewhere"
    venv.create(home, with_pip=True, symlinks=True)
    python, command = home / "bin" / "python", home / "bin" / "deeploc"
    (site,) = (home / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    folder.mkdir()
    clip = open_clip(ROOT / "assets" / "examples" / "picture.mp4").beginning(2.4)
    write_clip(folder / "clip.mp4", clip.frames(), clip.audio)

    def run(*arguments: object) -> str:
        done = subprocess.run(
            arguments, cwd=folder, env={}, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert str(site) in run(python, "-c", "import deeploc; print(deeploc.__file__)")
    said = run(command, "clip.mp4", "--device", "cpu")
    assert "clip.mp4: " in said and "evidence of forgery" in said
    assert run(command, "--help") == run(python, "-m", "deeploc", "--help")
