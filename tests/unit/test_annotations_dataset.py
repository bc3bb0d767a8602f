"""Datasets on disk: small folders laid out as the real ones, with empty files for clips."""

import json

import pytest

from deeploc.annotations import read_dataset
from deeploc.errors import BadAnnotations
from deeploc.timeline import Segment, Timeline
from tests.unit.test_annotations_formats import ACTIVITYNET, LIST, PLUS_PLUS, PSYND, TVIL

LAVDF = [
    {
        "file": f"{split}/00000{number}.mp4",
        "n_fakes": number,
        "fake_periods": [[0.5, 1.1]] * number,
        "duration": 4.224,
        "original": f"{split}/000000.mp4" if number else None,
        "modify_video": bool(number),
        "modify_audio": False,
        "split": split,
        "video_frames": 103,
        "audio_channels": 1,
        "audio_frames": 65536,
    }
    for split in ("train", "dev", "test")
    for number in (0, 1)
]


def lay(root, clips=(), **texts):
    """Empty clips, and text files whose names have __ for / and lack their suffix's dot."""
    for clip in clips:
        (root / clip).parent.mkdir(parents=True, exist_ok=True)
        (root / clip).touch()
    for name, content in texts.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        path = root / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def names(data):
    return [clip.file for clip in data.clips]


@pytest.mark.parametrize("name", ["metadata_json", "metadata.min_json"])
def test_lavdf(tmp_path, name):
    lay(tmp_path, [row["file"] for row in LAVDF], **{name: LAVDF})
    data = read_dataset(tmp_path)
    assert (data.root, data.absent) == (tmp_path, [])
    assert names(data) == [row["file"] for row in LAVDF]
    assert [clip.split for clip in data.clips] == ["train"] * 2 + ["dev"] * 2 + ["test"] * 2
    by_file = read_dataset(tmp_path / (name.replace("_", ".")))
    assert by_file == data


def test_avdeepfake1m_reads_both_splits_from_their_folders(tmp_path):
    base = "id00012/21Uxsk56VDQ/00001"
    train = [
        {**PLUS_PLUS, "file": f"{base}/{kind}.mp4", "split": "train", "modify_type": modified}
        | {"original": f"{base}/real.mp4" if kind == "fake" else "dev/mp4/id00012/00001.mp4"}
        for kind, modified in (("real", "real"), ("fake", "both-modified"))
    ]
    clips = [f"train/{base}/real.mp4", f"train/{base}/fake.mp4", f"val/{PLUS_PLUS['file']}"]
    lay(tmp_path, clips, train_metadata_json=train, val_metadata_json=[PLUS_PLUS])
    lay(tmp_path, train_metadata__id00012__21Uxsk56VDQ__00001__real_json=train[0])
    data = read_dataset(tmp_path)
    real, fake, dev = data.clips
    assert names(data) == clips
    assert (fake.original, real.original) == (clips[0], "dev/mp4/id00012/00001.mp4")
    assert fake.modify_visual and fake.modify_audio
    assert dev.split == "dev" and dev.original == PLUS_PLUS["original"]  # that one isn't there
    assert names(read_dataset(tmp_path / "val_metadata.json")) == clips[2:]


def test_forgerynet(tmp_path):
    clips = [f"Training/video/{line.split()[1]}" for line in LIST.splitlines()]
    validation = "1 val_video_release/19/true.mp4 0 50 real 0 0 0\n"
    lay(tmp_path, clips[1:], Training__video_list_txt=LIST, Validation__video_list_txt=validation)
    lay(tmp_path, ["Validation/video/val_video_release/19/true.mp4"])
    data = read_dataset(tmp_path, "forgerynet")
    assert names(data) == [*clips[1:], "Validation/video/val_video_release/19/true.mp4"]
    assert [clip.split for clip in data.clips] == ["train", "train", "dev"]
    assert data.absent == ["train_video_release/8/forged.mp4"]


def test_activitynet_ids_are_found_with_prefix_and_suffix(tmp_path):
    clips = ["train/v_QOlSCBRmfWY.mp4", "val/ehGHCYKzyZ8.mkv", "videos/v_nwznKOuZM7w.webm"]
    lay(tmp_path, clips, annotations__forged_json=ACTIVITYNET)
    assert names(read_dataset(tmp_path)) == clips


def test_tvil_beside_its_annotations_and_psynd_elsewhere(tmp_path):
    lay(tmp_path / "tvil", ["valid/5ef6573a99.mp4", "train/c3bb62a2f7.mp4"])
    lay(tmp_path / "tvil", annotations__metadata_json=TVIL)
    assert names(read_dataset(tmp_path / "tvil")) == [
        "valid/5ef6573a99.mp4",
        "train/c3bb62a2f7.mp4",
    ]
    lay(tmp_path, ["sounds/test/0_1.wav"], metadatabyola_json=PSYND)
    data = read_dataset(tmp_path / "metadatabyola.json", "ummaformer", tmp_path / "sounds")
    assert (data.root, names(data)) == (tmp_path / "sounds", ["test/0_1.wav"])


def test_a_plain_folder_with_our_csv(tmp_path):
    truth = "file,start_s,end_s,stream\na.mp4,1,1.6,visual\nin/b.mp4,,,\ngone.mp4,,,\n"
    lay(tmp_path, ["a.mp4", "in/b.mp4", "unlisted.mp4"], truth_csv=truth)
    data = read_dataset(tmp_path)
    assert names(data) == ["a.mp4", "in/b.mp4"]
    assert data.absent == ["gone.mp4"]
    assert data.clips[0].segments["visual"] == Timeline((Segment(1.0, 1.6),))


def test_folders_called_authentic_and_forged_are_labels(tmp_path):
    clips = ["forged/ann/2.mp4", "real/1.mp4", "train/fake/3.MOV"]
    lay(tmp_path, clips, notes_txt="no metadata")
    data = read_dataset(tmp_path)
    assert names(data) == clips
    assert [clip.forged for clip in data.clips] == [True, False, True]
    assert [clip.identity for clip in data.clips] == ["ann", None, None]
    assert [clip.split for clip in data.clips] == [None, None, "train"]
    assert not any(clip.segments["fused"] for clip in data.clips)


@pytest.mark.parametrize(
    ("clips", "texts", "format", "words"),
    [
        ([], {}, "auto", "neither an annotation file nor clips"),
        (["a.mp4"], {}, "auto", "no folder says whether a.mp4 is authentic or forged"),
        (["real/fake/a.mp4"], {}, "folder", "no folder says whether"),
        (["a.mp4"], {"one_json": TVIL, "two_csv": ""}, "auto", r"several .*one\.json, two\.csv"),
        (["a.mp4"], {}, "lavdf", "holds no lavdf metadata"),
        ([], {"metadata_json": LAVDF}, "auto", r"None of the 6 clips .*train/000000\.mp4"),
        ([], {"metadata_json": []}, "auto", "lists no clips"),
        (["train/000000.mp4"], {"metadata_json": LAVDF}, "activitynet", "is a list of clips"),
        ([], {"truth_csv": "file,start_s,end_s,stream\n../a.mp4,,,\n"}, "auto", "a path inside"),
        ([], {"truth_csv": "file,start_s,end_s,stream\n/a.mp4,,,\n"}, "auto", "a path inside"),
    ],
)
def test_what_is_no_dataset_is_said(tmp_path, clips, texts, format, words):
    lay(tmp_path, clips, **texts)
    with pytest.raises(BadAnnotations, match=words):
        read_dataset(tmp_path, format)


def test_a_dataset_that_is_not_there(tmp_path):
    with pytest.raises(BadAnnotations, match="does not exist"):
        read_dataset(tmp_path / "nowhere")
    lay(tmp_path, metadata_json=LAVDF)
    with pytest.raises(BadAnnotations, match="is no folder of clips"):
        read_dataset(tmp_path / "metadata.json", "folder")


def test_a_csv_is_taken_by_name_beside_other_metadata(tmp_path):
    lay(tmp_path, ["a.mp4"], metadata_json=LAVDF)
    lay(tmp_path, truth_csv="file,start_s,end_s,stream\na.mp4,,,\n")
    assert names(read_dataset(tmp_path, "csv")) == ["a.mp4"]
