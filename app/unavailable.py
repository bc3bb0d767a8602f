"""The page without a model: examples, labelling and saved reports still work."""

from __future__ import annotations

from app.text import UNAVAILABLE
from deeploc.errors import DeepLocError
from deeploc.report import Report


class Unavailable:
    """Stands where the localizer would; analyses nothing, and says why."""

    def __init__(self, reason: str) -> None:
        self.notice = UNAVAILABLE.format(reason=reason)

    def __call__(self, path: object, **_: object) -> Report:
        raise DeepLocError(self.notice)
