"""A localizer that is still being loaded: the page answers before it is there, and without it.

Examples, labelling and saved reports need none; an analysis waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

from app.text import BROKEN, UNAVAILABLE
from deeploc.errors import DeepLocError
from deeploc.report import ModelInfo, Report

logger = logging.getLogger(__name__)


class Awaited:
    """Stands where the localizer will be; `load()` is called at once, in a thread of its own."""

    def __init__(self, load: Callable[[], Callable[..., Report]]) -> None:
        self._loaded: Future[Callable[..., Report]] = Future()
        Thread(target=self._load, args=(load,), name="load", daemon=True).start()

    def _load(self, load: Callable[[], Callable[..., Report]]) -> None:
        try:
            self._loaded.set_result(load())
        except DeepLocError as error:
            print(f"deeploc: {error}", flush=True)
            self._loaded.set_exception(DeepLocError(UNAVAILABLE.format(reason=error)))
        except Exception:
            logger.exception("the model could not be loaded")
            self._loaded.set_exception(DeepLocError(UNAVAILABLE.format(reason=BROKEN)))

    @property
    def info(self) -> ModelInfo | None:
        """Which checkpoint it is; None while nobody knows, or if there is none."""
        return None if self.notice or not self._loaded.done() else self.ready().info  # type: ignore[attr-defined]

    @property
    def notice(self) -> str:
        """Why there is no model, in a sentence for everybody; empty while there may be one."""
        error = self._loaded.exception() if self._loaded.done() else None
        return "" if error is None else str(error)

    def ready(self) -> Callable[..., Report]:
        """The localizer, as soon as it is there. Raises `DeepLocError` if it could not be had."""
        return self._loaded.result()

    def __call__(self, path: object, **options: object) -> Report:
        return self.ready()(path, **options)
