"""The limits of the page: what its environment says, with safe defaults.

A Space is a machine shared with strangers, so its defaults are lower.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from deeploc.errors import DeepLocError
from deeploc.media.clip import MAX_MINUTES


@dataclass(frozen=True)
class Limits:
    """`max_minutes`: longer clips are refused. `max_file_size`: of an upload, as Gradio writes it.

    `at_once`: analyses that run at a time. `waiting`: events in Gradio's queue.
    """

    max_minutes: float = MAX_MINUTES
    max_file_size: str = "500mb"
    at_once: int = 1
    waiting: int = 16


SPACE_LIMITS = Limits(max_minutes=4, max_file_size="200mb")


def limits_from(environ: Mapping[str, str] = os.environ) -> Limits:
    """The limits that the environment sets; for the others, the defaults of this machine.

    Raises `DeepLocError` for a number that is none.
    """
    default = SPACE_LIMITS if environ.get("SPACE_ID") else Limits()
    return Limits(
        _minutes(environ, "DEEPLOC_MAX_MINUTES", default.max_minutes),
        environ.get("DEEPLOC_MAX_FILE_SIZE", default.max_file_size),
        _count(environ, "DEEPLOC_AT_ONCE", default.at_once),
        _count(environ, "DEEPLOC_WAITING", default.waiting),
    )


def _minutes(environ: Mapping[str, str], name: str, default: float) -> float:
    given = environ.get(name, str(default))
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise DeepLocError(f"{name} is '{given}'. Set it to a number.")
    return number


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    given = environ.get(name, str(default))
    if not given.isdecimal() or int(given) < 1:
        raise DeepLocError(f"{name} is '{given}'. Set it to a whole number from 1 on.")
    return int(given)
