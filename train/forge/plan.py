"""What is to be forged: chunks of authentic clips, and the variants that are made of each.

Nothing here reads or writes a clip.
"""

from __future__ import annotations

from dataclasses import dataclass

from deeploc.media.formats import is_sound

NULL_EVERY = 3
Variant = tuple[str, tuple[str, ...]]
AUTHENTIC: Variant = ("authentic", ())
NULLS = ("null", "recoded")  # families that leave a clip authentic
FORGED: tuple[Variant, ...] = (
    ("picture", ("visual",)),
    ("sound", ("audio",)),
    ("both", ("visual", "audio")),
)
SPOKEN: Variant = ("sound", ("audio",))


@dataclass(frozen=True)
class Fake:
    """A generator's version of a whole authentic clip, frame-aligned with it.

    `spans`: the edited seconds; none: all of it is generated.
    """

    path: str
    family: str
    stream: str
    spans: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Chunk:
    """A stretch of an authentic clip, in steps of 25 Hz.

    `fakes`: what `forge_splice` cuts into it; none: it is forged by `forge_chunk`. `speech`: a file
    whose sound it gets instead of its own.
    """

    number: int
    path: str
    identity: str
    split: str
    start: int
    stop: int
    fakes: tuple[Fake, ...] = ()
    speech: str | None = None

    @property
    def unseen(self) -> bool:
        """Whether it is speech without a picture."""
        return is_sound(self.path)


@dataclass(frozen=True)
class Plan:
    """All that a worker needs: the chunks, where forgeries go, what they may use, how often each
    chunk of the train split is forged, that of speech too, the file of a neural vocoder, and which
    `NULLS` there are: every third chunk has one, or with `only_nulls` every chunk all of them and
    no forgery.
    """

    chunks: tuple[Chunk, ...]
    out: str
    seed: int
    unseen: tuple[str, ...]
    rounds: int = 1
    speech_rounds: int = 1
    vocoder: str | None = None
    nulls: tuple[str, ...] = NULLS
    only_nulls: bool = False


def variants_of(plan: Plan, chunk: Chunk) -> tuple[Variant, ...]:
    """What is made of a chunk beside its authentic clip."""
    streams = ("audio",) if chunk.unseen else ("visual", "audio")
    nulls = tuple(
        (name, streams)
        for place, name in enumerate(NULLS)
        if name in plan.nulls and (plan.only_nulls or chunk.number % NULL_EVERY == place)
    )
    if plan.only_nulls:
        return nulls
    if chunk.unseen:
        return (*(SPOKEN,) * plan.speech_rounds, *nulls)
    return (*FORGED, *nulls) * (plan.rounds if chunk.split == "train" else 1)
