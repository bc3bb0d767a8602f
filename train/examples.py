"""The repository's own example clips, drawn by code: `python -m train examples`.

A public-domain NASA portrait (it ships with scikit-image) is made to speak: the jaw follows the
loudness of a synthetic voice, the head moves, the eyes blink, the camera adds noise and flicker.
One clip stays as drawn, one gets a forged stretch of picture, one of sound. Nothing here is a real
recording, so the clips show how DeepLoc is used, not how well it works.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from scipy.ndimage import gaussian_filter1d, map_coordinates, spline_filter
from scipy.signal import fftconvolve, lfilter
from skimage.data import astronaut

from deeploc.faces.detector import FaceDetector
from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ
from deeploc.media.writer import write_clip
from deeploc.preprocess.audio import STEP_SAMPLES
from train.forge.picture.face import FaceVideo, follow_landmarks
from train.forge.picture.families import forge_picture
from train.forge.sound.families import forge_sound
from train.forge.sound.text_to_speech import ESPEAK, espeak

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"
SIZE = (360, 480)
WINDOW = (20.0, 74.0, 225.0)  # top, left and height of the part of the portrait that is shown
QUALITY = 22
SENTENCES = (
    "This clip was drawn by a program. Nobody ever said these words. "
    "The voice is synthetic, and the head moves because of a few lines of code."
)
FOREIGN = "Seven small boats left the harbour before the storm, and none of them came back."
VOICE, OTHER_VOICE = "en-us+f2", "en-gb-scotland+m3"
PICTURE_SPAN_S = (3.2, 4.4)
SOUND_SPAN_S = (4.6, 5.6)

MOUTH = (223.5, 140.5, 20.5)  # middle and height of the corners, half width; portrait pixels
PARTING = 9.3  # how far the lower edge of the teeth hangs below the corners
CHIN = 174.0
EYES = ((203.0, 102.0), (246.5, 103.6))
NECK = (225.0, 185.0)


@dataclass(frozen=True)
class Motion:
    """What moves, one value a step: pixels of the portrait, radians, or 0..1 for the lids."""

    opening: np.ndarray
    rounding: np.ndarray
    lids: np.ndarray
    tilt: np.ndarray
    turn: np.ndarray
    nod: np.ndarray
    sway: np.ndarray


def synthetic_voice(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """`(S,) float64` babble at 16 kHz: a buzz through moving vowels, in syllables and pauses."""
    count = int(seconds * AUDIO_RATE_HZ)
    voice = np.zeros(count)
    pitch, start = rng.uniform(110, 210), int(0.2 * AUDIO_RATE_HZ)
    while start < count - 6000:
        length = int(rng.uniform(0.12, 0.3) * AUDIO_RATE_HZ)
        cycles = np.cumsum(np.full(length, pitch * rng.uniform(0.85, 1.15) / AUDIO_RATE_HZ))
        sound = np.diff(np.floor(cycles), prepend=0) + 0.02 * rng.standard_normal(length)
        for formant in (rng.uniform(300, 800), rng.uniform(900, 2200), rng.uniform(2400, 3000)):
            radius, angle = 0.975, 2 * np.pi * formant / AUDIO_RATE_HZ
            sound = lfilter([1.0], [1, -2 * radius * np.cos(angle), radius**2], sound)
        sound *= np.hanning(length) / (np.abs(sound).max() + 1e-9)
        end = min(start + length, count)
        voice[start:end] += sound[: end - start]
        start += length + int(rng.choice([0.01, 0.03, 0.35], p=[0.5, 0.35, 0.15]) * AUDIO_RATE_HZ)
    return voice


def simulate_room(voice: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The voice `(S,)` as a microphone in a small room hears it, with its noise; float32."""
    decay = np.exp(-np.arange(3200) / 600.0) * rng.standard_normal(3200)
    wet = fftconvolve(voice, decay)[: len(voice)]
    recorded = voice / (voice.std() + 1e-9) + 0.15 * wet / (wet.std() + 1e-9)
    floor = lfilter([1.0], [1, -0.9], rng.standard_normal(len(voice)))
    recorded = 0.07 * recorded + 0.0006 * floor
    return np.clip(recorded, -0.95, 0.95).astype(np.float32)


def act(audio: np.ndarray, rng: np.random.Generator) -> Motion:
    """How the head moves to `audio (S,)`: the jaw by its loudness, the rest by chance."""
    steps = len(audio) // STEP_SAMPLES
    blocks = audio[: steps * STEP_SAMPLES].reshape(steps, STEP_SAMPLES)
    level = np.sqrt((blocks.astype(np.float64) ** 2).mean(1))
    loud = np.clip(gaussian_filter1d(level, 0.8) / (np.quantile(level, 0.95) + 1e-9), 0, 1.2)
    wide = 1 + 0.3 * _drift(steps, rng, 3.0)
    lids = np.zeros(steps)
    for start in np.cumsum(rng.uniform(1.6, 4.0, 2 + steps // 40)):
        lids += np.exp(-(((np.arange(steps) / VIDEO_RATE_HZ - start) / 0.07) ** 2))
    return Motion(
        opening=-5 + 11 * loud**0.8 * wide,
        rounding=0.05 + 0.12 * np.clip(_drift(steps, rng, 2.5), -0.6, 1) * (loud > 0.15),
        lids=np.clip(1.15 * lids, 0, 1),
        tilt=0.035 * _drift(steps, rng, 0.4),
        turn=3.0 * _drift(steps, rng, 0.5),
        nod=2.2 * _drift(steps, rng, 0.8) + 0.8 * loud,
        sway=3.0 * _drift(steps, rng, 0.3),
    )


def _drift(steps: int, rng: np.random.Generator, rate_hz: float) -> np.ndarray:
    """Smooth random movement about 0, mostly within -1..1, no faster than `rate_hz`."""
    seconds = np.arange(steps) / VIDEO_RATE_HZ
    rates, phases = rng.uniform(0.2, 1.0, 4) * rate_hz, rng.uniform(0, 2 * np.pi, 4)
    return 0.5 * np.sin(2 * np.pi * rates * seconds[:, None] + phases).sum(1)


def draw(
    motion: Motion, rng: np.random.Generator, size: tuple[int, int] = SIZE, tint: float = 0.0
) -> np.ndarray:
    """`(T, H, W, 3) uint8` frames of the portrait in motion. `tint` (-1..1) changes its colours."""
    portrait = astronaut().astype(np.float32) * np.array([1 + 0.2 * tint, 1.0, 1 - 0.2 * tint])
    channels = [spline_filter(portrait[..., channel], 3, np.float32) for channel in range(3)]
    top, left, shown = WINDOW
    scale = shown / size[0]
    grid = np.mgrid[: size[0], : size[1]] * scale
    y, x = grid[0] + top, grid[1] + left
    frames = []
    for step in range(len(motion.opening)):
        px, py = _head(x, y, motion, step)
        px, py = _eyelids(px, py, motion.lids[step])
        px = px + _lips(px, py) * motion.rounding[step] * (px - MOUTH[0])
        source_y, cavity = _jaw(px, py, motion.opening[step])
        places = np.stack([source_y, px])
        picture = np.stack(
            [
                map_coordinates(c, places, order=3, mode="nearest", prefilter=False)
                for c in channels
            ],
            axis=-1,
        )
        depth = np.clip((py - MOUTH[1]) / 25, 0, 1)[..., None]
        inside = np.array([45.0, 16, 18]) + depth * np.array([70.0, 30, 30])
        picture = picture + cavity[..., None] * (inside - picture)
        frames.append(_filmed(picture, step, rng))
    return np.stack(frames)


def _head(x: np.ndarray, y: np.ndarray, motion: Motion, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Where in the portrait each place comes from: the head moves, the backdrop stays."""
    radius = np.hypot((x - 225) / 62, (y - 112) / 85)
    weight = 1 - _smooth((radius - 0.85) / 1.1)
    round_ = np.sqrt(np.clip(1 - ((x - 225) / 55) ** 2 - ((y - 125) / 80) ** 2, 0, 1))
    tilt = motion.tilt[step]
    moved_x = tilt * (y - NECK[1]) + motion.sway[step] + motion.turn[step] * round_
    moved_y = -tilt * (x - NECK[0]) + motion.nod[step] * (0.4 + round_)
    return x - weight * moved_x, y - weight * moved_y


def _eyelids(x: np.ndarray, y: np.ndarray, shut: float) -> tuple[np.ndarray, np.ndarray]:
    """Stretches the skin above each eye down over it."""
    for middle_x, middle_y in EYES:
        arch = np.clip(1 - ((x - middle_x) / 12) ** 2, 0, 1)
        brow, upper, lower = middle_y - 9, middle_y - 4.0 * arch, middle_y + 3.2 * arch
        edge = upper + shut * (lower - upper)
        stretched = brow + (y - brow) * (upper - brow) / (edge - brow)
        lid = np.clip(edge - y + 0.5, 0, 1) * (arch > 0) * (y > brow)
        y = y + lid * (stretched - y)
    return x, y


def _lips(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.exp(-(((x - MOUTH[0]) / 30) ** 2) - ((y - MOUTH[1] - 6) / 16) ** 2)


def _jaw(x: np.ndarray, y: np.ndarray, opening: float) -> tuple[np.ndarray, np.ndarray]:
    """Source heights with the jaw `opening` pixels lower (or the lip raised), and the dark gap."""
    off = np.clip((x - MOUTH[0]) / MOUTH[2], -1, 1)
    parting = MOUTH[1] + PARTING * (1 - np.abs(off) ** 3)
    lip, jaw = 1 - off**2, np.exp(-(((x - MOUTH[0]) / 34) ** 4))
    edge = parting + opening * lip
    below = y - edge
    if opening > 0:
        mix = _smooth(below / 14)
        reach = 1 - _smooth((y - CHIN) / 24)
    else:
        mix = np.zeros_like(below)
        reach = 1 - _smooth(below / 24)
    shift = opening * (lip * (1 - mix) + jaw * mix) * reach
    above = np.minimum(y, parting)
    source = above + np.clip(below + 0.5, 0, 1) * (np.maximum(y - shift, parting) - above)
    cavity = np.clip((edge - y) / 0.8, 0, 1) * np.clip((y - parting) / 0.8, 0, 1)
    return source, cavity


def _smooth(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)


def _filmed(picture: np.ndarray, step: int, rng: np.random.Generator) -> np.ndarray:
    light = 1 + 0.012 * np.sin(2 * np.pi * step / VIDEO_RATE_HZ * 0.7) + rng.normal(0, 0.003)
    noise = rng.normal(0, 1.8, picture.shape[:2])[..., None] + rng.normal(0, 0.7, picture.shape)
    return np.clip(np.rint(picture * light + noise), 0, 255).astype(np.uint8)


def render_speaker(
    audio: np.ndarray, seed: int, size: tuple[int, int] = SIZE, tint: float = 0.0
) -> np.ndarray:
    """`(T, H, W, 3) uint8` frames of a head that says `audio (S,)` at 16 kHz."""
    rng = np.random.default_rng(seed)
    return draw(act(audio, rng), rng, size, tint)


def _voices(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The clip's speech and somebody else's: by espeak-ng where it is installed, else babble."""
    if not ESPEAK.requirement.is_installed():
        return synthetic_voice(8.0, rng), synthetic_voice(4.0, rng)
    voice = espeak(SENTENCES, VOICE, 150, 50)
    pad = int(0.3 * AUDIO_RATE_HZ)
    voice = np.pad(voice, pad)[: int(8.8 * AUDIO_RATE_HZ)]
    voice = voice[: len(voice) // STEP_SAMPLES * STEP_SAMPLES]
    return voice, espeak(FOREIGN, OTHER_VOICE, 165, 35)


def make_examples(out: Path = EXAMPLES, seed: int = 0) -> None:
    """Write authentic.mp4, picture.mp4, sound.mp4 and truth.csv."""
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    voice, foreign = _voices(rng)
    audio = simulate_room(voice, rng)
    frames = render_speaker(audio, seed)
    landmarks = follow_landmarks(frames, FaceDetector())
    steps = [round(second * VIDEO_RATE_HZ) for second in PICTURE_SPAN_S]
    forged, _ = forge_picture(
        FaceVideo(frames, landmarks),
        (steps[0], steps[1]),
        "face-resynthesis",
        np.random.default_rng(seed),
    )
    samples = [round(second * AUDIO_RATE_HZ) for second in SOUND_SPAN_S]
    replaced, _ = forge_sound(
        audio, (samples[0], samples[1]), "other-speaker", rng, simulate_room(foreign, rng)
    )
    clips = {
        "authentic.mp4": (frames, audio),
        "picture.mp4": (forged, audio),
        "sound.mp4": (frames, replaced),
    }
    for name, (picture, sound) in clips.items():
        write_clip(out / name, picture, sound, rate_hz=VIDEO_RATE_HZ, crf=QUALITY)
    with (out / "truth.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "start_s", "end_s", "stream"])
        rows.writerow(["authentic.mp4", "", "", ""])
        rows.writerow(["picture.mp4", *PICTURE_SPAN_S, "visual"])
        rows.writerow(["sound.mp4", *SOUND_SPAN_S, "audio"])


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(make_examples, args=arguments, prog="python -m train examples", description=__doc__)


if __name__ == "__main__":
    main()
