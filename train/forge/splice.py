"""Partial forgeries by real generators, for validation and testing only.

A generator's output for a whole clip that is frame-aligned with the authentic clip it was made
from becomes a partial forgery with exact truth: stretches of it are cut into the authentic clip.
Edited speech that has no picture is put, like its authentic original, under the picture of
somebody who can't be heard. Nothing here makes a forgery of its own.

A generator's output went through a file of its own. How much of what is found is that file, the
control tells: the same authentic clips with stretches of themselves, coded once more.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from deeploc.errors import DeepLocError, NoVideo
from deeploc.media.clip import VIDEO_RATE_HZ, open_clip
from deeploc.media.writer import write_clip
from deeploc.preprocess.audio import STEP_SAMPLES
from train.data.sound_files import read_sound
from train.forge.config import ForgeConfig
from train.forge.manifest import CONTROL, MAX_STEPS
from train.forge.metadata import clip_record
from train.forge.plan import GeneratedClip, Plan, SourceClip
from train.forge.recording import limit_height, remove_offset, set_loudness
from train.forge.reencode import draw_video_codec, reencode_frames
from train.forge.sound.splicing import SoundEdit, splice
from train.forge.spans import draw_spans

MIN_STEPS = 40
MAX_DIFFERENCE = 20.0  # mean of grey values beside the face; more is another shot


def splice_source(plan: Plan, source: SourceClip) -> list[dict[str, Any]]:
    """Write the authentic clip and one forged clip a generator; returns their metadata records.

    Raises `DeepLocError` where the authentic clip can't be used; a generated one that can't, or
    that isn't aligned with it, is left out.
    """
    config = plan.config
    lowest, highest = config.crf
    rng = np.random.default_rng([config.seed, source.number])
    quality = int(rng.integers(lowest, highest + 1))
    frames = _load(source.path, config.height)
    sound = read_sound(Path(source.speech or source.path))
    if source.speech is not None:
        frames = frames[: len(sound) // STEP_SAMPLES]
    if len(frames) < MIN_STEPS:
        raise NoVideo(f"fewer than {MIN_STEPS} pictures")
    sound = np.pad(sound, (0, len(frames) * STEP_SAMPLES))[: len(frames) * STEP_SAMPLES]
    audio = set_loudness(remove_offset(sound), rng) if sound.any() else None
    source = replace(source, stop=len(frames))
    original = f"{source.split}/{1000 * source.number:07d}.mp4"
    _write(Path(plan.out) / original, frames, audio, quality)
    records = [clip_record(plan, source, original, None, len(frames), {})]
    for index, generated in enumerate(source.generated, start=1):
        rng = np.random.default_rng([config.seed, source.number, index])
        try:
            spliced = _splice(frames, audio, generated, config, rng)
        except DeepLocError:
            continue
        if spliced is None:
            continue
        picture, speech, spans = spliced
        name = f"{source.split}/{1000 * source.number + index:07d}.mp4"
        _write(Path(plan.out) / name, picture, speech, quality)
        made = {generated.stream: {"family": generated.generator, "spans": spans, "params": []}}
        records.append(clip_record(plan, source, name, original, len(frames), made))
    return records


def _write(path: Path, frames: np.ndarray, audio: np.ndarray | None, quality: int) -> None:
    sound = None if audio is None else remove_offset(audio)
    write_clip(path, frames, sound, rate_hz=VIDEO_RATE_HZ, crf=quality)


def _splice(
    frames: np.ndarray,
    audio: np.ndarray | None,
    generated: GeneratedClip,
    config: ForgeConfig,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray | None, list[tuple[int, int]]] | None:
    """Frames and sound with the generator's stretches, and these in steps; None: not aligned."""
    if generated.stream == "visual":
        other = _load(generated.path, config.height)
        length = min(len(frames), len(other))
        if length < MIN_STEPS or not _aligned(frames[:length], other[:length]):
            return None
        spans = draw_spans(length, length / VIDEO_RATE_HZ * config.forged_share, rng)
        if generated.generator == CONTROL:
            other = reencode_frames(other, *draw_video_codec(rng))
        other = _match_colours(frames[:length], other[:length])
        inside = _middle(frames.shape[1:3])[..., None]
        picture = frames.copy()
        for start, end in spans:
            mixed = inside * other[start:end] + (1 - inside) * frames[start:end]
            picture[start:end] = np.clip(np.rint(mixed), 0, 255)
        return picture, audio, spans
    other = read_sound(Path(generated.path))
    length = min(len(frames), len(other) // STEP_SAMPLES)
    if audio is None or length < MIN_STEPS:
        return None
    spans = [
        (round(start * VIDEO_RATE_HZ), min(round(end * VIDEO_RATE_HZ), length))
        for start, end in generated.spans
    ] or draw_spans(length, length / VIDEO_RATE_HZ * config.forged_share, rng)
    speech = audio
    for start, end in spans:
        samples = (start * STEP_SAMPLES, end * STEP_SAMPLES)
        if end - start < 2:
            return None
        speech = splice(SoundEdit(speech, samples), other[slice(*samples)], rng)
    return frames, speech, spans


def _aligned(frames: np.ndarray, other: np.ndarray) -> bool:
    """Whether both are the same shot: much the same picture away from its middle."""
    if other.shape[1:] != frames.shape[1:]:
        return False
    apart = np.abs(_sides(frames[::10]) - _sides(other[::10]))
    return float(apart.mean()) < MAX_DIFFERENCE


def _sides(frames: np.ndarray) -> np.ndarray:
    """The left and right tenth of the pictures, `(T, H, W/5, 3) float32`."""
    width = frames.shape[2] // 10
    sides = (frames[:, :, :width], frames[:, :, -width:])
    return np.concatenate(sides, axis=2).astype(np.float32)


def _match_colours(frames: np.ndarray, other: np.ndarray) -> np.ndarray:
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


def _load(path: str, height: int) -> np.ndarray:
    """Up to eight seconds of frames, `(T, H, W, 3) uint8`, at most `height` pixels high."""
    frames = islice(open_clip(path).frames(), MAX_STEPS)
    return np.stack([limit_height(frame, height) for frame in frames])
