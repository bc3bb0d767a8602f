"""`deeploc benchmark`: what an analysis costs on this machine, by length and size.

The embedded example is scaled and repeated, and analysed in a process of its own each time.
Decoding every picture, without looking at it, is measured in the same process: the ratio of both
says more about the code than seconds, which say more about the machine. Other footage costs more
or less.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from deeploc.checkpoints import ASSETS
from deeploc.localizer import load_localizer
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip

EXAMPLE = ASSETS / "examples" / "picture.mp4"
LENGTHS_S = (10, 60, 600)
HEIGHTS = (360, 720, 1080)
EXCERPT_S = 8
STAGES = ("decode", "faces", "reconstruct")
COLUMNS = ("clip", *STAGES, "sum", "decoding alone", "ratio", "first curve", "peak memory")
HEADER = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def write_excerpt(path: Path, height: int) -> None:
    """The first seconds of the example, 16:9, `height` pixels high."""
    clip = open_clip(EXAMPLE)
    size = (round(height * 16 / 9 / 2) * 2, height)
    beginning = clip.beginning(EXCERPT_S)
    pictures = (np.asarray(ImageOps.pad(Image.fromarray(f), size)) for f in beginning.frames())
    write_clip(path, pictures, beginning.audio)


def write_looped(excerpt: Path, path: Path, length_s: float) -> None:
    """The excerpt again and again, without coding it again."""
    playlist = path.with_suffix(".ffconcat")
    entry = f"file '{excerpt.name}'\nduration {EXCERPT_S}\n"
    playlist.write_text("ffconcat version 1.0\n" + entry * math.ceil(length_s / EXCERPT_S))
    with av.open(str(playlist), format="concat") as source, av.open(str(path), "w") as target:
        into = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        ends = dict.fromkeys(into, -math.inf)
        for packet in source.demux():
            index = packet.stream.index
            if packet.dts is None or packet.dts * packet.time_base >= length_s:
                continue
            if packet.dts > ends[index]:  # sound begins a little before its picture
                ends[index] = packet.dts
                packet.stream = into[index]
                target.mux(packet)


def measure_clip(path: Path, device: str) -> dict[str, float]:
    """Seconds of work a second of clip by stage, and of decoding alone; when the first part of the
    curve came, s; peak memory, GiB. The model is loaded and warm before, as on the page."""
    localizer = load_localizer(device=device, max_minutes=math.inf)
    localizer.warm_up()
    firsts: list[float] = []
    begin = time.perf_counter()
    report = localizer(path, preview=lambda *_: firsts.append(time.perf_counter() - begin))
    clip = open_clip(path)
    begin = time.perf_counter()
    for _ in clip.lazy_frames():
        pass
    alone = (time.perf_counter() - begin) / clip.info.duration_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return {
        **report.timing.stages,
        "sum": report.timing.seconds_per_second,
        "alone": alone,
        "first": firsts[0],
        "peak": peak * unit / 2**30,
    }


def row(name: str, cost: dict[str, float]) -> str:
    """One line of the table."""
    stages = [f"{cost[stage]:.3f}" for stage in (*STAGES, "sum", "alone")]
    ratio = f"{cost['sum'] / cost['alone']:.1f}"
    return (
        f"| {' | '.join([name, *stages, ratio])} | {cost['first']:.1f} s | {cost['peak']:.2f} GiB |"
    )


def rows(lengths: list[float], heights: list[int], device: str, folder: Path) -> Iterator[str]:
    """Makes the clips, and measures each in a new process."""
    cases = [(height, length) for height in heights for length in lengths]
    for height, length in tqdm(cases, unit="clip", disable=None, leave=False):
        excerpt, path = folder / f"{height}.mp4", folder / f"{height}-{length:g}.mp4"
        if not excerpt.exists():
            write_excerpt(excerpt, height)
        write_looped(excerpt, path, length)
        command = [
            sys.executable,
            "-m",
            "deeploc",
            "benchmark",
            "--clip",
            str(path),
            "--device",
            device,
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        path.unlink()
        yield row(f"{height}p, {length:g} s", json.loads(output))


def main(arguments: list[str]) -> int:
    """Prints the table, line by line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="deeploc benchmark", description=__doc__)
    add = parser.add_argument
    add("--lengths", type=float, nargs="+", metavar="S", default=LENGTHS_S, help="of the clips")
    add("--heights", type=int, nargs="+", metavar="PX", default=HEIGHTS, help="of their pictures")
    add("--device", default="auto", help="cpu, cuda or cuda:N (default: CUDA where there is one)")
    add("--clip", type=Path, help="measure this clip alone, and print JSON")
    options = parser.parse_args(arguments)
    if options.clip:
        print(json.dumps(measure_clip(options.clip, options.device)))
        return 0
    print(HEADER)
    with TemporaryDirectory() as folder:
        for line in rows(options.lengths, options.heights, options.device, Path(folder)):
            print(line, flush=True)
    return 0
