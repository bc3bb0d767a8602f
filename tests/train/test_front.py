"""The front command of training: one verb a stage, each imported only when it is called."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from deeploc.errors import DeepLocError
from train import __main__ as train
from train import pretrain

ROOT = Path(__file__).parents[2]


def test_help_names_every_verb_and_imports_no_network():
    code = "import sys; from train import __main__ as train; train.main(['--help'])"
    code += "; print('torch' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split() for line in said.splitlines()]
    assert {words[0] for words in lines if words} > set(train.VERBS)
    assert said.splitlines()[-1] == "False"


@pytest.mark.parametrize("verb", train.VERBS)
def test_every_verb_has_a_module(verb):
    assert find_spec(train.VERBS[verb][0])


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("run", ("DATA RUN", "--labels", "--workers")),
        ("pretrain", ("CACHE RUN", "windows of a step, over all ranks together (default: 16)")),
        ("discover", ("CACHE RUN", "--guide FLOAT", "seconds of a clip that a step reads")),
        ("evaluate", ("CHECKPOINT CACHE", "--beside STR PATH")),
        ("ablate", ("CACHE RUN", "--test-cache", "--aicl")),
        ("benchmark", ("--seconds",)),
    ],
)
def test_help_of_a_verb_shows_units_and_defaults(verb, options, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        train.main([verb, "--help"])
    said = capsys.readouterr().out
    assert stop.value.code in (0, None)
    for option in options:
        assert option in said, said


def test_an_unknown_verb_is_refused_with_those_that_there_are():
    with pytest.raises(SystemExit, match=r"no verb train\. It knows run, forge"):
        train.main(["train"])


def test_a_problem_that_the_user_can_mend_ends_with_its_sentence(monkeypatch):
    def main(arguments):
        raise DeepLocError("Do this.")

    monkeypatch.setattr(pretrain, "main", main)
    with pytest.raises(SystemExit, match=r"Do this\."):
        train.main(["pretrain"])
