"""Intervals in tiers, for formats where those of one tier must not overlap."""

from __future__ import annotations

from collections.abc import Iterable

from deeploc.annotations.annotation import Interval
from deeploc.scores import STREAMS


def assign_tiers(intervals: Iterable[Interval]) -> dict[str, list[Interval]]:
    """Sorted intervals by tier: one for each stream, and "visual 2", ... where they overlap."""
    tiers: dict[str, list[Interval]] = {stream: [] for stream in STREAMS}
    for interval in intervals:
        number = 1
        while True:
            name = interval.stream if number == 1 else f"{interval.stream} {number}"
            tier = tiers.setdefault(name, [])
            if not tier or tier[-1].end_s <= interval.start_s:
                tier.append(interval)
                break
            number += 1
    return tiers
