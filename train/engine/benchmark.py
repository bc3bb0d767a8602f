"""`python -m train.engine.benchmark`: what training costs on this machine, step by step.

Extracts the example clips, copies them into a small cache, and measures every stage on it for some
seconds with the sizes of real trainings. Prints throughputs, memory, disk, and what they come to on
LAV-DF and AV-Deepfake1M. Files are read from the memory of the operating system, not from a disk.
Nothing here is trained to any purpose.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.utils.data import DataLoader

from deeploc.annotations import ClipTruth
from deeploc.faces.detector import FaceDetector
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.models.mae import MAEConfig
from deeploc.models.rt_deeploc import RTDeepLoc
from train import (
    discover as train_fdn,
)
from train import (
    pretrain as pretrain_mae,
)
from train.data.cache import (
    AuthenticWindows,
    CachedClip,
    ClipTensors,
    cached_path,
)
from train.data.evidence_store import (
    EvidenceStore,
    measure_clips,
)
from train.data.extract import extract_clip
from train.engine.checkpointing import save_model
from train.engine.ranks import alone
from train.losses.objective import (
    ClipSet,
    gather,
)

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
COPIES = 12


@dataclass(frozen=True)
class Corpus:
    """A benchmark's size, and how long we would train on it: `passes` over the windows of its
    authentic training clips, `epochs` over its training clips."""

    name: str
    clips: int
    hours: float
    training: int
    authentic: int
    passes: int
    epochs: int

    @property
    def clip_s(self) -> float:
        return self.hours * 3600 / self.clips

    @property
    def windows(self) -> float:
        steps = self.authentic * self.clip_s * VIDEO_RATE_HZ
        return self.passes * steps / MAEConfig().window


STAGES = 2  # of train_fdn
CORPORA = (
    Corpus("LAV-DF", 136_304, 325.5, 78_703, 21_254, passes=20, epochs=20),
    Corpus("AV-Deepfake1M, train and val", 803_000, 1321, 746_000, 186_500, passes=5, epochs=5),
)


@dataclass(frozen=True)
class Speed:
    """Seconds of clips extracted and measured in a second, windows read and learnt from, clips
    read and learnt from; bytes of a second of a clip as tensors and as evidence."""

    extract: float
    read_windows: float
    pretrain: float
    measure: float
    read_clips: float
    discover: float
    tensors: float
    evidence: float


def rate(work: Callable[[], float], seconds: float) -> float:
    """Units a second of `work`, which says how many it did; the first time doesn't count."""
    work()
    began, done = time.monotonic(), 0.0
    while time.monotonic() - began < seconds:
        done += work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return done / (time.monotonic() - began)


def fill(folder: Path, seconds: float) -> tuple[float, list[CachedClip]]:
    """How fast clips are extracted, and a cache of them."""
    detector, videos = FaceDetector(), sorted(EXAMPLES.glob("*.mp4"))
    found: dict[Path, ClipTensors] = {}
    turns = cycle(videos)

    def one() -> float:
        path = next(turns)
        found[path] = extract_clip(path, detector, MAEConfig().crop)
        return len(found[path].seen) / VIDEO_RATE_HZ

    speed = rate(one, seconds)
    samples = []
    for number, clip in zip(range(COPIES), cycle(found.values()), strict=False):
        file = f"{number:02}.mp4"
        clip.save(cached_path(folder, file))
        samples.append(CachedClip(ClipTruth(file), cached_path(folder, file)))
    return speed, samples


def pretraining(
    samples: list[CachedClip], args: argparse.Namespace, run: Path
) -> tuple[float, float]:
    """Windows read, and learnt from, a second."""
    told = ["-", str(run), "--batch", str(args.batch), "--steps", "1000000"]
    training = pretrain_mae.Pretraining(pretrain_mae.parse(told), alone())
    windows = AuthenticWindows(samples, training.mae.config.window, 0)
    plan = training.draw.numbers(range(1_000_000))
    loader = iter(DataLoader(windows, batch_sampler=plan, num_workers=args.loaders))
    batch = next(loader)

    def learn() -> float:
        training.step([batch])
        return len(batch[0])

    reading = rate(lambda: len(next(loader)[0]), args.seconds)
    learning = rate(learn, args.seconds)
    save_model(training.model, run / "mae")
    return reading, learning


def measuring(run: Path, samples: list[CachedClip]) -> tuple[float, EvidenceStore]:
    """Seconds of clips measured in a second, and what was measured."""
    began = time.monotonic()
    measured = measure_clips(run / "mae", samples, run / "evidence")
    return clip_seconds(samples) / (time.monotonic() - began), measured


def clip_seconds(samples: list[CachedClip]) -> float:
    return sum(len(sample.tensors.seen) for sample in samples) / VIDEO_RATE_HZ


def discovery(
    samples: list[CachedClip], measured: EvidenceStore, args: argparse.Namespace, run: Path
) -> tuple[float, float]:
    """Clips read, and learnt from, a second."""
    told = train_fdn.parse(["-", str(run), "--epochs", "1000000"])
    model = RTDeepLoc.from_pretrained(run / "mae")
    fresh, kept = ClipSet(samples, measured, memory=0), ClipSet(samples, measured)
    keys = cycle([[(0, i)] for i in range(len(samples))])
    loader = iter(
        DataLoader(fresh, batch_sampler=keys, collate_fn=gather, num_workers=args.loaders)
    )
    model.fdn.to(alone().device)
    training = train_fdn.Learning(model, told, train_fdn.Home(), None)
    places = [n % len(samples) for n in range(told.batch)]
    batch = gather([kept[0, i] for i in places])

    def learn() -> float:
        step: list[tuple[list[int], float]] = [(places, 1.0)]
        training.epoch(iter([batch]), [step])
        return told.batch

    return rate(lambda: len(next(loader).labels), args.seconds), rate(learn, args.seconds)


def bytes_a_second(folder: Path, samples: list[CachedClip]) -> float:
    """Of what `folder` keeps of the clips."""
    sizes = [cached_path(folder, sample.annotation.file).stat().st_size for sample in samples]
    return sum(sizes) / clip_seconds(samples)


def lines(speed: Speed, args: argparse.Namespace) -> Iterator[str]:
    """The report, as Markdown."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    yield f"{device}, {torch.get_num_threads()} threads of {os.cpu_count()} cores, load " + (
        f"{os.getloadavg()[0]:.1f}; peak memory {memory:.1f} GB"
    )
    if torch.cuda.is_available():
        yield f"peak GPU memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GB"
    yield ""
    yield "| stage | a second |"
    yield "|---|---|"
    yield f"| extract | {speed.extract:.1f} s of clips |"
    yield f"| pretrain_mae, {args.batch} windows at a time | {speed.pretrain:.0f} windows |"
    yield f"| reading them, {args.loaders} loaders | {speed.read_windows:.0f} windows |"
    yield f"| measuring | {speed.measure:.1f} s of clips |"
    yield f"| train_fdn | {speed.discover:.0f} clips |"
    yield f"| reading them, {args.loaders} loaders | {speed.read_clips:.0f} clips |"
    yield ""
    yield "| | " + " | ".join(corpus.name for corpus in CORPORA) + " |"
    yield "|---|" + "---|" * len(CORPORA)
    costs: dict[str, Callable[[Corpus], str]] = {
        "extract, hours": lambda c: f"{c.hours / speed.extract:.0f}",
        "pretrain_mae": lambda c: (
            f"{c.windows / 1e6:.1f} M windows, {_hours(c.windows, speed.pretrain)}"
        ),
        "measuring, hours": lambda c: f"{c.hours / speed.measure:.0f}",
        "train_fdn": lambda c: (
            f"{STAGES} x {c.epochs} epochs, "
            f"{_hours(STAGES * c.epochs * c.training, speed.discover)}"
        ),
        "tensors on disk, GB": lambda c: f"{c.hours * 3600 * speed.tensors / 1e9:.0f}",
        "evidence on disk, GB": lambda c: f"{c.hours * 3600 * speed.evidence / 1e9:.0f}",
    }
    for name, cost in costs.items():
        yield f"| {name} | " + " | ".join(cost(corpus) for corpus in CORPORA) + " |"


def _hours(units: float, speed: float) -> str:
    return f"{units / speed / 3600:.0f} hours"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.engine.benchmark", description=__doc__)
    parser.add_argument("--batch", type=int, default=16, help="windows at a time")
    parser.add_argument("--loaders", type=int, default=0, help="processes that read")
    parser.add_argument("--seconds", type=float, default=20, help="time for each stage")
    args = parser.parse_args(arguments)
    with TemporaryDirectory() as name:
        folder = Path(name)
        extract, samples = fill(folder / "cache", args.seconds)
        read_windows, pretrain = pretraining(samples, args, folder)
        measure, measured = measuring(folder, samples)
        read_clips, discover = discovery(samples, measured, args, folder)
        evidence = next((folder / "evidence").iterdir())
        disk = (bytes_a_second(root, samples) for root in (folder / "cache", evidence))
        speed = Speed(extract, read_windows, pretrain, measure, read_clips, discover, *disk)
    print("\n".join(lines(speed, args)))


if __name__ == "__main__":
    main()
