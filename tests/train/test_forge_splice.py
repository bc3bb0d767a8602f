"""Generators' output cut into its originals: exact truth, and nobody of it is ever trained on."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile

from deeploc.annotations import read_truths
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip
from train.data.splits import split_identities
from train.forge import corpus as forge
from train.forge import splice
from train.forge.config import ForgeConfig
from train.forge.manifest import CONTROL, generated_identities, read_manifest, spliced_sources
from train.forge.plan import Plan

STEPS = 75
COLUMNS = (
    "path label modified generator identity pair segments has_audio source".split()  # noqa: SIM905
)
ROWS = [
    ("ann.mp4", "authentic", "", "", "ann", "", "", "1", "a"),
    ("ann-net.mp4", "forged", "visual", "Net", "ann", "ann.mp4", "whole clip (video)", "1", "a"),
    ("ann-far.mp4", "forged", "visual", "Far", "ann", "ann.mp4", "whole clip (video)", "1", "a"),
    ("ann-speech.mp4", "forged", "audio", "Voice", "ann", "", "whole clip (audio)", "1", "a"),
    ("bea.mp4", "authentic", "", "", "bea", "", "", "0", "b"),
    ("bea-net.mp4", "forged", "visual", "Net", "bea", "bea.mp4", "whole clip (video)", "0", "b"),
    ("cyd.wav", "authentic", "", "", "cyd", "", "", "1", "c"),
    ("cyd-edit.wav", "forged", "audio", "Edit", "cyd", "cyd.wav", "[(1.0, 1.6)]", "1", "c"),
    ("dan.mp4", "authentic", "", "", "dan", "", "", "1", "d"),
]


def moving(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scene = rng.integers(60, 200, (9, 12, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    frames = np.stack([scene] * STEPS)
    frames[:, 40:50, 50:70] = np.linspace(0, 255, STEPS)[:, None, None, None]
    return frames


def tone(hertz: float, volume: float) -> np.ndarray:
    return (volume * np.sin(2 * np.pi * hertz * np.arange(48_000) / 16_000)).astype(np.float32)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    ann, bea = moving(0), moving(1)
    swapped = {"ann": ann.copy(), "bea": bea.copy()}
    for frames in swapped.values():
        frames[:, 40:50, 50:70] = (250, 0, 0)
    write_clip(folder / "ann.mp4", ann, tone(200, 0.2))
    write_clip(folder / "ann-net.mp4", swapped["ann"], tone(200, 0.2))
    write_clip(folder / "ann-far.mp4", 255 - ann, tone(200, 0.2))
    write_clip(folder / "ann-speech.mp4", ann, tone(3000, 0.05))
    write_clip(folder / "bea.mp4", bea, None)
    write_clip(folder / "bea-net.mp4", swapped["bea"], None)
    write_clip(folder / "dan.mp4", ann, tone(300, 0.2))
    wavfile.write(folder / "cyd.wav", 16_000, tone(500, 0.3))
    wavfile.write(folder / "cyd-edit.wav", 16_000, tone(2500, 0.3))
    pd.DataFrame(ROWS, columns=COLUMNS).to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def corpus(manifest, tmp_path_factory):
    out = tmp_path_factory.mktemp("splices")
    with pytest.MonkeyPatch.context() as patch:  # one split, so that cyd finds a face
        patch.setattr(forge, "split_identities", lambda people, *_: dict.fromkeys(people, "test"))
        command = ["--splice", "--manifest", str(manifest), "--out", str(out), "--workers", "1"]
        forge.main(command)
    return out


@pytest.fixture(scope="module")
def clips(corpus):
    truth = {row.file: row for row in read_truths(corpus / "metadata.json")}
    rows = json.loads((corpus / "metadata.json").read_text())
    return {
        (row["identity"], row["family_visual"] or row["family_audio"]): (truth[row["file"]], row)
        for row in rows
    }


def shown(corpus, row) -> np.ndarray:
    return np.stack(list(open_clip(corpus / row["file"]).frames())).astype(float)


def test_every_aligned_generator_has_its_clip(clips):
    assert set(clips) == {
        ("ann", None),
        ("ann", "Net"),
        ("ann", "Voice"),
        ("bea", None),
        ("bea", "Net"),
        ("cyd", None),
        ("cyd", "Edit"),
    }
    for (_, family), (truth, _) in clips.items():
        assert truth.forged == (family is not None)


@pytest.mark.parametrize("person", ["ann", "bea"])
def test_the_picture_is_the_generators_inside_the_spans_only(corpus, clips, person):
    truth, _ = clips[person, "Net"]
    assert truth.modify_visual and not truth.modify_audio
    own, other = (shown(corpus, clips[person, family][1]) for family in (None, "Net"))
    red = other[:, 42:48, 52:68, 0] - other[:, 42:48, 52:68, 1]
    changed = red.mean((1, 2)) > 120
    expected = np.zeros(STEPS, bool)
    for segment in truth.segments["visual"]:
        expected[round(25 * segment.start) : round(25 * segment.end)] = True
    np.testing.assert_array_equal(changed, expected)
    assert np.abs(own[~expected] - other[~expected]).mean() < 3


def test_generated_sound_is_cut_in_at_the_loudness_of_its_place(corpus, clips):
    truth, row = clips["ann", "Voice"]
    assert truth.modify_audio and not truth.modify_visual
    (first, *_) = truth.segments["audio"]
    sound = open_clip(corpus / row["file"]).audio
    inside = sound[round(16_000 * first.start) + 800 : round(16_000 * first.end) - 800]
    outside = open_clip(corpus / clips["ann", None][1]["file"]).audio[8_000:40_000]
    assert pitch(inside) == pytest.approx(3000, abs=30)
    assert np.std(inside) == pytest.approx(np.std(outside), rel=0.1)


def test_edited_speech_keeps_its_seconds_and_gets_somebodys_face(corpus, clips):
    truth, row = clips["cyd", "Edit"]
    (edited,) = truth.segments["audio"]
    assert (edited.start, edited.end) == (1.0, 1.6)
    sound = open_clip(corpus / row["file"]).audio
    assert pitch(sound[17_000:24_600]) == pytest.approx(2500, abs=30)
    assert pitch(sound[:15_000]) == pytest.approx(500, abs=30)
    face = shown(corpus, clips["bea", None][1])
    assert np.abs(shown(corpus, row) - face[: row["video_frames"]]).mean() < 5


def test_nobody_with_generated_clips_is_trained_on(manifest):
    held_out = generated_identities(read_manifest(manifest))
    assert held_out == {"ann", "bea", "cyd"}
    people = [*held_out, *(f"other-{number}" for number in range(12))]
    for seed in range(5):
        splits = split_identities(people, seed, held_out)
        assert list(splits.values()).count("train") == 9
        assert "train" not in {splits[person] for person in held_out}
        alone = split_identities(held_out, seed, held_out)
        assert alone == {person: splits[person] for person in held_out}


def test_splices_need_a_manifest(tmp_path):
    with pytest.raises(SystemExit, match="--manifest"):
        forge.main(["--splice", "--out", str(tmp_path)])


def pitch(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(spectrum.argmax() * 16_000 / len(sound))


def test_the_control_is_the_clip_itself_coded_once_more(manifest, tmp_path, monkeypatch):
    written = {}
    monkeypatch.setattr(
        splice, "_write", lambda path, frames, *_: written.update({path.name: frames})
    )
    table = read_manifest(manifest)
    splits = dict.fromkeys(table.identity, "test")
    sources = spliced_sources(table, manifest.parent, splits, control=True)
    plan = Plan(tuple(sources), str(tmp_path), ForgeConfig(splice=True))
    assert [source.identity for source in sources] == ["ann", "bea"]
    for source in sources:
        own, made = splice.splice_source(plan, source)
        assert (own["n_fakes"], made["family_visual"]) == (0, CONTROL)
        one, other = (written[Path(row["file"]).name].astype(int) for row in (own, made))
        apart = np.abs(one - other).mean((1, 2, 3))
        inside = np.zeros(STEPS, bool)
        for start, end in made["visual_periods"]:
            inside[round(25 * start) : round(25 * end)] = True
        assert (apart[~inside] == 0).all()
        assert (apart[inside] > 0).all() and apart.max() < 6
