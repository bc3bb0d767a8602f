"""On a Hugging Face Space: limits of a shared machine, and GPUs that ZeroGPU lends for one clip.

`spaces` is imported here, before anything touches CUDA, and only where ZeroGPU is. Elsewhere this
changes nothing but the defaults.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import deeploc
from app.runtime.analysis import (
    Failure,
    Progress,
    State,
    Stopped,
    run,
)
from app.runtime.models import Models
from app.wording import NO_GPU
from deeploc.errors import (
    Cancelled,
    DeepLocError,
)
from deeploc.media.clip import open_clip
from deeploc.report import (
    ModelInfo,
    Report,
)

ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
if ZERO_GPU:
    import spaces

logger = logging.getLogger(__name__)

ALONE = {
    "DEEPLOC_MAX_FILE_SIZE": "500mb",
    "DEEPLOC_AT_ONCE": "1",
    "DEEPLOC_WAITING": "16",
}
SHARED = {
    **ALONE,
    "DEEPLOC_MAX_MINUTES": "4",
    "DEEPLOC_MAX_FILE_SIZE": "200mb",
    "OMP_WAIT_POLICY": "passive",
}
# What a clip may cost on a lent GPU: a guess on the safe side, and no more than visitors are given.
START_S, SECONDS_PER_SECOND, LONGEST_S = 15, 0.4, 120


@dataclass(frozen=True)
class Limits:
    """`max_file_size`: as Gradio writes it, "200mb". `at_once`: analyses. `waiting`: events."""

    max_file_size: str
    at_once: int
    waiting: int


def limits(environ: MutableMapping[str, str] = os.environ) -> Limits:
    """What the environment says; what it leaves open is filled in, by whether this is a Space.

    Raises `DeepLocError` for a number that is none.
    """
    for name, value in (SHARED if environ.get("SPACE_ID") else ALONE).items():
        environ.setdefault(name, value)
    return Limits(
        environ["DEEPLOC_MAX_FILE_SIZE"],
        _count(environ, "DEEPLOC_AT_ONCE"),
        _count(environ, "DEEPLOC_WAITING"),
    )


def _count(environ: MutableMapping[str, str], name: str) -> int:
    given = environ[name]
    if not given.isdecimal() or int(given) < 1:
        raise DeepLocError(f"{name} is '{given}'. Set it to a whole number from 1 on.")
    return int(given)


def gpu_seconds(
    path: str, face: int | None, inspection: Path | None, picked: str, duration_s: float
) -> float:
    """For how long a GPU is asked for, by the length of the clip."""
    return min(LONGEST_S, START_S + SECONDS_PER_SECOND * duration_s)


def placed(checkpoint: str | None, device: str) -> Models | Lent:
    """The localizers, the page's own on a checkpoint; on ZeroGPU, on GPUs that it lends."""

    def load(device: str, picked: str | None) -> Callable[..., Report]:
        localizer = deeploc.load_localizer(picked or checkpoint, device)
        localizer.warm_up()
        return localizer

    if not ZERO_GPU:
        return Models(partial(load, device))
    return Lent(Models(partial(load, "cpu")), "cuda" if device == "auto" else device)


class Lent:
    """`Models` whose work is done in another process, on a GPU that is lent for one clip.

    `models` are on the CPU, for when no GPU is to be had. `gpu`: the decorator `spaces.GPU`. The
    other process is forked from this one, so the model is there already; only what `_analyse` is
    called with and what it yields is sent. A hook that raises `Cancelled` closes the iteration,
    which ends the other process's work at its next step.
    """

    def __init__(
        self, models: Models, device: str, gpu: Callable[..., Callable] | None = None
    ) -> None:
        self.models = models
        self.ready = models.ready
        self.device = device
        self._lent = (gpu or spaces.GPU)(duration=gpu_seconds)(self._analyse)

    @property
    def info(self) -> ModelInfo | None:
        return self.models.info

    @property
    def notice(self) -> str:
        return self.models.notice

    def _analyse(
        self, path: str, face: int | None, inspection: Path | None, picked: str, duration_s: float
    ) -> Iterator[State]:
        """In the other process: progress with the curve so far, then the outcome."""
        localizer = partial(self.ready(picked).on(self.device), inspection=inspection)  # type: ignore[attr-defined]
        yield from run(localizer, path, face, threading.Event())

    def __call__(
        self,
        path: str | Path,
        picked: str = "",
        hook: Callable = lambda *_: None,
        face: int | None = None,
        inspection: Path | None = None,
        preview: Callable | None = None,
    ) -> Report:
        """As `Models.__call__`."""
        here = self.ready(picked)
        duration_s = open_clip(path).info.duration_s  # a clip that can't be read costs no GPU
        try:
            with closing(self._lent(str(path), face, inspection, picked, duration_s)) as states:
                return _followed(states, hook, preview)
        except (Cancelled, DeepLocError):
            raise
        except Exception as error:  # the quota is used up, the time is over, the queue is full, ...
            logger.warning("no GPU was lent: %s", error)
        report = here(path, hook=hook, face=face, inspection=inspection, preview=preview)
        return replace(report, warnings=(NO_GPU, *report.warnings))


def _followed(states: Iterator[State], hook: Callable, preview: Callable | None) -> Report:
    """Passes progress on; the report, or the failure as the error that it was."""
    for state in states:
        if isinstance(state, Report):
            return state
        if isinstance(state, Failure):
            raise DeepLocError(state.message)
        if isinstance(state, Stopped):
            break
        if isinstance(state, Progress):
            hook(state.stage, state.completed, state.total)
            if preview and state.errors:
                preview(0, max(map(len, state.errors.values())), state.errors)
    raise RuntimeError("the work on the lent GPU ended without a report")
