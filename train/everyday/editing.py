"""Everyday changes of editing: cuts, two people in turn, pictures over other sound, cards.

What an editor adds is `ADDED`, what is cut away is gone. Where another picture lies over the sound
of the clip, the steps stay those of the clip, for its sound goes on: `Change.covered` then lists
the steps whose picture is not the clip's. Nothing here reads a file.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from deeploc.media.clip import AUDIO_RATE_HZ
from deeploc.preprocess.audio import STEP_SAMPLES
from train.everyday.recording import Change, Recording, joined, samples_of, steps_of
from train.everyday.registry import everyday

QUIET_REACH = 6  # steps: how far an editor moves a cut to where it is quiet
MIN_BACKGROUND_SHARE = 0.15  # of a side: less beside the face is no background to pan over
MOST_GAIN_DB = 20.0
CARD_TEXTS = (
    *("Chapter {}", "Part {}", "Question {}", "Day {}", "Interview {}", "{} years later"),
    *("Thank you\nfor watching", "Meanwhile", "The next morning", "Our story", "Why it matters"),
)
CHORDS = ((0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 4, 7, 11), (0, 7, 12))  # semitones


@everyday("jump-cut", "editing")
def jump_cut(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """One to three pieces of 0.3 to 1.5 s are gone; the sound may dip for milliseconds there."""
    n_steps = recording.n_steps
    n_cuts = int(rng.integers(1, 1 + min(3, max(1, n_steps // 60))))
    at_pauses = bool(rng.random() < 0.5)
    fade = int(rng.integers(0, samples_of(0.008)))
    kept = np.ones(n_steps, bool)
    removed = []
    for zone in np.array_split(np.arange(n_steps), n_cuts):
        length = max(1, min(steps_of(rng.uniform(0.3, 1.5)), len(zone) // 4))
        # at least one step stays before and behind
        start = int(rng.integers(zone[0] + 1, zone[-1] - length + 1))
        if at_pauses:
            start = _quietest(recording.audio, start, int(zone[0]) + 1, int(zone[-1]) - length)
        kept[start : start + length] = False
        removed.append([start, start + length])
    cut = recording.taken(np.flatnonzero(kept))
    joins = [int(kept[:start].sum()) for start, _ in removed]
    audio = cut.audio.copy()
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    for join in joins:
        middle = join * STEP_SAMPLES
        audio[middle - fade : middle] *= ramp[::-1]
        audio[middle : middle + fade] *= ramp
    spans = tuple((join - 1, join + 1) for join in joins)
    params = {"removed": removed, "at_pauses": at_pauses, "fade_s": fade / AUDIO_RATE_HZ}
    return Change(cut.with_audio(audio), spans, params)


def _quietest(audio: np.ndarray, step: int, first: int, last: int) -> int:
    """The quietest step near `step` within `first..last`."""
    low, high = max(first, step - QUIET_REACH), min(last, step + QUIET_REACH)
    power = (audio.reshape(-1, STEP_SAMPLES)[low : high + 1] ** 2).sum(1)
    return low + int(np.argmin(power))


@everyday("reverse-shot", "editing", needs_other=True)
def reverse_shot(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """Somebody else says something between two steps of the clip, which goes on thereafter."""
    assert other is not None
    length = min(steps_of(rng.uniform(0.8, 3.0)), max(8, recording.n_steps // 2), other.n_steps)
    start = int(rng.integers(other.n_steps - length + 1))
    gain_db = _gain_db(other.audio, recording.audio) + float(rng.uniform(-1.5, 1.5))
    piece = other.taken(np.arange(start, start + length)).added()
    piece = _fitted(piece, recording.frames.shape[1:3])
    piece = piece.with_audio(_eased(piece.audio * 10 ** (gain_db / 20), samples_of(0.005)))
    at = int(rng.integers(1, recording.n_steps))
    params = {"at": at, "length": length, "other_start": start, "gain_db": gain_db}
    return _inserted(recording, piece, at, params)


@everyday("cutaway", "editing", held_out=True)
def cutaway(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """For a while a picture without a face over the sound, which goes on: a landscape, or what is
    beside the face, far out of focus."""
    start, end = _drawn_span(recording.n_steps, (0.8, 3.0), rng)
    size = recording.frames.shape[1:3]
    region = _beside_face(recording.face[start:end], size)
    defocused = bool(region is not None and rng.random() < 0.5)
    if defocused and region is not None:
        shown = _defocused_pan(recording.frames[start:end], region, rng)
    else:
        shown = _landscape_pan(end - start, size, rng)
    params = {"picture": "defocused" if defocused else "landscape", "start": start, "end": end}
    nowhere = np.full((end - start, 4), np.nan, np.float32)
    return _covered(recording, (start, end), shown, nowhere, params)


@everyday("sound-of-another", "editing", needs_other=True)
def sound_of_another(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """For a while somebody else is seen while the clip's own sound goes on."""
    assert other is not None
    start, end = _drawn_span(recording.n_steps, (0.8, 4.0), rng)
    length = min(end - start, other.n_steps)
    first = int(rng.integers(other.n_steps - length + 1))
    piece = other.taken(np.arange(first, first + length))
    piece = _fitted(piece, recording.frames.shape[1:3])
    span = (start, start + length)
    return _covered(recording, span, piece.frames, piece.face, {"other_start": first})


@everyday("title-card", "editing")
def title_card(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """A still card with words before the clip or within it, with silence or music under it."""
    n_steps = recording.n_steps
    length = min(steps_of(rng.uniform(0.8, 3.0)), max(8, n_steps // 2))
    at = int(rng.integers(1, n_steps)) if rng.random() < 0.5 else 0
    words = str(rng.choice(CARD_TEXTS)).format(rng.integers(2, 12))
    fade = int(rng.integers(2, 8)) if rng.random() < 0.5 else 0
    music = bool(rng.random() < 0.6)
    card = _card(words, recording.frames.shape[1:3], rng)
    steps = np.arange(length)
    shares = np.minimum(1, np.minimum(steps + 1, length - steps) / (fade + 1)).astype(np.float32)
    frames = np.stack([cv2.convertScaleAbs(card, alpha=float(share)) for share in shares])
    audio = np.zeros(length * STEP_SAMPLES, np.float32)
    level_db = float(rng.uniform(-38, -20))
    if music:
        audio = _music(len(audio), level_db, rng)
    params = {
        "at": at,
        "length": length,
        "words": words,
        "fade": fade,
        "music_db": level_db if music else None,
    }
    return _inserted(recording, Recording.of(frames, audio).added(), at, params)


def _drawn_span(
    n_steps: int, seconds: tuple[float, float], rng: np.random.Generator
) -> tuple[int, int]:
    """Steps `[start, end)` of so many seconds, of a short clip at most half."""
    length = max(1, min(steps_of(rng.uniform(*seconds)), n_steps // 2))
    start = int(rng.integers(n_steps - length + 1))
    return start, start + length


def _inserted(recording: Recording, piece: Recording, at: int, params: dict[str, Any]) -> Change:
    """The recording with `piece` between its steps `at - 1` and `at`."""
    before = recording.taken(np.arange(at))
    behind = recording.taken(np.arange(at, recording.n_steps))
    return Change(joined(before, piece, behind), ((at, at + piece.n_steps),), params)


def _covered(
    recording: Recording,
    span: tuple[int, int],
    shown: np.ndarray,
    face: np.ndarray,
    params: dict[str, Any],
) -> Change:
    """The recording with other pictures and their face in a span, and all of its sound."""
    frames, faces = recording.frames.copy(), recording.face.copy()
    frames[slice(*span)], faces[slice(*span)] = shown, face
    return Change(replace(recording, frames=frames, face=faces), (span,), params, (span,))


def _fitted(recording: Recording, size: tuple[int, ...]) -> Recording:
    """The recording scaled until it covers `size` (height, width), and cropped around its face."""
    height, width = recording.frames.shape[1:3]
    scale = max(size[0] / height, size[1] / width)
    large = (max(size[1], round(width * scale)), max(size[0], round(height * scale)))
    seen = recording.face[~np.isnan(recording.face).any(1)]
    box = np.median(seen, axis=0) if len(seen) else np.array([0, 0, width, height])
    middle = (box[:2] + box[2:]) / 2 * scale
    left, top = (
        int(np.clip(round(middle[axis] - own / 2), 0, large[axis] - own))
        for axis, own in enumerate((size[1], size[0]))
    )
    manner = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    frames = np.stack(
        [
            cv2.resize(frame, large, interpolation=manner)[
                top : top + size[0], left : left + size[1]
            ]
            for frame in recording.frames
        ]
    )
    face = recording.face * np.float32(scale) - np.array([left, top] * 2, np.float32)
    return replace(recording, frames=frames, face=face.astype(np.float32))


def _loudness_db(audio: np.ndarray) -> float:
    """Level of the louder half of the steps, in dB of full scale."""
    power = np.sort((audio.reshape(-1, STEP_SAMPLES) ** 2).mean(1))
    return 10 * math.log10(float(power[len(power) // 2 :].mean()) + 1e-10)


def _gain_db(audio: np.ndarray, like: np.ndarray) -> float:
    """What makes `audio` as loud as `like`; 0 where one of them is silent."""
    if not (audio.any() and like.any()):
        return 0.0
    return float(np.clip(_loudness_db(like) - _loudness_db(audio), -MOST_GAIN_DB, MOST_GAIN_DB))


def _eased(audio: np.ndarray, samples: int) -> np.ndarray:
    """`audio` with its first and last samples faded, so that they don't click."""
    ramp = np.minimum(1, np.arange(len(audio), dtype=np.float32) / samples)
    return audio * ramp * ramp[::-1]


def _beside_face(face: np.ndarray, size: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """The larger strip (left, top, right, bottom) beside or above every box of `face (T, 4)`, which
    are widened by a fifth; None where there is too little room."""
    height, width = size[:2]
    seen = face[~np.isnan(face).any(1)]
    if not len(seen):
        return 0, 0, width, height
    low, high = seen[:, :2].min(0), seen[:, 2:].max(0)
    reach = 0.2 * (high - low)
    low, high = np.maximum(low - reach, 0), high + reach
    strips = [
        (0, 0, min(width, int(low[0])), height),
        (min(width, math.ceil(high[0])), 0, width, height),
        (0, 0, width, min(height, int(low[1]))),
    ]
    strip = max(strips, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
    large = (strip[2] - strip[0]) / width, (strip[3] - strip[1]) / height
    return strip if min(large) >= MIN_BACKGROUND_SHARE else None


def _defocused_pan(
    frames: np.ndarray, region: tuple[int, int, int, int], rng: np.random.Generator
) -> np.ndarray:
    """What `region` of the frames shows, large and blurred, in slow movement."""
    height, width = frames.shape[1:3]
    left, top, right, bottom = region
    small = (max(2, width // 4), max(2, height // 4))
    margin = max(1, round(0.12 * min(small)))
    blur = float(rng.uniform(0.03, 0.09)) * min(small)
    way = np.linspace(0, 1, len(frames))[:, None] * rng.uniform(-margin, margin, 2)
    shown = []
    for frame, shift in zip(frames, way, strict=True):
        part = cv2.resize(
            frame[top:bottom, left:right],
            (small[0] + 2 * margin, small[1] + 2 * margin),
            interpolation=cv2.INTER_AREA,
        )
        soft = cv2.GaussianBlur(part, (0, 0), blur)
        move = np.array([[1, 0, -margin - shift[0]], [0, 1, -margin - shift[1]]])
        panned = cv2.warpAffine(soft, move, small, borderMode=cv2.BORDER_REPLICATE)
        shown.append(cv2.resize(panned, (width, height), interpolation=cv2.INTER_CUBIC))
    return _with_grain(np.stack(shown), rng)


def _landscape_pan(length: int, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """`(length, H, W, 3) uint8`: a drawn sky over ridges of hills, panned or zoomed slowly."""
    height, width = size[:2]
    canvas = _landscape(height * 5 // 4, width * 5 // 4, rng)
    first, last = rng.uniform(0, 1, (2, 2)) * [canvas.shape[1] - width, canvas.shape[0] - height]
    zoom = float(rng.uniform(1.0, 1.1))
    shown = []
    for share in np.linspace(0, 1, length):
        scale = 1 / (1 + share * (zoom - 1))
        left, top = first + share * (last - first)
        place = np.array([[scale, 0, left], [0, scale, top]])
        manner = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shown.append(cv2.warpAffine(canvas, place, (width, height), flags=manner))
    return _with_grain(np.stack(shown), rng)


def _landscape(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """`(height, width, 3) uint8`."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    zenith = rng.uniform([50, 90, 140], [150, 190, 235])
    horizon = rng.uniform([170, 160, 150], [245, 240, 250])
    picture = np.broadcast_to(zenith + down * (horizon - zenith), (height, width, 3)).copy()
    picture += 18 * _clouds(height, width, rng)[..., None]
    ground = rng.uniform([60, 75, 40], [130, 140, 95])
    for number in range(3):
        rough = np.cumsum(rng.normal(0, 1, width))
        ridge = gaussian_filter1d(
            rough - np.linspace(0, rough[-1], width), width / (12 + 20 * number)
        )
        ridge *= height * rng.uniform(0.03, 0.12) / (np.abs(ridge).max() + 1e-6)
        top = height * (0.4 + 0.18 * number) + ridge
        hill = ground * (1.15 - 0.3 * number) + 18 * _clouds(height, width, rng)[..., None]
        cover = np.clip(np.arange(height)[:, None] - top, 0, 1)[..., None]
        picture += cover * (hill - picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _clouds(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """`(height, width) float32`: noise of all sizes, of spread 1."""
    noise = np.zeros((height, width), np.float32)
    for octave in range(2, 8):
        cells = (min(height, 2**octave), min(width, 2**octave))
        coarse = rng.standard_normal(cells, np.float32)
        noise += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / octave
    return noise / (noise.std() + 1e-6)


def _with_grain(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The frames with a camera's noise: one field of it, elsewhere at every step."""
    height, width = frames.shape[1:3]
    spread = float(rng.uniform(0.5, 3.0))
    field = rng.standard_normal((height + 64, width + 64, 1), np.float32)
    field = np.rint(spread * gaussian_filter(field, (0.6, 0.6, 0)) / 0.5).astype(np.int16)
    shown = np.empty_like(frames)
    for step, (top, left) in enumerate(rng.integers(0, 64, (len(frames), 2))):
        grain = field[top : top + height, left : left + width]
        shown[step] = np.clip(frames[step].astype(np.int16) + grain, 0, 255)
    return shown


def _card(words: str, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """`(H, W, 3) uint8`: words in the middle of one colour, or of a gradient of two."""
    height, width = size[:2]
    dark = bool(rng.random() < 0.7)
    colours = rng.uniform(0, 70, (2, 3)) if dark else rng.uniform(180, 255, (2, 3))
    if rng.random() < 0.5:
        colours[1] = colours[0]
    share = np.linspace(0, 1, height)[:, None, None]
    picture = np.broadcast_to(colours[0] + share * (colours[1] - colours[0]), (height, width, 3))
    card = Image.fromarray(np.rint(picture).astype(np.uint8))
    longest = max(len(line) for line in words.split("\n"))
    letters_px = min(float(rng.uniform(0.07, 0.16)) * height, 1.5 * width / longest)
    ImageDraw.Draw(card).text(
        (width / 2, height * float(rng.uniform(0.4, 0.6))),
        words,
        fill=(245, 245, 240) if dark else (20, 20, 25),
        font=ImageFont.load_default(max(6.0, letters_px)),
        anchor="mm",
        align="center",
    )
    return np.array(card)


def _music(n_samples: int, level_db: float, rng: np.random.Generator) -> np.ndarray:
    """`(n_samples,) float32`: plucked notes of one chord after the other at a level of RMS."""
    times = np.arange(n_samples, dtype=np.float32) / AUDIO_RATE_HZ
    beat_s, root_hz = float(rng.uniform(0.2, 0.6)), float(rng.uniform(110, 220))
    chord = CHORDS[rng.integers(len(CHORDS))]
    music = np.zeros(n_samples, np.float32)
    for number, start in enumerate(range(0, n_samples, samples_of(beat_s))):
        if number % 8 == 0:
            chord = CHORDS[rng.integers(len(CHORDS))]
        semitones = chord[rng.integers(len(chord))] + 12 * rng.integers(2)
        since = times[: n_samples - start]
        pitch_hz = root_hz * 2 ** (float(semitones) / 12)
        note = sum(
            np.sin(2 * np.pi * pitch_hz * part * since) * np.exp(-since * (1.5 + part)) / part
            for part in range(1, 5)
        )
        music[start:] += note * np.minimum(1, since / 0.005)
    level = 10 ** (level_db / 20) / (np.sqrt(np.mean(music**2)) + 1e-9)
    return _eased(music * np.float32(level), samples_of(0.02)).astype(np.float32)
