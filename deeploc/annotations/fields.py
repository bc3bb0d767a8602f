"""Checked fields of plain data: of JSON objects, and of the rows of a table.

Every function raises `ValueError` that names the field, its value and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from deeploc.annotations.annotation import ORIGINS, STATUSES
from deeploc.scores import STREAMS, Stream

Value = TypeVar("Value", bound=str)
Row = Mapping[str, Any]


def require_object(row: Any) -> Row:
    """The row, which has to be an object."""
    if not isinstance(row, Mapping):
        raise ValueError(f"expected an object, got {row!r:.40}")
    return row


def list_field(row: Row, key: str) -> list[Any]:
    """A list; the empty one where the key is missing."""
    value = row.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} is no list")
    return value


def text_field(row: Row, key: str) -> str:
    """Text without halves of characters, which no file can hold; "" where there is none."""
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r:.40}, expected text")
    return value.encode("utf-8", "ignore").decode()


def choice_field(row: Row, key: str, known: tuple[Value, ...], default: Value) -> Value:
    """One of the known values; `default` where there is none."""
    value = row.get(key) or default
    for one in known:
        if value == one:
            return one
    raise ValueError(f"{key} is {value!r:.40}, expected one of {', '.join(known)}")


def stream_field(row: Row, key: str = "stream") -> Stream:
    return choice_field(row, key, STREAMS, "fused")


@overload
def number_field(row: Row, key: str) -> float: ...
@overload
def number_field(
    row: Row, key: str, least: float = ..., most: float | None = ..., *, optional: bool
) -> float | None: ...


def number_field(
    row: Row, key: str, least: float = 0, most: float | None = None, *, optional: bool = False
) -> float | None:
    """A finite number from `least` to `most`; None where it is missing and `optional`."""
    value = row.get(key)
    if optional and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} is {value!r:.40}, expected a number")
    if value < least or (most is not None and value > most):
        raise ValueError(
            f"{key} is {value:g}, expected {least:g} {f'to {most:g}' if most else 'or more'}"
        )
    return value


def interval_details(row: Row) -> dict[str, Any]:
    """Origin, status, score, confidence and note of an interval, as arguments of `Interval`."""
    return {
        "origin": choice_field(row, "origin", ORIGINS, "file"),
        "status": choice_field(row, "status", STATUSES, "added"),
        "score": number_field(row, "score", most=1, optional=True),
        "confidence": number_field(row, "confidence", most=1, optional=True),
        "note": text_field(row, "note"),
    }
