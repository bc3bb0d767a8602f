"""The manifest: which clips there are, who is in them, and which were made from which.

A CSV with the columns path (relative to its own folder), label, identity and has_audio; for the
output of generators also modified, generator, pair, segments and source.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.media.formats import VIDEO_SUFFIXES, is_sound
from train.forge.plan import GeneratedClip, SourceClip

MAX_STEPS = round(8 * VIDEO_RATE_HZ)
CONTROL = "control"  # the generator of `--control`: none


def read_manifest(manifest: Path) -> pd.DataFrame:
    """All columns as text; empty where a cell is."""
    return pd.read_csv(manifest, dtype=str, keep_default_na=False)


def list_clips(
    authentic: Path, manifest: Path | None, suffixes: Collection[str] = VIDEO_SUFFIXES
) -> list[tuple[Path, str]]:
    """Authentic clips of the `suffixes` and their identities.

    Identities come from the manifest, else from the parent folder, or from the file name for files
    that lie directly in `authentic`.
    """
    if manifest is not None:
        table = read_manifest(manifest)
        known = table[
            (table.label == "authentic") & table.has_audio.str.startswith(("1", "T", "t"))
        ]
        rows = zip(known.path, known.identity, strict=True)
        listed = [((manifest.parent / path).resolve(), identity) for path, identity in rows]
        inside = authentic.resolve()
        return sorted(
            (path, identity)
            for path, identity in listed
            if path.is_relative_to(inside) and path.suffix.lower() in suffixes
        )
    files = sorted(path for path in authentic.rglob("*") if path.suffix.lower() in suffixes)
    return [
        (path.resolve(), path.stem if path.parent == authentic else path.parent.name)
        for path in files
    ]


def generated_identities(table: pd.DataFrame) -> set[str]:
    """Identities of a manifest with aligned output of generators: they must never be trained on."""
    return {row.identity for row, _ in _paired(table)}


def spliced_sources(
    table: pd.DataFrame, folder: Path, splits: dict[str, str], control: bool = False
) -> list[SourceClip]:
    """One source for every authentic clip that has generated counterparts.

    With `control`, those with a picture, and as their only counterpart the clip itself. `table`: a
    manifest whose paths are relative to `folder`. `splits`: the split of every identity.
    """
    generated: dict[str, list[GeneratedClip]] = {}
    people = {}
    for row, pair in _paired(table):
        stream = "visual" if row.modified == "visual" else "audio"
        generated.setdefault(pair, []).append(
            GeneratedClip(str(folder / row.path), row.generator, stream, _spans(row))
        )
        people[pair] = row.identity
    if control:
        generated = {
            pair: [GeneratedClip(str(folder / pair), CONTROL, "visual")]
            for pair, rows in generated.items()
            if any(row.stream == "visual" for row in rows)
        }
    silent = table[(table.label == "authentic") & table.has_audio.isin(("0", "False"))]
    sources = []
    for number, pair in enumerate(sorted(generated)):
        who, clips = people[pair], tuple(generated[pair])
        source = SourceClip(number, str(folder / pair), who, splits[who], 0, MAX_STEPS, clips)
        if is_sound(pair):
            faces = [r.path for r in silent.itertuples() if splits[r.identity] == source.split]
            if not faces:
                continue
            face = str(folder / sorted(faces)[number % len(faces)])
            source = replace(source, path=face, speech=source.path)
        sources.append(source)
    return sources


def _paired(table: pd.DataFrame) -> list[tuple[Any, str]]:
    """Forged rows of one stream and the path of what they were made from."""
    authentic = table[table.label == "authentic"]
    found = []
    for row in table[
        (table.label == "forged") & table.modified.isin(("visual", "audio"))
    ].itertuples():
        pair = row.pair or _same_name(row, authentic)
        if pair and (row.modified == "audio" or not is_sound(pair)):
            found.append((row, pair))
    return found


def _same_name(row: Any, authentic: pd.DataFrame) -> str | None:
    """The authentic clip of that person in whose name only the method's name differs."""
    own = authentic[(authentic.identity == row.identity) & (authentic.source == row.source)]
    name = Path(row.path).stem
    for path in own.path:
        rest = Path(path).stem.removesuffix("-gt")
        if name.startswith(rest) and row.segments.startswith("whole clip (audio)"):
            return path
    return None


def _spans(row: Any) -> tuple[tuple[float, float], ...]:
    """The edited seconds, where the manifest tells; empty: the whole clip is generated."""
    if not row.segments.startswith("["):
        return ()
    return tuple((float(start), float(end)) for start, end in ast.literal_eval(row.segments))
