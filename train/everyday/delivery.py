"""Everyday changes of delivery: the frame rate, the fields, the messenger, the screen, the codec.

Each goes through the whole clip. What is shown at a step may be the picture of a neighbouring step,
as a converter leaves it; the truth of the clip stays where it was. Nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from scipy.signal import butter, sosfiltfilt

from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ
from train.everyday.recording import Change, Recording
from train.everyday.registry import KINDS, everyday
from train.forge.reencode import reencode_audio, reencode_frames

SMALLEST_PX = 16
FAST_HZ = 50.0  # from here on a conversion to 25 Hz is more often blended


@everyday("frame-rate-24", "delivery")
def frame_rate_24(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """Cinema: one picture a second is left out, another one repeated."""
    return _through_rate(recording, rng, 24.0)


@everyday("frame-rate-29.97", "delivery")
def frame_rate_29_97(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """NTSC television."""
    return _through_rate(recording, rng, 30_000 / 1001)


@everyday("frame-rate-30", "delivery")
def frame_rate_30(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """Most phones and webcams."""
    return _through_rate(recording, rng, 30.0)


@everyday("frame-rate-50", "delivery", held_out=True)
def frame_rate_50(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """European television, progressive."""
    return _through_rate(recording, rng, 50.0)


@everyday("frame-rate-60", "delivery")
def frame_rate_60(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """Fast phones."""
    return _through_rate(recording, rng, 60.0)


def _through_rate(recording: Recording, rng: np.random.Generator, rate_hz: float) -> Change:
    """The clip at `rate_hz`, encoded, and shown at 25 Hz as `Clip.frames` shows it: at the middle
    of each step, what is on display then. Phones' frames come a little early or late."""
    blended = bool(rng.random() < (0.7 if rate_hz >= FAST_HZ else 0.35))
    phase = float(rng.uniform(0, 1))
    jitter_s = float(rng.choice([0.0, rng.uniform(0.5e-3, 4e-3)]))
    crf = int(rng.integers(18, 31))
    n_steps = recording.n_steps
    times = (np.arange(int(np.ceil(n_steps / VIDEO_RATE_HZ * rate_hz))) + phase) / rate_hz
    times = np.sort(times + np.clip(rng.normal(0, jitter_s, len(times)), -0.01, 0.01))
    steps = np.clip(times * VIDEO_RATE_HZ, 0, n_steps - 1)
    if blended:
        frames = _blended(recording.frames, np.maximum(steps - 0.5, 0))
    else:
        frames = recording.frames[np.floor(steps + 1e-6).astype(int)]
    frames = reencode_frames(frames, "libx264", crf)
    middles = (np.arange(n_steps) + 0.5) / VIDEO_RATE_HZ
    shown = np.maximum(np.searchsorted(times, middles + 1e-6, "right") - 1, 0)
    params = {
        "rate_hz": rate_hz,
        "manner": "blended" if blended else "nearest",
        "phase": phase,
        "jitter_s": jitter_s,
        "crf": crf,
    }
    return _everywhere(replace(recording, frames=frames[shown]), params)


def _blended(frames: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The pictures between `frames` at `places (N,) float`, as weighted means of two."""
    last = len(frames) - 1
    first = np.floor(places).astype(int)
    return np.stack(
        [
            cv2.addWeighted(frames[step], 1 - share, frames[min(step + 1, last)], share, 0)
            for step, share in zip(first, places - first, strict=True)
        ]
    )


@everyday("interlaced", "delivery", held_out=True)
def interlaced(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """Every other line is of a later moment; a player deinterlaces by one field (bob) or by the
    mean of both (blend)."""
    manner = str(rng.choice(["bob", "blend"]))
    lag = float(rng.uniform(0.3, 1.0))  # of a step, from the first field to the second
    first_field = int(rng.integers(2))
    quantiser = int(rng.integers(2, 8))
    steps = np.arange(recording.n_steps)
    woven = recording.frames.copy()
    later = _blended(recording.frames, np.minimum(steps + lag, len(steps) - 1))
    woven[:, 1 - first_field :: 2] = later[:, 1 - first_field :: 2]
    woven = reencode_frames(woven, "mpeg4", quantiser)
    height, width = woven.shape[1:3]
    if manner == "bob":
        # line `2 i + field` of the picture is line `i` of the field
        lines = (np.arange(height, dtype=np.float32) - first_field) / 2
        rows = np.repeat(np.clip(lines, 0, height // 2 - 1)[:, None], width, axis=1)
        columns = np.repeat(np.arange(width, dtype=np.float32)[None], height, axis=0)
        shown = [
            cv2.remap(frame[first_field::2], columns, rows, cv2.INTER_LINEAR) for frame in woven
        ]
    else:
        kernel = np.array([[0.25], [0.5], [0.25]], np.float32)
        shown = [cv2.filter2D(frame, -1, kernel) for frame in woven]
    params = {"manner": manner, "lag": lag, "first_field": first_field, "quantiser": quantiser}
    return _everywhere(replace(recording, frames=np.stack(shown)), params)


@everyday("messenger", "delivery")
def messenger(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """Scaled down, H.264 of few bits, sound of few bits and narrow band; shown at the old size."""
    scale = float(rng.uniform(0.4, 0.9))
    bits_a_pixel = float(np.exp(rng.uniform(np.log(0.025), np.log(0.12))))
    height, width = recording.frames.shape[1:3]
    small = [max(SMALLEST_PX, round(side * scale / 2) * 2) for side in (height, width)]
    kbits = max(16, round(bits_a_pixel * small[0] * small[1] * VIDEO_RATE_HZ / 1000))
    frames = _resized(recording.frames, small[0], small[1])
    frames = _resized(reencode_frames(frames, "libx264", 0, kbits), height, width)
    codec = str(rng.choice(["libopus", "aac"]))
    sound_kbits = int(rng.choice([8, 12, 16, 24] if codec == "libopus" else [16, 24, 32]))
    highest_hz = float(rng.uniform(3400, 7500))
    low_pass = butter(6, highest_hz, fs=AUDIO_RATE_HZ, output="sos")
    narrow = sosfiltfilt(low_pass, recording.audio).astype(np.float32)
    audio = reencode_audio(narrow, codec, sound_kbits)
    params = {
        "scale": scale,
        "kbits": kbits,
        "audio_codec": codec,
        "audio_kbits": sound_kbits,
        "highest_hz": highest_hz,
    }
    return _everywhere(replace(recording, frames=frames).with_audio(audio), params)


@everyday("screen-recording", "delivery", held_out=True)
def screen_recording(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """A player's window on a screen, filmed off the screen: scaled up and down again by other than
    whole numbers, a border, a cursor, pictures that come late."""
    enlarged = float(rng.uniform(1.15, 2.2))
    filled = float(rng.uniform(0.82, 0.99))
    late_share = float(rng.uniform(0.02, 0.2))
    crf, kbits = int(rng.integers(22, 33)), int(rng.choice([64, 96]))
    shade = int(rng.choice([12, 32, 60, 200, 240]))
    n_steps, height, width = recording.frames.shape[:3]
    inner = [max(2, round(side * filled)) for side in (height, width)]
    top, left = (
        int(rng.integers(0, side - own + 1))
        for side, own in zip((height, width), inner, strict=True)
    )
    screen = np.full_like(recording.frames, shade)
    steps = np.arange(n_steps)
    late = (rng.random(n_steps) < late_share) & (steps > 0)
    steps = np.maximum.accumulate(np.where(late, 0, steps))  # what comes late shows the one before
    pictures = _resized(recording.frames, round(height * enlarged), round(width * enlarged))
    window = _resized(pictures, inner[0], inner[1])[steps]
    screen[:, top : top + inner[0], left : left + inner[1]] = window
    cursor = bool(rng.random() < 0.6)
    if cursor:
        _draw_cursor(screen, rng)
    place = np.array([inner[1] / width, inner[0] / height] * 2, np.float32)
    moved = Recording(
        reencode_frames(screen, "libx264", crf),
        recording.audio,
        recording.source_steps,
        recording.face * place + np.array([left, top] * 2, np.float32),
    )
    params = {
        "enlarged": enlarged,
        "filled": filled,
        "late": int(np.count_nonzero(late)),
        "crf": crf,
        "cursor": cursor,
        "audio_kbits": kbits,
    }
    return _everywhere(moved.with_audio(reencode_audio(moved.audio, "aac", kbits)), params)


def _draw_cursor(frames: np.ndarray, rng: np.random.Generator) -> None:
    """Draws an arrow into `frames` that rests, moves once, and rests again."""
    n_steps, height, width = frames.shape[:3]
    size = max(4.0, 0.045 * height)
    arrow = np.array(
        [[0, 0], [0, 1], [0.25, 0.78], [0.42, 1.15], [0.57, 1.08], [0.4, 0.72], [0.7, 0.7]]
    )
    ends = rng.uniform(0.05, 0.95, (2, 2)) * [width, height]
    start, length = rng.integers(n_steps), rng.integers(5, 20)
    way = np.clip((np.arange(n_steps) - start) / length, 0, 1)[:, None]
    for frame, place in zip(frames, ends[0] + way * (ends[1] - ends[0]), strict=True):
        points = np.rint(place + size * arrow).astype(np.int32)
        cv2.fillPoly(frame, [points], (255, 255, 255), cv2.LINE_AA)
        cv2.polylines(frame, [points], True, (0, 0, 0), 1, cv2.LINE_AA)


@everyday("vp9-opus", "delivery")
def vp9_opus(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The codecs of video sites."""
    crf = int(rng.integers(24, 46))
    kbits = int(rng.choice([24, 32, 48, 64, 96]))
    frames = reencode_frames(recording.frames, "libvpx-vp9", crf)
    audio = reencode_audio(recording.audio, "libopus", kbits)
    return _everywhere(
        replace(recording, frames=frames).with_audio(audio), {"crf": crf, "audio_kbits": kbits}
    )


IN_A_ROW = ("frame-rate-24", "frame-rate-30", "messenger", "vp9-opus")  # none that is held out


@everyday("several-in-a-row", "delivery")
def several_in_a_row(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """Two or three deliveries one after the other, as what is passed on has behind it."""
    names = [str(name) for name in rng.choice(IN_A_ROW, rng.integers(2, 4), replace=False)]
    made = []
    for name in names:
        change = KINDS[name].change(recording, rng, other)
        recording = change.recording
        made.append({"kind": name, **change.params})
    return _everywhere(recording, {"made": made})


def _resized(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """`frames` at another size: means of pixels downwards, bicubic upwards."""
    manner = cv2.INTER_AREA if height < frames.shape[1] else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, (width, height), interpolation=manner) for frame in frames])


def _everywhere(recording: Recording, params: dict[str, Any]) -> Change:
    return Change(recording, ((0, recording.n_steps),), params)
