"""Every format of annotations through every way in: the same intervals, or a sentence."""

import base64
import json

import gradio as gr
import pytest

from app.annotation_files import IMPORT_SUFFIXES, import_annotation
from app.api import Api
from app.runtime.queue import AnalysisQueue
from app.runtime.results import ResultStore
from app.truth import find_truth
from deeploc.annotations import FORMATS, media_from_report, write_annotation
from deeploc.annotations.annotation import annotation_from_report
from deeploc.annotations.registry import WRITABLE, accepted_suffixes
from deeploc.cli.analyse import main
from deeploc.report_files import write_report
from tests.app.fakes import FakeModels, fake_report, write_moving_clip

NAME = "clip.mp4"
REPORT = fake_report(NAME)  # 4 s, one interval
MEDIA = media_from_report(REPORT)
INTERVAL = ("visual", 1.2, 2.0)
SPAN = [1.2, 2.0]

LAVDF = {"modify_video": True, "modify_audio": False, "fake_periods": [SPAN]}
AVDEEPFAKE1M = {"modify_type": "visual_modified", "visual_fake_segments": [SPAN]}
ACTIVITYNET = {"annotations": [{"segment": SPAN, "label": "visual"}], "duration": 4.0}
FORGERYNET = {"annotations": [{"segment": SPAN, "label": "fake"}], "duration_second": 4.0}
UMMAFORMER = {"fake_periods": [SPAN], "duration": 4.0}
REGION = {
    "type": "timelinelabels",
    "value": {"ranges": [{"start": 31, "end": 50}], "timelinelabels": ["visual"]},
}


def rows(row, files):
    return json.dumps([{"file": file, **row} for file in files])


def entries(entry, files):
    return json.dumps({file: entry for file in files})


def tasks(files):
    return json.dumps(
        [{"data": {"video": file}, "annotations": [{"result": [REGION]}]} for file in files]
    )


# format -> the content of a file about these clips
OF_CLIPS = {
    "csv": lambda files: (
        "file,start_s,end_s,stream\n" + "".join(f"{file},1.2,2.0,visual\n" for file in files)
    ),
    "labelstudio": tasks,
    "lavdf": lambda files: rows(LAVDF, files),
    "avdeepfake1m": lambda files: rows(AVDEEPFAKE1M, files),
    "activitynet": lambda files: json.dumps({"database": dict.fromkeys(files, ACTIVITYNET)}),
    "forgerynet": lambda files: "".join(f"1 {file} 30 20 fake 1 1 4\n" for file in files),
    "forgerynet JSON": lambda files: entries(FORGERYNET, files),
    "ummaformer": lambda files: entries(UMMAFORMER, files),
}
SUFFIX = {"csv": ".csv", "forgerynet": ".txt"}
THREE = ("one.mp4", f"folder/{NAME}", "three.mp4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    write_moving_clip(folder / NAME)
    write_report(REPORT, folder / "report.npz")
    write_report(REPORT, folder / "report.json")
    for key, chosen in WRITABLE.items():
        path = folder / f"own-{key}{chosen.suffixes[0]}"
        write_annotation(annotation_from_report(REPORT), path, key)
    for key, content in OF_CLIPS.items():
        (folder / f"one-{key}{SUFFIX.get(key, '.json')}").write_text(content([NAME]))
        (folder / f"several-{key}{SUFFIX.get(key, '.json')}").write_text(content(THREE))
        (folder / f"wrong-{key}{SUFFIX.get(key, '.json')}").write_text(content(["a", "b"]))
    return folder


# -- the ways in: each gives intervals, or a sentence --


def truth_box(path, folder):
    truth, note = find_truth(folder / NAME, str(path), MEDIA)
    return note if truth is None else spans(truth)


def importing(path, folder, truth_only=False):
    file = {"name": path.name, "base64": base64.b64encode(path.read_bytes()).decode()}
    clip = annotation_from_report(REPORT).to_dict()["media"]
    answer = import_annotation(file, clip, truth_only)
    if "error" in answer:
        return answer["error"]
    return [(one["stream"], one["start_s"], one["end_s"]) for one in answer["segments"]]


def import_as_truth(path, folder):
    return importing(path, folder, truth_only=True)


def api(folder):
    return Api(FakeModels(), AnalysisQueue(1), ResultStore(folder / "written", 3600))


def compare_endpoint(path, folder):
    try:
        return compared(api(folder).compare(str(path), str(folder / "report.json")))
    except gr.Error as error:
        return error.message


def formats_endpoint(path, folder):
    try:
        written = api(folder).formats(str(path), "json", str(folder / NAME))
    except gr.Error as error:
        return error.message
    with open(written) as file:
        segments = json.load(file)["segments"]
    return [(one["stream"], one["start_s"], one["end_s"]) for one in segments]


def command_line(path, folder, capsys):
    out = folder / "comparison.json"
    status = main(["compare", str(folder / "report.npz"), str(path), "--json", str(out)])
    printed, said = capsys.readouterr()
    if status:
        assert status == 1 and not printed
        return said.removeprefix("deeploc: ").rstrip("\n")
    assert "AP at tIoU" in printed
    return compared(json.loads(out.read_text()))


def spans(truth):
    return [
        (stream, segment.start, segment.end)
        for stream in ("visual", "audio")
        for segment in truth[stream]
    ]


def compared(result):
    """The truth that was compared with, out of what the report's only interval hits and misses."""
    assert result["counts"]["FN"] == len(result["missed"])
    (row,) = result["intervals"]
    if row["kind"] == "FP":
        return [(one["stream"], one["start_s"], one["end_s"]) for one in result["missed"]]
    edges = (row[f"{edge}_s"] - row[f"{edge}_off_s"] for edge in ("start", "end"))
    return [(row["stream"], *edges)]


WAYS = (truth_box, importing, import_as_truth, compare_endpoint, formats_endpoint, command_line)
TRUTH_WAYS = (truth_box, import_as_truth, compare_endpoint, command_line)


@pytest.fixture(params=WAYS, ids=[way.__name__ for way in WAYS])
def read(request, folder, capsys):
    """A file through one of the ways."""
    way = request.param
    return lambda path: way(path, folder, *([capsys] if way is command_line else []))


def is_sentence(answer, path):
    assert isinstance(answer, str), answer
    assert answer.startswith(path.name) and answer.endswith("."), answer
    assert "\n" not in answer and "Traceback" not in answer and len(answer) < 500
    return answer


def files(folder, beginning):
    found = sorted(folder.glob(f"{beginning}-*"))
    assert found
    return found


def test_what_every_format_writes_is_read_everywhere(folder, read):
    for path in files(folder, "own"):
        ((stream, start_s, end_s),) = read(path)
        assert (stream, start_s, end_s) == pytest.approx(INTERVAL, abs=0.001), path.name


def test_every_format_is_in_the_matrix():
    of_one_clip = {"webvtt", "audacity", "elan", "praat", "json", "report"}
    assert {key.split()[0] for key in OF_CLIPS} | of_one_clip == set(FORMATS)


@pytest.mark.parametrize("beginning", ["one", "several"])
def test_the_clip_is_found_in_files_of_datasets(folder, read, beginning):
    for path in files(folder, beginning):
        assert read(path) == [INTERVAL], path.name


def test_datasets_without_the_clip_are_refused(folder, read):
    for path in files(folder, "wrong"):
        assert "clip.mp4" in is_sentence(read(path), path)


@pytest.mark.parametrize("key", WRITABLE)
def test_what_lies_outside_of_the_clip_is_refused(folder, read, key, tmp_path):
    media = media_from_report(fake_report("other.mp4"))
    longer = type(media)("other.mp4", 60.0, 25.0, 1500)
    annotation = type(annotation_from_report(REPORT))(longer, (longer.interval(50, 55),))
    path = tmp_path / f"late{WRITABLE[key].suffixes[0]}"
    write_annotation(annotation, path)
    assert "clip.mp4" in is_sentence(read(path), path)


def test_a_report_is_read_but_is_no_truth(folder, request, capsys):
    for name in ("report.json", "report.npz"):
        for way in WAYS:
            more = [capsys] if way is command_line else []
            answer = way(folder / name, folder, *more)
            if way in TRUTH_WAYS:
                assert "no truth" in is_sentence(answer, folder / name)
            else:
                assert answer == [INTERVAL]


def test_empty_files_are_refused(folder, read, tmp_path):
    for suffix in {*IMPORT_SUFFIXES, ".xyz", ""} - {".txt"}:
        path = tmp_path / f"empty{suffix}"
        path.write_text("")
        is_sentence(read(path), path)


def test_an_empty_label_track_says_that_nothing_is_forged(folder, read, tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("")
    assert read(path) == []


def test_broken_files_are_refused(folder, read, tmp_path):
    for suffix in (*IMPORT_SUFFIXES, ".xyz"):
        for number, content in enumerate((b"\x00\xff\xfe\x80" * 50, b"[{" * 4000, b"\x1b")):
            path = tmp_path / f"broken{number}{suffix}"
            path.write_bytes(content)
            is_sentence(read(path), path)


def test_files_that_are_cut_are_read_or_refused(folder, read, tmp_path):
    for whole in (path for kind in ("own", "several") for path in files(folder, kind)):
        path = tmp_path / f"cut-{whole.name}"
        content = whole.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        answer = read(path)
        assert isinstance(answer, list) or is_sentence(answer, path)


def test_pickers_accept_what_is_read(folder):
    for path in [*folder.glob("own-*"), *folder.glob("several-*")]:
        assert path.suffix.lower() in accepted_suffixes(truth_only=True)
    assert set(IMPORT_SUFFIXES) - set(accepted_suffixes(truth_only=True)) == {".npz"}


def test_endpoints_name_every_format():
    for chosen in FORMATS.values():
        assert chosen.label in Api.formats.__doc__
        assert (chosen.label in Api.compare.__doc__) == chosen.is_truth
