"""From a dataset in its own layout to a cache in ours."""

import json
import shutil

import numpy as np
import pytest

from deeploc.annotations import ClipTruth, read_dataset, read_truths, write_lavdf
from deeploc.errors import BadAnnotations
from deeploc.media.writer import write_clip
from deeploc.timeline import Segment, Timeline
from train import examples
from train.data import extract
from train.data.cache import METADATA, ClipTensors, cached_path, load_cache
from train.data.splits import with_splits

SECONDS = 1.2
STEPS = 30
PERSON = "id00012/21Uxsk56VDQ/00001"


def row(split, name, kind, segments, frames=STEPS):
    return {
        "file": f"{PERSON}/{name}.mp4",
        "original": f"{PERSON}/real.mp4",
        "split": split,
        "modify_type": kind,
        "audio_model": "vits" if kind != "real" else None,
        "fake_segments": segments,
        "audio_fake_segments": segments if kind == "audio_modified" else [],
        "visual_fake_segments": segments,
        "video_frames": frames,
        "audio_frames": 19200,
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """AV-Deepfake1M in small: three clips with a face, one without, one not downloaded."""
    root = tmp_path_factory.mktemp("avdeepfake1m")
    rng = np.random.default_rng(0)
    sound = examples.simulate_room(examples.synthetic_voice(SECONDS, rng), rng)[: STEPS * 640]
    faces = examples.render_speaker(sound, seed=0, size=(144, 192))[:STEPS]
    rows = {
        "train": [
            row("train", "real", "real", []),
            row("train", "real_video_fake_audio", "audio_modified", [[0.2, 0.6]]),
            row("train", "gone", "real", []),
        ],
        "val": [row("val", "real", "real", [], 33), row("val", "faceless", "real", [])],
    }
    for split, listed in rows.items():
        home = root / split / PERSON
        home.mkdir(parents=True)
        write_clip(home / "real.mp4", faces, sound)
        (root / f"{split}_metadata.json").write_text(json.dumps(listed))
    train = root / "train" / PERSON
    shutil.copy(train / "real.mp4", train / "real_video_fake_audio.mp4")
    write_clip(root / "val" / PERSON / "faceless.mp4", np.full_like(faces, 90), sound)
    return root


@pytest.fixture(scope="module")
def extracted(dataset, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    extract.main(["--data", str(dataset), str(cache)])
    return cache


def test_the_cache_holds_clips_and_their_truth(extracted):
    train, dev = load_cache(extracted, "train"), load_cache(extracted, "dev")
    assert [sample.annotation.file for sample in train] == [
        f"train/{PERSON}/real.mp4",
        f"train/{PERSON}/real_video_fake_audio.mp4",
    ]
    real, forged = (sample.annotation for sample in train)
    assert (real.forged, forged.modify_visual, forged.modify_audio) == (False, False, True)
    assert forged.segments["audio"] == Timeline((Segment(0.2, 0.6),))
    assert not forged.segments["visual"]  # the segment copied into the other stream
    assert (forged.original, forged.identity) == (real.file, "id00012")
    assert [sample.annotation.file for sample in dev] == [f"val/{PERSON}/real.mp4"]
    tensors = train[0].tensors
    assert tensors.faces.shape == (STEPS, 192, 192, 3)
    assert tensors.seen.all() and tensors.heard.any()


def test_the_caches_metadata_is_the_datasets_in_our_layout(extracted, dataset):
    assert read_truths(extracted / METADATA, "lavdf") == read_dataset(dataset).clips
    first = json.loads((extracted / METADATA).read_text())[0]
    assert {"fake_periods", "modify_video", "modify_audio", "split", "n_fakes"} <= set(first)


def test_extracting_again_keeps_what_is_there(extracted, dataset, capsys, monkeypatch):
    monkeypatch.setattr(extract, "ProcessPoolExecutor", InProcess)
    monkeypatch.setattr(extract, "extract_clip", refuse)
    extract.main(["--data", str(dataset), str(extracted)])
    said = capsys.readouterr()
    assert f"Not there: 1 of the listed clips, such as {PERSON}/gone.mp4" in said.out
    assert "train authentic: 1" in said.out and "train forged: 1" in said.out
    reported = [line for line in said.err.splitlines() if "left out" in line]
    assert len(reported) == 1  # the one that isn't in the cache
    assert f"val/{PERSON}/faceless.mp4 is left out: RuntimeError('asked again')" in reported[0]


def test_a_length_that_belies_the_annotation_is_reported(dataset, tmp_path, capsys, monkeypatch):
    steps = np.ones(STEPS, bool)
    faces = np.zeros((STEPS, 96, 96, 3), np.uint8)
    sound = np.zeros((4 * STEPS, 90)), np.zeros((STEPS, 6))
    scene, around = np.zeros(STEPS, int), np.zeros((STEPS, 2, 4))
    tensors = ClipTensors(faces, *sound, steps, steps, scene, around)
    monkeypatch.setattr(extract, "ProcessPoolExecutor", InProcess)
    monkeypatch.setattr(extract, "extract_clip", lambda *_: tensors)
    extract.main(["--data", str(dataset / "val_metadata.json"), str(tmp_path)])
    reported = [line for line in capsys.readouterr().err.splitlines() if "lasts" in line]
    assert len(reported) == 1  # 30 steps where 33 frames are stated
    assert f"val/{PERSON}/real.mp4 lasts 1.20 s where its annotation says 1.32 s" in reported[0]
    assert cached_path(tmp_path, f"val/{PERSON}/real.mp4").exists()


def test_a_cache_of_another_dataset_is_refused(extracted, dataset, tmp_path):
    (tmp_path / "real").mkdir()
    for number in range(3):
        shutil.copy(dataset / "val" / PERSON / "real.mp4", tmp_path / f"real/{number}.mp4")
    with pytest.raises(SystemExit, match="choose another cache"):
        extract.main(["--data", str(tmp_path), str(extracted)])


@pytest.fixture
def two(dataset, tmp_path):
    """Two datasets whose clips have the same names, and a third that is made from the first."""
    clip = dataset / "val" / PERSON / "real.mp4"
    folders = [tmp_path / name for name in ("one", "two", "changed")]
    truths = [
        [ClipTruth("a.mp4", split="train", identity="ann")],
        [ClipTruth("a.mp4", split="dev", identity="ann"), ClipTruth("b.mp4", split="dev")],
        [
            ClipTruth("kind/a.mp4", split="train", identity="ann", original="one/a.mp4"),
            ClipTruth("kind/b.mp4", split="train", identity="ann", original="kind/a.mp4"),
            ClipTruth("kind/c.mp4", split="train", identity="ann", original="gone.mp4"),
        ],
    ]
    for folder, listed in zip(folders, truths, strict=True):
        for truth in listed:
            (folder / truth.file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, folder / truth.file)
        write_lavdf(listed, folder / METADATA)
    return folders


def named(folders):
    return [word for folder in folders for word in ("--data", str(folder))]


def test_several_datasets_go_into_one_cache(two, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(extract, "ProcessPoolExecutor", InProcess)
    seen = []
    monkeypatch.setattr(extract, "extract_clip", lambda path, *_: seen.append(path) or refuse())
    cache = tmp_path / "cache"
    extract.main([str(cache), *named(two[:2])])
    assert [clip.file for clip in read_truths(cache / METADATA)] == [
        *("one/a.mp4", "two/a.mp4", "two/b.mp4")
    ]
    assert seen == [two[0] / "a.mp4", two[1] / "a.mp4", two[1] / "b.mp4"]
    assert "In more than one split: 1 identities, such as ann" in capsys.readouterr().out
    extract.main([str(cache), *named(two)])
    originals = {clip.file: clip.original for clip in read_truths(cache / METADATA)[3:]}
    assert originals == {
        "changed/kind/a.mp4": "one/a.mp4",
        "changed/kind/b.mp4": "changed/kind/a.mp4",
        "changed/kind/c.mp4": "changed/gone.mp4",
    }
    before = (cache / METADATA).read_bytes()
    for fewer in (two[:2], two[:1]):
        with pytest.raises(SystemExit, match="name all of its datasets"):
            extract.main([str(cache), *named(fewer)])
    assert (cache / METADATA).read_bytes() == before


def test_datasets_of_one_name_are_refused(two, tmp_path):
    same = tmp_path / "else" / "one"
    shutil.copytree(two[0], same)
    with pytest.raises(SystemExit, match="folders called one"):
        extract.main([str(tmp_path / "cache"), *named((two[0], same))])
    with pytest.raises(SystemExit, match="without --clips"):
        extract.main([str(tmp_path / "cache"), *named(two[:2]), "--clips", str(tmp_path)])
    assert not (tmp_path / "cache").exists()


def test_user_errors_are_sentences(tmp_path):
    with pytest.raises(SystemExit, match="does not exist"):
        extract.main(["--data", str(tmp_path / "nowhere"), str(tmp_path / "cache")])
    assert not (tmp_path / "cache").exists()


def test_splits_that_are_named_are_kept():
    clips = [ClipTruth("a", split="train"), ClipTruth("b", split="test")]
    assert with_splits(clips) == clips


def test_unnamed_splits_keep_people_and_originals_together():
    clips = [
        ClipTruth(f"{number}.mp4", identity=f"person {number // 4}" if number % 2 else None)
        for number in range(40)
    ]
    clips += [ClipTruth(f"of {clip.file}", original=clip.file) for clip in clips]
    splits = {clip.file: clip.split for clip in with_splits(clips)}
    assert set(splits.values()) == {"train", "dev", "test"}
    for clip in clips[:40]:
        assert splits[f"of {clip.file}"] == splits[clip.file]
    homes = {clip.identity: set() for clip in clips if clip.identity}
    for clip in clips:
        if clip.identity:
            homes[clip.identity].add(splits[clip.file])
    assert all(len(home) == 1 for home in homes.values())
    backwards = with_splits(clips[::-1])
    assert {clip.file: clip.split for clip in backwards} == splits


def test_people_are_tied_over_any_number_of_steps():
    chain = [
        ClipTruth("b.mp4", identity="ann", original="a.mp4"),
        ClipTruth("a.mp4"),
        ClipTruth("c.mp4", identity="ann"),
        ClipTruth("d.mp4", original="c.mp4"),
    ]
    others = [ClipTruth(f"{number}.mp4") for number in range(20)]
    splits = {clip.file: clip.split for clip in with_splits(chain + others)}
    assert len({splits[clip.file] for clip in chain}) == 1


def test_splits_that_cannot_be_made_are_said():
    half = [ClipTruth("a.mp4"), ClipTruth("b.mp4", split="test")]
    with pytest.raises(BadAnnotations, match=r"1 of 2 clips name no split, for example a\.mp4"):
        with_splits(half)
    alone = [ClipTruth(f"{number}.mp4", identity="one") for number in range(9)]
    with pytest.raises(BadAnnotations, match=r"too few people .* \(1\)"):
        with_splits(alone)


class InProcess:
    """Stands in for the pool where a test patches what the workers do."""

    def __init__(self, *_):
        self.map = map

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def refuse(*_):
    raise RuntimeError("asked again")
