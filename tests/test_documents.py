"""What the documents promise: their lengths, their links, and that every command in them is one."""

import re
import runpy
import shlex
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

import deeploc
from train.__main__ import VERBS as TRAIN_VERBS
from train.evaluate.card import CARD, PAGES, README, filled, read_tests, tables

ROOT = Path(__file__).parents[1]
WORDS = {README: 1000, CARD: 1200}
SUMMARY_ROWS = 8
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("train/*.md"), CARD})
HISTORY = {"CHANGELOG.md", "EXPERIMENTS.md"}  # they name what was, too
COMMANDS = ("make", "deeploc", "python", ".venv/bin/python", "torchrun")
PACKAGES = ("app", "deeploc", "train")
VERBS = {"deeploc": ("scan", "compare", "benchmark"), "train": tuple(TRAIN_VERBS)}


def names(paths):
    return [path.relative_to(ROOT).as_posix() for path in paths]


def prose(text: str) -> str:
    """The text without front matter, code, tables, and marks of tables."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(("|", "    ", "<!--")))


def commands() -> dict[str, list[str]]:
    """Every command of the documents, as words, by itself and where it stands."""
    found = {}
    for path in DOCUMENTS:
        if path.name in HISTORY:
            continue
        text = path.read_text(encoding="utf-8")
        fenced = re.findall(r"^```(?:bash|sh)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [line for block in fenced for line in block.splitlines()]
        lines += [line[4:] for line in text.splitlines() if line.startswith("    ")]
        lines += re.findall(r"`([^`\n]+)`", text)
        for line in lines:
            if line.split(" ")[0] in COMMANDS and "…" not in line:
                words = shlex.split(line, comments=True)
                if len(words) > 1:
                    found[f"{path.name}: {line}"] = words
    return found


def usage(program: str, *words: str) -> None:
    """Runs a module or a script of the root with `--help`, in this process."""
    argv, sys.argv = sys.argv, [program, *words, "--help"]
    run = runpy.run_path if program.endswith(".py") else runpy.run_module
    try:
        with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
            warnings.simplefilter("ignore", RuntimeWarning)  # the module was imported before
            run(program, run_name="__main__")
            sys.exit(0)
        assert end.value.code in (0, None)
    finally:
        sys.argv = argv


def program(words: list[str]) -> tuple[str, ...]:
    """The module or script that a command starts, and its verb; empty for other people's."""
    if words[0] == "deeploc":
        words = ["python", "-m", *words]
    if "-m" not in words:
        return (words[1],)
    module, *rest = words[words.index("-m") + 1 :]
    if module.split(".")[0] not in PACKAGES:
        return ()
    return (module, *(word for word in rest[:1] if word in VERBS.get(module, ())))


def test_documents_stay_short():
    for path, limit in WORDS.items():
        count = len(prose(path.read_text(encoding="utf-8")).split())
        assert count <= limit, f"{path.name} has {count} words, {limit} are allowed"


def test_the_readme_measures_in_one_short_table():
    text = README.read_text(encoding="utf-8")
    (place,) = re.findall(r"<!-- table \w+ -->\n(.*?)<!-- end of table -->", text, re.DOTALL)
    rows = [line for line in place.splitlines() if line.startswith("|")]
    assert 2 < len(rows) <= SUMMARY_ROWS + 2  # a head and its rule


@pytest.mark.parametrize("path", PAGES, ids=names(PAGES))
def test_tables_are_generated(path):
    text = path.read_text(encoding="utf-8")
    assert text == filled(text, tables(read_tests())), "run python -m train card"


def test_no_table_of_numbers_stands_in_two_documents():
    rows = [
        line
        for path in DOCUMENTS
        for line in set(path.read_text(encoding="utf-8").splitlines())
        if line.startswith("|") and re.search(r"\d\.\d", line)
    ]
    assert len(rows) == len(set(rows))


def test_every_package_is_listed():
    listed = re.findall(r"^\| `([\w/]+)/`", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    packages = [name for top in PACKAGES for name in (top, *subpackages(top))]
    assert sorted(listed) == sorted([*packages, "assets", "docs", "tests"])


def subpackages(top: str) -> list[str]:
    return [path.parent.relative_to(ROOT).as_posix() for path in (ROOT / top).glob("*/__init__.py")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=names(DOCUMENTS))
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("http") or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=names(DOCUMENTS))
def test_files_that_are_named_exist(path):
    if path.name in HISTORY:
        return
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"\b((?:app|deeploc|train|tests|docs|assets)/[\w./-]*\w)", text)
    named += re.findall(r"\brequirements[\w-]*\.txt", text)
    for name in named:
        assert (ROOT / name).exists() or (ROOT / f"{name}.py").exists(), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=names(DOCUMENTS))
def test_names_of_the_library_exist(path):
    if path.name not in HISTORY:
        for name in re.findall(r"`deeploc\.(\w+)`", path.read_text(encoding="utf-8")):
            assert hasattr(deeploc, name), name


@pytest.mark.parametrize("place", commands())
def test_commands_are_known(place, capsys):
    words = commands()[place]
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word and word != "&&"} <= set(targets)
        return
    started = program(words)
    if not started:
        module = words[words.index("-m") + 1]
        assert find_spec(module), module
        return
    usage(*started)
    options = {word.split("=")[0] for word in words[words.index(started[-1]) :] if word[:2] == "--"}
    listed = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    assert options <= listed
