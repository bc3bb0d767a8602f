"""On a Hugging Face Space: the models, on GPUs that ZeroGPU lends for one clip at a time.

`spaces` is imported here, before anything touches CUDA, and only where ZeroGPU is. Elsewhere
the models work on this machine's own devices.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import deeploc
from app.runtime.analysis import Failure, Progress, State, Stopped, run
from app.runtime.models import Models, ModelSource
from app.wording import NO_GPU
from deeploc.analyzer import Analyzer, ErrorPreview, ProgressHook, ignore_progress
from deeploc.errors import Cancelled, DeepLocError
from deeploc.media.clip import MAX_MINUTES, open_clip
from deeploc.report import ModelInfo, Report

ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
if ZERO_GPU:
    import spaces

logger = logging.getLogger(__name__)

# What a clip may cost on a lent GPU: a guess on the safe side, and no more than visitors are given.
START_S, SECONDS_PER_SECOND, LONGEST_S = 15, 0.4, 120


def gpu_seconds(
    path: str, face: int | None, inspection: Path | None, picked: str, duration_s: float
) -> float:
    """For how long a GPU is asked for, by the length of the clip."""
    return min(LONGEST_S, START_S + SECONDS_PER_SECOND * duration_s)


def model_source(
    checkpoint: str | None, device: str, max_minutes: float = MAX_MINUTES
) -> ModelSource:
    """The models, the page's own on a checkpoint; on ZeroGPU, on GPUs that it lends."""
    if os.environ.get("SPACE_ID"):  # OpenMP reads it when torch is loaded, and nowhere else
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    def load(device: str, picked: str | None) -> deeploc.Localizer:
        localizer = deeploc.load_localizer(picked or checkpoint, device, max_minutes=max_minutes)
        localizer.warm_up()
        return localizer

    if not ZERO_GPU:
        return Models(partial(load, device))
    gpu_device = "cuda" if device == "auto" else device
    return ZeroGpuModels(Models(partial(load, "cpu")), gpu_device, max_minutes)


class MovableAnalyzer(Analyzer, Protocol):
    """An analyzer whose model can move to another device."""

    def to(self, device: str) -> Analyzer: ...


class ZeroGpuModels:
    """The `ModelSource` whose analyses run in another process, on a GPU lent for one clip.

    `models` are on the CPU, for when no GPU is to be had. `gpu`: the decorator `spaces.GPU`. The
    other process is forked from this one, so the model is there already; only what `_analyse` is
    called with and what it yields is sent.
    """

    def __init__(
        self,
        models: Models[MovableAnalyzer],
        device: str,
        max_minutes: float = MAX_MINUTES,
        gpu: Callable[..., Callable] | None = None,
    ) -> None:
        self.models = models
        self.device = device
        self.max_minutes = max_minutes
        self.analyse_on_gpu = (gpu or spaces.GPU)(duration=gpu_seconds)(self._analyse)

    @property
    def info(self) -> ModelInfo | None:
        return self.models.info

    @property
    def notice(self) -> str:
        return self.models.notice

    def ready(self, picked: str = "") -> Analyzer:
        return ZeroGpuAnalyzer(self, picked, self.models.ready(picked))

    def _analyse(
        self, path: str, face: int | None, inspection: Path | None, picked: str, duration_s: float
    ) -> Iterator[State]:
        """In the other process: progress with the curve so far, then the outcome."""

        def ready() -> Analyzer:
            return self.models.ready(picked).to(self.device)

        yield from run(ready, path, face, threading.Event(), inspection=inspection)


class ZeroGpuAnalyzer:
    """The `Analyzer` of one model: on a lent GPU, or by `on_cpu` where none is to be had.

    A hook that raises `Cancelled` closes the iteration, which ends the other process's work at its
    next step.
    """

    def __init__(self, models: ZeroGpuModels, picked: str, on_cpu: Analyzer) -> None:
        self.models = models
        self.picked = picked
        self.on_cpu = on_cpu

    @property
    def info(self) -> ModelInfo:
        return self.on_cpu.info

    def __call__(
        self,
        path: str | Path,
        hook: ProgressHook = ignore_progress,
        face: int | None = None,
        inspection: str | Path | None = None,
        preview: ErrorPreview | None = None,
    ) -> Report:
        clip = open_clip(path, self.models.max_minutes)  # one that can't be read costs no GPU
        given = str(path), face, inspection, self.picked, clip.info.duration_s
        try:
            with closing(self.models.analyse_on_gpu(*given)) as states:
                return _follow(states, hook, preview)
        except (Cancelled, DeepLocError):
            raise
        except Exception as error:  # the quota is used up, the time is over, the queue is full, ...
            logger.warning("no GPU was lent: %s", error)
        report = self.on_cpu(path, hook=hook, face=face, inspection=inspection, preview=preview)
        return replace(report, warnings=(NO_GPU, *report.warnings))


def _follow(states: Iterator[State], hook: ProgressHook, preview: ErrorPreview | None) -> Report:
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
