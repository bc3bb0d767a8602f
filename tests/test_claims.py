"""What README and model card say is what the files beside them hold."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deeploc.annotations import read_truths
from deeploc.checkpoints import EMBEDDED, WEIGHTS
from deeploc.localizer import load_localizer
from train.evaluate.card import CARD, README, read_tests
from train.evaluate.evaluation import METRICS, TABLES
from train.evaluate.tables import ablation_markdown, markdown

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "assets" / "examples"
BANDS = ("some", "strong")


@pytest.fixture(scope="module")
def metrics():
    return json.loads((EMBEDDED / METRICS).read_text())


@pytest.fixture(scope="module")
def reports():
    localizer = load_localizer(EMBEDDED, device="cpu")
    return {path.name: localizer(path) for path in sorted(EXAMPLES.glob("*.mp4"))}


def test_the_metrics_are_of_these_very_weights(metrics):
    weights = (EMBEDDED / WEIGHTS).read_bytes()
    generators = json.loads((EMBEDDED / "generators" / METRICS).read_text())
    for measured in (metrics, generators):
        assert measured["model"]["sha256"] == hashlib.sha256(weights).hexdigest()
    assert len(weights) < 25e6
    assert {tensor.dtype for tensor in load_file(EMBEDDED / WEIGHTS).values()} == {torch.float16}


@pytest.mark.parametrize("folder", [EMBEDDED, EMBEDDED / "generators"])
def test_the_tables_are_those_of_the_metrics(folder):
    metrics = json.loads((folder / METRICS).read_text())
    assert (folder / TABLES).read_text() == markdown(metrics)


def test_the_page_of_the_ablation_is_that_of_its_numbers():
    measured = json.loads((EMBEDDED / "ablation.json").read_text())
    assert (EMBEDDED / "ablation.md").read_text() == ablation_markdown(measured)


@pytest.mark.parametrize("page", [CARD, README], ids=["card", "readme"])
def test_the_printed_numbers_are_the_measured_ones(page):
    """The tables are generated (see test_documents.py); this holds the sentences, too."""
    tests = read_tests()
    text = page.read_text()
    measured = "".join(markdown(metrics) for metrics in tests.values())
    assert all(name in text for name in tests)
    bounded = re.findall(r"\d+\.\d \(\d+\.\d-\d+\.\d\)", text)
    assert len(bounded) >= 10 and all(number in measured for number in bounded)


def test_the_card_tells_the_measured_false_alarms():
    text = (EMBEDDED / "README.md").read_text()
    for metrics in read_tests().values():
        some, strong = (f"**{100 * metrics['false_alarms'][band]:.0f}%**" for band in BANDS)
        assert f"{some} and {strong}" in text


def test_the_checkpoint_localizes_better_than_error_alone_and_chance(metrics):
    rows = metrics["rows"]
    ours, error, chance = (
        rows[name]["fused"] for name in ("checkpoint", "reconstruction error alone", "chance")
    )
    for name in ("AP@0.5", "frame AUC", "clip AUC"):
        assert ours[name] > max(error[name], chance[name]), name


def test_assets_stay_small():
    others = [p for p in (ROOT / "assets").rglob("*") if p.is_file() and EMBEDDED not in p.parents]
    assert sum(path.stat().st_size for path in others) < 5e6


def test_every_example_has_its_truth():
    truth = {row.file: row for row in read_truths(EXAMPLES / "truth.csv")}
    assert set(truth) == {path.name for path in EXAMPLES.glob("*.mp4")}
    forged = {name: (row.modify_visual, row.modify_audio) for name, row in truth.items()}
    assert forged["authentic.mp4"] == (False, False)
    assert forged["picture.mp4"] == (True, False)
    assert forged["sound.mp4"] == (False, True)


def test_a_band_and_its_intervals_agree(reports):
    for report in reports.values():
        assert report.band in ("none", "some", "strong")
        assert (report.band == "none") == (not report.timeline)


def test_the_strongest_proposal_of_the_forged_picture_meets_the_truth(reports):
    truth = {row.file: row for row in read_truths(EXAMPLES / "truth.csv")}
    (forged,) = truth["picture.mp4"].segments["visual"]
    best = next(item for item in reports["picture.mp4"].proposals if item.stream == "visual")
    assert best.segment.iou(forged) > 0.5


def test_the_examples_get_the_bands_that_the_readme_tells(reports):
    bands = {name: report.band for name, report in reports.items()}
    assert bands == {"authentic.mp4": "none", "picture.mp4": "some", "sound.mp4": "none"}
