"""Progress, notices, failures and example cards as HTML text."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from app.runtime.analysis import Progress, Queued
from app.wording import (
    EXAMPLES,
    EXAMPLES_HEADING,
    KEPT,
    MODEL_LOADED,
    OTHER_EXAMPLE,
    PREPARING,
    STAGES,
    WAITING,
)
from deeploc.curves import RECONSTRUCTION_ERROR
from deeploc.report import ModelInfo
from deeploc.scores import STREAM_LABELS

CURVE_WIDTH, CURVE_HEIGHT, CURVE_TOP = 600, 72, 3.0


def waiting_panel() -> str:
    return _stages(None, WAITING)


def preparing_panel() -> str:
    """All stages done; a file that the browser can play is being written."""
    return _stages(None, PREPARING, done=True)


def queue_panel(queued: Queued) -> str:
    """How many visitors go first."""
    before = "1 clip goes" if queued.before == 1 else f"{queued.before} clips go"
    return _stages(None, f"{before} first: yours is number {queued.before + 1} of {queued.total}.")


def progress_panel(progress: Progress) -> str:
    """The four stages with the running one's bar, times, speed, and the curve as far as it is."""
    times = f"{progress.elapsed_s:.0f} s so far"
    if progress.remaining_s is not None:
        times += f" · about {max(progress.remaining_s, 1):.0f} s to go"
    if progress.rate is not None:
        times += f" · {progress.rate:.2f} s of work for a second of clip"
    return _stages(progress, times)


def _stages(progress: Progress | None, times: str, done: bool = False) -> str:
    names = list(STAGES)
    current = names.index(progress.stage) if progress and progress.stage in STAGES else -1
    current = len(names) if done else current
    rows = []
    for index, (name, label) in enumerate(STAGES.items()):
        state = "done" if index < current else "now" if index == current else "todo"
        share, count = 1.0 if state == "done" else 0.0, ""
        if state == "now" and progress:
            share = min(progress.completed / max(progress.total, 1), 1.0)
            completed = min(progress.completed, progress.total)
            count = f"{completed} of {progress.total} frames" if progress.total > 1 else ""
        rows.append(
            f'<li class="{state}" data-stage="{name}"><span class="dl-stage-name">{label}</span>'
            f'<span class="dl-stage-count">{count}</span>'
            f'<span class="dl-bar" role="progressbar" aria-label="{label}" aria-valuemin="0" '
            f'aria-valuemax="100" aria-valuenow="{share * 100:.0f}">'
            f'<i style="width:{share:.0%}"></i></span></li>'
        )
    stage = STAGES.get(progress.stage, "") if progress else times
    curve = _curve(progress.errors) if progress else ""
    return (
        f'<div class="dl-progress" data-stage-text="{escape(stage)}"><ol>{"".join(rows)}</ol>'
        f"{curve}<p>{times}</p></div>"
    )


def _curve(errors: dict[str, np.ndarray]) -> str:
    """The error over the authentic p95 of the finished steps, on a fixed scale; empty at first."""
    lines = []
    for stream, values in errors.items():
        known = np.flatnonzero(~np.isnan(values))
        if len(known) < 2:
            continue
        by = -(-len(values) // CURVE_WIDTH)
        padded = np.append(values, np.full(-len(values) % by, np.nan)).reshape(-1, by)
        peaks = np.nan_to_num(padded, nan=-np.inf).max(1)
        heights = CURVE_HEIGHT * (1 - np.clip(peaks / CURVE_TOP, 0, 1))
        points = " ".join(
            f"{CURVE_WIDTH * index / max(len(peaks) - 1, 1):.1f},{height:.1f}"
            for index, height in enumerate(heights)
            if peaks[index] > -np.inf
        )
        lines.append(f'<polyline class="dl-line-{stream}" points="{points}"/>')
    if not lines:
        return ""
    usual = CURVE_HEIGHT * (1 - 1 / CURVE_TOP)
    label = RECONSTRUCTION_ERROR.label
    keys = "".join(
        f'<span class="dl-line-key dl-line-{stream}">{name}</span>'
        for stream, name in STREAM_LABELS.items()
        if stream in errors
    )
    return (
        f'<figure class="dl-growing"><figcaption>{label} so far {keys}</figcaption>'
        f'<svg viewBox="0 0 {CURVE_WIDTH} {CURVE_HEIGHT}" preserveAspectRatio="none" '
        'aria-hidden="true">'
        f'<line class="dl-line-usual" x1="0" x2="{CURVE_WIDTH}" y1="{usual}" y2="{usual}"/>'
        f"{''.join(lines)}</svg></figure>"
    )


def failure_panel(title: str, message: str) -> str:
    return (
        '<div class="dl-failure" role="alert"><span class="dl-failure-mark" aria-hidden="true">!'
        f"</span><div><h2>{escape(title)}</h2><p>{escape(message)}</p>"
        f'<p class="dl-quiet">{KEPT}</p></div></div>'
    )


def notice_panel(message: str) -> str:
    """A sentence that everybody should read before they begin."""
    return f'<p class="dl-notice" role="note">{escape(message)}</p>'


def batch_panel(message: str) -> str:
    return f'<p role="status">{escape(message)}</p>'


def model_panel(info: ModelInfo) -> str:
    """The name, revision and hash of a model."""
    name = MODEL_LOADED.format(name=info.name, revision=info.revision)
    sha256 = f"<br>sha256 <code>{info.sha256}</code>" if info.sha256 else ""
    return f'<p class="dl-quiet dl-model-note">{escape(name)}{sha256}</p>'


def example_cards(paths: list[Path]) -> str:
    """One button a clip, with a still of it, its title and one line; empty without clips."""
    cards = []
    for path in paths:
        title, line = EXAMPLES.get(path.name, OTHER_EXAMPLE)
        cards.append(
            f'<button type="button" class="dl-card" data-path="{escape(path.as_posix())}">'
            '<video muted playsinline preload="metadata" tabindex="-1" aria-hidden="true"></video>'
            f"<span><b>{title}</b><small>{line}</small></span></button>"
        )
    heading = f'<h2 class="dl-cards-heading">{EXAMPLES_HEADING}</h2>' if cards else ""
    return f'{heading}<div class="dl-cards">{"".join(cards)}</div>'
