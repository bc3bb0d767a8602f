"""DeepLoc: when was this talking-face clip forged, in picture and in sound?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeploc.errors import (
        Cancelled,
        DeepLocError,
    )
    from deeploc.localizer import (
        Localizer,
        load_localizer,
    )
    from deeploc.report import (
        Localization,
        Report,
    )
    from deeploc.timeline import (
        Segment,
        Timeline,
    )

__version__ = "0.2.0"
__all__ = [
    "Cancelled",
    "DeepLocError",
    "Localization",
    "Localizer",
    "Report",
    "Segment",
    "Timeline",
    "load_localizer",
]
_MODULES = ("errors", "timeline", "report", "localizer")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `--help` need not wait for torch."""
    if name in __all__:
        for module in (import_module(f"deeploc.{home}") for home in _MODULES):
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module 'deeploc' has no attribute {name!r}")
