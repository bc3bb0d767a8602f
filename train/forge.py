"""A LAV-DF-layout corpus of partial forgeries, made from a folder of authentic talking clips.

    python -m train.forge --authentic clips/ --out corpus/

Authentic and forged clips leave through the same chain: decoded to 25 Hz and 16 kHz, at most 360
pixels high, one loudness and one quality for all clips of a chunk. What is forged, and how, is in
`metadata.json`. The manipulations themselves are in `forge_picture` and `forge_sound`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from deeploc.media import AUDIO_RATE_HZ, VIDEO_RATE_HZ, open_clip, write_clip
from PIL import Image
from tqdm import tqdm

from deeploc.errors import DeepLocError, NoFace
from deeploc.faces.detector import FaceDetector
from deeploc.timeline import Segment, Timeline
from train import forge_picture, forge_sound
from train.forge_picture import Picture

SUFFIXES = {".mp4", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".m4v"}
SPLITS = ("train", "dev", "test")
HELD_OUT_SHARE = 0.2
MIN_CHUNK_S = 2.5
MAX_HEIGHT = 360
SPAN_S = (0.4, 2.0)
MIN_GAP_S = 0.4
NULL_EVERY = 3
UNSEEN_PROBABILITY = 0.35
VARIANTS: dict[str, tuple[str, ...]] = {
    "authentic": (),
    "picture": ("visual",),
    "sound": ("audio",),
    "both": ("visual", "audio"),
    "null": ("visual", "audio"),
}
STEP_SAMPLES = int(AUDIO_RATE_HZ / VIDEO_RATE_HZ)


@dataclass(frozen=True)
class Chunk:
    """A stretch of an authentic clip, in steps of 25 Hz."""

    number: int
    path: str
    identity: str
    split: str
    start: int
    stop: int


@dataclass(frozen=True)
class Plan:
    """All that a worker needs: the chunks, where forgeries go, and what they may use."""

    chunks: tuple[Chunk, ...]
    out: str
    seed: int
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Talk:
    """A decoded chunk: a picture and its `audio (S,) float32`, 640 samples a frame."""

    picture: Picture
    audio: np.ndarray


def list_clips(authentic: Path, manifest: Path | None) -> list[tuple[Path, str]]:
    """Authentic clips and their identities.

    Identities come from the manifest (its paths are relative to its own folder), else from the
    parent folder, or from the file name for files that lie directly in `authentic`.
    """
    if manifest is not None:
        table = pd.read_csv(manifest, dtype=str, keep_default_na=False)
        known = table[
            (table.label == "authentic") & table.has_audio.str.startswith(("1", "T", "t"))
        ]
        rows = zip(known.path, known.identity, strict=True)
        listed = [((manifest.parent / path).resolve(), identity) for path, identity in rows]
        inside = authentic.resolve()
        return sorted((path, identity) for path, identity in listed if path.is_relative_to(inside))
    files = sorted(path for path in authentic.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [
        (path.resolve(), path.stem if path.parent == authentic else path.parent.name)
        for path in files
    ]


def split_identities(identities: list[str], seed: int) -> dict[str, str]:
    """Identity -> train, dev or test (60, 20, 20 %), shuffled by the seed."""
    shuffled = np.random.default_rng(seed).permutation(sorted(set(identities))).tolist()
    held_out = max(1, round(HELD_OUT_SHARE * len(shuffled))) if len(shuffled) > 2 else 0
    names = ["test"] * held_out + ["dev"] * held_out
    names += ["train"] * (len(shuffled) - len(names))
    return dict(zip(shuffled, names, strict=True))


def cut_chunks(
    clips: list[tuple[Path, str]], seed: int, clip_seconds: float, per_identity: int
) -> list[Chunk]:
    """Chunks of at least 2.5 s, at most `per_identity` of them for anybody, in a fixed order."""
    pieces: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    longest = int(clip_seconds * VIDEO_RATE_HZ)
    shortest = int(MIN_CHUNK_S * VIDEO_RATE_HZ)
    for path, identity in clips:
        try:
            n_frames = open_clip(path).grid.n_frames
        except DeepLocError as error:
            tqdm.write(f"skipped {path.name}: {error}")
            continue
        for start in range(0, n_frames - shortest + 1, longest):
            pieces[identity].append((str(path), start, min(start + longest, n_frames)))
    splits = split_identities(list(pieces), seed)
    chosen = []
    for identity in sorted(pieces):
        order = np.random.default_rng([seed, len(chosen)]).permutation(len(pieces[identity]))
        for index in order[:per_identity]:
            path, start, stop = pieces[identity][index]
            chosen.append((path, identity, splits[identity], start, stop))
    return [Chunk(number, *values) for number, values in enumerate(chosen)]


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    torch.set_num_threads(1)
    return FaceDetector()


@lru_cache(maxsize=4)
def load_talk(chunk: Chunk, seed: int) -> Talk:
    """The chunk's pixels, landmarks and sound. Raises `DeepLocError` when there is no face."""
    clip = open_clip(chunk.path)
    if clip.audio is None:
        raise NoFace("the clip has no sound; forging needs clips of people talking")
    frames = np.stack([_small(f) for f in islice(clip.frames(), chunk.start, chunk.stop)])
    audio = clip.audio[chunk.start * STEP_SAMPLES : chunk.stop * STEP_SAMPLES]
    audio = np.pad(audio, (0, len(frames) * STEP_SAMPLES))[: len(frames) * STEP_SAMPLES]
    rng = np.random.default_rng([seed, chunk.number])
    wanted = 10 ** (rng.uniform(-27, -20) / 20)
    gain = wanted / (np.sqrt(np.mean(audio**2)) + 1e-6)
    gain = min(gain, 0.95 / (np.abs(audio).max() + 1e-6))
    landmarks = forge_picture.follow_landmarks(frames, _detector())
    return Talk(Picture(frames, landmarks), (audio * gain).astype(np.float32))


def _small(frame: np.ndarray) -> np.ndarray:
    scale = min(1.0, MAX_HEIGHT / frame.shape[0])
    height, width = (max(2, round(side * scale / 2) * 2) for side in frame.shape[:2])
    if (height, width) == frame.shape[:2]:
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))


def draw_spans(
    audio: np.ndarray, n_frames: int, budget_s: float, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """One or two spans in steps, `budget_s` long in all at most, mostly where somebody speaks."""
    best: tuple[float, list[tuple[int, int]]] = (-1.0, [])
    for _ in range(20):
        count = int(rng.integers(1, 3)) if budget_s >= 1.6 else 1
        longest = max(SPAN_S[0], min(SPAN_S[1], budget_s / count))
        lengths = [int(rng.uniform(SPAN_S[0], longest) * VIDEO_RATE_HZ) for _ in range(count)]
        spans = sorted((int(rng.integers(n_frames - n + 1)), n) for n in lengths)
        spans = [(start, start + length) for start, length in spans]
        if count == 2 and spans[1][0] - spans[0][1] < MIN_GAP_S * VIDEO_RATE_HZ:
            continue
        seconds = [(start / VIDEO_RATE_HZ, end / VIDEO_RATE_HZ) for start, end in spans]
        spoken = min(forge_sound.speech_share(audio, *span) for span in seconds)
        best = max(best, (spoken, spans))
        if spoken >= 0.4:
            break
    return best[1]


def draw_family(module: Any, plan: Plan, chunk: Chunk, rng: np.random.Generator) -> str:
    """A family of `forge_picture` or `forge_sound` that this chunk's split may use."""
    alone = not _others(plan, chunk)
    unseen = [name for name in module.UNSEEN_FAMILIES if name in plan.unseen]
    seen = [name for name in module.FAMILIES if name not in plan.unseen]
    if chunk.split == "test" and unseen and rng.random() < UNSEEN_PROBABILITY:
        return str(rng.choice(unseen))
    if alone:
        seen = [name for name in seen if name not in module.FROM_OTHERS]
    if not forge_sound.has_tts():
        seen = [name for name in seen if name != "tts"]
    return str(rng.choice(seen))


def _others(plan: Plan, chunk: Chunk) -> list[Chunk]:
    return [c for c in plan.chunks if c.split == chunk.split and c.identity != chunk.identity]


def _donor(plan: Plan, chunk: Chunk, family: str, rng: np.random.Generator) -> Talk | None:
    """Another person of the same split where the family needs one, or more of the same person."""
    if family in forge_picture.FROM_OTHERS + forge_sound.FROM_OTHERS:
        candidates = _others(plan, chunk)
    elif family in ("other-utterance", "copy-synthesis") and rng.random() < 0.5:
        own = [c for c in plan.chunks if c.identity == chunk.identity and c != chunk]
        candidates = own
    else:
        return None
    for index in rng.permutation(len(candidates))[:4]:
        try:
            return load_talk(candidates[index], plan.seed)
        except DeepLocError:
            continue
    return None


def forge_chunk(plan: Plan, chunk: Chunk) -> list[dict[str, Any]]:
    """Write every variant of one chunk and return their metadata records."""
    talk = load_talk(chunk, plan.seed)
    quality = int(np.random.default_rng([plan.seed, chunk.number, 1]).integers(18, 27))
    records = []
    for index, (variant, streams) in enumerate(VARIANTS.items()):
        if variant == "null" and chunk.number % NULL_EVERY:
            continue
        rng = np.random.default_rng([plan.seed, chunk.number, 2, index])
        frames, audio, made = forge_talk(plan, chunk, talk, variant, streams, rng)
        name = f"{chunk.split}/{10 * chunk.number + index:06d}.mp4"
        write_clip(Path(plan.out) / name, frames, audio, rate_hz=VIDEO_RATE_HZ, crf=quality)
        original = None if index == 0 else f"{chunk.split}/{10 * chunk.number:06d}.mp4"
        records.append(_record(plan, chunk, name, original, len(frames), made))
    return records


def forge_talk(
    plan: Plan,
    chunk: Chunk,
    talk: Talk,
    variant: str,
    streams: tuple[str, ...],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, dict[str, dict[str, Any]]]:
    """Frames, sound, and by forged stream its family, spans (steps) and parameters."""
    frames, audio = talk.picture.frames, talk.audio
    made: dict[str, dict[str, Any]] = {}
    budget_s = len(frames) / VIDEO_RATE_HZ / 2
    apart = len(streams) == 2 and rng.random() < 0.5
    spans: list[tuple[int, int]] = []
    for stream in streams:
        if apart or not spans:
            spans = draw_spans(audio, len(frames), budget_s / (1 + apart), rng)
        module = forge_picture if stream == "visual" else forge_sound
        family = "null" if variant == "null" else draw_family(module, plan, chunk, rng)
        donor = _donor(plan, chunk, family, rng)
        made[stream] = {"family": family, "spans": spans, "params": []}
        for start, end in spans:
            if stream == "visual":
                other = donor.picture if donor else None
                picture = Picture(frames, talk.picture.landmarks)
                frames, how = forge_picture.forge_picture(picture, (start, end), family, rng, other)
            else:
                samples = (start * STEP_SAMPLES, end * STEP_SAMPLES)
                speech = donor.audio if donor else None
                audio, how = forge_sound.forge_sound(
                    audio, samples, family, rng, speech, chunk.split == "test"
                )
            made[stream]["params"].append(how)
    return frames, audio, made


def _record(
    plan: Plan,
    chunk: Chunk,
    name: str,
    original: str | None,
    n_frames: int,
    made: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """One entry of `metadata.json`: the keys of LAV-DF, and ours."""
    forged = {stream: how for stream, how in made.items() if how["family"] != "null"}
    periods = {
        stream: [[start / VIDEO_RATE_HZ, end / VIDEO_RATE_HZ] for start, end in how["spans"]]
        for stream, how in forged.items()
    }
    union = Timeline.of(Segment(*period) for rows in periods.values() for period in rows)
    return {
        "file": name,
        "n_fakes": len(union),
        "fake_periods": [[segment.start, segment.end] for segment in union],
        "duration": n_frames / VIDEO_RATE_HZ,
        "original": original,
        "modify_video": "visual" in forged,
        "modify_audio": "audio" in forged,
        "split": chunk.split,
        "video_frames": n_frames,
        "audio_channels": 1,
        "audio_frames": n_frames * STEP_SAMPLES,
        "identity": chunk.identity,
        "family_visual": made["visual"]["family"] if "visual" in made else None,
        "family_audio": made["audio"]["family"] if "audio" in made else None,
        "visual_periods": periods.get("visual", []),
        "audio_periods": periods.get("audio", []),
        "seed": plan.seed,
        "params": made,
        "source": {"file": Path(chunk.path).name, "start": chunk.start / VIDEO_RATE_HZ},
    }


def build(plan: Plan, workers: int) -> list[dict[str, Any]]:
    """Forge what is not there yet, write `metadata.json`, and return all records in order."""
    out = Path(plan.out)
    for split in SPLITS:
        (out / split).mkdir(parents=True, exist_ok=True)
    journal = out / "chunks.jsonl"
    done = _finished(journal, out)
    left = [chunk for chunk in plan.chunks if chunk.number not in done]
    with journal.open("a") as log:
        for chunk, records in tqdm(_forged(plan, left, workers), total=len(left), unit="chunk"):
            done[chunk.number] = records
            log.write(json.dumps({"chunk": chunk.number, "records": records}) + "\n")
            log.flush()
    everything = [record for number in sorted(done) for record in done[number]]
    (out / "metadata.json").write_text(json.dumps(everything, indent=1))
    return everything


def _forged(
    plan: Plan, chunks: list[Chunk], workers: int
) -> Iterator[tuple[Chunk, list[dict[str, Any]]]]:
    """Chunks and their records as they are finished; a bad chunk is reported and has none."""
    if workers < 2:
        for chunk in chunks:
            yield chunk, _attempt(plan, chunk)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        tasks = {pool.submit(_attempt, plan, chunk): chunk for chunk in chunks}
        for task in as_completed(tasks):
            yield tasks[task], task.result()


def _attempt(plan: Plan, chunk: Chunk) -> list[dict[str, Any]]:
    try:
        return forge_chunk(plan, chunk)
    except (DeepLocError, ValueError, OSError) as error:
        tqdm.write(f"skipped {Path(chunk.path).name} ({chunk.identity}): {error}")
        return []


def _finished(journal: Path, out: Path) -> dict[int, list[dict[str, Any]]]:
    """Chunks of an earlier run whose files are all still there."""
    if not journal.exists():
        return {}
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return {
        line["chunk"]: line["records"]
        for line in lines
        if all((out / record["file"]).exists() for record in line["records"])
    }


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.forge", description=__doc__)
    parser.add_argument("--authentic", type=Path, required=True, help="folder of talking clips")
    parser.add_argument("--manifest", type=Path, help="CSV: path, label, identity, has_audio")
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clip-seconds", type=float, default=7.0)
    parser.add_argument("--per-identity", type=int, default=8, help="chunks of one person at most")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--unseen",
        nargs="*",
        default=[*forge_picture.UNSEEN_FAMILIES, *forge_sound.UNSEEN_FAMILIES],
        help="families that only the test split uses",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    if not forge_sound.has_tts():
        print("espeak-ng is not installed: no forgery of the family 'tts' will be made.")
    clips = list_clips(options.authentic, options.manifest)
    chunks = cut_chunks(clips, options.seed, options.clip_seconds, options.per_identity)
    plan = Plan(tuple(chunks), str(options.out), options.seed, tuple(options.unseen))
    records = build(plan, options.workers)
    counts = pd.DataFrame(records, columns=["split", "n_fakes"])
    print(counts.assign(forged=counts.n_fakes > 0).groupby(["split", "forged"]).size().to_string())


if __name__ == "__main__":
    main()
