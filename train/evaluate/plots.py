"""The plots of one evaluation: precision against recall, families, reliability of the verdict.

It knows only the plain data of `metrics.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import plotly.graph_objects as go
import plotly.io
from plotly.subplots import make_subplots
from scipy.stats import binomtest

from deeploc.scores import STREAMS
from train.evaluate.methods import CHECKPOINT, ERROR

COLORS = ("#1f77b4", "#d95f02", "#8a8a8a", "#1b9e77", "#7570b3", "#e7298a")
CURVE_TIOU = "0.5"
WIDTH = 1100


def write_plots(result: dict, folder: Path) -> Iterator[str]:
    """Writes one page that needs no network, and SVG files where that is possible here.

    Yields a line about each file, or why there is none.
    """
    figures = {"pr": precision_recall(result), "reliability": reliability(result)}
    if result["errors"]:
        figures["families"] = families(result)
    title = f"{result['model']['name']}, split {result['protocol']['split']}"
    yield from _write(figures, title, folder, "metrics")


def write_ablation_plots(result: dict, folder: Path) -> Iterator[str]:
    """The same for the result of the ablation."""
    title = f"Ablation on {result['protocol']['cache']}, split {result['protocol']['split']}"
    yield from _write({"rows": ablation_plot(result)}, title, folder, "ablation")


def _write(figures: dict[str, go.Figure], title: str, folder: Path, name: str) -> Iterator[str]:
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=number == 0)
        for number, figure in enumerate(figures.values())
    ]
    head = f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
    page = folder / f"{name}.html"
    page.write_text(head + "\n".join(parts), encoding="utf-8")
    yield f"{page}"
    files = [folder / f"{name}_{part}.svg" for part in figures]
    try:
        plotly.io.write_images(
            list(figures.values()),
            files,
            width=WIDTH,
            height=[figure.layout.height for figure in figures.values()],
        )
    except (ValueError, RuntimeError) as error:  # kaleido, or its browser, is not there
        yield f"no SVG: {str(error).strip().splitlines()[0]}"
    else:
        yield from map(str, files)


def precision_recall(result: dict) -> go.Figure:
    """One panel a stream, one line a method, at tIoU 0.5."""
    figure = make_subplots(1, len(STREAMS), subplot_titles=STREAMS, shared_yaxes=True)
    for (name, streams), color in zip(result["curves"].items(), COLORS * 9, strict=False):
        for column, stream in enumerate(STREAMS, start=1):
            heights = streams[stream][CURVE_TIOU]
            recalls = [step / (len(heights) - 1) for step in range(len(heights))]
            figure.add_scatter(
                x=recalls,
                y=heights,
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                line={"color": color},
                row=1,
                col=column,
            )
    figure.update_xaxes(title="recall", range=[0, 1])
    figure.update_yaxes(range=[0, 1.02])
    figure.update_yaxes(title="precision", col=1)
    return _laid_out(figure, f"Precision against recall at tIoU {CURVE_TIOU}", 420)


def families(result: dict) -> go.Figure:
    """Left: the error of forged and of authentic steps of the same clips, by family. Right: how
    well the checkpoint and the error alone order these steps, with intervals."""
    titles = ("reconstruction error: p5, quartiles, p95", "frame AUC inside forged clips")
    figure = make_subplots(1, 2, subplot_titles=titles, shared_yaxes=True)
    labels = [_label(row, result["families"]) for row in result["errors"]]
    for kind, color in (("authentic", COLORS[2]), ("forged", COLORS[1])):
        quantiles = [row[kind] or [None] * 5 for row in result["errors"]]
        low, first, middle, third, high = zip(*quantiles, strict=True)
        figure.add_box(
            y=labels,
            lowerfence=low,
            q1=first,
            median=middle,
            q3=third,
            upperfence=high,
            orientation="h",
            name=f"{kind} steps",
            marker={"color": color},
            row=1,
            col=1,
        )
    for name, key, dot in (
        (CHECKPOINT, "families", COLORS[0]),
        (ERROR, "error families", COLORS[3]),
    ):
        by_name = {(row["stream"], row["family"]): row for row in result[key]}
        rows = [by_name[row["stream"], row["family"]] for row in result["errors"]]
        figure.add_scatter(
            x=[row["frame AUC inside"] for row in rows],
            y=labels,
            error_x=_bars(
                [row["frame AUC inside"] for row in rows],
                [row["intervals"]["frame AUC inside"] for row in rows],
            ),
            mode="markers",
            name=name,
            marker={"color": dot},
            row=1,
            col=2,
        )
    figure.add_vline(x=0.5, line={"dash": "dot", "color": "#555"}, col=2)
    figure.update_layout(boxmode="group")
    return _laid_out(figure, "By manipulation (* never seen in training)", 160 + 48 * len(labels))


def ablation_plot(result: dict) -> go.Figure:
    """Mean AP of every row with its interval, one panel a stream, one colour a setting."""
    figure = make_subplots(1, len(STREAMS), subplot_titles=STREAMS, shared_yaxes=True)
    settings = list(dict.fromkeys(row["setting"] for row in result["rows"]))
    for setting, color in zip(settings, COLORS, strict=False):
        rows = [row for row in result["rows"] if row["setting"] == setting]
        for column, stream in enumerate(STREAMS, start=1):
            found = [row["streams"][stream]["mean AP"] for row in rows]
            heights = [item["mean"] for item in found]
            figure.add_scatter(
                x=heights,
                y=[f"{row['row']} ({setting})" for row in rows],
                error_x=_bars(heights, [item["interval"] for item in found]),
                mode="markers",
                marker={"color": color},
                name=setting,
                legendgroup=setting,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return _laid_out(
        figure, "Mean AP at tIoU 0.1 to 0.7, 95 % intervals", 160 + 30 * len(result["rows"])
    )


def reliability(result: dict) -> go.Figure:
    """False alarms of each verdict band as stated and as measured here, and the share of forged
    clips in each band and in each fifth of the clip scores, with 95 % Wilson intervals."""
    titles = ("false alarms", "forged clips by verdict", "forged clips by fifths of the score")
    figure = make_subplots(1, 3, subplot_titles=titles)
    facts = result["reliability"]
    bands = list(facts["stated"])
    figure.add_bar(
        x=bands,
        y=[facts["stated"][band] for band in bands],
        name="stated by the checkpoint",
        marker={"color": COLORS[2]},
        row=1,
        col=1,
    )
    for row, bar in zip(result["alarms"], (COLORS[0], COLORS[1], COLORS[3]), strict=False):
        shares = [row[f"clips at {band}"] for band in bands]
        counts = [(round(share * row["clips"]), row["clips"]) for share in shares]
        figure.add_bar(
            x=bands,
            y=shares,
            error_y=_bars(shares, [_wilson(*count) for count in counts]),
            name=f"measured: {row['kind']} (n={row['clips']})",
            marker={"color": bar},
            row=1,
            col=1,
        )
    reached = [row for row in facts["bands"] if row["clips"]]
    names = [f"{row['band']} (n={row['clips']})" for row in reached]
    _add_shares(figure, names, reached, column=2)
    _add_shares(figure, [row["mean score"] for row in facts["scores"]], facts["scores"], column=3)
    protocol = result["protocol"]
    base = protocol["forged"] / protocol["clips"]
    for column in (2, 3):
        figure.add_hline(y=base, line={"dash": "dot", "color": "#555"}, col=column)
    for column, title in enumerate(("band or above", "evidence", "clip score"), start=1):
        figure.update_xaxes(title=title, col=column)
    figure.update_yaxes(title="share of clips", col=1)
    figure.update_yaxes(range=[0, 1.02])
    return _laid_out(figure, "Reliability of the verdict (dotted: share of all clips)", 480)


def _add_shares(figure: go.Figure, places: list, rows: list[dict], column: int) -> None:
    """The share of forged clips of each row, with its interval."""
    shares = [row["forged"] / row["clips"] for row in rows]
    figure.add_scatter(
        x=places,
        y=shares,
        error_y=_bars(shares, [_wilson(row["forged"], row["clips"]) for row in rows]),
        mode="lines+markers",
        marker={"color": COLORS[0]},
        showlegend=False,
        row=1,
        col=column,
    )


def _label(row: dict, families: list[dict]) -> str:
    (known,) = (
        item["seen"]
        for item in families
        if (item["stream"], item["family"]) == (row["stream"], row["family"])
    )
    return f"{row['stream']} {row['family']}{'' if known else ' *'} (n={row['clips']})"


def _wilson(chosen: int, n: int) -> tuple[float, float]:
    found = binomtest(chosen, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _bars(values: list, bounds: list) -> dict:
    """Plotly's error bars from intervals; none where there is no interval."""
    pairs = [
        (0, 0) if value is None or low is None else (value - low, high - value)
        for value, (low, high) in zip(values, bounds, strict=True)
    ]
    lower, upper = zip(*pairs, strict=True) if pairs else ((), ())
    return {"type": "data", "symmetric": False, "array": upper, "arrayminus": lower}


def _laid_out(figure: go.Figure, title: str, height: int) -> go.Figure:
    return figure.update_layout(
        title=title,
        height=height,
        width=WIDTH,
        template="plotly_white",
        legend={"orientation": "h", "y": -0.22},
    )
