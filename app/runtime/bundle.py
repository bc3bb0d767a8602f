"""`make space`: puts what a Space needs into a folder, and starts it there as a Space would.

It runs before anything is installed, so it needs only the standard library.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = (
    *("README.md", "LICENSE", "requirements.txt", "packages.txt", "app.py"),
    *("app", "deeploc", "assets", "docs"),
)
WITHOUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.pyi", ".*")
LARGE = ("*.safetensors", "*.npz", "*.mp4", "*.png")  # the Hub takes binary files through LFS only
ATTRIBUTES = ".gitattributes"
KEPT = {".git", ".venv"}  # a clone of the Space to push from, and the environment of last time


def assemble(folder: Path, root: Path = ROOT) -> None:
    """Writes the files of a Space, in place of those of last time.

    Raises `ValueError` for a folder that holds anything else.
    """
    strangers = {path.name for path in folder.glob("*")} - {*PARTS, ATTRIBUTES, *KEPT}
    if strangers or folder.resolve() == root.resolve():
        named = sorted(strangers)[0] if strangers else "the repository"
        raise ValueError(f"{folder} holds {named}, which is no part of a Space. Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        source, target = root / name, folder / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=WITHOUT)
        else:
            shutil.copy2(source, target)
    lines = [f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE]
    (folder / ATTRIBUTES).write_text("".join(lines), encoding="utf-8")


def install(folder: Path) -> Path:
    """Installs the requirements of the folder into an environment there; returns its Python."""
    home = folder / ".venv"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    command = (str(python), "-m", "pip", "install", "--disable-pip-version-check", "-r")
    subprocess.run([*command, str(folder / "requirements.txt")], check=True)
    return python


def start(folder: Path, python: Path, arguments: list[str]) -> int:
    """Runs the page there until it ends, with the variables of a Space; returns its status."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment.setdefault("SPACE_ID", "local/deeploc")
    return subprocess.call([python, "app.py", *arguments], cwd=folder, env=environment)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m app.runtime.bundle",
        description="Assembles a Space and starts it; further flags are those of app.py.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-start", action="store_true", help="assemble only")
    options, rest = parser.parse_known_args(arguments)
    try:
        assemble(options.folder)
    except ValueError as error:
        parser.error(str(error))
    print(f"The Space is in {options.folder}.", flush=True)
    if options.no_start:
        return 0
    try:
        return start(options.folder.resolve(), install(options.folder.resolve()), rest)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
