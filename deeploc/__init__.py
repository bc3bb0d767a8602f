"""DeepLoc: when was this talking-face clip forged, in picture and in sound?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeploc.errors import Cancelled, DeepLocError
    from deeploc.localizer import Localizer, load_localizer
    from deeploc.report import Localization, Report
    from deeploc.scores import FrameScores
    from deeploc.timeline import FrameGrid, Segment, Timeline

_HOMES = {
    "errors": ("Cancelled", "DeepLocError"),
    "localizer": ("Localizer", "load_localizer"),
    "report": ("Localization", "Report"),
    "scores": ("FrameScores",),
    "timeline": ("FrameGrid", "Segment", "Timeline"),
}
__all__ = [name for names in _HOMES.values() for name in names]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `--help` need not wait for torch."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"deeploc.{module}"), name)
    raise AttributeError(f"module 'deeploc' has no attribute {name!r}")
