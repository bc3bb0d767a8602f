import json

import pytest

from deeploc.annotations import ClipTruth, read_truths, write_csv
from deeploc.errors import BadAnnotations
from deeploc.timeline import Segment, Timeline

ONE, TWO = Segment(1.0, 1.6), Segment(3.0, 3.4)


def lavdf(**changes):
    row = {
        "file": "test/000001.mp4",
        "n_fakes": 1,
        "fake_periods": [[1.0, 1.6]],
        "duration": 4.224,
        "original": "test/000000.mp4",
        "modify_video": True,
        "modify_audio": False,
        "split": "test",
        "video_frames": 103,
    }
    return {**row, **changes}


def avdf(**changes):
    row = {
        "file": "id0001/a/fake.mp4",
        "original": "id0001/a/real.mp4",
        "split": "train",
        "modify_type": "both_modified",
        "fake_segments": [[1.0, 1.6], [3.0, 3.4]],
        "visual_fake_segments": [[1.0, 1.6]],
        "audio_fake_segments": [[3.0, 3.4]],
        "video_frames": 150,
    }
    return {**row, **changes}


def read(tmp_path, content, name="metadata.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_truths(path)


def test_lavdf(tmp_path):
    (clip,) = read(tmp_path, [lavdf()])
    assert clip.segments == {
        "visual": Timeline((ONE,)),
        "audio": Timeline(),
        "fused": Timeline((ONE,)),
    }
    assert (clip.split, clip.original) == ("test", "test/000000.mp4")
    assert (clip.modify_visual, clip.modify_audio, clip.forged) == (True, False, True)


def test_lavdf_lasts_its_frames_at_25_a_second_not_its_container(tmp_path):
    (counted,) = read(tmp_path, [lavdf()])
    assert counted.duration_s == 103 / 25
    (stated,) = read(tmp_path, [lavdf(video_frames=None)])
    assert stated.duration_s == 4.224


def test_lavdf_authentic_clip(tmp_path):
    row = lavdf(fake_periods=[], n_fakes=0, original=None, modify_video=False)
    (clip,) = read(tmp_path, [row])
    assert not clip.forged
    assert not any(clip.segments.values())


def test_lavdf_one_list_serves_both_streams(tmp_path):
    (clip,) = read(tmp_path, [lavdf(modify_audio=True)])
    assert clip.segments["audio"] == clip.segments["visual"] == Timeline((ONE,))


def test_lavdf_with_the_keys_of_forge(tmp_path):
    row = lavdf(
        modify_audio=True,
        fake_periods=[[1.0, 1.6], [3.0, 3.4]],
        visual_periods=[[1.0, 1.6]],
        audio_periods=[[3.0, 3.4]],
        identity="s12",
        family_visual="swap",
        family_audio=None,
    )
    (clip,) = read(tmp_path, [row])
    assert clip.segments["visual"] == Timeline((ONE,))
    assert clip.segments["audio"] == Timeline((TWO,))
    assert clip.segments["fused"] == Timeline((ONE, TWO))
    assert clip.identity == "s12"
    assert clip.families == {"visual": "swap"}


def test_lavdf_label_without_periods_stays_forged(tmp_path):
    (clip,) = read(tmp_path, [lavdf(fake_periods=[])])
    assert clip.modify_visual and clip.forged and not clip.modify_audio
    assert not clip.segments["fused"]


def test_avdeepfake1m_calls_dev_val(tmp_path):
    (clip,) = read(tmp_path, [avdf(split="val")])
    assert clip.split == "dev"


def test_avdeepfake1m(tmp_path):
    (clip,) = read(tmp_path, [avdf()])
    assert clip.modify_visual and clip.modify_audio
    assert clip.segments["visual"] == Timeline((ONE,))
    assert clip.segments["audio"] == Timeline((TWO,))
    assert clip.segments["fused"] == Timeline((ONE, TWO))
    assert clip.duration_s == 6.0


@pytest.mark.parametrize(
    ("kind", "visual", "audio"),
    [
        ("real", False, False),
        ("visual_modified", True, False),
        ("audio_modified", False, True),
        ("both_modified", True, True),
        ("both-modified", True, True),
    ],
)
def test_avdeepfake1m_types_drop_segments_of_the_untouched_stream(tmp_path, kind, visual, audio):
    (clip,) = read(tmp_path, [avdf(modify_type=kind)])
    assert (clip.modify_visual, clip.modify_audio) == (visual, audio)
    assert (len(clip.segments["visual"]), len(clip.segments["audio"])) == (visual, audio)
    assert clip.forged == (visual or audio)


def test_csv(tmp_path):
    text = "file,start_s,end_s,stream\na.mp4,3,3.4,audio\nb.mp4,,,\na.mp4,1,1.6,visual\n"
    forged, authentic = read(tmp_path, text, "truth.csv")
    assert (forged.file, authentic.file) == ("a.mp4", "b.mp4")
    assert forged.segments["fused"] == Timeline((ONE, TWO))
    assert forged.forged and not authentic.forged


def test_csv_round_trip(tmp_path):
    clips = [
        *read(tmp_path, [avdf()]),
        *read(tmp_path, [lavdf()]),
        ClipTruth("authentic.mp4"),
        *read(tmp_path, "file,start_s,end_s,stream\nunknown stream.mp4,1,1.6,fused\n"),
        *read(tmp_path, "file,start_s,end_s,stream\nunknown time.mp4,,,audio\n"),
    ]
    write_csv(clips, tmp_path / "truth.csv")
    again = read_truths(tmp_path / "truth.csv")
    assert [clip.file for clip in again] == [clip.file for clip in clips]
    for old, new in zip(clips, again, strict=True):
        assert new.segments == old.segments
        assert (new.modify_visual, new.modify_audio, new.forged) == (
            old.modify_visual,
            old.modify_audio,
            old.forged,
        )


def test_odd_file_names_survive_the_csv(tmp_path):
    names = ['comma, quote" and ünïcode.mp4', "NA", "007"]
    write_csv([ClipTruth(name) for name in names], tmp_path / "truth.csv")
    assert [clip.file for clip in read_truths(tmp_path / "truth.csv")] == names


@pytest.mark.parametrize("span", [[1.6, 1.0], [-1, 1], [1, 1], [1], None, ["a", "b"], "12"])
def test_spans_that_are_none_are_refused_by_file_and_clip(tmp_path, span):
    rows = [lavdf(), lavdf(file="test/000002.mp4", fake_periods=[span])]
    with pytest.raises(BadAnnotations, match=r"metadata\.json, clip 2 \(test/000002\.mp4\)"):
        read(tmp_path, rows)


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_spans_without_a_number_are_refused(tmp_path, number):
    text = json.dumps([lavdf()]).replace("1.6", number)
    with pytest.raises(BadAnnotations, match="no span"):
        read(tmp_path, text)


@pytest.mark.parametrize("cells", ["2,1,visual", "-1,1,visual", "nan,1,audio", "x,1,audio"])
def test_bad_csv_spans_are_refused_by_row(tmp_path, cells):
    with pytest.raises(BadAnnotations, match=r"truth\.csv, row 3"):
        read(tmp_path, f"file,start_s,end_s,stream\nb.mp4,,,\na.mp4,{cells}\n", "truth.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[{", "broken JSON"),
        ("{}", "no known format"),
        ("", "no known format"),
        ("hello\nthis is prose\n", "no known format"),
        ("file,start_s,end_s,stream\na.mp4,1,2\na.mp4,1,2,audio,5,6\n", "no table"),
        ("file,start_s,end_s,stream\na.mp4,1,2,audio,5\n", "more cells than the first"),
        ("file,start_s,end_s,stream\na.mp4,1,2,video\n", "row 2: stream is 'video'"),
        ("file,start_s,end_s,stream\na.mp4,1,2,\n", "row 2: a span without a stream"),
        ("file,start_s,end_s,stream\n,1,2,audio\n", "row 2: the file cell is empty"),
        ("file,start_s,end_s,stream\na,1,,audio\n", "row 2.*no span"),
        ("file,start_s,end_s,stream\na,,,\na,1,2,audio\n", "authentic in one row"),
        ([1], "clip 1: expected an object"),
        ([{"file": "a.mp4"}], r"clip 1 \(a\.mp4\): neither"),
        ([lavdf(), lavdf()], "twice"),
        ([lavdf(modify_video="False")], "modify_video is 'False'"),
        ([lavdf(modify_video=False)], "both false"),
        ([lavdf(audio_periods=[[1, 2]])], "audio_periods, but"),
        ([lavdf(fake_periods="1-2")], "expected a list"),
        ([lavdf(duration="long", video_frames=None)], "no duration"),
        ([avdf(video_frames=-3)], "no duration"),
        ([avdf(modify_type="painted")], "unknown modify_type 'painted'"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, content, words):
    with pytest.raises(BadAnnotations, match=words):
        read(tmp_path, content, "truth.any")


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(BadAnnotations, match=r"nothing\.json can't be read: No such file"):
        read_truths(tmp_path / "nothing.json")
    (tmp_path / "clip.mp4").write_bytes(b"\x00\xff\xfe\x80" * 50)
    with pytest.raises(BadAnnotations, match=r"clip\.mp4 can't be read as a text file"):
        read_truths(tmp_path / "clip.mp4")
