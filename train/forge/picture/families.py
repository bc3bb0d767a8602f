"""Partial forgeries of the picture: a mouth or a face replaced for a while, softly, in motion.

Every family is one function from the authentic frames to replacement patches; one blend puts them
back. Nothing here knows about files, sound, labels or splits.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from scipy.fft import dstn, idstn
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from skimage.transform import SimilarityTransform

from train.forge.codec import (
    HEAD,
    draw_coding,
    handed_over,
    recoded,
)
from train.forge.picture.face import (
    FACE,
    MOUTH,
    Picture,
    Region,
    head_turn,
    place_face,
    region_alpha,
    warped,
)

MOST_FADE_FRAMES = 2
CODED_SHARE = 0.75

FAMILIES = dict.fromkeys(
    (
        "mouth-swap-self",
        "mouth-swap-other",
        "face-swap-other",
        "mouth-resynthesis",
        "face-resynthesis",
        "freeze",
    ),
    1,
)
UNSEEN_FAMILIES = ("poisson",)
FROM_OTHERS = ("mouth-swap-other", "face-swap-other")


Patches = Callable[[int, slice, slice], np.ndarray]


def forge_picture(
    picture: Picture,
    span: tuple[int, int],
    family: str,
    rng: np.random.Generator,
    other: Picture | None = None,
    moment: int | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """A copy of the frames with the steps `[start, end)` forged, and how it was done.

    Most forged stretches come out of a tool's own file (`forge_tool`). `other` is a picture of
    another person, needed by the families in `FROM_OTHERS`. With `moment` a swapped region is that
    of the donor (`other`, or the clip itself) from this step on: lips that follow a sound of the
    same moment. The family `null` moves the mouth by
    less than a pixel through the same blend, and through no file, and `recoded` sends whole frames
    through a file and forges nothing: both stay authentic.
    """
    if family == "recoded":
        return recoded(picture.frames, span, rng)
    region = (FACE if family.startswith("face") else MOUTH).varied(rng)
    fade_frames = int(rng.integers(MOST_FADE_FRAMES + 1))
    if family == "poisson":
        donor_steps = _elsewhere(len(picture.frames), span, rng)
        forged = _blend_membrane(picture, span, donor_steps, fade_frames)
        how: dict[str, Any] = {"donor_start": int(donor_steps[0])}
    else:
        patches, how = _patches(picture, span, family, region, rng, other, moment)
        how["region"] = [round(float(size), 3) for size in vars(region).values()]
        forged = _blend(picture, span, region, patches, fade_frames)
    if family == "null" or rng.random() > CODED_SHARE:
        return forged, how
    around = (region, FACE, HEAD, HEAD)[rng.integers(4)].varied(rng)
    forged, coding = handed_over(picture, forged, span, draw_coding(rng), around)
    return forged, how | coding


def _patches(
    picture: Picture,
    span: tuple[int, int],
    family: str,
    region: Region,
    rng: np.random.Generator,
    other: Picture | None,
    moment: int | None,
) -> tuple[Patches, dict[str, Any]]:
    if family == "null":
        shift = rng.uniform(0.2, 0.8, 2) * rng.choice([-1, 1], 2)
        return _shifted(picture, shift), {"shift_px": shift.round(3).tolist()}
    if family.endswith("resynthesis"):
        return _resynthesised(picture, span, region, rng)
    if family not in ("mouth-swap-self", "freeze", *FROM_OTHERS):
        raise ValueError(f"unknown picture family: {family}")
    if family in FROM_OTHERS and other is None:
        raise ValueError(f"{family} needs another person's picture")
    donor = other or picture
    if moment is not None:
        donor_steps = moment + np.arange(span[1] - span[0])
    elif family in FROM_OTHERS:
        donor_steps = _consecutive(picture, span, donor, rng)
    else:
        choose = _held if family == "freeze" else _elsewhere
        donor_steps = choose(len(picture.frames), span, rng)
    return _swapped(picture, span, region, donor, donor_steps, rng)


def _blend(
    picture: Picture, span: tuple[int, int], region: Region, patches: Patches, fade_frames: int
) -> np.ndarray:
    frames = picture.frames.copy()
    for step in range(*span):
        rows, columns, alpha = region_alpha(picture.landmarks[step], region, frames.shape[1:3])
        alpha = (alpha * fade(step, span, fade_frames))[..., None]
        mixed = alpha * patches(step, rows, columns) + (1 - alpha) * frames[step, rows, columns]
        frames[step, rows, columns] = np.clip(np.rint(mixed), 0, 255)
    return frames


def fade(step: int, span: tuple[int, int], frames: int) -> float:
    """Weight 0..1 of a forgery at a step of its span: in and out over so many frames."""
    return min(1.0, (min(step - span[0], span[1] - 1 - step) + 1) / (frames + 1))


def _shifted(picture: Picture, shift: np.ndarray) -> Patches:
    place = SimilarityTransform(translation=shift)
    return lambda step, rows, columns: warped(picture.frames[step], place, rows, columns, 3)


def _consecutive(
    picture: Picture, span: tuple[int, int], other: Picture, rng: np.random.Generator
) -> np.ndarray:
    """Consecutive steps of another person, there and back again where the clip is too short.

    Among a few random starts the one with the most similar turn of the head wins.
    """
    available, wanted = len(other.frames), span[1] - span[0]
    there = np.arange(max(2, available))
    loop = np.concatenate([there, there[-2:0:-1]]) % available
    starts = rng.integers(max(1, available - wanted + 1), size=6).tolist()
    turn = head_turn(picture, *span)
    start = min(starts, key=lambda step: abs(head_turn(other, step, step + wanted) - turn))
    return loop[(start + np.arange(wanted)) % len(loop)]


def _elsewhere(available: int, span: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Consecutive donor steps of the same clip, from another moment as far as there is one."""
    length = span[1] - span[0]
    starts = np.arange(available - length + 1)
    away = np.abs(starts - span[0])
    far = starts[away >= min(length, away.max())]
    return int(rng.choice(far)) + np.arange(length)


def _held(available: int, span: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The first frames of the span again: held, repeated there and back, or in slow motion."""
    steps = np.arange(span[1] - span[0])
    manner = rng.choice(["held", "repeated", "slowed"])
    if manner == "repeated":
        period = int(rng.integers(3, 7))
        steps = period - np.abs(steps % (2 * period) - period)
    elif manner == "slowed":
        steps = (steps * rng.uniform(0.2, 0.5)).astype(int)
    else:
        steps = np.zeros_like(steps)
    return np.minimum(span[0] + steps, available - 1)


def _swapped(
    picture: Picture,
    span: tuple[int, int],
    region: Region,
    donor: Picture,
    donor_steps: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Patches, dict[str, Any]]:
    """The donor's region, placed by both faces' landmarks and given the target's colours."""
    order = int(rng.choice([1, 3]))
    finish, strength = (
        str(rng.choice(["none", "none", "soft", "sharp", "noise"])),
        rng.uniform(0, 1),
    )
    found, offsets, spreads = {}, [], []
    for step, donor_step in zip(range(*span), donor_steps, strict=True):
        rows, columns, alpha = region_alpha(
            picture.landmarks[step], region, picture.frames.shape[1:3]
        )
        place = place_face(picture.landmarks[step]).inverse + place_face(
            donor.landmarks[donor_step]
        )
        patch = warped(donor.frames[donor_step], place, rows, columns, order)
        own_mean, own_spread = _colours(picture.frames[step, rows, columns], alpha)
        mean, spread = _colours(patch, alpha)
        found[step] = _finished(patch - mean, finish, strength, rng)
        offsets.append(own_mean)
        spreads.append((own_spread, spread))
    own_spread, spread = np.mean(spreads, axis=0)
    gain = float(np.clip(own_spread / (spread + 1e-6), 0.75, 1.33))
    colours = gaussian_filter1d(np.array(offsets), 3.0, axis=0, mode="nearest")
    how = {"donor_start": int(donor_steps[0]), "order": order, "finish": finish}
    return lambda step, rows, columns: gain * found[step] + colours[step - span[0]], how


def _colours(patch: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean colour `(3,)` and spread of brightness of a patch under its weights."""
    weight = (alpha / (alpha.sum() + 1e-9))[..., None]
    mean = (weight * patch).sum((0, 1))
    brightness = (patch - mean).mean(-1, keepdims=True)
    return mean, float(np.sqrt((weight * brightness**2).sum()))


def _finished(
    patch: np.ndarray, finish: str, strength: float, rng: np.random.Generator
) -> np.ndarray:
    """What a tool's decoder leaves behind: softer, sharper or noisier than the camera."""
    if finish == "noise":
        return patch + rng.normal(0, 1.5 + 3 * strength, (*patch.shape[:2], 1))
    if finish in ("soft", "sharp"):
        soft = gaussian_filter(patch, (0.5 + strength, 0.5 + strength, 0))
        return soft if finish == "soft" else patch + (0.4 + 0.6 * strength) * (patch - soft)
    return patch


def _resynthesised(
    picture: Picture, span: tuple[int, int], region: Region, rng: np.random.Generator
) -> tuple[Patches, dict[str, Any]]:
    """The region as a generator draws it: through a small aligned square that loses detail."""
    manner = str(rng.choice(["small", "blur", "jpeg", "few-components", "sharp"]))
    reach = max(region.half_width, region.half_height)
    units = np.median([place_face(points).scale for points in picture.landmarks])
    coarse = rng.uniform(1.3, 4.0) if manner == "small" else rng.uniform(1.0, 1.6)
    size = int(np.clip(2 * reach * units / coarse, 16, 160))
    square = SimilarityTransform(scale=2 * reach / size, translation=(-reach, region.down - reach))
    everything = slice(0, size)
    steps = range(len(picture.frames)) if manner == "few-components" else range(*span)
    drawn = {
        step: warped(
            picture.frames[step],
            square + place_face(picture.landmarks[step]),
            everything,
            everything,
            1,
        )
        for step in steps
    }
    strength = float(rng.uniform(0, 1))
    if manner == "few-components":
        drawn = _few_components(drawn, 3 + round(5 * strength))
    elif manner == "jpeg":
        drawn = {step: _as_jpeg(patch, 8 + round(20 * strength)) for step, patch in drawn.items()}
    elif manner == "blur":
        sigma = (0.7 + strength) * max(1.0, size / 64)
        drawn = {step: gaussian_filter(patch, (sigma, sigma, 0)) for step, patch in drawn.items()}
    elif manner == "sharp":
        drawn = {step: _finished(patch, "sharp", strength, rng) for step, patch in drawn.items()}

    def patches(step: int, rows: slice, columns: slice) -> np.ndarray:
        place = place_face(picture.landmarks[step]).inverse + square.inverse
        return warped(drawn[step], place, rows, columns, 1 if manner == "small" else 3)

    return patches, {"manner": manner, "size": size, "strength": round(strength, 3)}


def _few_components(drawn: dict[int, np.ndarray], count: int) -> dict[int, np.ndarray]:
    """Each patch rebuilt from the clip's mean patch and its first principal components."""
    steps = list(drawn)
    flat = np.stack([drawn[step].ravel() for step in steps])
    mean = flat.mean(0)
    weights, vectors = np.linalg.eigh((flat - mean) @ (flat - mean).T)
    kept = vectors[:, np.argsort(weights)[::-1][:count]]
    rebuilt = mean + kept @ (kept.T @ (flat - mean))
    return {
        step: np.clip(row, 0, 255).reshape(drawn[step].shape)
        for step, row in zip(steps, rebuilt, strict=True)
    }


def _as_jpeg(patch: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.rint(patch).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer), np.float32)


def _blend_membrane(
    picture: Picture, span: tuple[int, int], donor_steps: np.ndarray, fade_frames: int
) -> np.ndarray:
    """Gradient-domain blend: the donor's mouth plus the smoothest surface that closes the seam."""
    frames = picture.frames.copy()
    box = Region(down=0.12, half_width=0.6, half_height=0.4, feather=1.0)
    for step, donor_step in zip(range(*span), donor_steps, strict=True):
        rows, columns, _ = region_alpha(picture.landmarks[step], box, frames.shape[1:3])
        place = place_face(picture.landmarks[step]).inverse + place_face(
            picture.landmarks[donor_step]
        )
        own = frames[step, rows, columns].astype(np.float64)
        patch = warped(picture.frames[donor_step], place, rows, columns, 3)
        patch = patch + _membrane(own - patch)
        weight = fade(step, span, fade_frames)
        mixed = np.clip(np.rint(weight * patch + (1 - weight) * own), 0, 255)
        frames[step, rows, columns] = mixed
    return frames


def _membrane(gap: np.ndarray) -> np.ndarray:
    """Laplace's equation on a rectangle: the edge of `gap (h, w, 3)` continued inwards."""
    surface = gap.copy()
    surface[1:-1, 1:-1] = 0
    height, width = gap.shape[0] - 2, gap.shape[1] - 2
    if min(height, width) < 1:
        return surface
    source = np.zeros((height, width, gap.shape[2]))
    source[0] += gap[0, 1:-1]
    source[-1] += gap[-1, 1:-1]
    source[:, 0] += gap[1:-1, 0]
    source[:, -1] += gap[1:-1, -1]
    down = 2 - 2 * np.cos(np.pi * np.arange(1, height + 1) / (height + 1))
    across = 2 - 2 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1))
    spectrum = dstn(source, type=1, axes=(0, 1)) / (down[:, None] + across)[..., None]
    surface[1:-1, 1:-1] = idstn(spectrum, type=1, axes=(0, 1))
    return surface
