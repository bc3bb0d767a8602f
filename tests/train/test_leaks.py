"""The leak test finds what was planted in a corpus, says where, and passes one without it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deeploc.annotations import ClipTruth
from deeploc.media.writer import write_clip
from deeploc.timeline import Segment, Timeline
from train.data.cache import cached_path
from train.evaluate import leaks
from train.evaluate.leak_features import Nuisances, read_nuisances

STEPS, SPAN_STEPS = 50, 12
SIZE = (48, 64)
STEP_SAMPLES = 640
FAMILIES = ("hum", "cut", "dub")
CHANGES = ("blur", "cough", "cutaway")


def drawn_spans(rng: np.random.Generator) -> list[tuple[int, int]]:
    """A span anywhere on the clip, as if its end met its beginning."""
    start = int(rng.integers(STEPS))
    end = start + SPAN_STEPS
    return [(start, end)] if end <= STEPS else [(0, end - STEPS), (start, STEPS)]


def invented(
    people: int = 60, louder: str | None = None, where: str = "anywhere", quiet_db: float = 0.0
) -> list[leaks.CorpusClip]:
    """Nuisances out of thin air: each person's authentic clip and one forged in its sound.

    `louder`: the family whose clips are, or "all". `quiet_db`: how much forged steps are. `where`:
    forged anywhere, in the "middle", or where the original is "loud".
    """
    samples = []
    for person in range(people):
        rng = np.random.default_rng(person)
        family = FAMILIES[person % len(FAMILIES)]
        level, floor = rng.normal(-24, 2), rng.normal(-60, 4)
        loudness = np.convolve(rng.normal(0, 6, STEPS + 8), np.ones(9) / 3, "valid")
        spans = drawn_spans(rng)
        if where == "middle":
            spans = [(19, 31)]
        elif where == "loud":
            best = int(np.argmax(np.convolve(loudness, np.ones(SPAN_STEPS), "valid")))
            spans = [(best, best + SPAN_STEPS)]
        for forged in (False, True):
            series = loudness + rng.normal(0, 0.5, STEPS)
            for start, end in spans if forged else []:
                series[start:end] -= quiet_db
            truth = Timeline.of(Segment(a / 25, b / 25) for a, b in spans) if forged else Timeline()
            clip = {
                "audio loudness": level + rng.normal() + 6 * (forged and louder in ("all", family)),
                "audio noise floor": floor + rng.normal(),
                "visual luminance": 100 + 20 * rng.normal(),
            }
            place = (np.arange(STEPS) + 0.5) / STEPS
            edge = np.minimum(place, 1 - place)
            steps = {"audio loudness": series, "audio distance from edge": edge}
            samples.append(
                leaks.CorpusClip(
                    ClipTruth(
                        f"{person}-{int(forged)}",
                        {"visual": Timeline(), "audio": truth, "fused": truth},
                        original=f"{person}-0" if forged else None,
                        identity=f"p{person}",
                        families={"audio": family} if forged else {},
                    ),
                    Nuisances(clip, steps),
                )
            )
    return samples


def test_nothing_is_found_where_nothing_is_planted():
    table = leaks.find_leaks(invented())
    assert not len(table[table.verdict == leaks.LEAK])
    assert set(table.question) == {"clip", "step", "place"}
    assert set(table.family) == {"all", *FAMILIES}
    assert (table.low <= table.AUC).all() and (table.high >= table.AUC).all()


@pytest.mark.parametrize(
    ("planted", "question", "named"),
    [
        ({"louder": "all"}, "clip", "audio loudness"),
        ({"quiet_db": 20.0}, "step", "audio loudness"),
        ({"where": "middle"}, "place", "audio distance from edge"),
        ({"where": "loud"}, "place", "audio loudness"),
    ],
)
def test_a_planted_leak_is_found_and_named(planted, question, named):
    table = leaks.find_leaks(invented(**planted))
    row = table[
        (table.question == question) & (table.stream == "audio") & (table.family == "all")
    ].iloc[0]
    assert row.verdict == leaks.LEAK and row.low > 60
    assert named in row["strongest nuisance"]
    found = set(table[table.verdict == leaks.LEAK].question)
    assert found <= ({"clip"} if question == "clip" else {"step", "place"})


def test_what_forging_did_is_told_from_where_it_was_done():
    found = leaks.find_leaks(invented(quiet_db=20.0))
    assert leaks.LEAK not in set(found[found.question == "place"].verdict)


def test_a_leak_of_one_family_is_found_in_that_family():
    table = leaks.find_leaks(invented(louder="cut"))
    found = table[(table.verdict == leaks.LEAK) & (table.family != "all")]
    assert set(found.family) == {"cut"} and set(found.question) == {"clip"}


def under_changes(
    chance: tuple[float, float] = (0.8, 0.8), louder: bool = False, kinds: tuple[str, ...] = ()
) -> list[leaks.CorpusClip]:
    """Invented clips, and changed versions of them. `chance`: of a version of an authentic and of a
    forged clip; `louder`: changed forged clips are; `kinds`: the only ones of forged clips."""
    samples = invented()
    rng = np.random.default_rng(0)
    for sample in tuple(samples):
        forged = sample.truth.forged
        if rng.random() < chance[forged]:
            kind = str(rng.choice(kinds if kinds and forged else CHANGES))
            clip = dict(sample.nuisances.clip)
            clip["visual luminance"] += 30 * CHANGES.index(kind)
            clip["audio loudness"] += 6 * (forged and louder)
            file = f"{kind}/{sample.truth.file}"
            truth = replace(sample.truth, file=file, change=kind, original=sample.truth.file)
            samples.append(leaks.CorpusClip(truth, replace(sample.nuisances, clip=clip)))
    return samples


def test_changes_of_both_classes_alike_are_no_leak():
    samples = under_changes()
    table = leaks.find_leaks(samples)
    assert not len(table[table.verdict == leaks.LEAK])
    assert {"changed clip", "which change"} <= set(table.question)
    as_they_are = table[~table.question.isin(["changed clip", "which change"])]
    assert as_they_are.reset_index(drop=True).equals(leaks.find_leaks(invented()))
    counts = leaks.count_changes(samples)
    assert set(counts.index) == {*CHANGES, "as it is"}
    assert tuple(counts.loc["as it is"]) == (60, 60)
    assert counts.to_numpy().sum() == len(samples)


@pytest.mark.parametrize(
    ("planted", "question", "named"),
    [
        ({"chance": (0.9, 0.1)}, "which change", "any"),
        ({"kinds": CHANGES[:1]}, "which change", CHANGES[0]),
        ({"louder": True}, "changed clip", "audio loudness"),
    ],
)
def test_a_change_that_is_a_label_is_found(planted, question, named):
    table = leaks.find_leaks(under_changes(**planted))
    found = table[(table.question == question) & (table.verdict == leaks.LEAK)]
    assert named in set(found["strongest nuisance"])


def make_corpus(folder: Path, crf: int = 20) -> Path:
    """Eight people's noise that looks and sounds alike, forged by other noise. `crf`: the quality
    of clips that are forged in picture; the others have 20."""
    (folder / "train").mkdir(parents=True)
    records = []
    for person in range(8):
        rng = np.random.default_rng(person)
        grey, level = rng.integers(60, 180), rng.uniform(0.02, 0.1)
        pictures = grey + rng.integers(-20, 20, (STEPS, *SIZE, 1)) + np.zeros(3, int)
        sound = level * rng.standard_normal(STEPS * STEP_SAMPLES)
        for variant, (visual, audio) in enumerate([(False, False), (True, False), (False, True)]):
            spans = drawn_spans(rng)
            frames, audible = pictures.copy(), sound.copy()
            for start, end in spans:
                part = slice(start * STEP_SAMPLES, end * STEP_SAMPLES)
                if visual:
                    patch = grey + rng.integers(-20, 20, (end - start, 16, 16, 1))
                    frames[start:end, 20:36, 24:40] = patch
                if audio:
                    audible[part] = level * rng.standard_normal(part.stop - part.start)
            file = f"train/{person}-{variant}.mp4"
            quality = crf if visual else 20
            write_clip(
                folder / file, frames.astype(np.uint8), audible.astype(np.float32), crf=quality
            )
            periods = [[start / 25, end / 25] for start, end in spans] if variant else []
            records.append(
                {
                    "file": file,
                    "original": f"train/{person}-0.mp4" if variant else None,
                    "split": "train",
                    "identity": f"p{person}",
                    "video_frames": STEPS,
                    "n_fakes": len(periods),
                    "fake_periods": periods,
                    "modify_video": visual,
                    "modify_audio": audio,
                }
            )
    (folder / "metadata.json").write_text(json.dumps(records))
    return folder


@pytest.mark.slow
def test_the_command_passes_a_clean_corpus_and_leaves_out_unreadable_clips(tmp_path, capsys):
    corpus, cache = make_corpus(tmp_path / "corpus"), tmp_path / "cache"
    leaks.main([str(corpus), "--cache", str(cache)])
    printed = capsys.readouterr().out
    assert leaks.CONTENT in printed and "\n0 of" in printed
    assert len(list(cache.rglob("*.npz"))) == 24
    (corpus / "train/0-1.mp4").write_bytes(b"no video at all")
    cached_path(cache, "train/0-1.mp4").unlink()
    assert len(leaks.corpus_nuisances([corpus], cache, ["train"], 1)) == 23
    assert "skipped train/0-1.mp4" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="too few"):
        leaks.main([str(corpus), "--split", "dev"])


@pytest.mark.slow
def test_the_command_reads_several_corpora_and_counts_changes(tmp_path, capsys):
    corpora = [make_corpus(tmp_path / name) for name in ("corpus", "changed")]
    rows = json.loads((corpora[1] / "metadata.json").read_text())
    for number, row in enumerate(rows):
        row |= {"change": CHANGES[number // 3 % 3], "original": f"corpus/{row['file']}"}
    (corpora[1] / "metadata.json").write_text(json.dumps(rows))
    leaks.main([*map(str, corpora), "--cache", str(tmp_path / "cache")])
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["as", "it", "is", "8", "16"] in printed
    assert ["blur", "3", "6"] in printed
    assert any(line[:3] == ["which", "change", "fused"] for line in printed)


@pytest.mark.slow
def test_the_command_fails_where_forged_clips_are_encoded_worse(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        leaks.main([str(make_corpus(tmp_path / "corpus", crf=38))])
    assert stopped.value.code == 1
    leaking = [line for line in capsys.readouterr().out.splitlines() if leaks.LEAK in line]
    assert any(line.split()[:3] == ["clip", "visual", "all"] for line in leaking)


def test_what_is_measured_is_what_the_file_holds(tmp_path):
    path = tmp_path / "clip.mp4"
    dark_first = np.full((50, *SIZE, 3), 120, np.uint8)
    dark_first[0] = 0
    sound = np.r_[np.zeros(8000), 0.1 * np.random.default_rng(0).standard_normal(24_000)]
    write_clip(path, dark_first, sound.astype(np.float32))
    found = read_nuisances(path)
    assert found.clip["visual duration"] == 2.0 and found.clip["visual width"] == SIZE[1]
    assert found.clip["visual luminance, first frame"] == pytest.approx(-105, abs=15)
    assert found.clip["visual black frames"] == pytest.approx(1 / 50)
    assert found.clip["audio leading silence"] == pytest.approx(0.5, abs=0.05)
    assert found.clip["audio loudness, median"] == pytest.approx(-20, abs=1)
    assert found.steps["audio silence"][:12].all() and not found.steps["audio silence"][14:].any()
    assert {series.shape for series in found.steps.values()} == {(50,)}
    found.save(tmp_path / "kept.npz")
    again = Nuisances.load(tmp_path / "kept.npz")
    assert again.clip == found.clip
    assert all(np.array_equal(again.steps[name], found.steps[name]) for name in found.steps)


def test_the_auc_counts_pairs_of_one_fold_only():
    scores = np.array([0.9, 0.1, 0.5, 0.5])
    labels = np.array([True, False, True, False])
    people = np.array(["a", "a", "b", "b"])
    folds = np.array([0, 0, 1, 1])
    for parts, auc in ((folds, 0.75), (0 * folds, 0.875)):
        won, pairs = leaks.wins(scores, labels, people, parts)
        assert leaks.auc_of(scores, labels, parts) == won.sum() / pairs.sum() == auc
