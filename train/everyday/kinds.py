"""All kinds of everyday change, and which of them no training and no calibration sees.

It knows neither how a kind changes a clip nor how changed clips are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from train.data.cache import CachedClip
from train.everyday import (  # noqa: F401  imported for the kinds that they register
    camera,
    delivery,
    editing,
    noises,
    overlays,
    picture,
    silence,
    sound,
)
from train.everyday.registry import KINDS


def is_held_out(kind: str | None) -> bool:
    """Whether no training and no calibration may see a kind. One that is not known here counts as
    held out; no change at all does not."""
    return kind is not None and (kind not in KINDS or KINDS[kind].held_out)


def without_held_out(clips: Iterable[CachedClip]) -> list[CachedClip]:
    """The clips that training and calibration may see; says how many it leaves out of which
    kinds."""
    kept: list[CachedClip] = []
    left_out: Counter[str] = Counter()
    for clip in clips:
        kind = clip.annotation.change
        if kind is not None and is_held_out(kind):
            left_out[kind] += 1
        else:
            kept.append(clip)
    if left_out:
        print(f"Left out {left_out.total()} clips of held-out kinds: {', '.join(sorted(left_out))}")
    return kept
