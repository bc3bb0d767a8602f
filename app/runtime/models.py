"""Which model analyses: the page's own, loaded beside the page, or another that a visitor picks.

Examples, labelling and saved reports need none; an analysis waits for its own. What a visitor may
pick has a name in `assets/models.json`, or is a repository on the Hub: never a path.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from threading import Lock, Thread
from typing import Generic, Protocol, TypeVar

from app.wording import BROKEN, INSTEAD, NO_SUCH_MODEL, UNAVAILABLE
from deeploc.analyzer import Analyzer
from deeploc.errors import BadCheckpoint, DeepLocError
from deeploc.report import ModelInfo

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "assets" / "models.json"
REPOSITORY = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(@[\w][\w./-]*)?")
MAX_PICKED = 2  # models in memory, beside the page's own

AnyAnalyzer = TypeVar("AnyAnalyzer", bound=Analyzer)


class ModelSource(Protocol):
    """Where the page gets its analyzers from."""

    @property
    def info(self) -> ModelInfo | None:
        """Which checkpoint the page's own is; None while nobody knows, or if there is none."""

    @property
    def notice(self) -> str:
        """What everybody should know about the page's own model, in a sentence, or nothing."""

    def ready(self, picked: str = "") -> Analyzer:
        """The analyzer of a name or repository, "" for the page's own, as soon as it is there.

        Raises `DeepLocError` if it can't be had.
        """


def manifest() -> dict[str, str]:
    """Names to pick from -> the checkpoint, the embedded one first."""
    listed = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return {item["name"]: str(ROOT / item["checkpoint"]) for item in listed}


class Models(Generic[AnyAnalyzer]):
    """The `ModelSource` whose analyzers `load(checkpoint)` makes.

    The page's own, `load(None)`, is loaded at once, in a thread of its own. Where that fails the
    embedded one stands in.
    """

    def __init__(self, load: Callable[[str | None], AnyAnalyzer]) -> None:
        self._load = load
        self._picked = lru_cache(MAX_PICKED)(load)
        self._lock = Lock()
        self._own: Future[AnyAnalyzer] = Future()
        self._notice = ""
        Thread(target=self._begin, name="load", daemon=True).start()

    def _begin(self) -> None:
        try:
            try:
                self._own.set_result(self._load(None))
            except DeepLocError as error:
                print(f"deeploc: {error}", flush=True)
                embedded = self._load(next(iter(manifest().values())))
                self._notice = INSTEAD.format(reason=error)
                self._own.set_result(embedded)
        except DeepLocError as error:
            self._own.set_exception(DeepLocError(UNAVAILABLE.format(reason=error)))
        except Exception:
            logger.exception("the model could not be loaded")
            self._own.set_exception(DeepLocError(UNAVAILABLE.format(reason=BROKEN)))

    @property
    def info(self) -> ModelInfo | None:
        if not self._own.done() or self._own.exception():
            return None
        return self._own.result().info

    @property
    def notice(self) -> str:
        error = self._own.exception() if self._own.done() else None
        return self._notice if error is None else str(error)

    def ready(self, picked: str = "") -> AnyAnalyzer:
        if not picked:
            return self._own.result()
        source = manifest().get(picked)
        if source is None and not REPOSITORY.fullmatch(picked):
            raise BadCheckpoint(NO_SUCH_MODEL.format(name=picked))
        with self._lock:
            return self._picked(source or picked)
