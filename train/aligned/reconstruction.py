"""`python -m train.aligned.reconstruction CACHE RUN`: how well hidden mouths and eyes are rebuilt.

People of dev and test only, none of whom was trained on. Mouth or eyes are hidden through all of a
window, the rest and the sound are visible. Beside the autoencoder stand what needs no learning:
the region filled in from its visible neighbours (OpenCV's inpainting, and the smoothest surface
through its edge), and the mean face of the people that were trained on, as it is and in the colours
of the visible rest. PSNR (dB) and SSIM over the region at its full resolution; means over people,
with 95 % bootstrap intervals that draw people. Writes `RUN/reconstruction.json`.
*Settled* is what the autoencoder expects, moved so that it continues what is visible around it.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity

from deeploc.models.aligned_mae import (
    EYE_PLACES,
    MOUTH_PLACES,
    PLACES,
    SIDE,
    AlignedMAE,
    paste_faces,
)
from train.aligned.cache import MARGIN, read_faces, read_index
from train.aligned.store import Store, hidden_region, hide
from train.aligned.variation import centred, plain_waves

REGIONS = {"mouth": MOUTH_PLACES, "eyes": EYE_PLACES}
METHODS = (
    "autoencoder",
    "autoencoder, settled",
    "inpainting",
    "smooth surface",
    "mean face",
    "mean face, its colours",
)
FRAMES = (1, 6, 9, 14)  # of a window
RESAMPLES = 2000


def box_of(places: range) -> tuple[slice, slice]:
    """Rows and columns of a region in the square."""
    boxes = np.array([PLACES[index] for index in places])
    low, high = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    return slice(low[0], high[0]), slice(low[1], high[1])


def inpainted(frame: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    gone = np.zeros(frame.shape[:2], np.uint8)
    gone[box] = 255
    return cv2.inpaint(frame, gone, 5, cv2.INPAINT_TELEA)


def membrane(box: tuple[slice, slice], edges: tuple[np.ndarray, ...]) -> np.ndarray:
    """`(H, W, 3)` values of each pixel of a box between those at its edges (top, bottom: `(W, 3)`,
    left, right: `(H, 3)`), the nearer the more."""
    rows, columns = box
    top, bottom, left, right = edges
    height, width = rows.stop - rows.start, columns.stop - columns.start
    y = (np.arange(height)[:, None, None] + 1) / (height + 1)
    x = (np.arange(width)[None, :, None] + 1) / (width + 1)
    upright = (1 - y) * top[None] + y * bottom[None]
    level = (1 - x) * left[:, None] + x * right[:, None]
    near_y, near_x = 1 / np.minimum(y, 1 - y), 1 / np.minimum(x, 1 - x) * height / width
    return (near_y * upright + near_x * level) / (near_y + near_x)


def around(frame: np.ndarray, box: tuple[slice, slice]) -> tuple[np.ndarray, ...]:
    """The visible pixels at the edges of a box."""
    rows, columns = box
    source = frame.astype(float)
    return (
        source[rows.start - 1, columns],
        source[rows.stop, columns],
        source[rows, columns.start - 1],
        source[rows, columns.stop],
    )


def smooth_surface(frame: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """The box filled in from its edges alone."""
    filled = frame.astype(float)
    filled[box] = membrane(box, around(frame, box))
    return filled


def settled(guess: np.ndarray, frame: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """What was guessed for the box, moved so that it continues what is visible around it."""
    inside = guess[box].astype(float)
    own = inside[0], inside[-1], inside[:, 0], inside[:, -1]
    apart = [outer - inner for outer, inner in zip(around(frame, box), own, strict=True)]
    apart = [ndimage.gaussian_filter1d(edge, 3, axis=0, mode="nearest") for edge in apart]
    result = frame.astype(float)
    result[box] = (inside + membrane(box, tuple(apart))).clip(0, 255)
    return result


def in_colours_of(mean: np.ndarray, frame: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """The mean face, its channels scaled and moved to fit the visible middle of the frame."""
    shown = np.zeros(frame.shape[:2], bool)
    shown[SIDE // 6 : -SIDE // 12, SIDE // 4 : -SIDE // 4] = True
    shown[box] = False
    fitted = np.empty_like(mean)
    for channel in range(3):
        slope, offset = np.polyfit(mean[shown, channel], frame[shown, channel].astype(float), 1)
        fitted[..., channel] = slope * mean[..., channel] + offset
    return fitted.clip(0, 255)


def measured(picture: np.ndarray, truth: np.ndarray, box: tuple[slice, slice]) -> tuple[float, ...]:
    """PSNR and SSIM within the box."""
    one, other = picture[box].astype(float), truth[box].astype(float)
    psnr = 10 * np.log10(255**2 / max(np.square(one - other).mean(), 1e-3))
    ssim = structural_similarity(one, other, channel_axis=2, data_range=255)
    return float(psnr), float(ssim)


def mean_face(cache: Path) -> np.ndarray:
    """`(SIDE, SIDE, 3) float` over the people that were trained on, each counting once."""
    people = defaultdict(list)
    for piece in read_index(cache, "train"):
        if piece.picture:
            faces = read_faces(cache, piece)[:: max(1, piece.steps // 4)]
            people[piece.identity].append(faces.mean(0))
    mean = np.mean([np.mean(own, axis=0) for own in people.values()], axis=0)
    return mean[MARGIN:-MARGIN, MARGIN:-MARGIN]


@torch.inference_mode()
def rebuilt(mae: AlignedMAE, store: Store, chosen: torch.Tensor, places: range) -> np.ndarray:
    """`(B, K, SIDE, SIDE, 3) uint8`: windows whose region is what the autoencoder expects."""
    patches = mae.targets(
        centred(store.pictures(store.talking.frames[chosen])),
        plain_waves(store.waves(store.talking.samples[chosen])),
    )
    asked = hide(mae.config, hidden_region(mae.config, places), len(chosen))
    expected = mae.decode(
        mae.encode(mae.embed(patches), asked.visible), asked.pictures, asked.sounds
    )
    values = patches.faces.clone()
    values[:, asked.pictures[0]] = expected.faces
    return paste_faces(values, mae.config).permute(0, 1, 3, 4, 2).numpy()


def evaluate(mae: AlignedMAE, store: Store, mean: np.ndarray, per_person: int) -> dict:
    """Region -> method -> person -> all PSNR and SSIM of that person."""
    found: dict = {name: {method: defaultdict(list) for method in METHODS} for name in REGIONS}
    for part in store.talking.spread(per_person).split(8):
        truth = centred(store.pictures(store.talking.frames[part])).permute(0, 1, 3, 4, 2).numpy()
        for name, places in REGIONS.items():
            box, guesses = box_of(places), rebuilt(mae, store, part, places)
            for row, place in enumerate(part.tolist()):
                person = store.talking.people[place]
                for step in FRAMES:
                    frame = np.ascontiguousarray(truth[row, step])
                    pictures = (
                        guesses[row, step],
                        settled(guesses[row, step], frame, box),
                        inpainted(frame, box),
                        smooth_surface(frame, box),
                        mean,
                        in_colours_of(mean, frame, box),
                    )
                    for method, picture in zip(METHODS, pictures, strict=True):
                        found[name][method][person].append(measured(picture, frame, box))
    return found


def summary(found: dict, rng: np.random.Generator) -> dict:
    """Means over people; of PSNR also what the autoencoder is ahead by, with its interval."""
    result: dict = {}
    for name, methods in found.items():
        people = sorted(methods[METHODS[0]])
        means = {m: np.array([np.mean(v[p], axis=0) for p in people]) for m, v in methods.items()}
        draws = rng.integers(0, len(people), (RESAMPLES, len(people)))
        rows = {}
        for method, values in means.items():
            ahead = means[METHODS[0]][:, 0] - values[:, 0]
            low, high = np.quantile(ahead[draws].mean(1), (0.025, 0.975))
            rows[method] = {
                "psnr": round(float(values[:, 0].mean()), 2),
                "ssim": round(float(values[:, 1].mean()), 3),
                "ahead": [round(float(x), 2) for x in (ahead.mean(), low, high)],
            }
        count = sum(len(values) for values in methods[METHODS[0]].values())
        result[name] = {"people": len(people), "pictures": count, "methods": rows}
    return result


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.aligned.reconstruction")
    parser.add_argument("cache", type=Path, help="folder made by train.aligned.pack")
    parser.add_argument("run", type=Path, help="folder with config.json and model.safetensors")
    parser.add_argument("--splits", nargs="+", default=["dev", "test"])
    parser.add_argument("--per-person", type=int, default=3, help="windows each")
    args = parser.parse_args(arguments)
    mae = AlignedMAE.from_pretrained(args.run).float().eval()
    device = torch.device("cpu")
    mean = mean_face(args.cache)
    rng, results = np.random.default_rng(0), {}
    for split in args.splits:
        store = Store(args.cache, split, mae.config.window, device)
        results[split] = summary(evaluate(mae, store, mean, args.per_person), rng)
        print(split, json.dumps(results[split], indent=1), flush=True)
    (args.run / "reconstruction.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
