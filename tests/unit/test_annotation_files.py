"""What the page exports and imports, in every format, held against other people's parsers too."""

import base64
import json
import xml.etree.ElementTree as ElementTree

import av
import mir_eval
import numpy as np
import parselmouth
import pytest
import webvtt
from praatio import textgrid
from pympi import Eaf

from app.annotation_files import EXPORT_FORMATS, export_annotation, import_annotation
from deeploc.annotations import read_truths

KEYS = [key for key, _ in EXPORT_FORMATS]
TRUTHS = ("lavdf", "avdeepfake1m", "activitynet")  # know when and which stream, nothing else
SAYING = [key for key in KEYS if key not in TRUTHS]
RATES = (24000 / 1001, 25.0, 30000 / 1001, 60.0)
NAME = "Взгляд 面 été.mp4"
NOTE = 'Lippen "hängen" nach; 唇 <b>&amp;</b> --> 😀\n2nd line\tTab \\n'


def clip_of(fps, frames=3001, name=NAME):
    return {
        "name": name,
        "sha256": "ab" * 32,
        "duration_s": round(frames / fps, 3),
        "fps": round(fps, 3),
        "frames": frames,
        "timing": "pts",
    }


def segment(fps, start, end, **fields):
    said = {"origin": "drawn", "status": "added", "score": None, "note": "", "confidence": None}
    times = {"start_s": round(start / fps, 6), "end_s": round(end / fps, 6)}
    frames = {"start_frame": start, "end_frame": end}
    return {**times, **frames, "stream": "visual", **said, **fields}


def annotation(fps=25.0, segments=None, **media):
    clip = clip_of(fps, **media)
    if segments is None:
        segments = [
            segment(fps, 7, 8, status="accepted", origin="proposal", score=0.913),
            segment(fps, 31, 97, stream="audio", note=NOTE, confidence=0.8),
            segment(fps, 1201, 1733, stream="fused", status="adjusted", note="ok"),
            segment(fps, clip["frames"] - 13, clip["frames"], status="proposed", score=1e-3),
        ]
    return {
        "format": "deeploc-annotation",
        "version": 1,
        "media": clip,
        "model": {"name": "base", "revision": "r1", "sha256": "cd" * 32},
        "threshold": 0.5,
        "author": "Zoë 李",
        "created": "2026-01-01T00:00:00Z",
        "modified": "2026-01-02T00:00:00Z",
        "segments": segments,
        "history": [{"at": "2026-01-02T00:00:00Z", "action": "moved start"}],
    }


def exported(content, key):
    answer = export_annotation(content, key)
    assert "error" not in answer, answer
    return answer["name"], base64.b64decode(answer["base64"])


def imported(name, content, media=None):
    content = content if isinstance(content, bytes) else content.encode()
    file = {"name": name, "base64": base64.b64encode(content).decode()}
    return import_annotation(file, media or clip_of(25.0))


def returned(content, key):
    """There and back, with the exact times of the frames, as the page sends them."""
    media, fps = content["media"], content["media"]["fps"]
    exact = min(RATES, key=lambda rate: abs(rate - fps))
    pts = [round(frame / exact, 4) for frame in range(media["frames"])]
    return imported(*exported(content, key), {**media, "pts": pts})


def there(content, key, tmp_path):
    name, data = exported(content, key)
    path = tmp_path / name
    path.write_bytes(data)
    return path


def saying(item):
    return {key: item[key] for key in ("stream", "origin", "status", "confidence", "note")}


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("key", KEYS)
def test_there_and_back_within_half_a_frame(key, fps):
    content = annotation(fps)
    back = returned(content, key)
    assert len(back.get("segments", ())) == len(content["segments"]), back
    for one, other in zip(content["segments"], back["segments"], strict=True):
        assert one["stream"] == other["stream"]
        assert (one["start_frame"], one["end_frame"]) == (other["start_frame"], other["end_frame"])
        assert abs(one["start_s"] - other["start_s"]) <= 0.5 / fps
        assert abs(one["end_s"] - other["end_s"]) <= 0.5 / fps


@pytest.mark.parametrize("key", SAYING)
def test_what_was_said_stays(key):
    content = annotation()
    back = returned(content, key)
    for one, other in zip(content["segments"], back["segments"], strict=True):
        assert saying(one) == {**saying(other), "note": other["note"].rstrip(" ")}
        assert one["score"] == pytest.approx(other["score"]) if one["score"] else not other["score"]


def test_our_json_loses_nothing():
    content = annotation()
    assert returned(content, "json") == content


@pytest.mark.parametrize("key", KEYS)
def test_what_was_rejected_is_no_truth_and_stays_rejected_elsewhere(key, tmp_path):
    rejected = segment(25, 100, 120, status="rejected")
    content = annotation(segments=[rejected, segment(25, 200, 250)])
    back = returned(content, key)["segments"]
    assert [one["status"] for one in back] == (
        ["added"] if key in TRUTHS else ["rejected", "added"]
    )
    if key in (*TRUTHS, "csv"):
        (clip,) = read_truths(there(content, key, tmp_path))
        assert [(part.start, part.end) for part in clip.segments["visual"]] == [(8.0, 10.0)]


@pytest.mark.parametrize("key", KEYS)
def test_no_segments(key):
    back = returned(annotation(segments=[]), key)
    assert back.get("segments") == [], back
    assert back["media"]["name"] == NAME


@pytest.mark.parametrize("key", KEYS)
def test_overlapping_segments(key):
    segments = [segment(25, 10, 50), segment(25, 30, 60), segment(25, 30, 60, stream="audio")]
    back = returned(annotation(segments=segments), key)["segments"]
    spans = {(one["stream"], one["start_frame"], one["end_frame"]) for one in back}
    apart = {("visual", 10, 50), ("visual", 30, 60), ("audio", 30, 60)}
    assert spans == ({("visual", 10, 60), ("audio", 30, 60)} if key in TRUTHS else apart)


@pytest.mark.parametrize("key", KEYS)
def test_the_file_is_called_like_the_clip(key):
    name, _ = exported(annotation(), key)
    assert name.startswith("Взгляд 面 été.")
    odd, _ = exported(annotation(name="../..\\a\0/b.mp4"), key)
    assert not set("/\\\0") & set(odd)


# -- other people's parsers --


def test_elan_opens_in_pympi_and_every_slot_is_used(tmp_path):
    path = there(annotation(), "elan", tmp_path)
    eaf = Eaf(str(path))
    assert set(eaf.get_tier_names()) == {"visual", "audio", "fused"}
    ((start, end, text),) = eaf.get_annotation_data_for_tier("audio")
    assert (start, end) == (1240, 3880)
    assert "唇 <b>&amp;</b>" in text
    slots = {slot.get("TIME_SLOT_ID") for slot in ElementTree.parse(path).iter("TIME_SLOT")}
    used = {
        one.get(f"TIME_SLOT_REF{edge}")
        for one in ElementTree.parse(path).iter("ALIGNABLE_ANNOTATION")
        for edge in (1, 2)
    }
    assert slots == used


def test_praat_opens_in_praat(tmp_path):
    grid = parselmouth.read(str(there(annotation(), "praat", tmp_path)))
    tiers = parselmouth.praat.call(grid, "Get number of tiers")
    assert tiers == 3
    assert parselmouth.praat.call(grid, "Get end time") == pytest.approx(3001 / 25)
    count = parselmouth.praat.call(grid, "Count intervals where", 2, "contains", "唇")
    assert count == 1
    assert parselmouth.praat.call(grid, "Get start time of interval", 2, 2) == pytest.approx(1.24)


def test_webvtt_opens_in_webvtt_and_in_ffmpeg(tmp_path):
    path = there(annotation(), "webvtt", tmp_path)
    cues = webvtt.WebVTT.read(path, strict=True)
    assert [cue.start for cue in cues][:2] == ["00:00:00.280", "00:00:01.240"]
    with av.open(str(path)) as container:
        times = [packet.pts * packet.time_base for packet in container.demux() if packet.size]
    assert [float(time) for time in times] == [0.28, 1.24, 48.04, 119.52]


def test_audacity_opens_in_mir_eval(tmp_path):
    path = there(annotation(), "audacity", tmp_path)
    times, texts = mir_eval.io.load_labeled_intervals(str(path), delimiter="\t")
    np.testing.assert_allclose(times[:, 0], [0.28, 1.24, 48.04, 119.52])
    assert "唇" in texts[1]


# -- files of other people --


def test_tiers_of_others_tell_their_stream_and_texts_are_notes(tmp_path):
    grid = textgrid.Textgrid(0, 10)
    grid.addTier(textgrid.IntervalTier("Voice", [(1, 2, "clicks")], 0, 10))
    grid.addTier(textgrid.IntervalTier("who knows", [(3, 4, "lip sync"), (5, 6, "real")], 0, 10))
    grid.addTier(textgrid.PointTier("marks", [(3, "x")], 0, 10))
    path = tmp_path / "theirs.TextGrid"
    grid.save(str(path), "long_textgrid", includeBlankSpaces=True)
    found = imported(path.name, path.read_bytes())["segments"]
    told = [(one["stream"], one["start_s"], one["note"], one["origin"]) for one in found]
    assert told == [("audio", 1, "clicks", "file"), ("visual", 3, "lip sync", "file")]


def test_frames_of_label_studio_are_counted_from_one_at_its_own_rate():
    value = {"ranges": [{"start": 31, "end": 60}], "timelinelabels": ["Face"]}
    result = [{"type": "timelinelabels", "value": value}, {"type": "choices", "value": {}}]
    task = {"data": {"video": "/data/x-clip.mp4", "fps": 30}, "annotations": [{"result": result}]}
    (one,) = imported("project.json", json.dumps([task]))["segments"]
    assert (one["start_s"], one["end_s"], one["stream"]) == (1, 2, "visual")


def test_uneven_frames_are_counted_by_their_times():
    media = clip_of(25.0, frames=4) | {"pts": [0, 0.1, 0.15, 0.4], "duration_s": 0.5}
    (one,) = imported("a.txt", "0.15\t0.5\tx\n", media)["segments"]
    assert (one["start_frame"], one["end_frame"]) == (2, 4)


def test_the_row_of_the_clip_is_chosen():
    rows = "file,start_s,end_s,stream\nother.mp4,1,2,visual\nb/clip.mp4,3,4,audio\n"
    (one,) = imported("truth.csv", rows, clip_of(25.0, name="clip.mp4"))["segments"]
    assert (one["start_s"], one["stream"]) == (3, "audio")
    assert "no row for" in imported("truth.csv", rows)["error"]


MALFORMED = {
    "cut.annotation.json": '{"format": "deeploc-annotation", "version": 1',
    "deep.json": "[" * 100_000,
    "version.json": '{"format": "deeploc-annotation", "version": 9}',
    "media.json": '{"format": "deeploc-annotation", "version": 1, "media": 3}',
    "nan.json": json.dumps(annotation()).replace('"confidence": 0.8', '"confidence": NaN'),
    "stream.json": json.dumps(annotation()).replace('"audio"', '"smell"'),
    "backwards.json": json.dumps(annotation(segments=[segment(25, 9, 3)])),
    "tasks.json": '[{"data": {"video": "a"}, "annotations": [{"result": [{"type": 3}, 4]}]}]',
    "range.json": '[{"data": {}, "annotations": [{"result": [{"type": "timelinelabels", "value":'
    ' {"ranges": [{"start": 0, "end": 4}], "timelinelabels": []}}]}]}]',
    "lavdf.json": '[{"file": "a.mp4", "modify_video": 7}]',
    "avdf.json": '[{"file": "a.mp4", "modify_type": "painted"}]',
    "net.json": '{"database": {"a": {"annotations": [{"segment": [3, 1]}]}}}',
    "nothing.json": "",
    "columns.csv": "a,b\n1,2\n",
    "score.csv": "file,start_s,end_s,stream,score\na.mp4,1,2,visual,high\n",
    "whenless.csv": "file,start_s,end_s,stream\na.mp4,,,visual\n",
    "a.vtt": "00:01.000 --> 00:02.000\nx\n",
    "commas.vtt": "WEBVTT\n\n00:00:01,000 --> 00:00:02,000\nx\n",
    "b.vtt": "WEBVTT\n\n00:02.000 --> 00:01.000\nx\n",
    "a.txt": "one two three\n",
    "b.txt": "1.0\t1.0\tpoint\n",
    "late.txt": "500\t600\tx\n",
    "binary.txt": b"\xff\xfe\x00\xd8",
    "a.eaf": "<ANNOTATION_DOCUMENT",
    "b.eaf": "<html/>",
    "c.eaf": '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    "a.TextGrid": "nothing",
    "b.TextGrid": b"\x00\x01\x02",
    "clip.mp4": b"\x00",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_files_end_in_a_sentence(name):
    answer = imported(name, MALFORMED[name])
    assert set(answer) == {"error"}, answer
    assert answer["error"].startswith(name)
    assert answer["error"].rstrip().endswith(".")
    assert "\n" not in answer["error"] and len(answer["error"]) < 400


def test_what_does_not_arrive_whole():
    for file, media in [({}, clip_of(25)), ({"name": "a.csv", "base64": "?"}, clip_of(25))]:
        assert import_annotation(file, media)["error"].startswith("The file did not arrive")
    assert import_annotation({"name": "a.csv", "base64": ""}, {"name": 3})["error"]


def test_what_can_not_be_exported_ends_in_a_sentence():
    assert "format" in export_annotation(annotation(), "xls")["error"]
    assert "expected" in export_annotation(annotation(segments=[{"start_s": "x"}]), "csv")["error"]
    assert export_annotation(None, "csv")["error"]


@pytest.mark.parametrize("key", KEYS)
def test_characters_that_no_file_can_hold_are_dropped(key):
    note = "a\0b\x1b\ud83dc\u2028d"
    back = returned(annotation(segments=[segment(25, 5, 9, note=note)]), key)
    assert back["segments"][0]["end_frame"] == 9, back


@pytest.mark.parametrize("key", KEYS)
def test_damaged_files_are_read_or_refused_in_a_sentence(key, caplog):
    name, whole = exported(annotation(), key)
    rng = np.random.default_rng(0)
    damaged = [whole[: len(whole) * part // 12] for part in range(12)]
    for _ in range(30):
        data = bytearray(whole)
        data[rng.integers(len(data))] = rng.integers(256)
        damaged.append(bytes(data))
    for content in damaged:
        answer = imported(name, content)
        assert "segments" in answer or answer["error"].rstrip().endswith("."), answer
        assert "error" not in answer or "\n" not in answer["error"]
    assert not caplog.records
