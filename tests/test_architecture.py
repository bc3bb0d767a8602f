"""The rules of the source tree, checked by reading it: nothing is imported here."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "deeploc", "train")
MAX_LINES, MAX_APP_LINES, MAX_MODULES = 600, 40, 15

# package or module -> names that it may never import
FORBIDDEN = {
    "app": {"torch", "torchaudio", "torchvision", "cv2", "train", "deeploc.models"},
    "train": {"app", "gradio"},
    "deeploc": {"app", "train", "gradio"},
    "deeploc/models": {"deeploc.media", "deeploc.faces", "deeploc.localizer"},
    "deeploc/media": {"torch", "deeploc.models", "deeploc.localizer"},
    "deeploc/__init__.py": {"torch"},
    "deeploc/analyzer.py": {"torch", "deeploc.models", "deeploc.localizer"},
    "deeploc/scores.py": {"torch", "deeploc.models", "deeploc.localizer"},
    "deeploc/report.py": {"torch", "deeploc.models", "deeploc.localizer"},
    "deeploc/annotations": {"torch", "deeploc.models", "deeploc.localizer"},
    "deeploc/metrics.py": {"torch", "deeploc.models", "deeploc.localizer"},
    "deeploc/postprocess.py": {"torch", "deeploc.models", "deeploc.localizer"},
    "deeploc/curves.py": {"torch", "numpy", "deeploc"},
    "deeploc/faces/track.py": {"torch", "deeploc.models", "deeploc.localizer"},
    "deeploc/evidence.py": {"deeploc.export", "deeploc.localizer"},
    "deeploc/localizer.py": {"deeploc.metrics", "deeploc.cli", "app", "train"},
    "train/losses": {"deeploc.localizer", "deeploc.faces"},
}

STANDARD_LIBRARY_ONLY = (
    "deeploc/curves.py",
    "deeploc/timeline.py",
    "deeploc/errors.py",
    "deeploc/calibration.py",
    "deeploc/media/formats.py",
)
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
LATE_IMPORTS = {
    "deeploc/media/shots.py": ("scenedetect",),  # half a second, and all of moviepy
    "deeploc/preprocess/speech.py": ("silero_vad",),  # leaves torch with one thread
    "deeploc/cli/analyse.py": ("deeploc.localizer", "deeploc.cli"),  # for a quick --help
}


def sources(target: str) -> list[Path]:
    path = ROOT / target
    found = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert found, f"{target} does not exist"
    return found


def everything() -> list[Path]:
    """Every Python file of the project, the root's and the tests' too."""
    folders = [path for name in (*PACKAGES, "tests") for path in sources(name)]
    return [*sorted(ROOT.glob("*.py")), *folders]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names(node: ast.AST) -> Iterator[str]:
    """Every dotted name that a statement imports, `from a import b` counted as a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(path: Path) -> Iterator[str]:
    return (name for node in ast.walk(parsed(path)) for name in names(node))


@pytest.mark.parametrize("target", FORBIDDEN)
def test_imports_point_downwards(target):
    for path in sources(target):
        for name in imported(path):
            for banned in FORBIDDEN[target]:
                assert not f"{name}.".startswith(f"{banned}."), f"{name_of(path)} imports {name}"


@pytest.mark.parametrize("target", STANDARD_LIBRARY_ONLY)
def test_the_bottom_row_needs_only_the_standard_library(target):
    for name in imported(ROOT / target):
        assert name.split(".")[0] in sys.stdlib_module_names, f"{target} imports {name}"


def test_imports_are_absolute_and_at_the_top():
    for path in everything():
        for node in ast.walk(parsed(path)):
            relative = isinstance(node, ast.ImportFrom) and node.level
            assert not relative, f"{name_of(path)}:{node.lineno}: relative import"
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            for inner in ast.walk(node):
                for name in names(inner):
                    late = name.startswith(LATE_IMPORTS.get(name_of(path), ()))
                    assert late, f"{name_of(path)}:{inner.lineno}: import inside a function"


def test_nothing_imports_the_composition_root():
    submodules = {path.stem for path in (ROOT / "app").iterdir()} - {"__init__"}
    for path in everything():
        for name in imported(path):
            package, _, rest = name.partition(".")
            wrong = package == "app" and rest.split(".")[0] not in submodules
            assert not wrong, f"{name_of(path)} imports {name}: app.py is only run"


@pytest.mark.parametrize("target", PACKAGES)
def test_networks_live_in_models(target):
    for path in sources(target):
        if path.is_relative_to(ROOT / "deeploc/models"):
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
                assert not any("Module" in base for base in bases), (
                    f"{name_of(path)}: {node.name} belongs in deeploc/models"
                )


def test_models_say_hidden_not_mask():
    for path in sources("deeploc/models"):
        for node in ast.walk(parsed(path)):
            used = (
                getattr(node, "id", None),
                getattr(node, "arg", None),
                getattr(node, "attr", None),
            )
            defined = getattr(node, "name", None)
            assert "mask" not in (*used, defined), f"{name_of(path)}: say what the mask means"


def test_files_stay_readable():
    assets = [path for kind in ("js", "css") for path in (ROOT / "app").rglob(f"*.{kind}")]
    lines = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in [*everything(), *assets]
    }
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_folders_hold_few_modules():
    modules = [path for package in PACKAGES for path in sources(package)]
    modules += [path for kind in ("js", "css") for path in (ROOT / "app").rglob(f"*.{kind}")]
    counts = Counter(name_of(path.parent) for path in modules if not path.stem.startswith("__"))
    assert {name: count for name, count in counts.items() if count > MAX_MODULES} == {}


def test_app_py_only_composes():
    (app,) = sources("app.py")
    assert len(app.read_text(encoding="utf-8").splitlines()) <= MAX_APP_LINES


def test_modules_are_named_for_what_they_do():
    for path in everything():
        assert path.stem not in VAGUE, name_of(path)
    assert not (ROOT / "train.py").exists(), "train.py would hide the package train"


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_packages_are_packages(package):
    for folder in {path.parent for path in sources(package)}:
        assert (folder / "__init__.py").exists(), f"{name_of(folder)} lacks __init__.py"
