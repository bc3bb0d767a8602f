"""The families of the picture: a mouth or a face replaced for a while, softly, in motion.

A family is a function `(edit, rng) -> (frames, parameters)` and its registration. Most of them make
patches, which `paste` puts back. Nothing here knows about files, sound, labels or splits.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from skimage.transform import SimilarityTransform

from train.forge.picture.blending import (
    PictureEdit,
    close_seam,
    fade_weight,
    paste,
    paste_reencoded,
)
from train.forge.picture.face import (
    FACE,
    HEAD,
    MOUTH,
    FaceVideo,
    Region,
    head_turn,
    place_face,
    region_alpha,
    warp_patch,
)
from train.forge.reencode import draw_video_codec, reencode_span
from train.forge.registry import PICTURE_FAMILIES, picture_family

MAX_FADE_FRAMES = 2
REENCODED_SHARE = 0.75  # of forgeries that went through the file of a tool


def forge_picture(
    video: FaceVideo,
    span: tuple[int, int],
    family: str,
    rng: np.random.Generator,
    donor: FaceVideo | None = None,
    donor_start: int | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """The frames `(T, H, W, 3) uint8` with the steps `[start, end)` forged, and its parameters.

    Most forgeries are re-encoded, as if a tool had written them to a file. `donor`: see
    `PictureEdit`. Raises `ValueError` for an unknown family, and for one that needs a donor and has
    none.
    """
    entry = PICTURE_FAMILIES.get(family)
    if entry is None:
        raise ValueError(f"unknown family of the picture: {family}")
    if entry.donor == "other person" and donor is None:
        raise ValueError(f"{family} needs another person's video")
    if entry.region is None:
        return entry.forge(PictureEdit(video, span, None, 0), rng)
    region = entry.region.varied(rng)
    fade_frames = int(rng.integers(MAX_FADE_FRAMES + 1))
    edit = PictureEdit(video, span, region, fade_frames, donor, donor_start)
    forged, params = entry.forge(edit, rng)
    if entry.null or rng.random() > REENCODED_SHARE:
        return forged, params
    around = (region, FACE, HEAD, HEAD)[rng.integers(4)].varied(rng)
    forged, codec = paste_reencoded(video, forged, span, draw_video_codec(rng), around)
    return forged, params | codec


@picture_family("mouth-swap-self", MOUTH, dubbed_with="other-utterance")
def swap_own_mouth(
    edit: PictureEdit, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """The mouth of another moment of the clip."""
    if edit.donor_start is not None:
        return _swap(edit, edit.donor or edit.video, _dubbed_steps(edit), rng)
    return _swap(edit, edit.video, _elsewhere(len(edit.video.frames), edit.span, rng), rng)


@picture_family("face-swap-other", FACE, donor="other person", dubbed_with="other-speaker")
@picture_family("mouth-swap-other", MOUTH, donor="other person", dubbed_with="other-speaker")
def swap_other_person(
    edit: PictureEdit, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """The mouth or the face of somebody else."""
    assert edit.donor
    steps = _dubbed_steps(edit) if edit.donor_start is not None else _alike_steps(edit, rng)
    return _swap(edit, edit.donor, steps, rng)


@picture_family("face-resynthesis", FACE)
@picture_family("mouth-resynthesis", MOUTH)
def resynthesise(edit: PictureEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The region as a generator draws it: through a small aligned square that loses detail."""
    assert edit.region
    video, region = edit.video, edit.region
    manner = str(rng.choice(["small", "blur", "jpeg", "few-components", "sharp"]))
    reach = max(region.half_width, region.half_height)
    units = np.median([place_face(points).scale for points in video.landmarks])
    coarse = rng.uniform(1.3, 4.0) if manner == "small" else rng.uniform(1.0, 1.6)
    size = int(np.clip(2 * reach * units / coarse, 16, 160))
    square = SimilarityTransform(scale=2 * reach / size, translation=(-reach, region.down - reach))
    whole = slice(0, size)
    steps = range(len(video.frames)) if manner == "few-components" else range(*edit.span)
    drawn = {}
    for step in steps:
        place = square + place_face(video.landmarks[step])
        drawn[step] = warp_patch(video.frames[step], place, whole, whole, 1)
    strength = float(rng.uniform(0, 1))
    if manner == "few-components":
        drawn = _few_components(drawn, 3 + round(5 * strength))
    elif manner == "jpeg":
        drawn = {step: _as_jpeg(patch, 8 + round(20 * strength)) for step, patch in drawn.items()}
    elif manner == "blur":
        sigma = (0.7 + strength) * max(1.0, size / 64)
        drawn = {step: gaussian_filter(patch, (sigma, sigma, 0)) for step, patch in drawn.items()}
    elif manner == "sharp":
        drawn = {step: _finish(patch, "sharp", strength, rng) for step, patch in drawn.items()}

    def patches(step: int, rows: slice, columns: slice) -> np.ndarray:
        place = place_face(video.landmarks[step]).inverse + square.inverse
        return warp_patch(drawn[step], place, rows, columns, 1 if manner == "small" else 3)

    return paste(edit, patches, {"manner": manner, "size": size, "strength": round(strength, 3)})


@picture_family("freeze", MOUTH)
def freeze(edit: PictureEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The mouth held, repeated or slowed from the first frame of the span on."""
    return _swap(edit, edit.video, _held_steps(edit, rng), rng)


@picture_family("poisson", MOUTH, held_out=True)
def blend_gradients(
    edit: PictureEdit, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """The mouth of another moment, blended in the domain of gradients, so that no seam is left."""
    video = edit.video
    donor_steps = _elsewhere(len(video.frames), edit.span, rng)
    frames = video.frames.copy()
    box = Region(down=0.12, half_width=0.6, half_height=0.4, feather=1.0)
    for step, donor_step in zip(range(*edit.span), donor_steps, strict=True):
        rows, columns, _ = region_alpha(video.landmarks[step], box, frames.shape[1:3])
        place = place_face(video.landmarks[step]).inverse + place_face(video.landmarks[donor_step])
        own = frames[step, rows, columns].astype(np.float64)
        patch = warp_patch(video.frames[donor_step], place, rows, columns, 3)
        patch = patch + close_seam(own - patch)
        weight = fade_weight(step, edit.span, edit.fade_frames)
        mixed = np.clip(np.rint(weight * patch + (1 - weight) * own), 0, 255)
        frames[step, rows, columns] = mixed
    return frames, {"donor_start": int(donor_steps[0])}


@picture_family("null", MOUTH, null=True)
def shift_mouth(edit: PictureEdit, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The clip's own mouth moved by less than a pixel: all of a forgery but its content."""
    shift = rng.uniform(0.2, 0.8, 2) * rng.choice([-1, 1], 2)
    place = SimilarityTransform(translation=shift)

    def patches(step: int, rows: slice, columns: slice) -> np.ndarray:
        return warp_patch(edit.video.frames[step], place, rows, columns, 3)

    return paste(edit, patches, {"shift_px": shift.round(3).tolist()})


@picture_family("recoded", region=None, null=True)
def reencode_video(
    edit: PictureEdit, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """Whole frames of the span through one more codec."""
    codec, quality = draw_video_codec(rng)
    frames = edit.video.frames.copy()
    frames[slice(*edit.span)] = reencode_span(edit.video.frames, edit.span, codec, quality)
    return frames, {"codec": codec, "quality": quality}


def _dubbed_steps(edit: PictureEdit) -> np.ndarray:
    """The donor's steps from `donor_start` on: lips that follow the sound of the same moment."""
    assert edit.donor_start is not None
    return edit.donor_start + np.arange(edit.length)


def _alike_steps(edit: PictureEdit, rng: np.random.Generator) -> np.ndarray:
    """Consecutive steps of the donor, there and back again where its clip is too short.

    Among a few random starts the one with the most similar turn of the head wins.
    """
    assert edit.donor
    donor, wanted = edit.donor, edit.length
    available = len(donor.frames)
    there = np.arange(max(2, available))
    loop = np.concatenate([there, there[-2:0:-1]]) % available
    starts = rng.integers(max(1, available - wanted + 1), size=6).tolist()
    turn = head_turn(edit.video, *edit.span)
    start = min(starts, key=lambda step: abs(head_turn(donor, step, step + wanted) - turn))
    return loop[(start + np.arange(wanted)) % len(loop)]


def _elsewhere(available: int, span: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Consecutive steps of the same clip, from another moment as far as there is one."""
    length = span[1] - span[0]
    starts = np.arange(available - length + 1)
    away = np.abs(starts - span[0])
    far = starts[away >= min(length, away.max())]
    return int(rng.choice(far)) + np.arange(length)


def _held_steps(edit: PictureEdit, rng: np.random.Generator) -> np.ndarray:
    """The first frames of the span again: held, repeated there and back, or in slow motion."""
    steps = np.arange(edit.length)
    manner = rng.choice(["held", "repeated", "slowed"])
    if manner == "repeated":
        period = int(rng.integers(3, 7))
        steps = period - np.abs(steps % (2 * period) - period)
    elif manner == "slowed":
        steps = (steps * rng.uniform(0.2, 0.5)).astype(int)
    else:
        steps = np.zeros_like(steps)
    return np.minimum(edit.span[0] + steps, len(edit.video.frames) - 1)


def _swap(
    edit: PictureEdit, donor: FaceVideo, donor_steps: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """The donor's region, placed by both faces' landmarks and given the target's colours."""
    assert edit.region
    video = edit.video
    order = int(rng.choice([1, 3]))
    finish = str(rng.choice(["none", "none", "soft", "sharp", "noise"]))
    strength = rng.uniform(0, 1)
    placed, offsets, spreads = {}, [], []
    for step, donor_step in zip(range(*edit.span), donor_steps, strict=True):
        size = video.frames.shape[1:3]
        rows, columns, alpha = region_alpha(video.landmarks[step], edit.region, size)
        place = place_face(video.landmarks[step]).inverse + place_face(donor.landmarks[donor_step])
        patch = warp_patch(donor.frames[donor_step], place, rows, columns, order)
        own_mean, own_spread = _colours(video.frames[step, rows, columns], alpha)
        mean, spread = _colours(patch, alpha)
        placed[step] = _finish(patch - mean, finish, strength, rng)
        offsets.append(own_mean)
        spreads.append((own_spread, spread))
    own_spread, spread = np.mean(spreads, axis=0)
    gain = float(np.clip(own_spread / (spread + 1e-6), 0.75, 1.33))
    colours = gaussian_filter1d(np.array(offsets), 3.0, axis=0, mode="nearest")
    params = {"donor_start": int(donor_steps[0]), "order": order, "finish": finish}

    def patches(step: int, rows: slice, columns: slice) -> np.ndarray:
        return gain * placed[step] + colours[step - edit.span[0]]

    return paste(edit, patches, params)


def _colours(patch: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean colour `(3,)` and spread of brightness of a patch under its weights."""
    weight = (alpha / (alpha.sum() + 1e-9))[..., None]
    mean = (weight * patch).sum((0, 1))
    brightness = (patch - mean).mean(-1, keepdims=True)
    return mean, float(np.sqrt((weight * brightness**2).sum()))


def _finish(
    patch: np.ndarray, finish: str, strength: float, rng: np.random.Generator
) -> np.ndarray:
    """The patch softer, sharper or noisier than the camera, as a tool's decoder leaves it."""
    if finish == "noise":
        return patch + rng.normal(0, 1.5 + 3 * strength, (*patch.shape[:2], 1))
    if finish in ("soft", "sharp"):
        soft = gaussian_filter(patch, (0.5 + strength, 0.5 + strength, 0))
        return soft if finish == "soft" else patch + (0.4 + 0.6 * strength) * (patch - soft)
    return patch


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
