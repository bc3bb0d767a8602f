"""The endpoints, asked by programs over HTTP."""

import json
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app.annotation_files import EXPORT_FORMATS
from app.page.theme import CSS, THEME
from app.ui import build_demo
from deeploc.annotations.formats.deeploc_json import parse_annotation
from deeploc.report_files import report_to_dict, write_report
from tests.app.fakes import FORGED, NO_FACE, FakeModels, fake_report, write_moving_clip

MODELS = FakeModels()
TRUTH = "file,start_s,end_s,stream\nclip.mp4,1.0,2.0,visual\nclip.mp4,3.0,3.5,audio\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_moving_clip(folder / "clip.mp4")
    for name in ("noface.mp4", "two.mp4"):
        (folder / name).write_bytes((folder / "clip.mp4").read_bytes())
    (folder / "report.json").write_text(json.dumps(report_to_dict(fake_report())))
    (folder / "truth.csv").write_text(TRUTH)
    write_report(fake_report(), folder / "report.npz")
    return folder


@pytest.fixture(scope="module")
def address(files):
    demo = build_demo(MODELS, files / "none")
    _, url, _ = demo.launch(
        theme=THEME, css=CSS, prevent_thread_lock=True, quiet=True, run_history=False
    )
    yield url
    demo.close()


@pytest.fixture(scope="module")
def client(address, tmp_path_factory):
    downloads = tmp_path_factory.mktemp("downloads")
    client = Client(address, verbose=False, download_files=str(downloads))
    yield client
    client.close()


def test_analyse_answers_with_the_report_and_a_page(client, files, address):
    report = client.predict(handle_file(files / "clip.mp4"), api_name="/analyse")
    page = report.pop("page")
    assert report == json.loads(json.dumps(report_to_dict(fake_report("clip.mp4"))))
    assert httpx.get(address.rstrip("/") + page).status_code == 200


def test_analyse_passes_the_face_on(client, files):
    client.predict(handle_file(files / "two.mp4"), 2, api_name="/analyse")
    assert MODELS.analyzer.faces[-1] == 2
    with pytest.raises(AppError, match="Send a video file"):
        client.predict(None, api_name="/analyse")


def test_a_clip_without_a_face_is_a_sentence(client, files):
    with pytest.raises(AppError, match=NO_FACE):
        client.predict(handle_file(files / "noface.mp4"), api_name="/analyse")


@pytest.mark.parametrize("given", ["report.json", "report.npz", "clip.mp4"])
def test_compare_holds_a_report_or_a_clip_against_the_truth(client, files, given):
    source = {"clip" if given == "clip.mp4" else "report": handle_file(files / given)}
    found = client.predict(
        truth=handle_file(files / "truth.csv"), **source, tiou=0.75, api_name="/compare"
    )
    assert found["counts"] == {"TP": 1, "LOC": 0, "DUP": 0, "FP": 0, "FN": 1}
    (interval,) = found["intervals"]
    assert (interval["kind"], interval["tiou"], interval["start_off_s"]) == ("TP", 0.8, 0.2)
    assert found["missed"] == [{"start_s": 3.0, "end_s": 3.5, "stream": "audio"}]
    assert found["average_precision"] == {"0.5": 0.5, "0.75": 0.5, "0.9": 0.0, "0.95": 0.0}
    assert found["falsely_flagged_s_per_minute"] == 0
    assert 0.5 < found["frame_auc"] < 1


def test_compare_says_what_is_missing(client, files):
    with pytest.raises(AppError, match="Send a report, or the clip"):
        client.predict(handle_file(files / "truth.csv"), api_name="/compare")
    with pytest.raises(AppError, match="tiou is 7"):
        client.predict(handle_file(files / "truth.csv"), tiou=7, api_name="/compare")


@pytest.mark.parametrize("to", [key for key, _ in EXPORT_FORMATS])
def test_every_format_is_written_and_read_back(client, files, to):
    written = client.predict(handle_file(files / "report.json"), to, api_name="/formats")
    assert Path(written).name.startswith("clip.")
    about = handle_file(files / "clip.mp4")
    back = client.predict(handle_file(written), "json", about, api_name="/formats")
    (interval,) = parse_annotation(json.loads(Path(back).read_text())).intervals
    assert (interval.start_frame, interval.end_frame, interval.stream) == (30, 50, "visual")
    assert interval.start_s == pytest.approx(FORGED.start, abs=0.02)


def test_formats_without_a_length_ask_for_the_clip(client, files):
    with pytest.raises(AppError, match="Give the clip"):
        client.predict(handle_file(files / "truth.csv"), "elan", api_name="/formats")
    with pytest.raises(AppError, match=r"notes\.xyz is of no format"):
        (files / "notes.xyz").write_text("?")
        about = handle_file(files / "report.json")
        client.predict(handle_file(files / "notes.xyz"), "csv", about, api_name="/formats")


def test_openapi_reads_well(address):
    schema = httpx.get(address.rstrip("/") + "/gradio_api/openapi.json").json()
    assert schema["info"]["title"] == "DeepLoc"
    posts = {path: item["post"] for path, item in schema["paths"].items() if "post" in item}
    named = {path.rpartition("/")[2]: post for path, post in posts.items()}
    assert set(named) == {"upload", "analyse", "compare", "formats"}
    assert "schema 2" in named["analyse"]["description"]
    for name in ("analyse", "compare", "formats"):
        parameters = named[name]["requestBody"]["content"]["application/json"]["schema"]
        for parameter in parameters["properties"]:
            assert f"`{parameter}`: " in named[name]["description"]
        assert "Args:" not in named[name]["description"]
    to = named["formats"]["requestBody"]["content"]["application/json"]["schema"]["properties"][
        "to"
    ]
    assert to["enum"] == [key for key, _ in EXPORT_FORMATS]
