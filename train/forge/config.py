"""The settings of a corpus of forgeries, and the families that it can have."""

from __future__ import annotations

from dataclasses import dataclass, field

from train.config import SourceConfig
from train.forge.picture.families import PICTURE_FAMILIES
from train.forge.registry import Family
from train.forge.sound.families import SOUND_FAMILIES


def forging_families() -> list[Family]:
    """All registered families that forge, of the picture, then of the sound."""
    families = (*PICTURE_FAMILIES.values(), *SOUND_FAMILIES.values())
    return [family for family in families if not family.null]


def available_families() -> tuple[str, ...]:
    """The families that this machine can make."""
    return tuple(family.name for family in forging_families() if family.available)


def held_out_families() -> tuple[str, ...]:
    """The families that are registered for test clips alone."""
    return tuple(family.name for family in forging_families() if family.held_out)


def null_families() -> tuple[str, ...]:
    """The families that leave a clip authentic; each is one of the picture and one of the sound."""
    return tuple(
        name for name, family in PICTURE_FAMILIES.items() if family.null and name in SOUND_FAMILIES
    )


@dataclass(frozen=True)
class ForgeConfig(SourceConfig):
    """What decides a corpus of forgeries, beside the clips that it is made from."""

    footage: str | None = None
    """what kind of recordings the clips are, as laboratory or ordinary: stored with every clip, so
    that calibration and evaluation count each kind apart"""
    rounds: int = 1
    """how often a piece of the train split is forged"""
    speech_rounds: int = 4
    """how often a piece of speech without a picture is forged"""
    families: tuple[str, ...] = field(default_factory=available_families)
    """families that may be made; without this option all that this machine can make"""
    held_out: tuple[str, ...] = field(default_factory=held_out_families)
    """families for test clips alone"""
    null: tuple[str, ...] = field(default_factory=null_families)
    """authentic clips that were worked on: blended like forgeries (null), or encoded once more,
    whole or for a while (recoded); every third piece has one"""
    only_null: bool = False
    """make no forgeries, and of every piece all that --null names: to count false alarms"""
    splice: bool = False
    """cut the output of real generators, as the manifest lists it, into the authentic clips"""
    control: bool = False
    """with --splice: cut in the clip's own frames, only encoded once more"""
    forged_share: float = 0.5
    """the largest share of a clip that is forged"""
    height: int = 360
    """height of the pictures in pixels at most"""
    crf: tuple[int, int] = (18, 26)
    """lowest and highest CRF of H.264; all variants of a piece have the same"""

    def __post_init__(self) -> None:
        known = {family.name for family in forging_families()}
        for option, names, allowed in (
            ("--families", self.families, known),
            ("--held-out", self.held_out, known),
            ("--null", self.null, set(null_families())),
        ):
            if unknown := sorted(set(names) - allowed):
                raise ValueError(
                    f"{option} {' '.join(unknown)}: there is no such family. "
                    f"It takes {', '.join(sorted(allowed))}."
                )
        if self.control and not self.splice:
            raise ValueError("--control only works with --splice.")
