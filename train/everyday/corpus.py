"""Clips as they are, and under every kind of everyday change, in the layout of LAV-DF.

    python -m train everyday CLIPS --out FOLDER --kinds jump-cut messenger
    python -m train everyday CORPUS --out FOLDER --kinds trained --each 2 --no-unchanged

CLIPS is a folder of honest clips, or a corpus with its metadata, forgeries too: their truth follows
every change. All leave through the same chain: 25 Hz and 16 kHz, at most 360 pixels high, of one
quality for all versions of a clip. A version lies in the folder of its kind, unchanged ones in
`unchanged`; `change` in `metadata.json` names the kind, `changes.jsonl` what was drawn. Clips
without a face or without sound are named and left out. Interrupted, it resumes; a folder never
mixes settings or clips.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from deeploc import __version__
from deeploc.annotations import ClipTruth, read_dataset, write_lavdf
from deeploc.annotations.truth import with_fused
from deeploc.errors import BadAnnotations, DeepLocError
from deeploc.faces.detector import FaceDetector
from deeploc.faces.tracker import track_faces
from deeploc.media.clip import SHORTEST_STEPS, VIDEO_RATE_HZ, open_clip
from deeploc.media.formats import is_video
from deeploc.media.shots import find_shots
from deeploc.media.writer import write_clip
from deeploc.metrics import step_labels
from deeploc.scores import STREAMS, Stream
from deeploc.timeline import FrameGrid, Timeline
from train.config import keep_config
from train.data.cache import METADATA
from train.data.splits import Split
from train.everyday.kinds import KINDS, is_held_out
from train.everyday.recording import Change, Recording
from train.forge.recording import limit_height

CONFIG = "everyday_config.json"
JOURNAL = "changes.jsonl"
UNCHANGED = "unchanged"
TRAINED, HELD_OUT = "trained", "held-out"  # instead of the names of kinds
OTHERS_TRIED = 5


@dataclass(frozen=True)
class EverydayConfig:
    """What decides the changed clips, beside the clips that they are made from."""

    kinds: tuple[str, ...] = field(default_factory=lambda: tuple(KINDS))
    """kinds of everyday change; trained and held-out stand for all that are; without this option
    all of them"""
    each: int | None = None
    """kinds of each clip, drawn by its name and the seed among those that can be made of it;
    without this option all of them"""
    unchanged: bool = True
    """whether every clip is also written as it is"""
    splits: tuple[Split, ...] = ()
    """splits whose clips are taken; without this option all of them"""
    label: Literal["all", "authentic", "forged"] = "all"
    """which clips are taken; authentic ones only where nothing was done to them, so no null
    forgeries"""
    seed: int = 0
    """seed of what is drawn, and of which clips are taken"""
    limit: int | None = None
    """clips that are taken at most; without this option all of them"""
    longest: float = 12.0
    """seconds of a clip that are taken at most"""
    height: int = 360
    """height of the pictures in pixels at most"""
    crf: tuple[int, int] = (18, 26)
    """lowest and highest CRF of H.264; all versions of a clip have the same"""

    def __post_init__(self) -> None:
        held_out = set(filter(is_held_out, KINDS))
        words = {TRAINED: set(KINDS) - held_out, HELD_OUT: held_out}
        named = set().union(*(words.get(name, {name}) for name in self.kinds))
        if unknown := sorted(named - set(KINDS)):
            raise ValueError(
                f"--kinds {' '.join(unknown)}: there is no such kind. "
                f"It takes {', '.join([*words, *sorted(KINDS)])}."
            )
        if self.each is not None and self.each < 1:
            raise ValueError(f"--each {self.each}: expected at least 1.")
        object.__setattr__(self, "kinds", tuple(kind for kind in KINDS if kind in named))

    def takes(self, clip: ClipTruth) -> bool:
        """Whether a clip is of the splits and the label that are asked for."""
        in_split = not self.splits or clip.split in self.splits
        null = bool(clip.families) and not clip.forged
        own = "null" if null else "forged" if clip.forged else "authentic"
        return in_split and self.label in ("all", own)


@dataclass(frozen=True)
class Task:
    """A clip to change: its truth, with `file` below `root`, and clips of other people."""

    root: Path
    clip: ClipTruth
    others: tuple[str, ...]
    out: Path
    config: EverydayConfig


def list_clips(clips: Path) -> tuple[Path, list[ClipTruth]]:
    """The folder that `file` of each is relative to, and all clips, in a fixed order.

    Without metadata every clip counts as authentic, its folder (or its own name, directly in
    `clips`) as its identity.
    """
    if clips.is_file() or (clips / METADATA).is_file():
        dataset = read_dataset(clips)
        root, truths = dataset.root, [clip for clip in dataset.clips if is_video(clip.file)]
    else:
        root, truths = clips, []
        for path in sorted(path for path in clips.rglob("*") if is_video(path)):
            identity = path.stem if path.parent == clips else path.parent.name
            truths.append(ClipTruth(path.relative_to(clips).as_posix(), identity=identity))
    return root, sorted(truths, key=lambda clip: clip.file)


def choose_clips(clips: list[ClipTruth], config: EverydayConfig) -> list[ClipTruth]:
    """The clips that are changed, in their order."""
    taken = [clip for clip in clips if config.takes(clip)]
    chosen = np.random.default_rng(config.seed).permutation(len(taken))[: config.limit]
    return [taken[number] for number in sorted(chosen)]


def version_file(kind: str, file: str) -> str:
    """Where a version of a clip lies below the folder of all."""
    return f"{kind}/{file}" if file.endswith(".mp4") else f"{kind}/{file}.mp4"


def change_clip(task: Task) -> list[dict[str, Any]]:
    """Writes every version of a clip that is not there yet; a record of each for the journal.

    Raises `DeepLocError` where the clip has no face or no sound, or is too short.
    """
    config, clip = task.config, task.clip
    recording = load_recording(task.root / clip.file, config)
    number = zlib.crc32(clip.file.encode())
    lowest, highest = config.crf
    crf = int(np.random.default_rng([config.seed, number]).integers(lowest, highest + 1))
    records = []
    for kind, change in changes_of(task, recording):
        path = task.out / version_file(kind, clip.file)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(path.name + ".part")
            write_clip(partial, change.recording.frames, change.recording.audio, crf=crf)
            os.replace(partial, path)
        records.append(
            {
                "file": version_file(kind, clip.file),
                "kind": kind,
                "group": KINDS[kind].group if kind in KINDS else None,
                "held_out": kind in KINDS and KINDS[kind].held_out,
                "spans": change.spans,
                "params": change.params,
                "covered": change.covered,
                "steps": change.recording.n_steps,
                "forged": {
                    stream: moved_runs(clip, stream, recording.n_steps, change)
                    for stream in STREAMS
                },
            }
        )
    return records


def changes_of(task: Task, recording: Recording) -> Iterator[tuple[str, Change]]:
    """The versions of a clip that are asked for, one by one, each with its kind."""
    config, number = task.config, zlib.crc32(task.clip.file.encode())
    if config.unchanged:
        yield UNCHANGED, Change(recording, ())
    kinds = list(config.kinds)
    if config.each:
        np.random.default_rng([config.seed, number, zlib.crc32(b"kinds")]).shuffle(kinds)
    yield from islice(_possible(task, recording, kinds), config.each)


def _possible(task: Task, recording: Recording, kinds: list[str]) -> Iterator[tuple[str, Change]]:
    """The changes that can be made: of two people only where there is somebody else."""
    for kind in kinds:
        key = [task.config.seed, zlib.crc32(task.clip.file.encode()), zlib.crc32(kind.encode())]
        rng = np.random.default_rng(key)
        other = draw_other(task, rng) if KINDS[kind].needs_other else None
        if other or not KINDS[kind].needs_other:
            yield kind, KINDS[kind].change(recording, rng, other)


def draw_other(task: Task, rng: np.random.Generator) -> Recording | None:
    """A recording of somebody else who can be used; None where there is none."""
    for file in rng.permutation(task.others)[:OTHERS_TRIED]:
        try:
            return load_recording(task.root / str(file), task.config)
        except DeepLocError:
            continue
    return None


@lru_cache(maxsize=2)
def load_recording(path: Path, config: EverydayConfig) -> Recording:
    """The beginning of a clip in memory, with the box of the face that is scored.

    Raises `DeepLocError` where it has no face or no sound, or is too short.
    """
    clip = open_clip(path).beginning(config.longest)
    if clip.audio is None or not clip.audio.any():
        raise DeepLocError("it has no sound")
    if clip.grid.n_frames < SHORTEST_STEPS:
        raise DeepLocError("it is too short")
    track = track_faces(clip, find_shots(clip), _detector(), lambda done, total: None)[0]
    frames = np.stack(
        [limit_height(frame, config.height) for frame in islice(clip.frames(), clip.grid.n_frames)]
    )
    scale = np.array(frames.shape[2:0:-1]) / [clip.info.width, clip.info.height]
    return Recording.of(frames, clip.audio, track.boxes[: len(frames)] * np.tile(scale, 2))


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    torch.set_num_threads(1)
    return FaceDetector()


def moved_runs(clip: ClipTruth, stream: Stream, n_steps: int, change: Change) -> list[list[int]]:
    """The forged steps `[start, end)` of a stream after a change; of `fused`, those that are of
    neither picture nor sound."""
    grid = FrameGrid(VIDEO_RATE_HZ, n_steps)
    labels = {name: step_labels(clip.segments[name], grid) for name in STREAMS}
    labels["fused"] &= ~(labels["visual"] | labels["audio"])
    forged = change.moved(labels[stream], stream)
    edges = np.flatnonzero(np.diff(forged.astype(np.int8), prepend=0, append=0))
    return edges.reshape(-1, 2).tolist()


def version_truth(clip: ClipTruth, record: dict[str, Any], corpus: str | None = None) -> ClipTruth:
    """The truth of one version of a clip.

    The families of a forged clip stay. A stream whose forged steps are all gone is authentic.
    `corpus`: where no unchanged version is written, the name of the folder of the clip's corpus:
    `original` is then the clip there, `CORPUS/FILE`, as `extract` names it.
    """
    grid = FrameGrid(VIDEO_RATE_HZ, record["steps"])
    segments = with_fused(
        {
            stream: Timeline.of(grid.segment(*run) for run in record["forged"][stream])
            for stream in STREAMS
        }
    )
    labels = {  # a label without times stays
        stream: bool(segments[stream]) if clip.segments[stream] else label
        for stream, label in clip.labels.items()
    }
    families = {
        stream: family
        for stream, family in clip.families.items()
        if segments[stream] or not clip.segments[stream]
    }
    unchanged = record["kind"] == UNCHANGED
    made_from = clip.original if unchanged else clip.file
    return replace(
        clip,
        file=record["file"],
        segments=segments,
        labels=labels,
        duration_s=grid.duration,
        original=made_from
        and (f"{corpus}/{made_from}" if corpus else version_file(UNCHANGED, made_from)),
        families=families,
        change=None if unchanged else record["kind"],
    )


def build(
    clips: Path, out: Path, config: EverydayConfig, workers: int
) -> tuple[list[ClipTruth], int]:
    """Make what is not there yet and write `metadata.json`; its clips, and how many were left out.

    Exits with a sentence where the folder holds versions of other clips or settings.
    """
    root, everything = list_clips(clips)
    truths = choose_clips(everything, config)
    if not truths:
        raise BadAnnotations(f"{clips} holds no such clips.")
    told = [[clip.file, clip.split, clip.forged] for clip in everything]
    digest = hashlib.sha256(json.dumps([__version__, told]).encode())
    keep_config(
        out / CONFIG,
        config,
        out / JOURNAL,
        digest.hexdigest()[:16],
        "other clips or another version of DeepLoc",
    )
    done = _finished(out)
    tasks = [
        Task(
            root,
            clip,
            tuple(other.file for other in everything if _can_be_beside(other, clip)),
            out,
            config,
        )
        for clip in truths
        if clip.file not in done
    ]
    left_out = 0
    out.mkdir(parents=True, exist_ok=True)
    with (out / JOURNAL).open("a") as journal:
        for clip, records in tqdm(_changed(tasks, workers), total=len(tasks), unit="clip"):
            left_out += not records
            done[clip.file] = records
            journal.write(json.dumps({"clip": clip.file, "records": records}) + "\n")
            journal.flush()
    corpus = None if config.unchanged else root.resolve().name
    versions = [
        version_truth(clip, record, corpus) for clip in truths for record in done[clip.file]
    ]
    write_lavdf(versions, out / METADATA)
    return versions, left_out


def _can_be_beside(other: ClipTruth, clip: ClipTruth) -> bool:
    """Whether `other` shows somebody else, honest, of the same split."""
    one, two = (item.identity or item.original or item.file for item in (other, clip))
    return not other.forged and other.split == clip.split and one != two


def _changed(tasks: list[Task], workers: int) -> Iterator[tuple[ClipTruth, list[dict[str, Any]]]]:
    """Clips and their records as they are finished; a bad clip is reported and has none."""
    if workers < 2:
        for task in tasks:
            yield task.clip, _attempt(task)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), threadpool_limits, (1,)) as pool:
        begun = {pool.submit(_attempt, task): task for task in tasks}
        for future in as_completed(begun):
            yield begun[future].clip, future.result()


def _attempt(task: Task) -> list[dict[str, Any]]:
    try:
        return change_clip(task)
    except (DeepLocError, ValueError, OSError) as error:
        tqdm.write(f"left out {task.clip.file}: {error}")
        return []


def _finished(out: Path) -> dict[str, list[dict[str, Any]]]:
    """By clip the records of an earlier run whose files are all there."""
    if not (out / JOURNAL).exists():
        return {}
    lines = (out / JOURNAL).read_text().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]  # it may have been killed in a line
    (out / JOURNAL).write_text("".join(whole))
    entries = [json.loads(line) for line in whole]
    return {
        entry["clip"]: entry["records"]
        for entry in entries
        if entry["records"] and all((out / row["file"]).exists() for row in entry["records"])
    }


def everyday(
    clips: Annotated[
        tyro.conf.Positional[Path],
        tyro.conf.arg(metavar="CLIPS", help="folder of clips, or metadata or folder of a dataset"),
    ],
    out: Annotated[Path, tyro.conf.arg(help="folder for the clips and their metadata")],
    config: tyro.conf.OmitArgPrefixes[EverydayConfig] = EverydayConfig(),
    workers: Annotated[int, tyro.conf.arg(help="processes")] = 1,
) -> None:
    """Make or finish the changed clips, and print how many there are of each kind."""
    versions, left_out = build(clips, out, config, workers)
    for kind in (UNCHANGED,) * config.unchanged + config.kinds:
        count = sum(version.file.startswith(f"{kind}/") for version in versions)
        print(f"{kind}: {count}" + (" (held out)" if kind in KINDS and is_held_out(kind) else ""))
    if left_out:
        print(f"Left out: {left_out} clips.")


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(everyday, args=arguments, prog="python -m train everyday", description=__doc__)


if __name__ == "__main__":
    main()
