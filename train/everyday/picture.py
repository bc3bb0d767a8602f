"""Everyday changes of the picture by lens, light, sensor and codec, and of its frames in time.

The sound stays as it is, and so does the time of every step. Where frames are frozen or repeated,
the truth of a step follows the sound's time, not the frame that is shown meanwhile: what is forged
in the sound still is, and in a frozen picture there is nothing to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from train.everyday.moments import draw_scope, draw_span, eased, runs, smooth_ramp
from train.everyday.recording import Change, Recording
from train.everyday.registry import everyday
from train.forge.reencode import reencode_span

GAMMA = 2.2
LINEAR = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)


@everyday("soft-focus", "picture")
def lose_focus(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The lens out of focus for a while, once or hunting: a disc of light for every point."""
    start, end = draw_span(recording.n_steps, (0.3, 2.0), rng)
    most = rng.uniform(0.0015, 0.008) * np.hypot(*recording.frames.shape[1:3])  # radius in pixels
    most = max(float(most), 1.0)
    ease, hunts = int(rng.integers(2, 13)), bool(rng.random() < 0.3)
    radii = most * eased(end - start, ease)
    if hunts:
        swings = rng.uniform(0.5, 1.5) * np.linspace(0, 2 * np.pi, end - start)
        radii = radii * (0.65 + 0.35 * np.cos(swings))
        radii *= most / radii.max()
    frames = recording.frames.copy()
    for step, radius in zip(range(start, end), radii, strict=True):
        frames[step] = _defocused(frames[step], float(radius))
    params = {"radius_px": round(most, 3), "ease_steps": ease, "hunts": hunts}
    return Change(replace(recording, frames=frames), ((start, end),), params)


@everyday("exposure-step", "picture")
def step_exposure(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """More or less light from a moment on, at once (a lamp) or within a second (the camera)."""
    stops = float(rng.uniform(0.15, 1.2) * rng.choice([-1, 1]))
    return _relight(
        recording, rng, lambda weight: np.full(3, 2 ** (stops * weight)), {"stops": round(stops, 3)}
    )


@everyday("white-balance-step", "picture")
def step_white_balance(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """Warmer or colder colours from a moment on, as the camera corrects itself."""
    warmth = float(rng.uniform(0.05, 0.4) * rng.choice([-1, 1]))
    tint = float(rng.uniform(-0.3, 0.3) * warmth)
    gains = np.array([warmth, tint, -warmth]) / 2
    params = {"warmth": round(warmth, 3), "tint": round(tint, 3)}
    return _relight(recording, rng, lambda weight: np.exp(gains * weight), params)


@everyday("picture-fade", "picture")
def fade(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The picture from or to black or white, or through it, while the sound goes on."""
    manner, colour = str(rng.choice(["in", "out", "through"])), int(rng.choice([0, 0, 255]))
    start, end = draw_span(recording.n_steps, (0.2, 1.5), rng)
    length = end - start
    if manner == "through":
        shown = 1 - eased(length, (length - 1) // 2)
    else:
        start = 0 if manner == "in" else recording.n_steps - length
        shown = np.arange(length, dtype=np.float32) / length
        shown = shown if manner == "in" else shown[::-1]
    frames = recording.frames.copy()
    for step, weight in zip(range(start, start + length), shown, strict=True):
        table = np.rint(colour + weight * (np.arange(256) - colour)).astype(np.uint8)
        frames[step] = cv2.LUT(frames[step], table)
    params = {"manner": manner, "colour": colour, "steps": length}
    return Change(replace(recording, frames=frames), ((start, start + length),), params)


@everyday("sensor-noise", "picture", held_out=True)
def add_sensor_noise(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """The noise of a high gain in little light: more of it where it is bright, coarse in colour."""
    start, end = draw_scope(recording.n_steps, (0.5, 3.0), 0.4, rng)
    sigma, colour = float(np.exp(rng.uniform(np.log(1.5), np.log(11)))), float(rng.uniform(0.2, 1))
    shot, coarse = float(rng.uniform(0.2, 0.8)), int(rng.integers(1, 4))
    whole = end - start == recording.n_steps
    weights = np.ones(end - start) if whole else eased(end - start, int(rng.integers(0, 7)))
    height, width = recording.frames.shape[1:3]
    grid = (max(1, height // coarse), max(1, width // coarse), 3)
    frames = recording.frames.copy()
    for step, weight in zip(range(start, end), weights, strict=True):
        grain = rng.standard_normal((height, width, 1), np.float32)
        coarse_grain = rng.standard_normal(grid, np.float32) * np.float32(colour)
        blobs = cv2.resize(coarse_grain, (width, height), interpolation=cv2.INTER_LINEAR)
        light = cv2.cvtColor(frames[step], cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None]
        spread = np.sqrt((1 - shot) + shot * light / 128) * np.float32(sigma * weight)
        noisy = frames[step] + spread * (grain + blobs)
        frames[step] = np.clip(np.rint(noisy), 0, 255)
    params = {"sigma": round(sigma, 3), "colour": round(colour, 3), "shot": round(shot, 3)}
    params["coarse_px"] = coarse
    return Change(replace(recording, frames=frames), ((start, end),), params)


@everyday("compression-step", "picture")
def step_compression(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """Bad quality for a while, as in a call over a weak connection."""
    span = draw_span(recording.n_steps, (0.4, 3.0), rng)
    quality = int(rng.integers(28, 46))
    frames = recording.frames.copy()
    frames[slice(*span)] = reencode_span(recording.frames, span, "libx264", quality)
    params = {"codec": "libx264", "quality": quality}
    return Change(replace(recording, frames=frames), (span,), params)


@everyday("freeze", "picture")
def freeze(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """One frame held while the sound goes on; then the picture is where it would have been."""
    start, end = draw_span(recording.n_steps, (0.2, 2.0), rng)
    shown = np.arange(recording.n_steps)
    shown[start:end] = start
    return Change(_showing(recording, shown), ((start + 1, end),), {"held_steps": end - start})


@everyday("dropped-frames", "picture", held_out=True)
def drop_frames(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """Frames lost by a slow camera or line, every n-th or by chance: the one before stays."""
    start, end = draw_scope(recording.n_steps, (0.6, 4.0), 0.4, rng)
    steps = np.arange(recording.n_steps)
    inside = (steps >= max(1, start)) & (steps < end)
    if rng.random() < 0.5:
        every = int(rng.integers(2, 7))
        lost = inside & (steps % every == int(rng.integers(every)))
        params: dict[str, Any] = {"manner": "regular", "every": every}
    else:
        share = float(rng.uniform(0.08, 0.6))
        lost = inside & (rng.random(recording.n_steps) < share)
        params = {"manner": "by chance", "share": round(share, 3)}
    if not lost.any():
        lost[max(1, start)] = True
    shown = np.maximum.accumulate(np.where(lost, 0, steps))
    return Change(_showing(recording, shown), runs(lost), params)


def _showing(recording: Recording, shown: np.ndarray) -> Recording:
    """The frames `shown (T,)` in place of those of every step."""
    return replace(recording, frames=recording.frames[shown], face=recording.face[shown])


def _defocused(frame: np.ndarray, radius: float) -> np.ndarray:
    """A frame through a lens that makes a disc of `radius` pixels of a point, in linear light."""
    reach = int(np.ceil(radius))
    places = np.arange(-reach, reach + 1)
    distance = np.hypot(*np.meshgrid(places, places))
    disc = np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)
    soft = cv2.filter2D(LINEAR[frame], -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT_101)
    return np.rint(255 * cv2.pow(np.clip(soft, 0, 1), 1 / GAMMA)).astype(np.uint8)


def _relight(
    recording: Recording,
    rng: np.random.Generator,
    gains: Callable[[float], np.ndarray],
    params: dict[str, Any],
) -> Change:
    """Linear light times `gains(weight) (3,)`: the weight rises from 0 to 1 at a moment and stays,
    or falls again."""
    n_steps, ease = recording.n_steps, int(rng.integers(0, 26)) if rng.random() < 0.6 else 0
    start, end = draw_span(n_steps, (0.4, 3.0), rng)
    ease = min(ease, (end - start) // 2)
    returns = bool(rng.random() < 0.4) and end < n_steps
    start = max(1, start)
    end = end if returns else n_steps
    risen = np.clip((np.arange(end - start) + 1) / (ease + 1), 0, 1)
    weights = eased(end - start, ease) if returns else smooth_ramp(risen)
    frames = recording.frames.copy()
    for step, weight in zip(range(start, end), weights, strict=True):
        light = np.clip(LINEAR[:, None] * gains(float(weight)), 0, 1) ** (1 / GAMMA)
        table = np.rint(255 * light).astype(np.uint8)
        frames[step] = cv2.LUT(frames[step], table[None])
    params |= {"ease_steps": ease, "returns": returns}
    return Change(replace(recording, frames=frames), ((start, end),), params)
