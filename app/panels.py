"""Progress, failure and example cards as HTML text."""

from __future__ import annotations

from html import escape
from pathlib import Path

from app.runs import Progress
from app.text import EXAMPLES, EXAMPLES_HEADING, KEPT, OTHER_EXAMPLE, PREPARING, STAGES, WAITING


def waiting_panel() -> str:
    return _stages(None, WAITING)


def preparing_panel() -> str:
    """All stages done; a file that the browser can play is being written."""
    return _stages(None, PREPARING, done=True)


def progress_panel(progress: Progress) -> str:
    """The four stages with the running one's bar, elapsed time and what is left."""
    times = f"{progress.elapsed_s:.0f} s so far"
    if progress.remaining_s is not None:
        times += f" · about {max(progress.remaining_s, 1):.0f} s to go"
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
            share = progress.completed / max(progress.total, 1)
            count = f"{progress.completed} / {progress.total}" if progress.total > 1 else ""
        rows.append(
            f'<li class="{state}" data-stage="{name}"><span class="dl-stage-name">{label}</span>'
            f'<span class="dl-stage-count">{count}</span>'
            f'<span class="dl-bar"><i style="width:{share:.0%}"></i></span></li>'
        )
    said = STAGES.get(progress.stage, "") if progress else times
    return (
        f'<div class="dl-progress"><ol>{"".join(rows)}</ol><p>{times}</p>'
        f'<span class="dl-said" role="status">{said}</span></div>'
    )


def failure_panel(title: str, message: str) -> str:
    return (
        '<div class="dl-failure" role="alert"><span class="dl-failure-mark" aria-hidden="true">!'
        f"</span><div><h2>{escape(title)}</h2><p>{escape(message)}</p>"
        f'<p class="dl-quiet">{KEPT}</p></div></div>'
    )


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
