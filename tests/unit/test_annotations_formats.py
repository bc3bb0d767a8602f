"""The formats beside LAV-DF and the CSV, each on rows as the real files hold them."""

import json

import pytest

from deeploc.annotations import ClipTruth, read_truths, write_lavdf
from deeploc.errors import BadAnnotations
from deeploc.scores import STREAMS
from deeploc.timeline import Segment, Timeline
from tests.clips import write_av

ONE, TWO = Segment(1.0, 1.6), Segment(3.0, 3.4)

# As in AV-Deepfake1M++'s val_metadata.json.
PLUS_PLUS = {
    "file": "vox_celeb_2/id01358/_1nATum8x78/00030/fake_video_fake_audio.mp4",
    "original": "vox_celeb_2/id01358/_1nATum8x78/00030/real.mp4",
    "split": "val",
    "modify_type": "both_modified",
    "audio_model": "yourtts",
    "video_model": "Talklip",
    "fake_segments": [[1.0, 1.6], [3.0, 3.4]],
    "audio_fake_segments": [[3.0, 3.4]],
    "visual_fake_segments": [[1.0, 1.6]],
    "video_frames": 192,
    "audio_frames": 122880,
}

TVIL = {
    "5ef6573a99": {
        "file": "5ef6573a99.mp4",
        "split": "valid",
        "duration": 6.0,
        "video_frames": 180,
        "fake_periods": [[1.0, 1.6]],
    },
    "c3bb62a2f7": {
        "file": "c3bb62a2f7.mp4",
        "split": "train",
        "duration": 5.0,
        "fps": 30,
        "fake_periods": [],
    },
}

PSYND = {
    "0_1": {
        "file": "0_1.wav",
        "split": "test_cellular",
        "duration": 4.5,
        "feature_frames": 450,
        "fake_periods": [[3.0, 3.4]],
    }
}

ACTIVITYNET = {
    "version": "1.3",
    "taxonomy": [],
    "database": {
        "QOlSCBRmfWY": {
            "duration": 82.7,
            "subset": "training",
            "resolution": "640x360",
            "url": "",
            "annotations": [
                {"segment": [1.0, 1.6], "label": "Fake face"},
                {"segment": [3.0, 3.4], "label": "fake audio"},
            ],
        },
        "ehGHCYKzyZ8": {"duration": 61.7, "subset": "validation", "annotations": []},
        "nwznKOuZM7w": {
            "duration": 90.0,
            "subset": "testing",
            "annotations": [{"segment": [1.0, 1.6], "label": "Forgery"}],
        },
    },
}

BMN = {
    "val_video_release/1/a.mp4": {
        "duration_second": 14.0,
        "duration_frame": 420,
        "annotations": [{"segment": [1.0, 1.6], "label": "fake"}],
        "feature_frame": 416,
    }
}

LIST = """\
3 train_video_release/8/forged.mp4 0 20 real 20 20 fake 40 10 0 1 2 8
1 train_video_release/1/whole.mp4 0 50 1 1 1 3
1 train_video_release/19/true.mp4 0 50 real 0 0 0
"""


def write(tmp_path, content, name="metadata.json"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def read(tmp_path, content, name="metadata.json", format="auto"):
    return read_truths(write(tmp_path, content, name), format)


def test_plus_plus_names_models_and_person(tmp_path):
    (clip,) = read(tmp_path, [PLUS_PLUS])
    assert clip.families == {"visual": "Talklip", "audio": "yourtts"}
    assert (clip.identity, clip.split, clip.duration_s) == ("id01358", "dev", 192 / 25)
    assert clip.segments["visual"] == Timeline((ONE,))
    assert clip.segments["audio"] == Timeline((TWO,))


def test_a_model_of_the_untouched_stream_is_no_family(tmp_path):
    copied = {**PLUS_PLUS, "modify_type": "audio_modified"}
    real = {**PLUS_PLUS, "modify_type": "real", "file": "vox_celeb_2/id01358/a/1/real.mp4"}
    audio, none = read(tmp_path, [copied, real])
    assert audio.families == {"audio": "yourtts"}
    assert none.families == {} and not none.forged
    assert audio.segments["visual"] == Timeline()
    assert audio.segments["fused"] == Timeline((TWO,))


@pytest.mark.parametrize("own", [None, []])
def test_a_forged_stream_without_its_own_list_has_the_clips(tmp_path, own):
    row = {**PLUS_PLUS, "modify_type": "visual_modified", "visual_fake_segments": own}
    (clip,) = read(tmp_path, [row])
    assert clip.segments["visual"] == Timeline((ONE, TWO))
    assert clip.segments["audio"] == Timeline()


@pytest.mark.parametrize(
    ("file", "person"),
    [
        ("id00012/21Uxsk56VDQ/00001/real.mp4", "id00012"),
        ("lrs3/0Fi83BHQsMA/00002/real.mp4", "lrs3/0Fi83BHQsMA"),
        ("silent_videos/subject_7_ab12_vid_1_2/real.mp4", "silent_videos/subject_7"),
        ("elsewhere/0001.mp4", None),
    ],
)
def test_avdeepfake1m_people_are_in_the_path(tmp_path, file, person):
    (clip,) = read(tmp_path, [{**PLUS_PLUS, "file": file}])
    assert clip.identity == person


def test_avdeepfake1m_one_file_a_clip(tmp_path):
    (clip,) = read(tmp_path, PLUS_PLUS, "fake_video_fake_audio.json")
    assert clip.modify_visual and clip.modify_audio


def test_tvil(tmp_path):
    forged, authentic = read(tmp_path, TVIL)
    assert forged.segments["visual"] == forged.segments["fused"] == Timeline((ONE,))
    assert forged.segments["audio"] == Timeline()
    assert (forged.file, forged.split, forged.duration_s) == ("5ef6573a99.mp4", "dev", 6.0)
    assert not authentic.forged


def test_psynd_is_sound_and_its_phone_lines_are_test(tmp_path):
    (clip,) = read(tmp_path, PSYND)
    assert clip.segments["audio"] == Timeline((TWO,))
    assert not clip.modify_visual
    assert (clip.split, clip.duration_s) == ("test", 4.5)


def test_a_repack_without_duration_counts_its_own_frames(tmp_path):
    row = {"split": "train", "fps": 30, "video_frames": 60, "fake_periods": []}
    (clip,) = read(tmp_path, {"some": row})
    assert (clip.file, clip.duration_s) == ("some", 2.0)


def test_activitynet(tmp_path):
    both, authentic, somewhere = read(tmp_path, ACTIVITYNET)
    assert both.segments["visual"] == Timeline((ONE,))
    assert both.segments["audio"] == Timeline((TWO,))
    assert (both.file, both.split, both.duration_s) == ("QOlSCBRmfWY", "train", 82.7)
    assert (authentic.forged, authentic.split) == (False, "dev")
    assert somewhere.forged and not somewhere.modify_visual and not somewhere.modify_audio
    assert (somewhere.segments["fused"], somewhere.split) == (Timeline((ONE,)), "test")


def test_a_stretch_labelled_authentic_is_no_forgery(tmp_path):
    row = {"annotations": [{"segment": [0, 5], "label": "Real"}]}
    (clip,) = read(tmp_path, {"database": {"a": row}})
    assert not clip.forged


def test_forgerynet_json_is_of_the_picture(tmp_path):
    (clip,) = read(tmp_path, BMN)
    assert clip.segments["visual"] == Timeline((ONE,))
    assert (clip.file, clip.duration_s) == ("val_video_release/1/a.mp4", 14.0)
    (open_stream,) = read(tmp_path, BMN, format="activitynet")
    assert open_stream.segments["visual"] == Timeline()


def test_forgerynet_list_counts_frames_of_the_clips_own_rate(tmp_path):
    home = tmp_path / "Training/video/train_video_release/8"
    home.mkdir(parents=True)
    write_av(home / "forged.mp4", [n / 50 for n in range(50)], rate=50)
    forged, whole, true = read(tmp_path, LIST, "Training/video_list.txt")
    assert forged.segments["visual"] == Timeline((Segment(0.4, 0.8),))
    assert (forged.families, forged.split) == ({"visual": "method 8"}, "train")
    assert not forged.modify_audio
    # whole.mp4 isn't there to tell its rate
    assert whole.forged and not whole.segments["visual"]
    assert not true.forged and true.families == {}


@pytest.mark.parametrize(
    ("content", "format", "words"),
    [
        ("1 a.mp4 0 50 fake 0 0 0\n", "auto", "line 1: it has fake frames, but the label"),
        ("1 a.mp4 0 50 maybe 1 1 1\n", "auto", "line 1: 'maybe' is neither"),
        ("1 a.mp4 0 9 real 0 0 0\n2 b.mp4 0 9 real 0 0 0\n", "auto", "line 2: expected '<n>"),
        ([PLUS_PLUS], "lavdf", "it is avdeepfake1m, not lavdf"),
        ([PLUS_PLUS], "activitynet", "is a list of clips, so it is no activitynet"),
        (BMN, "lavdf", "no list of clips, so it is no lavdf"),
        ("file,start_s,end_s,stream\n", "lavdf", "is no JSON, so it is no lavdf"),
        ("a,b\n", "csv", "lacks the columns file, start_s, end_s, stream"),
        ([{**PLUS_PLUS, "split": "held-out"}], "auto", "unknown split 'held-out'"),
        ({"database": [1]}, "auto", "no list of clips"),
        ({"database": {"x": {"subset": "training"}}}, "auto", r"clip 'x': expected an object"),
        ({"database": {"x": {"annotations": [[1, 2]]}}}, "auto", r"clip 'x': expected \{'segm"),
        (
            {"database": {"x": {"annotations": [{"segment": [2, 1], "label": "fake"}]}}},
            "auto",
            r"clip 'x': \[2, 1\] is no span",
        ),
        (
            {"database": {"x": {"annotations": [{"segment": [1, 2], "label": "fake or real"}]}}},
            "auto",
            "says both",
        ),
        ({"k": {"fake_periods": [[1, 2]]}, "l": {"split": "train"}}, "auto", "clip 'l': .*periods"),
        ({"k": 3}, "auto", "no known format"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, content, format, words):
    with pytest.raises(BadAnnotations, match=words):
        read(tmp_path, content, "truth.any", format)


def test_csv_may_name_splits_and_people(tmp_path):
    text = "file,start_s,end_s,stream,split,identity\na.mp4,1,1.6,visual,val,ann\nb.mp4,,,,,\n"
    one, other = read(tmp_path, text, "truth.csv")
    assert (one.split, one.identity, other.split, other.identity) == ("dev", "ann", None, None)
    with pytest.raises(BadAnnotations, match=r"row 4: a\.mp4 has another split"):
        read(tmp_path, text + "a.mp4,3,4,audio,test,ann\n", "truth.csv")


def test_every_format_survives_our_lavdf_layout(tmp_path):
    csv = "file,start_s,end_s,stream\nc.mp4,1,1.6,fused\nd.mp4,,,audio\ne.mp4,,,fused\n"
    clips = [
        *read(tmp_path, [PLUS_PLUS]),
        *read(tmp_path, TVIL),
        *read(tmp_path, PSYND),
        *read(tmp_path, ACTIVITYNET),
        *read(tmp_path, LIST, "Training/video_list.txt"),
        *read(tmp_path, csv, "truth.csv"),
        ClipTruth("thirds.mp4", duration_s=10 / 3, identity="ünï", families={"fused": "x"}),
        ClipTruth("cleared.mp4", labels={"fused": False, "visual": False}),
    ]
    write_lavdf(clips, tmp_path / "again.json")
    again = read_truths(tmp_path / "again.json", "lavdf")
    assert again == clips
    assert [set(clip.segments) for clip in again] == [set(STREAMS)] * len(clips)


def test_our_layout_stays_lavdf(tmp_path):
    write_lavdf(read(tmp_path, TVIL), tmp_path / "ours.json")
    forged, authentic = json.loads((tmp_path / "ours.json").read_text())
    assert forged["fake_periods"] == [[1.0, 1.6]] and forged["n_fakes"] == 1
    assert (forged["modify_video"], forged["modify_audio"]) == (True, False)
    assert (authentic["n_fakes"], authentic["video_frames"]) == (0, 125)
    assert not (tmp_path / "ours.json.part").exists()


def test_labels_of_our_layout_are_checked(tmp_path):
    row = {"file": "a.mp4", "fake_periods": [], "modify_video": False, "labels": {"video": True}}
    with pytest.raises(BadAnnotations, match="labels is"):
        read(tmp_path, [row])
