from html import escape

import pytest

from app.html_report import to_html, write_html
from app.jobs import Job, unanalysed_report
from app.runtime.downloads import DOWNLOADS, write_download
from app.runtime.results import Result, ResultStore
from app.trust import UNKNOWN_MISSES
from app.wording import REASONS
from deeploc.media.trim import Cut
from tests.app.fakes import fake_report, with_cuts


def test_it_says_what_the_page_says():
    text = to_html(fake_report("<b>&.mp4"))
    assert "Some evidence of forgery" in text
    assert "this model flags 6 (5%, 95% interval 2 to 10%)" in text and UNKNOWN_MISSES in text
    assert "&lt;b&gt;&amp;.mp4" in text and "<b>&.mp4" not in text
    assert "<td>1.200</td><td>2.000</td><td>0.800</td><td>30</td><td>50</td>" in text
    assert "no usable face" in text


def test_reasons_and_shots_are_in_tables_and_over_the_curves():
    text = to_html(with_cuts(fake_report()))
    assert "<td>sound</td><td>0.000</td><td>1.000</td>" in text
    for reason in ("no speech", "frozen picture", "cut", "no usable face"):
        assert f"<dt>{reason}</dt><dd>{escape(REASONS[reason])}</dd>" in text
        assert f'"name":"not scored: {reason}"' in text
    assert "<td>2</td><td>2.400</td><td>3.000</td>" in text
    assert "<h2>Shots</h2>" not in to_html(fake_report())


def test_a_clip_that_no_model_looked_at(clip):
    text = to_html(unanalysed_report(clip))
    assert "Not analysed" in text and "<p>None.</p>" in text
    assert "Plotly.newPlot" not in text


@pytest.mark.browser
def test_it_draws_its_curves_and_asks_for_nothing(browser, tmp_path):
    write_html(fake_report(), tmp_path / "Отчёт 面.html")
    page = browser.new_page()
    asked, problems = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "Отчёт 面.html").as_uri())
    page.wait_for_selector("#curves .scatterlayer .trace")
    assert page.locator("#curves .scatterlayer .trace").count() == 6
    assert len(asked) == 1 and not problems
    page.close()


@pytest.mark.parametrize("key", DOWNLOADS)
def test_every_download_is_written_or_explained(key, clip, tmp_path):
    results = ResultStore(tmp_path, 60)
    result = Result(fake_report("Клип.mp4"), clip, Job(str(clip)), Cut(clip, 0.0))
    answer = write_download(results, results.keep(result), key)
    if key == "inspected":
        assert "no reconstructions" in answer["error"]
    else:
        assert answer["name"].startswith("Клип.")
        assert answer["path"].endswith(answer["name"])
