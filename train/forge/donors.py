"""Whose face or voice a forgery takes: somebody of the same split, or the same person again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deeploc.errors import DeepLocError
from train.forge.picture.face import head_turn
from train.forge.plan import Plan, SourceClip
from train.forge.recording import Recording, load_recording
from train.forge.registry import Family, PictureFamily

SIMILAR_TURN = 0.1
OTHER_RECORDING_SHARE = 0.5  # of forgeries that take the same person from another clip


def other_people(plan: Plan, source: SourceClip) -> list[SourceClip]:
    """Sources of the same split and kind by anybody else."""
    return [
        other
        for other in plan.sources
        if other.split == source.split
        and other.identity != source.identity
        and other.audio_only == source.audio_only
    ]


def choose_donor(
    plan: Plan, source: SourceClip, recording: Recording, family: Family, rng: np.random.Generator
) -> Recording | None:
    """The recording that the family takes its material from; None: the clip itself.

    Faces are swapped with somebody who holds the head in much the same way, if one is soon found.
    """
    if family.donor == "other person":
        tried = _load_some(plan, other_people(plan, source), 4, rng)
        if isinstance(family, PictureFamily):
            return _most_alike(recording, tried)
        return next(tried, None)
    if family.donor == "same person" and rng.random() < OTHER_RECORDING_SHARE:
        own = [
            other
            for other in plan.sources
            if other.identity == source.identity
            and other != source
            and other.audio_only == source.audio_only
        ]
        return next(_load_some(plan, own, 2, rng), None)
    return None


def _most_alike(recording: Recording, tried: Iterator[Recording]) -> Recording | None:
    best, smallest = None, np.inf
    turn = _head_turn(recording)
    for donor in tried:
        gap = abs(_head_turn(donor) - turn)
        if gap < smallest:
            best, smallest = donor, gap
        if gap < SIMILAR_TURN:
            break
    return best


def _head_turn(recording: Recording) -> float:
    assert recording.video
    return head_turn(recording.video, 0, len(recording.audio))


def _load_some(
    plan: Plan, candidates: list[SourceClip], most: int, rng: np.random.Generator
) -> Iterator[Recording]:
    """Up to `most` of the candidates in random order; those that can't be used are left out."""
    for index in rng.permutation(len(candidates))[:most]:
        try:
            yield load_recording(candidates[index], plan.config.seed, plan.config.height)
        except DeepLocError:
            continue
