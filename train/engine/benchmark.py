"""Benchmark: what each stage of training costs on this machine.

Extracts the example clips, copies them into a small cache, and times every stage on it for some
seconds with the sizes of real trainings. Prints throughputs, memory, disk, and what they come to on
LAV-DF and AV-Deepfake1M. Files are read from the memory of the operating system, not from a disk.
The networks that it trains are thrown away.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import tyro
from torch.utils.data import DataLoader

from deeploc.annotations import ClipTruth
from deeploc.faces.detector import FaceDetector
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.models.mae import MAEConfig
from deeploc.models.rt_deeploc import RTDeepLoc
from train.config import DiscoverConfig, PretrainConfig
from train.data.cache import AuthenticWindows, CachedClip, ClipTensors, cached_path
from train.data.clip_batches import ClipDataset, collate
from train.data.evidence_store import EvidenceStore, measure_clips
from train.data.extract import extract_clip
from train.discover import Stage
from train.engine.checkpointing import save_model
from train.engine.execution import Execution
from train.pretrain import Pretraining

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


STAGES = 2  # of discovery
CORPORA = (
    Corpus("LAV-DF", 136_304, 325.5, 78_703, 21_254, passes=20, epochs=20),
    Corpus("AV-Deepfake1M, train and val", 803_000, 1321, 746_000, 186_500, passes=5, epochs=5),
)


@dataclass(frozen=True)
class Throughput:
    """In a second: seconds of clips extracted and measured, windows read and trained on, clips read
    and trained on. Of a second of a clip: bytes as tensors and as evidence."""

    extract: float
    read_windows: float
    pretrain: float
    measure: float
    read_clips: float
    discover: float
    tensors: float
    evidence: float


def rate(work: Callable[[], float], seconds: float) -> float:
    """Units a second of `work`, which returns how many it did; the first call doesn't count."""
    work()
    began, done = time.monotonic(), 0.0
    while time.monotonic() - began < seconds:
        done += work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return done / (time.monotonic() - began)


def time_extraction(folder: Path, seconds: float) -> tuple[float, list[CachedClip]]:
    """Seconds of clips extracted in a second, and a cache of them in `folder`."""
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


def time_pretraining(
    samples: list[CachedClip], run: Path, batch: int, loaders: int, seconds: float
) -> tuple[float, float]:
    """Windows read, and trained on, a second; leaves the autoencoder in `run`."""
    training = Pretraining(PretrainConfig(steps=1_000_000, batch=batch), Execution())
    windows = AuthenticWindows(samples, training.mae.config.window, 0)
    numbers = training.sampler.window_numbers(range(1_000_000))
    loader = iter(DataLoader(windows, batch_sampler=numbers, num_workers=loaders))
    first = next(loader)

    def train() -> float:
        training.step([first])
        return len(first[0])

    reading = rate(lambda: len(next(loader)[0]), seconds)
    training_rate = rate(train, seconds)
    save_model(training.model, run / "mae")
    return reading, training_rate


def time_measuring(run: Path, samples: list[CachedClip]) -> tuple[float, EvidenceStore]:
    """Seconds of clips whose evidence is measured in a second, and the evidence."""
    began = time.monotonic()
    measured = measure_clips(run / "mae", samples, run / "evidence")
    return clip_seconds(samples) / (time.monotonic() - began), measured


def clip_seconds(samples: list[CachedClip]) -> float:
    return sum(len(sample.tensors.seen) for sample in samples) / VIDEO_RATE_HZ


def time_discovery(
    samples: list[CachedClip], measured: EvidenceStore, run: Path, loaders: int, seconds: float
) -> tuple[float, float]:
    """Clips read, and trained on, a second."""
    config, execution = DiscoverConfig(epochs=1_000_000), Execution()
    fdn = RTDeepLoc.from_pretrained(run / "mae").fdn.to(execution.ranks.device)
    fresh, kept = ClipDataset(samples, measured, memory=0), ClipDataset(samples, measured)
    keys = cycle([[(0, i)] for i in range(len(samples))])
    loader = iter(DataLoader(fresh, batch_sampler=keys, collate_fn=collate, num_workers=loaders))
    stage = Stage(fdn, config, execution)
    places = [n % len(samples) for n in range(config.batch)]
    batch = collate([kept[0, i] for i in places])

    def train() -> float:
        step: list[tuple[list[int], float]] = [(places, 1.0)]
        stage.epoch(iter([batch]), [step])
        return config.batch

    return rate(lambda: len(next(loader).labels), seconds), rate(train, seconds)


def bytes_a_second(folder: Path, samples: list[CachedClip]) -> float:
    """Of what `folder` keeps of the clips."""
    sizes = [cached_path(folder, sample.annotation.file).stat().st_size for sample in samples]
    return sum(sizes) / clip_seconds(samples)


def report_lines(speed: Throughput, batch: int, loaders: int) -> Iterator[str]:
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
    yield f"| pretrain, {batch} windows at a time | {speed.pretrain:.0f} windows |"
    yield f"| reading them, {loaders} loaders | {speed.read_windows:.0f} windows |"
    yield f"| measure evidence | {speed.measure:.1f} s of clips |"
    yield f"| discover | {speed.discover:.0f} clips |"
    yield f"| reading them, {loaders} loaders | {speed.read_clips:.0f} clips |"
    yield ""
    yield "| | " + " | ".join(corpus.name for corpus in CORPORA) + " |"
    yield "|---|" + "---|" * len(CORPORA)
    costs: dict[str, Callable[[Corpus], str]] = {
        "extract, hours": lambda c: f"{c.hours / speed.extract:.0f}",
        "pretrain": lambda c: (
            f"{c.windows / 1e6:.1f} M windows, {_hours(c.windows, speed.pretrain)}"
        ),
        "measure evidence, hours": lambda c: f"{c.hours / speed.measure:.0f}",
        "discover": lambda c: (
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


def benchmark(batch: int = 16, loaders: int = 0, seconds: float = 20) -> None:
    """Time every stage and print the report, as Markdown.

    Args:
        batch: windows of a step of pretraining
        loaders: processes that read ahead
        seconds: time for each stage
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        extract, samples = time_extraction(folder / "cache", seconds)
        read_windows, pretrain = time_pretraining(samples, folder, batch, loaders, seconds)
        measure, measured = time_measuring(folder, samples)
        read_clips, discover = time_discovery(samples, measured, folder, loaders, seconds)
        evidence = next((folder / "evidence").iterdir())
        disk = (bytes_a_second(root, samples) for root in (folder / "cache", evidence))
        speed = Throughput(extract, read_windows, pretrain, measure, read_clips, discover, *disk)
    print("\n".join(report_lines(speed, batch, loaders)))


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(benchmark, args=arguments, prog="python -m train benchmark", description=__doc__)
