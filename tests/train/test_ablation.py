"""The ablation at its smallest: made-up evidence under a tiny autoencoder, two rows, one stop."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deeploc.errors import DeepLocError
from deeploc.metrics import resample
from deeploc.models.rt_deeploc import VALUES, RTDeepLoc
from tests.train.test_evaluate import DRAWS, RUNS, SAMPLES, method
from train.config import DiscoverConfig
from train.data.cache import cached_path
from train.data.evidence_store import autoencoder_digest
from train.evaluate import ablation, plots
from train.evaluate.bootstrap import SeededRow, summarise_flagged, summarise_rows
from train.evaluate.methods import CHANCE, ERROR
from train.evaluate.tables import ablation_markdown

STEPS = 75
ROWS = ["MIL, one head", ablation.FULL]
COUNTS = (("train", 8), ("dev", 4), ("test", 8))


def corpus(folder, evidence, seed, change=None):
    """Clips whose evidence is higher where every other of them is forged. The last two of a split
    are under a change."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, count in COUNTS:
        for number in range(count):
            forged, file = bool(number % 2), f"{split}/{number}.mp4"
            cached_path(folder, file).parent.mkdir(parents=True, exist_ok=True)
            cached_path(folder, file).touch()
            values = {
                "visual": rng.normal(size=(STEPS, 36, VALUES)).astype(np.float16),
                "audio": rng.normal(size=(STEPS, 10, VALUES)).astype(np.float16),
                "lines": rng.normal(size=(STEPS, 6)).astype(np.float16),
                "surroundings": rng.normal(size=(STEPS, 2, 4)).astype(np.float16),
            }
            if forged:
                for name, value in values.items():
                    value[25:45] += {"visual": 3, "surroundings": 0}.get(name, 0.3)
            cached_path(evidence, file).parent.mkdir(parents=True, exist_ok=True)
            np.savez(cached_path(evidence, file), **values, scenes=np.zeros(STEPS, int))
            rows.append(
                {
                    "file": file,
                    "split": split,
                    "n_fakes": int(forged),
                    "fake_periods": [[1.0, 1.8]] if forged else [],
                    "duration": 3.0,
                    "modify_video": forged,
                    "modify_audio": forged,
                    "identity": f"{split}{number // 2}",
                    "change": change if number >= count - 2 and change else None,
                }
            )
    (folder / "metadata.json").write_text(json.dumps(rows))


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    RTDeepLoc().save_pretrained(folder / "run" / "mae")
    digest = autoencoder_digest(folder / "run/mae")
    corpus(folder / "cache", folder / "run/evidence" / digest, seed=0)
    corpus(folder / "other", folder / "other/evidence" / digest, 1, "denoiser")
    return [
        *(str(folder / "cache"), str(folder / "run"), "--test-cache", str(folder / "other")),
        *("--seeds", "2", "--resamples", "20", "--settings", "clip", "frames", "--rows", *ROWS),
        *("--epochs", "4", "--batch", "4", "--lr", "0.005"),
    ]


@pytest.fixture(scope="module")
def result(command, tmp_path_factory):
    """Killed in the third of six trainings, then started again: none is done twice."""
    out = tmp_path_factory.mktemp("out")
    done = []

    def train_fdn(model, clips, held_out, config):
        done.append((config.labels, config.streams, config.seed))
        if len(done) == 3 and done.count(done[-1]) == 1:
            raise KeyboardInterrupt
        return trained(model, clips, held_out, config)

    def without_kaleido(*args, **kwargs):
        raise ValueError("Image export requires the Kaleido package")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots.plotly.io, "write_images", without_kaleido)
        trained = ablation.train_fdn
        patch.setattr(ablation, "train_fdn", train_fdn)
        with pytest.raises(KeyboardInterrupt):
            ablation.main([*command, "--out", str(out)])
        assert not (out / "ablation.json").exists()
        ablation.main([*command, "--out", str(out)])
        first = (out / "ablation.json").read_text()
        ablation.main([*command, "--out", str(out)])
        assert (out / "ablation.json").read_text() == first
    assert len(done) == 7 and len(set(done)) == 6
    return json.loads(first), out


@pytest.mark.slow
def test_every_row_is_there_in_its_settings(result):
    rows = result[0]["rows"]
    assert [(row["setting"], row["row"], row["seeds"]) for row in rows] == [
        ("untrained", ERROR, 1),
        ("untrained", CHANCE, 1),
        *(("clip", name, 2) for name in (ablation.FULL, "MIL, one head")),
        ("frames", ablation.FULL, 2),
    ]
    one_head = "--labels clip --guide 0 --streams 0 --aicl 0 --mtlr 0 --pseudo 0"
    assert rows[3]["flags"] == one_head
    assert [row["ahead"] is None for row in rows] == [False, False, True, False, False]


@pytest.mark.slow
def test_obvious_forgeries_are_found_and_the_table_says_so(result):
    found, out = result
    rows = {(row["setting"], row["row"]): row for row in found["rows"]}
    full = rows["frames", ablation.FULL]
    assert full["streams"]["fused"]["frame AUC"]["mean"] > 0.9
    gap = rows["untrained", CHANCE]["ahead"]["fused"]["mean AP"]
    chance, best = (
        rows[key]["streams"]["fused"]["mean AP"]["mean"]
        for key in (("untrained", CHANCE), ablation.REFERENCE)
    )
    assert gap["mean"] == pytest.approx(best - chance)
    assert gap["interval"][0] <= gap["mean"] <= gap["interval"][1]
    text = (out / "ablation.md").read_text()
    assert text == ablation_markdown(found)
    assert "6 clips (3 forged, 3 authentic" in text and "of 3 identities" in text
    assert "Trained on 8 clips of cache." in text
    assert found["flagged clips"] == {
        **{"all clips as they are": 3, "laboratory": 0, "ordinary": 0, "forged clips": 3},
        **{"all kinds trained on": 0, "all held-out kinds": 1, "all kinds": 1},
    }
    assert [(row["setting"], row["row"]) for row in found["flagged"]] == list(rows)[2:]
    flagged = {row["setting"]: row["shares"] for row in found["flagged"]}
    assert flagged["frames"]["forged clips"]["mean"] == 1
    assert "| all held-out kinds (1) |" in text
    assert f"| clip | {ablation.FULL} | {100 * best:.1f} ± " in text
    assert "`--labels clip --guide 0 --streams 0 --aicl 0 --mtlr 0 --pseudo 0`" in text
    assert "python -m train discover CACHE RUN --epochs 4 --batch 4 --lr 0.005`" in text
    assert "Plotly.newPlot(" in (out / "ablation.html").read_text()


def test_flagged_clips_are_shares_on_the_same_draws():
    """Of four honest clips one has no verdict; one seed flags one, the other two of the rest."""
    flagged = [np.array([1, 0, 0, np.nan, 1, 0]), np.array([1, 1, 0, np.nan, 1, 1])]
    groups = {
        "honest": np.array([1, 1, 1, 1, 0, 0], bool),
        "forged": np.array([0, 0, 0, 0, 1, 1], bool),
        "none": np.zeros(6, bool),
    }
    rows = [
        SeededRow("untrained", CHANCE, "", []),
        SeededRow("clip", "quiet", "", [], [np.array([0, 0, 0, np.nan, 1, 1])] * 2),
        SeededRow("clip", "loud", "", [], flagged),
    ]
    draws = resample(list("aabbcd"), 400, seed=0)
    quiet, loud = summarise_flagged(groups, rows, draws, ("clip", "quiet"))
    assert (quiet["row"], loud["row"]) == ("quiet", "loud")
    assert set(loud["shares"]) == {"honest", "forged"}
    assert quiet["shares"]["honest"]["mean"] == 0 and quiet["more"]["honest"]["mean"] == 0
    assert loud["shares"]["honest"]["seeds"] == pytest.approx([1 / 3, 2 / 3])
    assert loud["more"]["honest"]["mean"] == pytest.approx(0.5)
    assert loud["more"]["forged"]["mean"] == pytest.approx(-0.25)
    low, high = loud["more"]["honest"]["interval"]
    assert 0 <= low < 0.5 < high <= 1


def test_rows_are_configurations_that_differ_where_their_names_say():
    base = DiscoverConfig(epochs=3, guide=0.5)
    rows = {row.name: row.config for row in ablation.ablation_rows(base)}
    off = {"aicl": 0, "mtlr": 0, "pseudo": 0}
    assert rows[ablation.FULL] == base
    assert rows["+ error as guide"] == replace(base, **off)
    assert rows["MIL alone"] == replace(base, guide=0, **off)
    assert rows["MIL, one head"] == replace(base, guide=0, streams=0, **off)
    assert rows["MDP's scheme"] == replace(base, mil=0, streams=0, p2s=1, deviation=0.2, **off)
    assert rows["first stage, symmetric contrast"] == replace(base, pseudo=0, symmetric=True)
    assert rows["no everyday changes"] == replace(base, everyday=False)
    assert rows["nothing around the face"] == replace(base, surroundings=False)
    assert len(rows) == len(set(rows.values())) == 15


def test_a_row_that_nobody_knows_is_refused():
    with pytest.raises(DeepLocError, match="No row is called MIL twice"):
        ablation.asked_rows(DiscoverConfig(), ("clip",), ("MIL twice",))


def test_arguments_that_nobody_knows_are_refused(command):
    with pytest.raises(SystemExit):
        ablation.main([*command, "--epoch-number", "3"])


@pytest.mark.slow
def test_without_stream_heads_one_score_answers_for_all(result):
    """MIL of the third head alone has learnt one score."""
    rows = {(row["setting"], row["row"]): row for row in result[0]["rows"]}
    streams = rows["clip", "MIL, one head"]["streams"]  # same truth, all seen and heard
    assert streams["visual"]["mean AP"]["seeds"] == streams["fused"]["mean AP"]["seeds"]
    full = rows["clip", ablation.FULL]["streams"]
    assert full["visual"]["mean AP"]["seeds"] != full["audio"]["mean AP"]["seeds"]


def compared(**runs):
    methods = {name: [method(seed) for seed in seeds] for name, seeds in runs.items()}
    rows = [SeededRow("clip", name, "", seeds) for name, seeds in methods.items()]
    return {row["row"]: row for row in summarise_rows(SAMPLES, rows, DRAWS, ("clip", "best"))}


def test_a_row_is_the_mean_of_its_seeds_and_held_against_the_reference():
    worse = RUNS | {"a": (), "d": ((100, 120),)}
    rows = compared(best=[RUNS], same=[RUNS], mixed=[RUNS, worse])
    best, mixed = (rows[name]["streams"]["fused"]["mean AP"] for name in ("best", "mixed"))
    assert best["spread"] != best["spread"]  # of one seed there is none
    assert mixed["mean"] == pytest.approx(np.mean(mixed["seeds"]))
    assert mixed["spread"] == pytest.approx(np.std(mixed["seeds"], ddof=1))
    assert rows["best"]["ahead"] is None
    same, ahead = (rows[name]["ahead"]["fused"] for name in ("same", "mixed"))
    assert same["mean AP"] == {"mean": 0, "interval": (0, 0)} and same["ratio"]["mean"] == 1
    assert ahead["mean AP"]["mean"] == pytest.approx(best["mean"] - mixed["mean"])
    assert ahead["ratio"]["mean"] == pytest.approx(best["mean"] / mixed["mean"])
