"""What is to be made: pieces of authentic clips, and the variants of each.

Nothing here reads or writes a clip.
"""

from __future__ import annotations

from dataclasses import dataclass

from deeploc.media.formats import is_sound
from train.forge.config import ForgeConfig, null_families

NULL_EVERY = 3
Variant = tuple[str, tuple[str, ...]]  # its name, and the streams that are worked on
AUTHENTIC: Variant = ("authentic", ())
FORGED: tuple[Variant, ...] = (
    ("picture", ("visual",)),
    ("sound", ("audio",)),
    ("both", ("visual", "audio")),
)
FORGED_SPEECH: Variant = ("sound", ("audio",))


@dataclass(frozen=True)
class GeneratedClip:
    """A generator's version of a whole authentic clip, frame-aligned with it.

    `spans`: the generated seconds; none: all of it is generated.
    """

    path: str
    generator: str
    stream: str
    spans: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class SourceClip:
    """A piece of an authentic clip, the steps `[start, stop)` of 25 Hz, that variants are made of.

    `generated`: what `splice_source` cuts into it; none: it is forged by `forge_source`. `speech`:
    a file whose sound it gets instead of its own.
    """

    number: int
    path: str
    identity: str
    split: str
    start: int
    stop: int
    generated: tuple[GeneratedClip, ...] = ()
    speech: str | None = None

    @property
    def audio_only(self) -> bool:
        """Whether it is speech without a picture."""
        return is_sound(self.path)


@dataclass(frozen=True)
class Plan:
    """All that a worker needs: the sources, the folder of the corpus, its settings, and the file of
    a neural vocoder if there is one."""

    sources: tuple[SourceClip, ...]
    out: str
    config: ForgeConfig
    vocoder: str | None = None


def variants_of(plan: Plan, source: SourceClip) -> tuple[Variant, ...]:
    """What is made of a source beside its authentic clip."""
    config = plan.config
    streams = ("audio",) if source.audio_only else ("visual", "audio")
    nulls = tuple(
        (name, streams)
        for place, name in enumerate(null_families())
        if name in config.null
        and (config.only_null or source.number % NULL_EVERY == place % NULL_EVERY)
    )
    if config.only_null:
        return nulls
    if source.audio_only:
        return (*(FORGED_SPEECH,) * config.speech_rounds, *nulls)
    return (*FORGED, *nulls) * (config.rounds if source.split == "train" else 1)
