"""A curve is a definition and values: a made-up one is shown everywhere, and proposes nothing."""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.html_report import to_html
from app.viewer.component import MODULES, PLOTLY
from app.viewer.payload import LETTERS, to_payload
from deeploc.curves import CURVES, Curve, Mark
from deeploc.export.table import frame_table, write_frames_parquet
from deeploc.export.video import curve_image
from deeploc.postprocess import proposals_of, to_proposals
from deeploc.report_files import read_report, report_to_dict, write_report
from deeploc.scores import STREAM_LABELS, STREAMS, FrameScores
from tests.app.fakes import GRID, fake_report
from tests.app.viewer_page import served

PULSE = Curve(
    kind="pulse",
    label="Pulse rate",
    description="What the colour of the skin tells of the heart.",
    unit="bpm",
    range=(40.0, 200.0),
    marks=(Mark("resting", 75.0), Mark("running", 150.0)),
    usual="resting",
)


@pytest.fixture
def report():
    """The fake report with a third curve, which stands out as much as any could."""
    values = np.full(GRID.n_frames, 70, np.float32)
    values[40:60], values[80:] = 190, np.nan
    pulse = FrameScores(GRID, "visual", PULSE, values)
    return replace(fake_report(), scores=(*fake_report().scores, pulse))


def modules(script: str, sent: object = None) -> object:
    """What a script prints that may import the viewer's modules."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("there is no node to run the viewer's modules")
    text = f"const sent = JSON.parse({json.dumps(json.dumps(sent))});\n{script}"
    asked = [node, "--input-type=module", "--eval", text.replace("VIEWER", MODULES.as_uri())]
    run = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_it_proposes_nothing(report):
    pulse = report.scores[-1]
    assert len(to_proposals(pulse)) > 0  # it would, if it were asked for
    assert proposals_of([pulse]) == ()
    assert proposals_of(report.scores) == proposals_of(fake_report().scores)
    assert report.deciding is not pulse
    said = replace(pulse, curve=replace(PULSE, proposes=True))
    assert len(proposals_of([said])) > 0


def test_it_travels_with_the_report(report, tmp_path):
    for suffix in (".json", ".npz"):
        write_report(report, tmp_path / f"report{suffix}")
        found = read_report(tmp_path / f"report{suffix}")
        assert found.curves[-1] == PULSE
        assert found.curves == report.curves


def test_it_has_its_own_axis_on_the_page(report):
    script = """
        import { rowsOf } from "VIEWER/curves/chart.js";
        import { curveOf } from "VIEWER/time/overview.js";
        console.log(JSON.stringify([rowsOf(sent), curveOf(sent).values]));
    """
    rows, overview = modules(script, to_payload(report, "clip.mp4"))
    assert [row["key"] for row in rows] == [
        "error-visual",
        "error-audio",
        "forgery",
        "pulse-visual",
    ]
    pulse = rows[-1]
    assert (pulse["title"], pulse["detail"]) == ("Pulse rate (bpm)", "picture")
    assert (pulse["low"], pulse["top"]) == pytest.approx((40, 203.2))
    assert pulse["usual"] == {"name": "resting", "level": 75}
    assert [mark["name"] for mark in pulse["marks"]] == ["resting", "running"]
    assert pulse["threshold"] is None
    assert [row["threshold"] for row in rows] == [None, None, 0.5, None]
    assert overview == report_to_dict(report)["scores"][5]["values"]  # the one that decides


def test_it_has_its_own_axis_in_the_html_report(report):
    text = to_html(report)
    titles = re.findall(
        r'"yaxis(\d?)":\{[^{}]*(?:\{[^{}]*\}[^{}]*)*?"title":\{"text":"(.*?)"', text
    )
    assert titles == [
        ("", "Reconstruction error (sd)"),
        ("2", "Forgery score"),
        ("3", "Pulse rate (bpm)"),
    ]
    assert "What the colour of the skin tells of the heart." in text
    assert "resting" in text and "running" in text


def test_it_is_a_column_with_its_unit(report, tmp_path):
    table = frame_table(report)
    assert [name for name in table if name.startswith("pulse")] == ["pulse_visual_bpm"]
    assert table.pulse_visual_bpm[50] == 190 and table.pulse_visual_bpm[90:].isna().all()
    write_frames_parquet(report, tmp_path / "steps.parquet")
    described = pd.read_parquet(tmp_path / "steps.parquet").attrs["curves"]
    assert [(one["kind"], one["unit"]) for one in described][-1] == ("pulse", "bpm")


def test_the_video_keeps_the_curve_that_decides(report):
    size = (320, 72)
    assert curve_image(report, size).tobytes() == curve_image(fake_report(), size).tobytes()


@pytest.mark.browser
def test_it_is_drawn(browser, clip, report):
    with served(clip, to_payload(report, clip), PLOTLY.read_bytes()) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(url)
        row = page.locator("[data-row=pulse-visual]")
        row.locator(".dl-plot .scatterlayer .trace").wait_for()
        assert row.locator("h3").inner_text().startswith("Pulse rate (bpm)")
        axis = row.locator(".dl-plot").evaluate("(plot) => plot.layout.yaxis.range")
        assert axis == pytest.approx([40, 203.2])
        assert row.locator("output").inner_text() == "70.00"
        said = page.get_attribute(".dl-cursor", "aria-valuetext")
        assert "pulse rate 0.9 times resting" in said
        page.close()


@pytest.mark.parametrize("peak", [0.4, 5.0])
def test_page_and_html_report_have_one_axis(peak):
    marked = CURVES[0].with_percentiles([0.5, 1.0, 1.5])
    for curve in (*CURVES, marked, PULSE):
        sent = {"range": curve.range, "marks": [{"level": mark.level} for mark in curve.marks]}
        script = """
            import { axisOf } from "VIEWER/curves/axis.js";
            console.log(JSON.stringify(axisOf(sent, [{ ...sent, values: [PEAK, null] }])));
        """
        low, top = modules(script.replace("PEAK", str(peak)), sent)
        assert (low, top) == pytest.approx((curve.range[0], curve.top(peak)))


def test_the_page_has_the_words_of_the_streams():
    script = """
        import { LETTERS, STREAMS, STREAM_LABELS } from "VIEWER/core/streams.js";
        console.log(JSON.stringify([STREAMS, STREAM_LABELS, LETTERS]));
    """
    assert modules(script) == [list(STREAMS), STREAM_LABELS, LETTERS]
