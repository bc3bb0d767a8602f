"""Partial forgeries: changed inside their spans and nowhere else, and a corpus that says so."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deeploc.annotations import read_truths
from deeploc.faces.detector import FaceDetector
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip
from train import examples
from train.forge import (
    chunk as forge_chunk,
)
from train.forge import (
    codec as forge_tool,
)
from train.forge import (
    corpus as forge,
)
from train.forge.chunk import draw_spans
from train.forge.picture import families as forge_picture
from train.forge.picture.face import (
    Picture,
    Region,
    follow_landmarks,
    region_alpha,
)
from train.forge.plan import Plan
from train.forge.sound import (
    families as forge_sound,
)
from train.forge.sound import (
    text_to_speech as forge_tts,
)
from train.forge.sound import (
    vocoders as forge_speech,
)

SIZE = (144, 192)
SECONDS = 2.8
SPAN = (20, 40)
SAMPLES = (12_800, 25_600)
LAVDF_KEYS = {
    "file",
    "n_fakes",
    "fake_periods",
    "duration",
    "original",
    "modify_video",
    "modify_audio",
    "split",
    "video_frames",
    "audio_channels",
    "audio_frames",
}
PICTURE_FAMILIES = (*forge_picture.FAMILIES, *forge_picture.UNSEEN_FAMILIES)
SOUND_FAMILIES = tuple(
    pytest.param(
        family,
        marks=pytest.mark.skipif(
            family in forge_tts.ENGINES and not forge_tts.is_installed(family),
            reason="its engine is not installed",
        ),
    )
    for family in (*forge_sound.FAMILIES, *forge_sound.UNSEEN_FAMILIES)
)


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    rngs = [np.random.default_rng(seed) for seed in range(3)]
    return [examples.in_a_room(examples.synthetic_voice(SECONDS, rng), rng) for rng in rngs]


@pytest.fixture(scope="module")
def frames(sounds) -> np.ndarray:
    return examples.talk(sounds[0], seed=0, size=SIZE)


@pytest.fixture(scope="module")
def picture(frames) -> Picture:
    return Picture(frames, follow_landmarks(frames, FaceDetector()))


@pytest.fixture(scope="module")
def folder(frames, sounds, tmp_path_factory):
    """Three talking clips of three "people": as drawn, mirrored, and in other colours."""
    made = tmp_path_factory.mktemp("authentic")
    looks = (frames, frames[:, :, ::-1], frames[..., [1, 0, 2]])
    for name, look, sound in zip(("ann", "bea", "cyd"), looks, sounds, strict=True):
        write_clip(made / f"{name}.mp4", look, sound, rate_hz=25)
    return made


@pytest.fixture(scope="module")
def corpus(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("corpus")
    forge.main(["--authentic", str(folder), "--out", str(out), "--workers", "1"])
    return out


@pytest.mark.parametrize("family", [*PICTURE_FAMILIES, "null"])
def test_a_forged_picture_differs_only_inside_its_span_and_region(family, picture):
    rng = np.random.default_rng(2)
    other = Picture(picture.frames[::-1, :, ::-1], picture.landmarks[::-1] * [-1, 1] + [SIZE[1], 0])
    forged, _ = forge_picture.forge_picture(picture, SPAN, family, rng, other)
    changed = (forged != picture.frames).any(-1)
    assert not changed[: SPAN[0]].any() and not changed[SPAN[1] :].any()
    assert changed[SPAN[0] + 2 : SPAN[1] - 2].any((1, 2)).all()
    widest = Region(-0.45, 1.5, 1.75, 0.1)
    for step in range(*SPAN):
        rows, columns, _ = region_alpha(picture.landmarks[step], widest, SIZE)
        changed[step, rows, columns] = False
    assert not changed.any()


def test_a_null_picture_moves_the_mouth_by_less_than_a_forgery_does(picture):
    changes = {}
    for family in ("null", "mouth-swap-self"):
        forged, _ = forge_picture.forge_picture(picture, SPAN, family, np.random.default_rng(2))
        changes[family] = np.abs(forged.astype(float) - picture.frames).mean()
    assert 0 < changes["null"] < changes["mouth-swap-self"]


def test_a_forged_picture_fades_in(picture):
    forged, _ = forge_picture.forge_picture(picture, SPAN, "freeze", np.random.default_rng(1))
    full, _ = forge_picture.forge_picture(picture, (15, 45), "freeze", np.random.default_rng(1))
    assert forged.dtype == full.dtype == np.uint8
    weights = [forge_picture.fade(step, SPAN, 2) for step in range(*SPAN)]
    assert weights[:3] == pytest.approx([1 / 3, 2 / 3, 1]) and weights[-1] == pytest.approx(1 / 3)


@pytest.mark.parametrize("family", SOUND_FAMILIES)
def test_forged_sound_differs_only_inside_its_span_and_is_as_loud(family, sounds):
    audio = sounds[0]
    rng = np.random.default_rng(3)
    forged, _ = forge_sound.forge_sound(audio, SAMPLES, family, rng, sounds[1])
    start, end = SAMPLES
    assert forged.dtype == np.float32 and np.isfinite(forged).all()
    assert np.array_equal(forged[:start], audio[:start])
    assert np.array_equal(forged[end:], audio[end:])
    own, new = audio[start:end], forged[start:end]
    assert np.corrcoef(own, new)[0, 1] < 0.98
    assert abs(20 * np.log10(new.std() / own.std())) < 1.5


def test_null_sound_is_nearly_the_same_sound(sounds):
    forged, _ = forge_sound.forge_sound(sounds[0], SAMPLES, "null", np.random.default_rng(3))
    own, new = (sound[slice(*SAMPLES)] for sound in (sounds[0], forged))
    assert not np.array_equal(own, new) and np.corrcoef(own, new)[0, 1] > 0.9


@pytest.mark.parametrize("vocoder", forge_speech.VOCODERS)
def test_vocoders_keep_length_and_roughly_the_spectrum(vocoder, sounds):
    audio = sounds[0].astype(float)
    rebuilt = forge_speech.vocode(audio, vocoder, np.random.default_rng(0))
    assert rebuilt.shape == audio.shape and np.isfinite(rebuilt).all()
    levels = [forge_speech.frame_levels(sound) for sound in (audio, rebuilt)]
    assert np.corrcoef(*levels)[0, 1] > 0.7


def test_spans_never_cover_more_than_their_budget():
    for seed in range(30):
        spans = draw_spans(175, 3.5, np.random.default_rng(seed))
        lengths = [end - start for start, end in spans]
        assert sum(lengths) <= 3.5 * 25 and all(10 <= length <= 50 for length in lengths)
        assert all(0 <= start < end <= 175 for start, end in spans)


def test_every_moment_is_about_as_likely_to_be_forged():
    covered = np.zeros(175)
    for seed in range(4000):
        for start, end in draw_spans(175, 3.5, np.random.default_rng(seed)):
            covered[start:end] += 1
    middle = covered[60:115].mean()
    assert covered[:10].mean() == pytest.approx(middle, rel=0.1)
    assert covered[-10:].mean() == pytest.approx(middle, rel=0.1)
    assert covered[10:-10].min() > 0.85 * middle


def test_identities_are_split_by_person_and_seed():
    people = [f"p{number}" for number in range(50)]
    splits = forge.split_identities(people * 2, seed=0)
    counts = {name: list(splits.values()).count(name) for name in forge.SPLITS}
    assert counts == {"train": 30, "dev": 10, "test": 10}
    assert splits == forge.split_identities(people[::-1], 0) != forge.split_identities(people, 1)


def test_the_corpus_is_in_lavdf_layout(corpus):
    records = json.loads((corpus / "metadata.json").read_text())
    assert all(set(record) >= LAVDF_KEYS for record in records)
    assert {record["split"] for record in records} == {"train", "dev", "test"}
    owners = {(record["identity"], record["split"]) for record in records}
    assert len(owners) == 3
    for record in records:
        clip = open_clip(corpus / record["file"])
        assert clip.grid.n_frames == record["video_frames"]
        assert record["n_fakes"] == len(record["fake_periods"])
        covered = sum(end - start for start, end in record["fake_periods"])
        assert covered <= record["duration"] / 2
    annotations = read_truths(corpus / "metadata.json")
    kinds = {(clip.modify_visual, clip.modify_audio) for clip in annotations}
    assert kinds == {(False, False), (True, False), (False, True), (True, True)}


def test_null_clips_are_labelled_authentic_and_unseen_families_are_for_testing(corpus):
    records = json.loads((corpus / "metadata.json").read_text())
    for kind in ("null", "recoded"):
        nulls = [record for record in records if record["family_visual"] == kind]
        assert len(nulls) == 1 and nulls[0]["family_audio"] == kind
        assert nulls[0]["n_fakes"] == 0 and nulls[0]["fake_periods"] == []
        assert not (nulls[0]["modify_video"] or nulls[0]["modify_audio"])
    unseen = {*forge_picture.UNSEEN_FAMILIES, *forge_sound.UNSEEN_FAMILIES}
    for record in records:
        if record["split"] != "test":
            assert not unseen & {record["family_visual"], record["family_audio"]}


def test_the_same_seed_makes_the_same_corpus_and_a_second_run_keeps_it(folder, corpus, tmp_path):
    arguments = ["--authentic", str(folder), "--workers", "1", "--out"]
    forge.main([*arguments, str(tmp_path)])
    files = sorted(corpus.rglob("*.mp4"))
    assert len(files) == 14
    for path in [corpus / "metadata.json", *files]:
        assert (tmp_path / path.relative_to(corpus)).read_bytes() == path.read_bytes()
    before = [path.stat().st_mtime_ns for path in files]
    forge.main([*arguments, str(corpus)])
    assert [path.stat().st_mtime_ns for path in files] == before


def test_only_authentic_clips_can_be_asked_for_to_count_alarms(folder, tmp_path):
    words = ["--authentic", str(folder), "--workers", "1", "--out", str(tmp_path)]
    forge.main([*words, "--null", "recoded", "--only-null"])
    records = json.loads((tmp_path / "metadata.json").read_text())
    assert [record["family_visual"] for record in records] == [None, "recoded"] * 3
    assert not any(record["n_fakes"] for record in records)
    for record in records[1::2]:
        for stream in ("visual", "audio"):
            ((start, end),) = record["params"][stream]["spans"][:1]
            assert 0 <= start < end <= record["video_frames"]
    forge.main([*words, "--null", "null", "--only-null"])  # the journal tells the difference
    records = json.loads((tmp_path / "metadata.json").read_text())
    assert [record["family_visual"] for record in records] == [None, "null"] * 3


def test_a_recoded_picture_is_the_same_picture_in_its_span_alone(picture):
    changed, how = forge_picture.forge_picture(picture, SPAN, "recoded", np.random.default_rng(1))
    apart = np.abs(changed.astype(float) - picture.frames).mean((1, 2, 3))
    assert not apart[: SPAN[0]].any() and not apart[SPAN[1] :].any()
    assert (apart[slice(*SPAN)] > 0).all() and apart.max() < 6 and how["codec"]


@pytest.mark.parametrize("codec", forge_tool.SOUND_CODECS)
@pytest.mark.parametrize("kbits", (24, 96))
def test_recoded_sound_is_the_same_sound_at_the_same_time(codec, kbits, sounds):
    again = forge_tool.coded_sound(sounds[0], codec, kbits)
    assert again.shape == sounds[0].shape
    assert np.corrcoef(again, sounds[0])[0, 1] > 0.9
    assert not np.allclose(again, sounds[0], atol=1e-4)


def test_a_bad_clip_is_reported_and_skipped(folder, tmp_path, capsys):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "broken.mp4").write_bytes(b"no video at all")
    (mixed / "ann.mp4").symlink_to(folder / "ann.mp4")
    clips = forge.list_clips(mixed, None)
    chunks = forge.cut_chunks(clips, 0, 7.0, 8)
    assert len(clips) == 2 and len(chunks) == 1
    assert "broken.mp4" in capsys.readouterr().out


def test_a_manifest_chooses_authentic_clips_with_sound(folder, tmp_path):
    manifest = folder / "manifest.csv"
    manifest.write_text(
        "path,label,identity,has_audio\n"
        "ann.mp4,authentic,Ann,1\nbea.mp4,authentic,Bea,0\ncyd.mp4,forged,Cyd,1\n"
    )
    assert forge.list_clips(folder, manifest) == [((folder / "ann.mp4").resolve(), "Ann")]
    assert [name for _, name in forge.list_clips(folder, None)] == ["ann", "bea", "cyd"]


@pytest.mark.parametrize("dub", forge_chunk.DUBS)
def test_lips_follow_the_new_sound(dub, folder, tmp_path, monkeypatch):
    """Where picture and sound are dubbed together, both are of the same moment of one donor."""
    monkeypatch.setattr(forge_chunk, "DUBS", (dub,))
    monkeypatch.setattr(forge_chunk, "DUBBED_SHARE", 1.0)
    monkeypatch.setattr(forge_picture, "CODED_SHARE", 0.0)
    clips = forge.list_clips(folder, None)
    chunks = [replace(chunk, split="train") for chunk in forge.cut_chunks(clips, 0, 7.0, 8)]
    plan = Plan(tuple(chunks), str(tmp_path), 0, ())
    talk = forge_chunk.load_talk(chunks[0], 0)
    rng = np.random.default_rng(5)
    frames, audio, made = forge_chunk.forge_talk(
        plan, chunks[0], talk, "both", ("visual", "audio"), rng
    )
    assert (made["visual"]["family"], made["audio"]["family"]) == dub
    assert made["visual"]["spans"] == made["audio"]["spans"]
    lips, voice = (made[stream]["params"][0]["donor_start"] for stream in ("visual", "audio"))
    start, end = made["audio"]["spans"][0]
    assert lips == voice
    heard = [
        np.corrcoef(
            audio[640 * start : 640 * end],
            forge_chunk.load_talk(chunk, 0).audio[640 * voice : 640 * (voice + end - start)],
        )[0, 1]
        for chunk in chunks
    ]
    donor = int(np.argmax(heard))
    assert heard[donor] > 0.4 and (donor == 0) == (dub[0] == "mouth-swap-self")
    changed = np.abs(frames.astype(float) - talk.picture.frames).mean((1, 2, 3)) > 0
    assert changed[start:end].all() and not changed[:start].any()
