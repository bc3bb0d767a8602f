"""The registry of everyday changes: one function a kind, by name and group.

A kind is a function from a clip and a random generator to a `Change`; `everyday` registers it.
Forged and authentic clips are changed alike, so that a change is no label. Kinds that are held out
are never trained or calibrated on: they say whether a checkpoint stays quiet on what it has not
seen. Nothing here changes a clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from train.everyday.recording import Change, Recording

Group = Literal["sound", "picture", "editing", "delivery"]
MakeChange = Callable[[Recording, np.random.Generator, Recording | None], Change]


@dataclass(frozen=True)
class Kind:
    """A kind of everyday change.

    `change(recording, rng, other)` makes it: it draws from `rng` alone, so the same clip and seed
    give the same change, and writes into neither recording. `needs_other`: it is given a recording
    of somebody else, of any length and size. `held_out`: no training and no calibration sees it.
    """

    name: str
    group: Group
    change: MakeChange
    held_out: bool = False
    needs_other: bool = False


KINDS: dict[str, Kind] = {}


def everyday(
    name: str, group: Group, *, held_out: bool = False, needs_other: bool = False
) -> Callable[[MakeChange], MakeChange]:
    """Registers a function as a kind of everyday change; for the options see `Kind`."""

    def register(change: MakeChange) -> MakeChange:
        assert name not in KINDS, f"two everyday changes are called {name}"
        KINDS[name] = Kind(name, group, change, held_out, needs_other)
        return change

    return register
