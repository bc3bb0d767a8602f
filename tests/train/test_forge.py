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
from train.data.splits import SPLITS, split_identities
from train.forge import corpus, registry, variants
from train.forge.config import ForgeConfig, held_out_families
from train.forge.manifest import list_clips
from train.forge.picture import families as picture_families
from train.forge.picture.blending import PictureEdit, fade_weight, paste
from train.forge.picture.face import MOUTH, FaceVideo, Region, follow_landmarks, region_alpha
from train.forge.picture.families import forge_picture
from train.forge.plan import Plan
from train.forge.recording import load_recording
from train.forge.reencode import AUDIO_CODECS, reencode_audio
from train.forge.registry import PICTURE_FAMILIES, SOUND_FAMILIES
from train.forge.sound import vocoders
from train.forge.sound.families import forge_sound
from train.forge.sources import cut_clips
from train.forge.spans import draw_spans

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
FORGED_SOUNDS = tuple(
    pytest.param(
        name,
        marks=pytest.mark.skipif(not family.available, reason="its engine is not installed"),
    )
    for name, family in SOUND_FAMILIES.items()
    if not family.null
)


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    rngs = [np.random.default_rng(seed) for seed in range(3)]
    return [examples.simulate_room(examples.synthetic_voice(SECONDS, rng), rng) for rng in rngs]


@pytest.fixture(scope="module")
def frames(sounds) -> np.ndarray:
    return examples.render_speaker(sounds[0], seed=0, size=SIZE)


@pytest.fixture(scope="module")
def video(frames) -> FaceVideo:
    return FaceVideo(frames, follow_landmarks(frames, FaceDetector()))


@pytest.fixture(scope="module")
def folder(frames, sounds, tmp_path_factory):
    """Three talking clips of three "people": as drawn, mirrored, and in other colours."""
    made = tmp_path_factory.mktemp("authentic")
    looks = (frames, frames[:, :, ::-1], frames[..., [1, 0, 2]])
    for name, look, sound in zip(("ann", "bea", "cyd"), looks, sounds, strict=True):
        write_clip(made / f"{name}.mp4", look, sound, rate_hz=25)
    return made


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("corpus")
    corpus.main(["--authentic", str(folder), "--out", str(out), "--workers", "1"])
    return out


@pytest.mark.parametrize("family", [name for name in PICTURE_FAMILIES if name != "recoded"])
def test_a_forged_picture_differs_only_inside_its_span_and_region(family, video):
    rng = np.random.default_rng(2)
    mirrored = video.landmarks[::-1] * [-1, 1] + [SIZE[1], 0]
    other = FaceVideo(video.frames[::-1, :, ::-1], mirrored)
    forged, _ = forge_picture(video, SPAN, family, rng, other)
    changed = (forged != video.frames).any(-1)
    assert not changed[: SPAN[0]].any() and not changed[SPAN[1] :].any()
    assert changed[SPAN[0] + 2 : SPAN[1] - 2].any((1, 2)).all()
    widest = Region(-0.45, 1.5, 1.75, 0.1)
    for step in range(*SPAN):
        rows, columns, _ = region_alpha(video.landmarks[step], widest, SIZE)
        changed[step, rows, columns] = False
    assert not changed.any()


def test_a_null_picture_moves_the_mouth_by_less_than_a_forgery_does(video):
    changes = {}
    for family in ("null", "mouth-swap-self"):
        forged, _ = forge_picture(video, SPAN, family, np.random.default_rng(2))
        changes[family] = np.abs(forged.astype(float) - video.frames).mean()
    assert 0 < changes["null"] < changes["mouth-swap-self"]


def test_a_forged_picture_fades_in(video):
    forged, _ = forge_picture(video, SPAN, "freeze", np.random.default_rng(1))
    full, _ = forge_picture(video, (15, 45), "freeze", np.random.default_rng(1))
    assert forged.dtype == full.dtype == np.uint8
    weights = [fade_weight(step, SPAN, 2) for step in range(*SPAN)]
    assert weights[:3] == pytest.approx([1 / 3, 2 / 3, 1]) and weights[-1] == pytest.approx(1 / 3)


@pytest.mark.parametrize("family", FORGED_SOUNDS)
def test_forged_sound_differs_only_inside_its_span_and_is_as_loud(family, sounds):
    audio = sounds[0]
    rng = np.random.default_rng(3)
    forged, _ = forge_sound(audio, SAMPLES, family, rng, sounds[1])
    start, end = SAMPLES
    assert forged.dtype == np.float32 and np.isfinite(forged).all()
    assert np.array_equal(forged[:start], audio[:start])
    assert np.array_equal(forged[end:], audio[end:])
    own, new = audio[start:end], forged[start:end]
    assert np.corrcoef(own, new)[0, 1] < 0.98
    assert abs(20 * np.log10(new.std() / own.std())) < 1.5


def test_null_sound_is_nearly_the_same_sound(sounds):
    forged, _ = forge_sound(sounds[0], SAMPLES, "null", np.random.default_rng(3))
    own, new = (sound[slice(*SAMPLES)] for sound in (sounds[0], forged))
    assert not np.array_equal(own, new) and np.corrcoef(own, new)[0, 1] > 0.9


@pytest.mark.parametrize("vocoder", vocoders.VOCODERS)
def test_vocoders_keep_length_and_roughly_the_spectrum(vocoder, sounds):
    audio = sounds[0].astype(float)
    rebuilt = vocoders.vocode(audio, vocoder, np.random.default_rng(0))
    assert rebuilt.shape == audio.shape and np.isfinite(rebuilt).all()
    levels = [vocoders.frame_levels(sound) for sound in (audio, rebuilt)]
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
    splits = split_identities(people * 2, seed=0)
    counts = {name: list(splits.values()).count(name) for name in SPLITS}
    assert counts == {"train": 30, "dev": 10, "test": 10}
    assert splits == split_identities(people[::-1], 0) != split_identities(people, 1)


def test_the_corpus_is_in_lavdf_layout(made):
    records = json.loads((made / "metadata.json").read_text())
    assert all(set(record) >= LAVDF_KEYS for record in records)
    assert {record["split"] for record in records} == {"train", "dev", "test"}
    owners = {(record["identity"], record["split"]) for record in records}
    assert len(owners) == 3
    for record in records:
        clip = open_clip(made / record["file"])
        assert clip.grid.n_frames == record["video_frames"]
        assert record["n_fakes"] == len(record["fake_periods"])
        covered = sum(end - start for start, end in record["fake_periods"])
        assert covered <= record["duration"] / 2
    annotations = read_truths(made / "metadata.json")
    kinds = {(clip.modify_visual, clip.modify_audio) for clip in annotations}
    assert kinds == {(False, False), (True, False), (False, True), (True, True)}


def test_null_clips_are_labelled_authentic_and_unseen_families_are_for_testing(made):
    records = json.loads((made / "metadata.json").read_text())
    for kind in ("null", "recoded"):
        nulls = [record for record in records if record["family_visual"] == kind]
        assert len(nulls) == 1 and nulls[0]["family_audio"] == kind
        assert nulls[0]["n_fakes"] == 0 and nulls[0]["fake_periods"] == []
        assert not (nulls[0]["modify_video"] or nulls[0]["modify_audio"])
    unseen = set(held_out_families())
    for record in records:
        if record["split"] != "test":
            assert not unseen & {record["family_visual"], record["family_audio"]}


def test_the_same_seed_makes_the_same_corpus_and_a_second_run_keeps_it(folder, made, tmp_path):
    arguments = ["--authentic", str(folder), "--workers", "1", "--out"]
    corpus.main([*arguments, str(tmp_path)])
    files = sorted(made.rglob("*.mp4"))
    assert len(files) == 14
    for path in [made / "metadata.json", *files]:
        assert (tmp_path / path.relative_to(made)).read_bytes() == path.read_bytes()
    before = [path.stat().st_mtime_ns for path in files]
    corpus.main([*arguments, str(made)])
    assert [path.stat().st_mtime_ns for path in files] == before


def test_only_authentic_clips_can_be_asked_for_to_count_alarms(folder, tmp_path):
    words = ["--authentic", str(folder), "--workers", "1", "--out", str(tmp_path)]
    corpus.main([*words, "--null", "recoded", "--only-null"])
    records = json.loads((tmp_path / "metadata.json").read_text())
    assert [record["family_visual"] for record in records] == [None, "recoded"] * 3
    assert not any(record["n_fakes"] for record in records)
    for record in records[1::2]:
        for stream in ("visual", "audio"):
            ((start, end),) = record["params"][stream]["spans"][:1]
            assert 0 <= start < end <= record["video_frames"]
    nulls = ["--null", "null", "--only-null"]
    with pytest.raises(SystemExit, match="null"):  # one corpus never has both
        corpus.main([*words, *nulls])
    corpus.main([*words[:-1], str(tmp_path / "anew"), *nulls])
    records = json.loads((tmp_path / "anew" / "metadata.json").read_text())
    assert [record["family_visual"] for record in records] == [None, "null"] * 3


def test_a_recoded_picture_is_the_same_picture_in_its_span_alone(video):
    changed, how = forge_picture(video, SPAN, "recoded", np.random.default_rng(1))
    apart = np.abs(changed.astype(float) - video.frames).mean((1, 2, 3))
    assert not apart[: SPAN[0]].any() and not apart[SPAN[1] :].any()
    assert (apart[slice(*SPAN)] > 0).all() and apart.max() < 6 and how["codec"]


@pytest.mark.parametrize("codec", AUDIO_CODECS)
@pytest.mark.parametrize("kbits", (24, 96))
def test_recoded_sound_is_the_same_sound_at_the_same_time(codec, kbits, sounds):
    again = reencode_audio(sounds[0], codec, kbits)
    assert again.shape == sounds[0].shape
    assert np.corrcoef(again, sounds[0])[0, 1] > 0.9
    assert not np.allclose(again, sounds[0], atol=1e-4)


def test_a_bad_clip_is_reported_and_skipped(folder, tmp_path, capsys):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "broken.mp4").write_bytes(b"no video at all")
    (mixed / "ann.mp4").symlink_to(folder / "ann.mp4")
    clips = list_clips(mixed, None)
    sources = cut_clips(clips, ForgeConfig())
    assert len(clips) == 2 and len(sources) == 1
    assert "broken.mp4" in capsys.readouterr().out


def test_a_manifest_chooses_authentic_clips_with_sound(folder, tmp_path):
    manifest = folder / "manifest.csv"
    manifest.write_text(
        "path,label,identity,has_audio\n"
        "ann.mp4,authentic,Ann,1\nbea.mp4,authentic,Bea,0\ncyd.mp4,forged,Cyd,1\n"
    )
    assert list_clips(folder, manifest) == [((folder / "ann.mp4").resolve(), "Ann")]
    assert [name for _, name in list_clips(folder, None)] == ["ann", "bea", "cyd"]


DUBS = [
    (name, family.dubbed_with) for name, family in PICTURE_FAMILIES.items() if family.dubbed_with
]


@pytest.mark.parametrize("dub", DUBS)
def test_lips_follow_the_new_sound(dub, folder, tmp_path, monkeypatch):
    """Where picture and sound are dubbed together, both are of the same moment of one donor."""
    families = PICTURE_FAMILIES[dub[0]], SOUND_FAMILIES[dub[1]]
    monkeypatch.setattr(variants, "possible_dubs", lambda *_: [families])
    monkeypatch.setattr(variants, "DUBBED_SHARE", 1.0)
    monkeypatch.setattr(picture_families, "REENCODED_SHARE", 0.0)
    config = ForgeConfig(held_out=())
    sources = [
        replace(source, split="train") for source in cut_clips(list_clips(folder, None), config)
    ]
    plan = Plan(tuple(sources), str(tmp_path), config)
    recording = load_recording(sources[0], 0, 360)
    rng = np.random.default_rng(5)
    frames, audio, made = variants.forge_variant(
        plan, sources[0], recording, ("both", ("visual", "audio")), rng
    )
    assert (made["visual"]["family"], made["audio"]["family"]) == dub
    assert made["visual"]["spans"] == made["audio"]["spans"]
    lips, voice = (made[stream]["params"][0]["donor_start"] for stream in ("visual", "audio"))
    start, end = made["audio"]["spans"][0]
    assert lips == voice
    heard = [
        np.corrcoef(
            audio[640 * start : 640 * end],
            load_recording(source, 0, 360).audio[640 * voice : 640 * (voice + end - start)],
        )[0, 1]
        for source in sources
    ]
    donor = int(np.argmax(heard))
    assert heard[donor] > 0.4 and (donor == 0) == (dub[0] == "mouth-swap-self")
    changed = np.abs(frames.astype(float) - recording.video.frames).mean((1, 2, 3)) > 0
    assert changed[start:end].all() and not changed[:start].any()


def test_a_corpus_never_mixes_settings_families_or_sources(folder, tmp_path):
    out = tmp_path / "corpus"
    words = ["--workers", "1", "--only-null", "--null", "recoded", "--out", str(out)]
    corpus.main(["--authentic", str(folder), *words])
    kept = json.loads((out / corpus.CONFIG).read_text())["config"]
    assert kept["seed"] == 0 and "freeze" in kept["families"] and "poisson" in kept["held_out"]
    with pytest.raises(SystemExit, match=r"seed 0 \(now 1\)"):
        corpus.main(["--authentic", str(folder), *words, "--seed", "1"])
    with pytest.raises(SystemExit, match=r"families .*freeze"):
        corpus.main(["--authentic", str(folder), *words, "--families", "freeze", "pitch"])
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    (fewer / "ann.mp4").symlink_to(folder / "ann.mp4")
    with pytest.raises(SystemExit, match="other clips"):
        corpus.main(["--authentic", str(fewer), *words])
    (out / corpus.CONFIG).unlink()
    with pytest.raises(SystemExit, match=r"no forge_config\.json beside it"):
        corpus.main(["--authentic", str(folder), *words])


def test_families_that_nobody_registered_are_named():
    with pytest.raises(ValueError, match="--held-out morph: there is no such family"):
        ForgeConfig(held_out=("morph",))


def test_a_family_is_one_function_and_its_registration(video, monkeypatch):
    monkeypatch.setattr(registry, "PICTURE_FAMILIES", dict(PICTURE_FAMILIES))

    @registry.picture_family("grey-mouth", MOUTH)
    def grey_mouth(edit, rng):
        def patches(step, rows, columns):
            own = edit.video.frames[step, rows, columns].astype(float)
            return np.repeat(own.mean(-1, keepdims=True), 3, axis=-1)

        return paste(edit, patches, {})

    family = registry.PICTURE_FAMILIES["grey-mouth"]
    assert family.available and not (family.null or family.held_out)
    edit = PictureEdit(video, SPAN, MOUTH, 0)
    frames, params = family.forge(edit, np.random.default_rng(0))
    changed = (frames != video.frames).any((1, 2, 3))
    assert changed[slice(*SPAN)].all() and changed.sum() == SPAN[1] - SPAN[0] and params["region"]
