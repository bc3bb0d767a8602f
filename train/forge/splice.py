"""Partial forgeries by real generators, for validation and testing only.

A generator's output for a whole clip that is frame-aligned with the authentic clip it was made
from becomes a partial forgery with exact truth: stretches of it are cut into the authentic clip.
Edited speech that has no picture is put, like its authentic original, under the picture of
somebody who can't be heard. Nothing here makes a forgery of its own.

A generator's output went through a file of its own. How much of what is found is that file, the
control tells: the same authentic clips with stretches of themselves, coded once more.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deeploc.errors import (
    DeepLocError,
    NoVideo,
)
from deeploc.media.clip import (
    VIDEO_RATE_HZ,
    open_clip,
)
from deeploc.media.formats import is_sound
from deeploc.media.writer import write_clip
from train.forge.chunk import (
    STEP_SAMPLES,
    at_loudness,
    draw_spans,
    heard,
    record,
    small,
    steady,
)
from train.forge.codec import (
    coded,
    draw_coding,
)
from train.forge.plan import (
    Chunk,
    Fake,
    Plan,
)
from train.forge.sound import families as forge_sound

MOST_STEPS = round(8 * VIDEO_RATE_HZ)
FEWEST_STEPS = 40
CONTROL = "control"
MOST_APART = 20.0  # mean difference of grey values beside the face; more is another shot


def has_generators(table: pd.DataFrame) -> set[str]:
    """Identities of a manifest with aligned generator output: they must never be trained on."""
    return {row.identity for row, _ in _paired(table)}


def list_splices(
    table: pd.DataFrame, folder: Path, splits: dict[str, str], control: bool = False
) -> list[Chunk]:
    """One chunk for every authentic clip that has generated counterparts; with `control` those with
    a picture, and as their only counterpart the clip itself, `CONTROL`.

    `table`: a manifest with the columns path, label, modified, generator, identity, pair, segments
    and has_audio, whose paths are relative to `folder`. `splits`: the split of every identity.
    """
    fakes: dict[str, list[Fake]] = {}
    people = {}
    for row, pair in _paired(table):
        stream = "visual" if row.modified == "visual" else "audio"
        fakes.setdefault(pair, []).append(
            Fake(str(folder / row.path), row.generator, stream, _spans(row))
        )
        people[pair] = row.identity
    if control:
        fakes = {
            pair: [Fake(str(folder / pair), CONTROL, "visual")]
            for pair, rows in fakes.items()
            if any(row.stream == "visual" for row in rows)
        }
    silent = table[(table.label == "authentic") & table.has_audio.isin(("0", "False"))]
    chunks = []
    for number, pair in enumerate(sorted(fakes)):
        chunk = Chunk(
            number, str(folder / pair), people[pair], splits[people[pair]], 0, MOST_STEPS,
            tuple(fakes[pair]),
        )  # fmt: skip
        if is_sound(pair):
            faces = [r.path for r in silent.itertuples() if splits[r.identity] == chunk.split]
            if not faces:
                continue
            face = str(folder / sorted(faces)[number % len(faces)])
            chunk = replace(chunk, path=face, speech=chunk.path)
        chunks.append(chunk)
    return chunks


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


def splice_chunk(plan: Plan, chunk: Chunk) -> list[dict[str, Any]]:
    """Write the authentic clip and one forged clip a generator; returns their metadata records.

    Raises `DeepLocError` where the authentic clip can't be used; a generated one that can't, or
    that isn't aligned with it, is left out.
    """
    rng = np.random.default_rng([plan.seed, chunk.number])
    quality = int(rng.integers(18, 27))
    frames, sound = _load(chunk.path), heard(Path(chunk.speech or chunk.path))
    if chunk.speech is not None:
        frames = frames[: len(sound) // STEP_SAMPLES]
    if len(frames) < FEWEST_STEPS:
        raise NoVideo("fewer than 40 pictures")
    sound = np.pad(sound, (0, len(frames) * STEP_SAMPLES))[: len(frames) * STEP_SAMPLES]
    audio = at_loudness(steady(sound), rng) if sound.any() else None
    chunk = replace(chunk, stop=len(frames))
    records = []
    original = f"{chunk.split}/{1000 * chunk.number:07d}.mp4"
    _write(Path(plan.out) / original, frames, audio, quality)
    records.append(record(plan, chunk, original, None, len(frames), {}))
    for index, fake in enumerate(chunk.fakes, start=1):
        rng = np.random.default_rng([plan.seed, chunk.number, index])
        try:
            spliced = _splice(frames, audio, fake, rng)
        except DeepLocError:
            continue
        if spliced is None:
            continue
        picture, talk, spans = spliced
        name = f"{chunk.split}/{1000 * chunk.number + index:07d}.mp4"
        _write(Path(plan.out) / name, picture, talk, quality)
        made = {fake.stream: {"family": fake.family, "spans": spans, "params": []}}
        records.append(record(plan, chunk, name, original, len(frames), made))
    return records


def _write(path: Path, frames: np.ndarray, audio: np.ndarray | None, quality: int) -> None:
    sound = None if audio is None else steady(audio)
    write_clip(path, frames, sound, rate_hz=VIDEO_RATE_HZ, crf=quality)


def _splice(
    frames: np.ndarray,
    audio: np.ndarray | None,
    fake: Fake,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray | None, list[tuple[int, int]]] | None:
    """Pictures and sound with the generator's stretches, and these in steps; None: not aligned."""
    if fake.stream == "visual":
        other = _load(fake.path)
        length = min(len(frames), len(other))
        if length < FEWEST_STEPS or not _aligned(frames[:length], other[:length]):
            return None
        spans = draw_spans(length, length / VIDEO_RATE_HZ / 2, rng)
        if fake.family == CONTROL:
            other = coded(other, *draw_coding(rng))
        other = _in_colours_of(frames[:length], other[:length])
        inside = _middle(frames.shape[1:3])[..., None]
        picture = frames.copy()
        for start, end in spans:
            mixed = inside * other[start:end] + (1 - inside) * frames[start:end]
            picture[start:end] = np.clip(np.rint(mixed), 0, 255)
        return picture, audio, spans
    other = heard(Path(fake.path))
    length = min(len(frames), len(other) // STEP_SAMPLES)
    if audio is None or length < FEWEST_STEPS:
        return None
    spans = [
        (round(start * VIDEO_RATE_HZ), min(round(end * VIDEO_RATE_HZ), length))
        for start, end in fake.spans
    ] or draw_spans(length, length / VIDEO_RATE_HZ / 2, rng)
    talk = audio
    for start, end in spans:
        samples = (start * STEP_SAMPLES, end * STEP_SAMPLES)
        if end - start < 2:
            return None
        talk = forge_sound.splice(talk, samples, other[slice(*samples)], rng)
    return frames, talk, spans


def _aligned(frames: np.ndarray, other: np.ndarray) -> bool:
    """Whether both are the same shot: much the same picture away from its middle."""
    if other.shape[1:] != frames.shape[1:]:
        return False
    apart = np.abs(_sides(frames[::10]) - _sides(other[::10]))
    return float(apart.mean()) < MOST_APART


def _sides(frames: np.ndarray) -> np.ndarray:
    """The left and right tenth of the pictures, `(T, H, W/5, 3) float32`."""
    width = frames.shape[2] // 10
    sides = (frames[:, :, :width], frames[:, :, -width:])
    return np.concatenate(sides, axis=2).astype(np.float32)


def _in_colours_of(frames: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`other` as float32 in the brightness and contrast that `frames` has beside the face.

    Otherwise a change of the whole picture would tell what was generated.
    """
    wanted, present = _sides(frames), _sides(other)
    axes = (0, 1, 2)
    gain = np.clip((wanted.std(axes) + 1) / (present.std(axes) + 1), 0.8, 1.25)
    return (other - present.mean(axes)) * gain + wanted.mean(axes)


def _middle(size: tuple[int, int]) -> np.ndarray:
    """`(H, W) float32`: 1 where the face is, an ellipse that fades to 0 at the edge."""
    rows, columns = (np.linspace(-1, 1, side) for side in size)
    radius = np.hypot(rows[:, None], columns[None])
    return np.clip((1 - radius) / 0.2, 0, 1).astype(np.float32)


def _load(path: str) -> np.ndarray:
    """Up to eight seconds of pictures, `(T, H, W, 3) uint8`, as the forge scales them."""
    return np.stack([small(frame) for frame in islice(open_clip(path).frames(), MOST_STEPS)])
