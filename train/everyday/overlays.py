"""Everyday changes of the picture by what stands before it: a hand, a microphone, text, a logo.

The sound stays as it is, and so does the face's box: what hides a face does not move it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter1d

from train.everyday.camera import motion_kernel
from train.everyday.moments import draw_scope, draw_span, followed_face, runs, smooth_ramp
from train.everyday.recording import Change, Recording, steps_of
from train.everyday.registry import everyday

SKIN = ((236, 196, 168), (205, 150, 118), (160, 108, 78), (104, 66, 46))
COLOURS = ((255, 255, 255), (255, 222, 60), (20, 20, 20), (200, 30, 40), (20, 90, 190))
SPEECH = (
    "and so we went to the market last week because nobody had told me what this was about then "
    "everyone said that it would take another year before anything happens here today thank you "
    "people ask why I never answered now listen carefully there are two reasons first money second "
    "time really good morning from our house in the city where my mother used to work every day"
)
WORDS = SPEECH.split()


@everyday("hand-before-face", "picture", held_out=True)
def hide_mouth(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """A hand, a microphone or a cup comes before the mouth or chin, stays a while, and goes."""
    start, end = draw_span(recording.n_steps, (0.6, 3.5), rng)
    height, width = recording.frames.shape[1:3]
    boxes = followed_face(recording)
    unit = float(np.clip(np.median(boxes[:, 2] - boxes[:, 0]), 8, min(height, width)))
    thing, tilt = str(rng.choice(["hand", "microphone", "cup"])), float(rng.uniform(-0.6, 0.6))
    share, size = float(rng.uniform(0.7, 0.95)), float(rng.uniform(0.7, 1.2))
    skin = _skin(recording, boxes, rng)
    patch = _draw_thing(thing, unit, size, height, skin, rng)
    comes = min(int(rng.integers(3, 11)), (end - start - 1) // 2)
    steps = np.arange(end - start)
    near = smooth_ramp(np.clip((np.minimum(steps, steps[::-1]) + 1) / (comes + 1), 0, 1))
    sway = gaussian_filter1d(rng.standard_normal((len(steps) + 64, 2)), 6, axis=0)[32:-32]
    sway = sway / (np.abs(sway).max() + 1e-9) * unit * rng.uniform(0.01, 0.08)
    aside = rng.uniform(-0.15, 0.15) * unit
    mouth_y = boxes[start:end, 1] + share * (boxes[start:end, 3] - boxes[start:end, 1])
    mouth = np.stack(
        [(boxes[start:end, 0] + boxes[start:end, 2]) / 2 + aside, mouth_y], axis=1
    ).clip(0, [width, height])
    arm = np.array([-np.sin(tilt), np.cos(tilt)])  # from the thing down to where it comes from
    out = (height - mouth[:, 1] + 1.2 * unit * size) / np.cos(tilt)
    places = mouth + sway + ((1 - near) * out)[:, None] * arm
    ways = np.gradient(places, axis=0) * rng.uniform(0.2, 0.8)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    anchor = np.array([patch.shape[1] / 2, unit * size])
    frames, seen = recording.frames.copy(), np.zeros(recording.n_steps, bool)
    for step, place, way in zip(range(start, end), places, ways, strict=True):
        view = np.column_stack([turn, place - turn @ anchor])
        layer = cv2.warpAffine(patch, view, (width, height), flags=cv2.INTER_LINEAR)
        blur = motion_kernel(way.clip(-0.06 * width, 0.06 * width))
        cut = _box(layer, len(blur) // 2)
        if cut:
            frames[step][cut] = _under(frames[step][cut], cv2.filter2D(layer[cut], -1, blur))
            seen[step] = True
    params = {
        "thing": thing,
        "tilt": round(tilt, 3),
        "size": round(size, 3),
        "down": round(share, 3),
    }
    return Change(replace(recording, frames=frames), runs(seen), params)


@everyday("captions", "picture")
def caption(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """What is said, or somebody's idea of it, written at the bottom, a few words at a time."""
    start, end = draw_scope(recording.n_steps, (1.0, 4.0), 0.5, rng)
    height, width = recording.frames.shape[1:3]
    style = str(rng.choice(["outlined", "boxed", "plain"]))
    colour = COLOURS[int(rng.integers(2))]
    font_px = max(7, round(float(rng.uniform(0.045, 0.1)) * min(height, width)))
    font = ImageFont.load_default(size=font_px)
    most, base = int(rng.integers(1, 9)), float(rng.uniform(0.8, 0.95))
    pace_s, gap = float(rng.uniform(0.2, 0.45)), int(rng.choice([0, 0, 0, 3, 8]))
    frames, seen = recording.frames.copy(), np.zeros(recording.n_steps, bool)
    step = start
    while step < end:
        words = rng.choice(WORDS, int(rng.integers(1, most + 1))).tolist()
        until = min(end, step + max(3, steps_of(pace_s * len(words))))
        text = _wrapped(words, font, 0.9 * width)
        layer = _write(text, (width, height), base, font, colour, style)
        _lay(frames, step, until, layer, np.ones(until - step))
        seen[step:until] = True
        step = until + gap
    params: dict[str, Any] = {"style": style, "font_px": font_px, "words": most, "gap_steps": gap}
    return Change(replace(recording, frames=frames), runs(seen), params)


@everyday("logo", "picture")
def show_logo(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """A sender's sign in a corner, all the time or for a while, more or less transparent."""
    start, end = draw_scope(recording.n_steps, (1.0, 4.0), 0.6, rng)
    height, width = recording.frames.shape[1:3]
    corner = str(rng.choice(["top left", "top right", "bottom left", "bottom right"]))
    size = max(6, round(float(rng.uniform(0.07, 0.18)) * min(height, width)))
    opacity = float(rng.uniform(0.25, 1))
    fade_steps = int(rng.choice([0, 0, 5, 12]))
    margin = round(float(rng.uniform(0.02, 0.07)) * min(height, width))
    name = " ".join(rng.choice(WORDS, int(rng.integers(1, 3)))).upper()
    font = ImageFont.load_default(size=0.6 * size)
    wide = min(size + size // 4 + round(font.getlength(name)), width - 2 * margin)
    left = margin if "left" in corner else width - margin - wide
    top = margin if "top" in corner else height - margin - size
    sign, ink = (COLOURS[i] for i in rng.choice(len(COLOURS), 2, replace=False))
    image = Image.new("RGBA", (width, height))
    pen = ImageDraw.Draw(image)
    if rng.random() < 0.4 and sign != COLOURS[2]:
        pen.rectangle((left - 3, top - 3, left + wide + 3, top + size + 3), fill=(*COLOURS[2], 150))
    shape = pen.ellipse if rng.random() < 0.5 else pen.rectangle
    shape((left, top, left + size, top + size), fill=(*sign, 255))
    middle = (left + size / 2, top + size / 2)
    pen.text(middle, name[0], font=font, fill=(*ink, 255), anchor="mm")
    pen.text((left + size + size // 4, middle[1]), name, font=font, fill=(*sign, 255), anchor="lm")
    steps = np.arange(end - start)
    risen = steps + 1 if start else np.full(end - start, np.inf)
    left_over = steps[::-1] + 1 if end < recording.n_steps else np.full(end - start, np.inf)
    weights = opacity * np.clip(np.minimum(risen, left_over) / (fade_steps + 1), 0, 1)
    frames = recording.frames.copy()
    _lay(frames, start, end, _layer_of(image), weights)
    params = {"corner": corner, "size_px": size, "opacity": round(opacity, 3)}
    return Change(replace(recording, frames=frames), ((start, end),), params)


def _under(pixels: np.ndarray, layer: np.ndarray, weight: float = 1.0) -> np.ndarray:
    """Pixels `(h, w, 3) uint8` under a layer `(h, w, 4) float32`, its colours times its opacity."""
    colours, opacity = layer[..., :3], layer[..., 3:]
    mixed = pixels + np.float32(weight) * (colours - opacity * pixels)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _box(layer: np.ndarray, around: int = 0) -> tuple[slice, slice] | None:
    """Rows and columns of what a layer holds, and `around` pixels more; None where it is empty."""
    held = [np.flatnonzero(layer[..., 3].max(axis) > 1 / 255) for axis in (1, 0)]
    if not len(held[0]):
        return None
    rows, columns = (slice(max(0, at[0] - around), at[-1] + 1 + around) for at in held)
    return rows, columns


def _lay(frames: np.ndarray, start: int, end: int, layer: np.ndarray, weights: np.ndarray) -> None:
    """Lays one layer over the steps `[start, end)` of `frames`, in place."""
    cut = _box(layer)
    if cut is None:
        return
    for step, weight in zip(range(start, end), weights, strict=True):
        frames[step][cut] = _under(frames[step][cut], layer[cut], float(weight))


def _layer_of(image: Image.Image) -> np.ndarray:
    """An RGBA image as a layer: `(H, W, 4) float32`, colours times opacity, opacity in 0..1."""
    pixels = np.asarray(image, np.float32)
    opacity = pixels[..., 3:] / 255
    return np.concatenate([pixels[..., :3] * opacity, opacity], axis=-1)


def _wrapped(words: list[str], font: Any, width: float) -> str:
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        lines = [*lines[:-1], longer] if font.getlength(longer) < width else [*lines, word]
    return "\n".join(lines)


def _write(
    text: str,
    size: tuple[int, int],
    base: float,
    font: Any,
    colour: tuple[int, int, int],
    style: str,
) -> np.ndarray:
    """The layer of a caption, in the middle, its last line at `base` of the height."""
    image = Image.new("RGBA", size)
    pen = ImageDraw.Draw(image)
    place = (size[0] / 2, base * size[1])
    how: dict[str, Any] = {"font": font, "anchor": "md", "align": "center"}
    edge = max(1, round(font.size / 12)) if style == "outlined" else 0
    if style == "boxed":
        left, top, right, bottom = pen.multiline_textbbox(place, text, **how)
        pad = font.size / 4
        pen.rectangle((left - pad, top - pad, right + pad, bottom + pad), fill=(0, 0, 0, 190))
    pen.multiline_text(
        place, text, fill=(*colour, 255), stroke_width=edge, stroke_fill=(0, 0, 0, 255), **how
    )
    return _layer_of(image)


def _skin(recording: Recording, boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour of skin: of the face of the clip, where there is one, else any."""
    colour = np.array(SKIN[int(rng.integers(len(SKIN)))], np.float32)
    seen = np.flatnonzero(np.isfinite(recording.face).all(axis=1))
    if len(seen):
        step = int(seen[len(seen) // 2])
        left, top, right, bottom = boxes[step].clip(0).astype(int)
        quarter = (right - left) // 4
        across = slice(left + quarter, right - quarter)
        cheeks = recording.frames[step, (top + bottom) // 2 : bottom, across].reshape(-1, 3)
        if len(cheeks):
            colour = np.median(cheeks, axis=0).astype(np.float32)
    return colour * rng.uniform(0.75, 1.15) + rng.uniform(0, 12)


def _draw_thing(
    thing: str,
    unit: float,
    size: float,
    height: int,
    skin: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The layer of a thing upright, `(h, w, 4) float32`, with soft edges: its middle lies `unit *
    size` below the top, and what holds it goes down out of the picture."""
    u = unit * size
    wide, high = int(2.4 * u) + 8, int(u + 1.5 * height)
    middle = (wide // 2, int(u))
    sleeve, ware = rng.uniform(15, 210, (2, 3)).astype(np.float32)
    layer = np.zeros((high, wide, 4), np.float32)
    if thing == "microphone":
        dark = np.full(3, rng.uniform(18, 75), np.float32)
        _add_part(layer, _line(layer, middle, (middle[0], high), 0.22 * u), dark * 0.7, 0.1 * u)
        part = _ellipse(layer, middle, 0.26 * u, 0.34 * u)
        rows, columns = np.mgrid[:high, :wide] * (2 * np.pi / max(3.0, 0.05 * u))
        mesh = 1 + 0.35 * np.sin(rows + columns) * np.sin(rows - columns)
        _add_part(layer, part, dark[None, None] * mesh[..., None].astype(np.float32), 0.2 * u)
    elif thing == "cup":
        wrist = (middle[0], int(middle[1] + 0.45 * u))
        _add_part(layer, _line(layer, wrist, (middle[0], high), 0.6 * u), sleeve, 0.2 * u)
        body = np.zeros((high, wide), np.uint8)
        low = (int(middle[0] - 0.3 * u), int(middle[1] - 0.35 * u))
        cv2.rectangle(body, low, (int(middle[0] + 0.3 * u), int(middle[1] + 0.45 * u)), 255, -1)
        _add_part(layer, body, ware, 0.25 * u)
        for number in range(4):
            y = int(middle[1] - 0.15 * u + 0.15 * u * number)
            finger = _line(layer, (middle[0] - int(0.34 * u), y), (middle[0], y), 0.14 * u)
            _add_part(layer, finger, skin, 0.07 * u)
    else:
        palm = (middle[0], int(middle[1] + 0.15 * u))
        _add_part(layer, _line(layer, palm, (middle[0], high), 0.42 * u), skin * 0.95, 0.2 * u)
        _add_part(layer, _ellipse(layer, palm, 0.34 * u, 0.36 * u), skin, 0.25 * u)
        spread = rng.uniform(0.05, 0.25)
        for number in range(4):
            angle = (number - 1.5) * spread
            length = rng.uniform(0.35, 0.55) * u
            root = np.array([palm[0] + (number - 1.5) * 0.16 * u, palm[1] - 0.15 * u])
            tip = root + length * np.array([np.sin(angle), -np.cos(angle)])
            finger = _line(layer, root.astype(int).tolist(), tip.astype(int).tolist(), 0.15 * u)
            _add_part(layer, finger, skin * rng.uniform(0.95, 1.05), 0.075 * u)
    spots = rng.standard_normal((max(2, high // 12), max(2, wide // 12)), np.float32)
    texture = cv2.resize(spots, (wide, high), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.standard_normal((high, wide), np.float32), (0, 0), 0.8)
    layer[..., :3] *= (1 + 0.05 * texture + 0.06 * fine)[..., None]
    layer[..., :3] *= layer[..., 3:]
    return cv2.GaussianBlur(layer, (0, 0), float(max(0.7, rng.uniform(0.004, 0.025) * u)))


def _line(layer: np.ndarray, one: Any, two: Any, thick: float) -> np.ndarray:
    part = np.zeros(layer.shape[:2], np.uint8)
    return cv2.line(part, one, two, 255, max(1, round(thick)), cv2.LINE_AA)


def _ellipse(layer: np.ndarray, middle: Any, half_width: float, half_height: float) -> np.ndarray:
    part = np.zeros(layer.shape[:2], np.uint8)
    axes = (max(1, round(half_width)), max(1, round(half_height)))
    return cv2.ellipse(part, middle, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)


def _add_part(layer: np.ndarray, part: np.ndarray, colour: np.ndarray, depth: float) -> None:
    """Lays a part `(h, w) uint8` over the layer, in place, round towards its edges by `depth`."""
    inwards = cv2.distanceTransform(np.where(part > 127, 255, 0).astype(np.uint8), cv2.DIST_L2, 3)
    light = 0.55 + 0.45 * np.sqrt(np.clip(inwards / max(depth, 1), 0, 1))
    weight = part[..., None].astype(np.float32) / 255
    layer[..., :3] += weight * (colour * light[..., None] - layer[..., :3])
    layer[..., 3:] = np.maximum(layer[..., 3:], weight)
