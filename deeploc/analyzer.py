"""The contract of analysing: the path of a clip goes in, a `Report` comes out.

`deeploc.Localizer` keeps it, and so may whatever stands in for one: a remote worker, a fake in a
test. The page and the command line know no more than this. Nothing here loads torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from deeploc.report import ModelInfo, Report

STAGES = ("decode", "faces", "reconstruct", "discover")


class ProgressHook(Protocol):
    """Called as `hook(stage, completed, total)`; it may raise `Cancelled` to stop the run.

    `stage` is one of `STAGES`. `completed` of `total` 25 Hz steps are done in it.
    """

    def __call__(self, stage: str, completed: int, total: int) -> None: ...


class ErrorPreview(Protocol):
    """Called as `preview(start, total, errors)` with the finished steps from `start` of `total`.

    `errors`: stream -> `(n,)` error as a multiple of the authentic p95, NaN where unscored.
    """

    def __call__(self, start: int, total: int, errors: dict[str, np.ndarray]) -> None: ...


def ignore_progress(stage: str, completed: int, total: int) -> None:
    """The hook that does nothing."""


class Analyzer(Protocol):
    """`analyzer(path) -> Report`: finds the forged intervals of one clip.

    `info` says which checkpoint it works with.
    """

    @property
    def info(self) -> ModelInfo: ...

    def __call__(
        self,
        path: str | Path,
        hook: ProgressHook = ignore_progress,
        face: int | None = None,
        inspection: str | Path | None = None,
        preview: ErrorPreview | None = None,
    ) -> Report:
        """Analyse the clip at `path`.

        `hook` hears of the progress. `face`: the number of the face to score, by default the
        longest-present largest one. `inspection`: a folder in which an mp4 of what the MAE rebuilt
        is kept. `preview` is shown the curve of errors as it grows. Raises `DeepLocError` with a
        sentence for the user.
        """
