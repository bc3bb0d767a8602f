"""The sources of a corpus: authentic clips and speech, cut into pieces of a few seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deeploc.errors import DeepLocError
from deeploc.media.clip import VIDEO_RATE_HZ, open_clip
from deeploc.media.formats import SOUND_SUFFIXES, is_sound
from deeploc.preprocess.audio import STEP_SAMPLES
from train.config import SourceConfig
from train.data.sound_files import read_sound
from train.data.splits import split_identities
from train.forge.manifest import generated_identities, list_clips, read_manifest
from train.forge.plan import SourceClip

MIN_SOURCE_S = 2.5
Piece = tuple[str, int, int]  # path, first step, step after the last


@dataclass(frozen=True)
class SourceFolders:
    """Where the clips lie that a corpus is made from."""

    authentic: Path | None = None
    """folder of talking clips"""
    speech: Path | None = None
    """folder of speech without pictures, for the train split alone"""
    manifest: Path | None = None
    """CSV: path, label, identity, has_audio; for generators' output also modified, generator, pair,
    segments"""


def list_sources(folders: SourceFolders, config: SourceConfig) -> list[SourceClip]:
    """All sources of the folders; people with generated clips are in no train split."""
    held_out = set()
    if folders.manifest:
        held_out = generated_identities(read_manifest(folders.manifest))
    sources: list[SourceClip] = []
    if folders.authentic:
        clips = list_clips(folders.authentic, folders.manifest)
        sources = cut_clips(clips, config, held_out)
    if folders.speech:
        speech = list_clips(folders.speech, folders.manifest, SOUND_SUFFIXES)
        others = held_out | {source.identity for source in sources if source.split != "train"}
        sources += cut_speech(speech, config, others, len(sources))
    return sources


def cut_clips(
    clips: list[tuple[Path, str]], config: SourceConfig, held_out: Collection[str] = ()
) -> list[SourceClip]:
    """Pieces of at least 2.5 s of the clips of each identity, in a fixed order, split by person.

    Identities in `held_out` are never in the train split.
    """
    pieces = _pieces(clips, config.clip_seconds)
    return _choose(pieces, split_identities(pieces, config.seed, held_out), config, 0)


def cut_speech(
    speech: list[tuple[Path, str]], config: SourceConfig, left_out: Collection[str], first: int
) -> list[SourceClip]:
    """The same of speech without pictures, all in the train split, numbered from `first` on.

    `left_out`: people who are in another split, or known to generators.
    """
    known = [(path, identity) for path, identity in speech if identity not in left_out]
    pieces = _pieces(known, config.clip_seconds)
    return _choose(pieces, dict.fromkeys(pieces, "train"), config, first)


def _pieces(clips: list[tuple[Path, str]], clip_seconds: float) -> dict[str, list[Piece]]:
    pieces: dict[str, list[Piece]] = defaultdict(list)
    longest = int(clip_seconds * VIDEO_RATE_HZ)
    shortest = int(MIN_SOURCE_S * VIDEO_RATE_HZ)
    for path, identity in clips:
        try:
            if is_sound(path):
                n_frames = len(read_sound(path)) // STEP_SAMPLES
            else:
                n_frames = open_clip(path).grid.n_frames
        except DeepLocError as error:
            tqdm.write(f"skipped {path.name}: {error}")
            continue
        for start in range(0, n_frames - shortest + 1, longest):
            pieces[identity].append((str(path), start, min(start + longest, n_frames)))
    return pieces


def _choose(
    pieces: dict[str, list[Piece]], splits: dict[str, str], config: SourceConfig, first: int
) -> list[SourceClip]:
    chosen: list[tuple[str, str, str, int, int]] = []
    for identity in sorted(pieces):
        order = np.random.default_rng([config.seed, len(chosen)]).permutation(len(pieces[identity]))
        for index in order[: config.per_identity]:
            path, start, stop = pieces[identity][index]
            chosen.append((path, identity, splits[identity], start, stop))
    return [SourceClip(number, *piece) for number, piece in enumerate(chosen, start=first)]
