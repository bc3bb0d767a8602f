"""One analysis in a worker thread: progress comes out, a stop goes in. No Gradio here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

import numpy as np

from app.runtime.queue import AnalysisQueue
from app.wording import BROKEN
from deeploc.analyzer import STAGES, Analyzer
from deeploc.errors import Cancelled, DeepLocError
from deeploc.report import Report

logger = logging.getLogger(__name__)

POLL_S = 0.1
REFRESH_S = 0.5  # a running stage is shown again at least this often, so that its clock moves
WEIGHTS = {"decode": 0.02, "faces": 0.32, "reconstruct": 0.64, "discover": 0.02}
EARLIEST_ETA_S = 1.0
STEPS_HZ = 25.0


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps done of a stage, seconds since the start, rough seconds to go.

    `rate`: seconds of work for a second of clip in this stage; None while nothing can be said.
    `errors`: stream -> `(T,)` error over the authentic p95, NaN where it is not known yet.
    """

    stage: str
    completed: int
    total: int
    elapsed_s: float
    remaining_s: float | None = None
    rate: float | None = None
    errors: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Queued:
    """Others go first: how many, and how many there are in all."""

    before: int
    total: int


@dataclass(frozen=True)
class Failure:
    """Why there is no report, in one sentence for the user."""

    message: str


@dataclass(frozen=True)
class Stopped:
    """The user stopped the run."""


Outcome = Report | Failure | Stopped
State = Progress | Queued | Outcome
Step = tuple[str, int, int]  # stage, completed, total: what an analyzer tells its hook
Messages = Queue[Step | Outcome]


class ErrorCurves:
    """The error of each stream as far as it is known: filled by the worker, read by the page."""

    def __init__(self) -> None:
        self.errors: dict[str, np.ndarray] = {}

    def __call__(self, start: int, total: int, errors: dict[str, np.ndarray]) -> None:
        for stream, values in errors.items():
            curve = self.errors.setdefault(stream, np.full(total, np.nan, np.float32))
            curve[start : start + len(values)] = values


def run(
    ready: Callable[[], Analyzer],
    path: str,
    face: int | None,
    stop: threading.Event,
    queue: AnalysisQueue | None = None,
    inspection: Path | None = None,
) -> Iterator[State]:
    """Yields `Queued` and `Progress` while it lasts, then one of the others. Never raises.

    `ready` gives the analyzer; it is called in the worker thread, and may take its time.
    `inspection`: as for an `Analyzer`, which gets `face` too.
    Setting `stop` ends the iteration at once and the work at its next step. So does closing it.
    """
    ended = threading.Event()

    def stopped() -> bool:
        return stop.is_set() or ended.is_set()

    messages: Messages = Queue()
    curves, queue = ErrorCurves(), queue or AnalysisQueue()
    ticket = queue.join()

    def hook(stage: str, completed: int, total: int) -> None:
        if stopped():
            raise Cancelled
        messages.put((stage, completed, total))

    def analyse() -> Report:
        return ready()(path, hook=hook, face=face, inspection=inspection, preview=curves)

    def work() -> None:
        with queue.turn(ticket, stopped) as its_turn:
            messages.put(_outcome(analyse) if its_turn else Stopped())

    context = copy_context()  # says whose request it is: lent GPUs are counted by visitor
    threading.Thread(target=context.run, args=(work,), name="analysis", daemon=True).start()
    try:
        yield from _wait_for_turn(queue, ticket, stop)
        yield from _follow_messages(messages, stop, curves)
    finally:
        ended.set()


def _outcome(analyse: Callable[[], Report]) -> Outcome:
    try:
        return analyse()
    except Cancelled:
        return Stopped()
    except DeepLocError as error:
        return Failure(str(error))
    except Exception:
        logger.exception("the analysis of a clip failed")
        return Failure(BROKEN)


def _wait_for_turn(queue: AnalysisQueue, ticket: object, stop: threading.Event) -> Iterator[Queued]:
    shown = None
    while not stop.is_set():
        before, total = queue.place(ticket)
        if not before:
            return
        if (before, total) != shown:
            shown = before, total
            yield Queued(before, total)
        time.sleep(POLL_S)


def _follow_messages(
    messages: Messages, stop: threading.Event, curves: ErrorCurves
) -> Iterator[Progress | Outcome]:
    begin = shown = since = time.monotonic()
    latest: Step = (STAGES[0], 0, 1)
    yield Progress(*latest, 0.0)
    while not stop.is_set():
        item = _newest_message(messages)
        now = time.monotonic()
        if item is not None and not isinstance(item, tuple):
            yield item
            return
        if item or now - shown > REFRESH_S:
            since = now if item and item[0] != latest[0] else since
            latest, shown = item or latest, now
            left = estimate_remaining_s(*latest, now - begin)
            rate = work_rate(latest[1], latest[2], now - since)
            yield Progress(*latest, now - begin, left, rate, dict(curves.errors))
    yield Stopped()


def _newest_message(messages: Messages) -> Step | Outcome | None:
    """The last progress that is there, or the outcome; None when nothing came for a while."""
    try:
        item = messages.get(timeout=POLL_S)
        while isinstance(item, tuple) and not messages.empty():
            item = messages.get_nowait()
    except Empty:
        return None
    return item


def estimate_remaining_s(stage: str, completed: int, total: int, elapsed_s: float) -> float | None:
    """Rough seconds to go, from the usual share of each stage; None while nothing can be said."""
    names = list(WEIGHTS)
    if stage not in WEIGHTS or elapsed_s < EARLIEST_ETA_S:
        return None
    before = sum(WEIGHTS[name] for name in names[: names.index(stage)])
    done = before + WEIGHTS[stage] * completed / max(total, 1)
    return elapsed_s * (1 - done) / done if done > 0.05 else None


def work_rate(completed: int, total: int, elapsed_s: float) -> float | None:
    """Work for a second of clip, of a stage that counts steps; None while nothing can be said."""
    if total <= 1 or completed < 1 or elapsed_s < EARLIEST_ETA_S:
        return None
    return elapsed_s / (completed / STEPS_HZ)


class Sessions:
    """The running analysis of each visitor, so that Cancel and leaving the page can stop it."""

    def __init__(self) -> None:
        self._stops: dict[str, threading.Event] = {}

    def begin(self, session: str) -> threading.Event:
        """A fresh stop for a visitor's new run; an older run of theirs ends."""
        self.stop(session)
        self._stops[session] = threading.Event()
        return self._stops[session]

    def stop(self, session: str) -> None:
        stop = self._stops.pop(session, None)
        if stop is not None:
            stop.set()
