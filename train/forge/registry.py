"""The registry of forgery families: one way of forging each, by name and stream.

A family is a function from an edit and a random generator to the forged pixels or samples and the
parameters that it drew; `picture_family` or `sound_family` registers it. What is registered takes
part in every corpus that is made from then on. The order of registration decides which family a
seed draws. Nothing here forges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from train.forge.picture.blending import PictureEdit
from train.forge.picture.face import Region
from train.forge.sound.splicing import SoundEdit

Params = dict[str, Any]
Donor = Literal["nobody", "same person", "other person"]
ForgePicture = Callable[[PictureEdit, np.random.Generator], tuple[np.ndarray, Params]]
ForgeSound = Callable[[SoundEdit, np.random.Generator], tuple[np.ndarray, Params]]


@dataclass(frozen=True)
class Requirement:
    """A program or package that a family needs, and whether this machine has it."""

    name: str
    is_installed: Callable[[], bool]


@dataclass(frozen=True)
class Family:
    """When a family may be drawn, and from whom it takes material.

    `weight`: how often it is drawn, beside the other families of its stream. `held_out`: it is for
    test clips alone, unless the settings of a corpus say otherwise. `null`: it leaves a clip
    authentic, and is only made where null forgeries are asked for. `donor`: whose clip it is given;
    "same person" is another clip of that person, for half of the forgeries.
    """

    name: str
    weight: float = 1.0
    held_out: bool = False
    null: bool = False
    donor: Donor = "nobody"
    requires: Requirement | None = None

    @property
    def available(self) -> bool:
        """Whether this machine has what the family needs."""
        return self.requires is None or self.requires.is_installed()


@dataclass(frozen=True, kw_only=True)
class PictureFamily(Family):
    """A family of the picture.

    `region`: the part of the face that it replaces; None: it changes whole frames. `dubbed_with`:
    the family of the sound that takes the same moments of the same donor, where a clip is dubbed.
    """

    forge: ForgePicture
    region: Region | None
    dubbed_with: str | None = None


@dataclass(frozen=True, kw_only=True)
class SoundFamily(Family):
    """A family of the sound."""

    forge: ForgeSound


PICTURE_FAMILIES: dict[str, PictureFamily] = {}
SOUND_FAMILIES: dict[str, SoundFamily] = {}


def picture_family(
    name: str,
    region: Region | None,
    *,
    weight: float = 1.0,
    held_out: bool = False,
    null: bool = False,
    donor: Donor = "nobody",
    dubbed_with: str | None = None,
    requires: Requirement | None = None,
) -> Callable[[ForgePicture], ForgePicture]:
    """Registers a function as a family of the picture; for the options see `PictureFamily`."""

    def register(forge: ForgePicture) -> ForgePicture:
        assert name not in PICTURE_FAMILIES, f"two families of the picture are called {name}"
        PICTURE_FAMILIES[name] = PictureFamily(
            name,
            weight,
            held_out,
            null,
            donor,
            requires,
            forge=forge,
            region=region,
            dubbed_with=dubbed_with,
        )
        return forge

    return register


def sound_family(
    name: str,
    *,
    weight: float = 1.0,
    held_out: bool = False,
    null: bool = False,
    donor: Donor = "nobody",
    requires: Requirement | None = None,
) -> Callable[[ForgeSound], ForgeSound]:
    """Registers a function as a family of the sound; for the options see `Family`."""

    def register(forge: ForgeSound) -> ForgeSound:
        assert name not in SOUND_FAMILIES, f"two families of the sound are called {name}"
        SOUND_FAMILIES[name] = SoundFamily(
            name, weight, held_out, null, donor, requires, forge=forge
        )
        return forge

    return register
