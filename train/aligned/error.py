"""`python -m train.aligned.error CLIPS CACHE RUN`: where the reconstruction error alone points.

CLIPS is a folder of partly forged clips with `metadata.json` (what the forge writes), of people
that were not trained on; CACHE and RUN as for `train.aligned.pretrain`. For each forged clip: the
steps that are forged against those that are not, by a few ways of reading the surprise of the
autoencoder in the picture (frame AUC, percent; 50 is chance, below it the sign is wrong). Means
over clips, by generator, with 95 % bootstrap intervals that draw people. Frame labels are read here
and nowhere else. Writes `RUN/error.json`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deeploc.annotations import ClipTruth, read_truths
from deeploc.faces.alignment import align_track, aligned_faces
from deeploc.faces.detector import FaceDetector
from deeploc.faces.tracker import track_faces
from deeploc.media.clip import VIDEO_RATE_HZ, open_clip
from deeploc.media.shots import find_shots
from deeploc.models.aligned_mae import (
    EYE_PLACES,
    MOUTH_PLACES,
    PLACES,
    SIDE,
    AlignedMAE,
    AlignedPatches,
    partitions,
    streams,
    surprises,
)
from deeploc.models.hearing import EDGE_SAMPLES
from train.aligned.cache import STEP_SAMPLES
from train.aligned.store import Store
from train.aligned.variation import centred, plain_waves

BATCH = 8
RESAMPLES = 2000
VALUES = ("value", "fine", "change", "detail")
KINDS = ("hidden", "cross")  # surprise of a patch hidden among others; with all of its stream
COUNT = len(KINDS) * len(VALUES) + 1
Surprise = np.ndarray  # (T, C, 9): kinds by values, signed; then how much detail there is at all


@torch.inference_mode()
def surprise_of(mae: AlignedMAE, patches: AlignedPatches, silent: bool = False) -> Tensor:
    """`(B, K, C, 9)` of the picture; `silent`: without looking at the sound."""
    c = mae.config
    absent = streams(c)[1] if silent else None
    both = [surprises(mae, patches, each(c), absent)[0] for each in (partitions, streams)]
    picture = torch.cat([*both, patches.face_detail[..., None]], dim=-1)
    b, _, s, values = picture.shape
    picture = picture.reshape(b, c.slots, len(PLACES), s, values).transpose(2, 3)
    return picture.reshape(b, c.window, len(PLACES), values)


def measure(
    mae: AlignedMAE, faces: Iterable[np.ndarray | None], audio: np.ndarray | None
) -> Surprise:
    """Of a clip of T steps, its aligned faces (None: unseen) and 16 kHz sound, if it has any.
    Windows follow each other without overlap; steps of windows in which a face is missing are NaN.
    """
    shown = list(faces)
    length, total = mae.config.window, len(shown)
    result = np.full((total, len(PLACES), COUNT), np.nan, np.float32)
    starts = sorted({*range(0, total - length + 1, length), total - length})
    starts = [s for s in starts if all(face is not None for face in shown[s : s + length])]
    silent = audio is None
    heard = np.zeros(total * STEP_SAMPLES, np.float32) if audio is None else audio
    padded = np.pad(heard, (EDGE_SAMPLES, EDGE_SAMPLES + length * STEP_SAMPLES))
    reach = length * STEP_SAMPLES + 2 * EDGE_SAMPLES
    for first in range(0, len(starts), BATCH):
        batch = starts[first : first + BATCH]
        windows = ([face for face in shown[s : s + length] if face is not None] for s in batch)
        pictures = np.stack([np.stack(window) for window in windows])
        waves = np.stack([padded[s * STEP_SAMPLES :][:reach] for s in batch])
        patches = mae.targets(
            torch.from_numpy(pictures).permute(0, 1, 4, 2, 3).contiguous(), torch.from_numpy(waves)
        )
        for start, own in zip(batch, surprise_of(mae, patches, silent).numpy(), strict=True):
            result[start : start + length] = own
    return result


def usual(mae: AlignedMAE, cache: Path, split: str, per_person: int) -> tuple[Surprise, Surprise]:
    """Mean and spread `(C, 9)` of the surprise of authentic windows of the cache."""
    store = Store(cache, split, mae.config.window, torch.device("cpu"))
    found = []
    for part in store.talking.spread(per_person).split(BATCH):
        faces = centred(store.pictures(store.talking.frames[part]))
        waves = plain_waves(store.waves(store.talking.samples[part]))
        found.append(surprise_of(mae, mae.targets(faces, waves)).flatten(0, 1))
    every = torch.cat(found)
    return every.mean(0).numpy(), every.std(0).numpy()


def readings(surprise: Surprise) -> dict[str, np.ndarray]:
    """Scores `(T,)` of standardised surprise `(T, C, 9)`: the higher, the more unusual.

    Two-sided and within the clip: how far the mean surprise of a zone is from its median over the
    clip, root mean square over zones (mouth, eyes, the rest) or in the mouth alone. One-sided
    ones ask whether less was missed, or less detail was there, than expected: generated content
    often is smoother. The last is a floor without any autoencoder: how little detail there is.
    """
    coarse = [i for i in range(len(PLACES)) if i not in MOUTH_PLACES and i not in EYE_PLACES]
    zones = [list(MOUTH_PLACES), list(EYE_PLACES), coarse]
    means = np.stack([surprise[:, zone].mean(1) for zone in zones], axis=1)  # (T, 3, 9)
    own = means - np.nanmedian(means, axis=0)
    fine = [kind * len(VALUES) + value for kind in (0, 1) for value in (1, 3)]
    scores = {
        "all zones, fine and detail": np.sqrt(np.square(own[:, :, fine]).mean((1, 2))),
        "mouth, fine and detail": np.sqrt(np.square(own[:, 0][:, fine]).mean(1)),
        "mouth, everything": np.sqrt(np.square(own[:, 0, :-1]).mean(1)),
        "mouth against eyes, fine and detail": np.sqrt(
            np.square((own[:, 0] - own[:, 1])[:, fine]).mean(1)
        ),
    }
    for index, (kind, value) in enumerate((k, v) for k in KINDS for v in VALUES):
        scores[f"mouth, {kind} {value}, less"] = -own[:, 0, index]
        scores[f"mouth, {kind} {value}, either way"] = np.abs(own[:, 0, index])
    scores["mouth, no autoencoder: little detail"] = -own[:, 0, -1]
    return scores


def frame_auc(scores: np.ndarray, forged: np.ndarray) -> float:
    """Share of pairs of a forged and an authentic step of which the forged has the higher score."""
    known = ~np.isnan(scores)
    positive, negative = scores[known & forged], scores[known & ~forged]
    if not len(positive) or not len(negative):
        return np.nan
    above = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    return float(100 * above)


def forged_steps(clip: ClipTruth, total: int) -> np.ndarray:
    """`(T,) bool`: steps whose middle lies in a forged segment."""
    middles = (np.arange(total) + 0.5) / VIDEO_RATE_HZ
    return np.any(
        [(middles >= s.start) & (middles < s.end) for s in clip.segments["visual"]], axis=0
    )


def interval(values: dict[str, list[float]], rng: np.random.Generator) -> list[float]:
    """Mean over clips and its bootstrap interval, people drawn with replacement."""
    people = sorted(values)
    sums = np.array([(np.nansum(values[p]), np.sum(~np.isnan(values[p]))) for p in people])
    draws = sums[rng.integers(0, len(people), (RESAMPLES, len(people)))].sum(1)
    means = draws[:, 0] / np.maximum(draws[:, 1], 1)
    total = sums.sum(0)
    low, high = np.quantile(means, (0.025, 0.975))
    return [round(float(x), 1) for x in (total[0] / total[1], low, high)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.aligned.error", description=__doc__)
    parser.add_argument("clips", type=Path, help="folder with metadata.json")
    parser.add_argument("cache", type=Path, help="folder made by train.aligned.pack")
    parser.add_argument("run", type=Path, help="folder with config.json and model.safetensors")
    parser.add_argument("--per-person", type=int, default=2, help="windows for what is usual")
    args = parser.parse_args(arguments)
    mae, detector = AlignedMAE.from_pretrained(args.run).float().eval(), FaceDetector()
    mean, spread = usual(mae, args.cache, "dev", args.per_person)
    found: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for annotation in read_truths(args.clips / "metadata.json"):
        if not annotation.forged:
            continue
        clip = open_clip(args.clips / annotation.file)
        alignment = align_track(
            track_faces(clip, find_shots(clip), detector, lambda done, total: None)[0]
        )
        faces = aligned_faces(clip, alignment, SIDE)
        surprise = (measure(mae, faces, clip.audio) - mean) / spread
        forged = forged_steps(annotation, len(surprise))
        generator = ", ".join(sorted(set(annotation.families.values())))
        for name, scores in readings(surprise).items():
            auc = frame_auc(scores, forged)
            for group in (generator, "all"):
                found[group][name][annotation.identity].append(auc)
        print(annotation.file, generator, round(auc, 1), flush=True)
    rng, results = np.random.default_rng(0), {}
    for group, rows in sorted(found.items()):
        counts = {"clips": sum(map(len, rows["mouth, everything"].values()))}
        counts["people"] = len(rows["mouth, everything"])
        results[group] = counts | {name: interval(values, rng) for name, values in rows.items()}
    (args.run / "error.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
