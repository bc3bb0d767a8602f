"""The command that writes everyday changes: what is made, its truth, and how it resumes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from deeploc.annotations import ClipTruth, read_truths, write_lavdf
from deeploc.annotations.truth import with_fused
from deeploc.errors import BadAnnotations
from deeploc.faces.detector import Detections, FaceDetector
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip
from deeploc.timeline import Segment, Timeline
from tests.train.test_everyday_delivery import FACE, recorded
from train import examples
from train.everyday import corpus
from train.everyday.corpus import EverydayConfig
from train.everyday.registry import KINDS

pytestmark = pytest.mark.slow

SPANS = with_fused({"visual": Timeline.of([Segment(0.4, 0.8)])})


@pytest.fixture
def faces(monkeypatch):
    """Every picture has a face."""

    def detect(self, frames):
        box = np.array([FACE], np.float32)
        return [Detections(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))] * len(
            frames
        )

    monkeypatch.setattr(FaceDetector, "__call__", detect)


@pytest.fixture
def clips(tmp_path):
    """Ann is honest, in train and test; Bob is forged from her; Cid, in train, is honest."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number, name in enumerate(("ann", "bob", "cid", "old")):
        recording = recorded(40, seed=number)
        write_clip(folder / f"{name}.mp4", recording.frames, recording.audio)
    truths = [
        ClipTruth("ann.mp4", split="train", identity="ann"),
        ClipTruth("bob.mp4", SPANS, "train", 1.6, "ann.mp4", "bob", {"visual": "blended"}),
        ClipTruth("cid.mp4", split="train", identity="cid"),
        ClipTruth("old.mp4", split="test", identity="ann"),
    ]
    write_lavdf(truths, folder / "metadata.json")
    return folder


def made(clips: Path, *words: str) -> dict[str, ClipTruth]:
    """The truth of everything that the command makes, by file."""
    out = clips.parent / "out"
    corpus.main([str(clips), "--out", str(out), *words])
    truths = {truth.file: truth for truth in read_truths(out / "metadata.json")}
    assert all((out / file).exists() for file in truths)
    return truths


def test_splits_and_label_choose_the_clips(clips, faces):
    words = ["--kinds", "title-card", "--splits", "train"]
    assert set(made(clips, *words, "--label", "authentic")) == {
        f"{kind}/{name}.mp4" for kind in ("unchanged", "title-card") for name in ("ann", "cid")
    }


def test_a_forged_clip_is_changed_with_honest_people_who_are_not_taken(clips, faces):
    words = ["--kinds", "sound-of-another", "--label", "forged", "--no-unchanged"]
    assert list(made(clips, *words)) == ["sound-of-another/bob.mp4"]


def test_an_original_that_is_not_written_is_named_with_its_corpus(clips, faces):
    truths = made(clips, "--kinds", "title-card", "--no-unchanged", "--splits", "train")
    assert {truth.original for truth in truths.values()} == {
        "clips/ann.mp4", "clips/bob.mp4", "clips/cid.mp4"
    }  # fmt: skip


def test_of_each_clip_so_many_kinds_are_made(clips, faces):
    kinds = ["title-card", "jump-cut", "sound-of-another", "punch-in"]
    truths = made(clips, "--each", "2", "--no-unchanged", "--kinds", *kinds)
    by_clip = {}
    for truth in truths.values():
        by_clip.setdefault(Path(truth.file).name, set()).add(truth.change)
    assert {name: len(own) for name, own in by_clip.items()} == dict.fromkeys(by_clip, 2)
    assert len(by_clip) == 4
    assert len(set(map(frozenset, by_clip.values()))) > 1
    assert "sound-of-another" not in by_clip["old.mp4"]  # nobody else is in its split


def test_a_kind_that_needs_somebody_else_is_replaced(tmp_path, faces):
    recording = recorded(40)
    config = EverydayConfig(("sound-of-another", "reverse-shot", "punch-in"), each=1)
    for number in range(6):
        task = corpus.Task(tmp_path, ClipTruth(f"{number}.mp4"), (), tmp_path, config)
        kinds = [kind for kind, _ in corpus.changes_of(task, recording)]
        assert kinds == ["unchanged", "punch-in"]


def test_words_stand_for_the_kinds_that_are_and_are_not_held_out():
    held_out = tuple(kind for kind in KINDS if KINDS[kind].held_out)
    assert EverydayConfig(("held-out",)).kinds == held_out
    assert EverydayConfig(("trained", "held-out")) == EverydayConfig()
    assert set(EverydayConfig(("held-out", "jump-cut")).kinds) == {*held_out, "jump-cut"}
    with pytest.raises(ValueError, match="no such kind"):
        EverydayConfig(("trained", "no-such-kind"))
    with pytest.raises(ValueError, match="at least 1"):
        EverydayConfig(each=0)


def test_a_choice_that_leaves_nothing_is_a_sentence(clips):
    with pytest.raises(BadAnnotations, match="no such clips"):
        made(clips, "--splits", "dev")


def test_it_resumes_in_the_middle_of_a_clip_and_of_a_line(clips, faces, monkeypatch):
    words = ["--kinds", "title-card", "jump-cut", "punch-in", "--each", "2", "--splits", "train"]
    whole = made(clips, *words)
    out = clips.parent / "out"
    kept = {file: (out / file).read_bytes() for file in whole}
    journal = journal_of(out)
    out.rename(clips.parent / "whole")
    written = []

    def stops(path, *args, **options):
        if len(written) == 5:  # two clips have three versions each
            raise KeyboardInterrupt
        written.append(path)
        write_clip(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(corpus, "write_clip", stops)
        with pytest.raises(KeyboardInterrupt):
            made(clips, *words)
    with (out / corpus.JOURNAL).open("a") as file:
        file.write('{"clip": "bob.mp4", "reco')
    assert made(clips, *words) == whole
    assert {file: (out / file).read_bytes() for file in whole} == kept
    assert journal_of(out) == journal


def test_two_processes_finish_what_others_left_behind_when_they_were_killed(tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    rng = np.random.default_rng(0)
    sound = examples.simulate_room(examples.synthetic_voice(1.2, rng), rng)[: 30 * 640]
    for seed in range(2):
        frames = examples.render_speaker(sound, seed=seed, size=(144, 192))[:30]
        write_clip(clips / f"{seed}.mp4", frames, sound)
    words = [str(clips), "--kinds", "jump-cut", "volume-step", "punch-in", "freeze", "--each", "3"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    corpus.main([*words, "--out", str(whole)])
    shutil.copytree(whole, out)
    (out / "metadata.json").unlink()
    lines = (out / corpus.JOURNAL).read_text().splitlines(keepends=True)
    (out / corpus.JOURNAL).write_text(lines[1][:40])  # both clips were in the making
    first, *others = sorted(out.rglob("*.mp4"))
    for number, file in enumerate(others):
        if number % 2:
            file.rename(f"{file}.part")
    kept = first.stat().st_mtime_ns
    corpus.main([*words, "--out", str(out), "--workers", "2"])
    assert first.stat().st_mtime_ns == kept
    assert not list(out.rglob("*.part"))
    assert read_truths(out / "metadata.json") == read_truths(whole / "metadata.json")
    assert len(read_truths(out / "metadata.json")) == 2 * 4
    for file in whole.rglob("*.mp4"):
        assert (out / file.relative_to(whole)).read_bytes() == file.read_bytes()
    assert journal_of(out) == journal_of(whole)


def journal_of(out: Path) -> dict[str, list]:
    lines = (out / corpus.JOURNAL).read_text().splitlines()
    return {entry["clip"]: entry["records"] for entry in map(json.loads, lines)}


def test_the_command_moves_the_truth_and_names_the_kinds(tmp_path, faces, capsys):
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for number, name in enumerate(("ann", "bob")):
        recording = recorded(40, seed=number)
        write_clip(clips / f"{name}.mp4", recording.frames, recording.audio)
    write_clip(clips / "mute.mp4", recording.frames, None)
    forged = ClipTruth("bob.mp4", SPANS, "test", 1.6, "ann.mp4", "bob", {"visual": "blended"})
    honest = [ClipTruth(f"{name}.mp4", split="test", identity=name) for name in ("ann", "mute")]
    write_lavdf([*honest, forged], clips / "metadata.json")
    words = [str(clips), "--out", str(out), "--kinds", "title-card", "sound-of-another"]
    corpus.main(words)
    said = capsys.readouterr()
    assert "left out mute.mp4: it has no sound" in said.out + said.err
    truths = {truth.file: truth for truth in read_truths(out / "metadata.json")}
    assert set(truths) == {
        *("unchanged/ann.mp4", "title-card/ann.mp4"),  # no honest person is beside ann
        *("unchanged/bob.mp4", "title-card/bob.mp4", "sound-of-another/bob.mp4"),
    }
    assert truths["unchanged/ann.mp4"].change is None
    assert truths["title-card/ann.mp4"].change == "title-card"
    assert not truths["title-card/ann.mp4"].forged
    assert truths["unchanged/bob.mp4"].segments["visual"] == SPANS["visual"]
    assert truths["unchanged/bob.mp4"].original == "unchanged/ann.mp4"
    moved = truths["title-card/bob.mp4"]
    assert moved.forged
    assert moved.segments["visual"].duration == pytest.approx(0.4)
    assert moved.families == {"visual": "blended"}
    for truth in truths.values():
        assert open_clip(out / truth.file).grid.duration == pytest.approx(truth.duration_s)
    covered = truths["sound-of-another/bob.mp4"].segments["visual"].duration
    assert covered <= 0.4
    times = {file: (out / file).stat().st_mtime_ns for file in truths}
    corpus.main(words)
    assert times == {file: (out / file).stat().st_mtime_ns for file in truths}
    with pytest.raises(SystemExit, match="seed 0"):
        corpus.main([*words, "--seed", "1"])
