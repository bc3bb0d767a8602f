"""Report -> one HTML page that stands alone: verdict, numbers, curves, intervals; no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.verdict import headline
from app.wording import REASONS
from deeploc.annotations import media_from_report
from deeploc.curves import Curve
from deeploc.report import Report
from deeploc.scores import STREAM_LABELS, FrameScores
from deeploc.timeline import Segment

COLOURS = {"visual": "#0072B2", "audio": "#CC79A7", "fused": "#1f2937"}
DASHES = {"visual": "solid", "audio": "dash", "fused": "dot"}
HALVES = {"visual": (0.5, 1), "audio": (0, 0.5), "fused": (0, 1)}  # of a row of curves
LABEL_SHARE = 0.06  # of the clip, from which a stretch has room for its reason
FLAGGED, UNSCORED = "#E69F00", "#6B7280"
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #111827; background: #fff; margin: 2rem auto;
       max-width: 68rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { border: 2px solid #111827; border-radius: 8px; padding: .8rem 1rem; }
.verdict strong { font-size: 1.3rem; display: block; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; }
dt { color: #4b5563; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d1d5db; }
.wide { overflow-x: auto; } footer { color: #4b5563; margin-top: 2rem; }
"""


def write_html(report: Report, target: Path) -> None:
    target.write_text(to_html(report), encoding="utf-8")


def to_html(report: Report) -> str:
    """The whole page; plotly.js is in it."""
    words = headline(report)
    title = f"DeepLoc report: {report.media.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict"><strong>{escape(words["band"])}</strong>'
        f"{escape(words['rate'])} {escape(words['note'])}</p>",
        _list(words["trust"]),
        _list(report.warnings),
        _facts(report, words),
        "<h2>Curves</h2>" + _meanings(report) + curves(report) if report.scores else "",
        "<h2>Flagged intervals</h2>" + _intervals(report),
        "<h2>Not scored</h2>" + _unscored(report) if report.unscored else "",
        "<h2>Shots</h2>" + _shots(report) if len(report.shots) > 1 else "",
        "<footer>Times are seconds from the first moment of the file; frames are those of the "
        "source, and the end frame is the first one after the interval.</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _list(sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _facts(report: Report, words: dict) -> str:
    media, model = report.media, report.model
    thresholds = ", ".join(
        f"{label} {report.calibration.thresholds[stream]:.2f}"
        for stream, label in STREAM_LABELS.items()
        if stream in report.calibration.thresholds
    )
    facts = [
        *((fact["label"], fact["value"]) for fact in words["facts"]),
        ("Clip", f"{media.duration_s:.2f} s, {media.fps:g} fps, {media.width}x{media.height}"),
        ("SHA-256 of the file", media.sha256),
        ("Model", words["model"]),
        ("SHA-256 of the model", model.sha256),
        ("Thresholds", thresholds),
        ("DeepLoc", report.version),
        ("Scored face", "" if report.settings.face is None else f"{report.settings.face}"),
    ]
    rows = (f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts if value)
    return f"<dl>{''.join(rows)}</dl>"


def _intervals(report: Report) -> str:
    if not report.timeline:
        return "<p>None.</p>"
    rows = [
        [STREAM_LABELS[item.stream], *_span(report, item.segment), f"{item.score:.3f}"]
        for item in report.timeline
    ]
    return _table(["Stream", *SPAN, "Peak score"], rows)


def _unscored(report: Report) -> str:
    rows = [
        [STREAM_LABELS[item.stream], *_span(report, item.segment), item.reason]
        for item in report.unscored
    ]
    known = {
        item.reason: REASONS[item.reason] for item in report.unscored if item.reason in REASONS
    }
    meanings = "".join(
        f"<dt>{escape(reason)}</dt><dd>{escape(meaning)}</dd>" for reason, meaning in known.items()
    )
    halves = (
        "<p>Grey over the curves: the picture in the upper half, the sound in the lower one.</p>"
    )
    return f"{halves}<dl>{meanings}</dl>" + _table(["Stream", *SPAN, "Reason"], rows)


def _shots(report: Report) -> str:
    rows = [
        [str(number), *_span(report, shot)] for number, shot in enumerate(report.shots, start=1)
    ]
    return _table(["Shot", *SPAN], rows)


SPAN = ["Start (s)", "End (s)", "Length (s)", "Start frame", "End frame"]


def _span(report: Report, segment: Segment) -> list[str]:
    media = media_from_report(report)
    times = (segment.start, segment.end, segment.duration)
    frames = (media.frame(segment.start), media.frame(segment.end))
    return [*(f"{time:.3f}" for time in times), *map(str, frames)]


def _table(names: list[str], rows: Iterable[list[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _meanings(report: Report) -> str:
    rows = [
        f"<dt>{escape(curve.title)}</dt><dd>{escape(curve.description)}{_marks(curve)}</dd>"
        for curve in report.curves
    ]
    return f"<dl>{''.join(rows)}</dl>"


def _marks(curve: Curve) -> str:
    names = ", ".join(escape(mark.name) for mark in curve.marks)
    return f" Lines: {names} of authentic clips." if names else ""


def curves(report: Report) -> str:
    """The interactive picture as HTML, plotly.js included."""
    kinds = report.curves
    figure = make_subplots(len(kinds), 1, shared_xaxes=True, vertical_spacing=0.16 / len(kinds))
    rows = {curve.kind: row for row, curve in enumerate(kinds, start=1)}
    named: set[str] = set()
    for item in report.scores:
        figure.add_trace(_line(item, item.stream not in named), rows[item.kind], 1)
        named.add(item.stream)
    thin = {"color": UNSCORED, "width": 1}
    threshold = report.calibration.thresholds.get("fused")
    for curve in kinds:
        row = rows[curve.kind]
        for mark in curve.marks:
            figure.add_hline(
                mark.level,
                row,
                1,
                line=thin,
                annotation_text=mark.name,
                annotation_position="right",
            )
        if curve.proposes and threshold is not None:
            figure.add_hline(
                threshold, row, 1, line={**thin, "dash": "dash"}, annotation_text="threshold"
            )
        figure.update_yaxes(title_text=curve.title, range=_axis(report, curve), row=row)
    for found in report.timeline:
        _shade(figure, found.segment, FLAGGED, "flagged")
    places = [place for row in rows.values() for place in _marks_of(report, row)]
    figure.update_layout(shapes=[*figure.layout.shapes, *places])
    figure.update_layout(
        template="plotly_white",
        height=260 * len(kinds),
        margin={"l": 60, "r": 50, "t": 20, "b": 50},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.08},
    )
    figure.update_xaxes(range=[0, report.media.duration_s])
    figure.update_xaxes(title_text="seconds", row=len(kinds))
    config = {"displaylogo": False, "responsive": True}
    return figure.to_html(config, include_plotlyjs=True, full_html=False, div_id="curves")


def _marks_of(report: Report, row: int) -> Iterator[dict]:
    """What was not scored, of the picture in the upper half of a row and of the sound in the lower
    one, with the reason where there is room; and dotted lines where cuts begin shots."""
    number = "" if row == 1 else str(row)
    axes = {"xref": f"x{number}", "yref": f"y{number} domain"}
    for gap in report.unscored:
        low, high = HALVES[gap.stream]
        wide = gap.segment.duration > LABEL_SHARE * report.media.duration_s
        label = {"text": gap.reason, "textposition": "top left", "font": {"size": 10}}
        yield axes | {
            "type": "rect",
            **{"x0": gap.segment.start, "x1": gap.segment.end, "y0": low, "y1": high},
            **{"fillcolor": UNSCORED, "opacity": 0.25, "line": {"width": 0}},
            "name": f"not scored: {gap.reason}",
            "label": label if wide else {},
        }
    for shot in report.shots[1:]:
        yield axes | {
            "type": "line",
            **{"x0": shot.start, "x1": shot.start, "y0": 0, "y1": 1},
            "line": {"color": UNSCORED, "width": 1, "dash": "dot"},
            "name": "cut",
        }


def _axis(report: Report, curve: Curve) -> list[float]:
    """Lower and upper end, the same for all streams of a curve."""
    values = [item.values for item in report.scores if item.kind == curve.kind]
    peak = float(np.nanmax(np.concatenate(values), initial=curve.range[0]))
    return [curve.range[0], curve.top(peak)]


def _line(item: FrameScores, named: bool) -> go.Scatter:
    moments = (np.arange(item.grid.n_frames) + 0.5) / item.grid.rate_hz
    stream = item.stream
    return go.Scatter(
        x=np.round(moments, 3).tolist(),
        y=[None if np.isnan(value) else round(float(value), 4) for value in item.values],
        name=STREAM_LABELS[stream],
        legendgroup=stream,
        showlegend=named,
        line={"color": COLOURS[stream], "dash": DASHES[stream], "width": 1.5},
    )


def _shade(figure: go.Figure, segment: Segment, colour: str, words: str) -> None:
    figure.add_vrect(
        segment.start, segment.end, fillcolor=colour, opacity=0.25, line_width=0, name=words
    )
