"""`python -m deeploc scan PLACE ... --out FOLDER`: an archive, on all cores or a Ray cluster.

One row a clip, in Parquet files that are written while it runs; what is written is not done again.
Ray is optional: `pip install -r requirements-scan.txt`. Clips go through the same `Localizer` as a
single one. A clip whose worker died is tried again, alone; then it is a row with that error.
"""

from __future__ import annotations

import argparse
import logging
import os
import posixpath
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from math import ceil
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from deeploc.analyzer import Analyzer
from deeploc.checkpoints import load_checkpoint
from deeploc.cli.flags import add_max_minutes
from deeploc.cli.sources import find_clips, local_copy
from deeploc.curves import CURVES
from deeploc.errors import DeepLocError
from deeploc.localizer import load_localizer
from deeploc.media.clip import file_sha256
from deeploc.report import Report
from deeploc.scores import STREAMS

HAS_RAY = find_spec("ray") is not None
if HAS_RAY:
    import ray
    import ray.data

# Clips that a worker takes at a time, and rows of a file; what has no row then goes alone.
BLOCK_SIZES = (8, 1, 1)
WORKER_DIED = "WorkerDied"
INTERVAL = pa.struct(
    {
        "start_s": pa.float64(),
        "end_s": pa.float64(),
        "stream": pa.string(),
        "score": pa.float64(),
    }.items()
)
SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("sha256", pa.string()),
        ("state", pa.string()),  # scored, unscored, error
        ("band", pa.string()),  # none, some, strong, unscored
        ("video_score", pa.float64()),
        ("duration_s", pa.float64()),
        ("intervals", pa.list_(INTERVAL)),
        # the curves that propose, such as forgery_fused: every 40 ms step, NaN where unscored
        *(
            (curve.column(stream), pa.list_(pa.float32()))
            for curve in CURVES
            if curve.proposes
            for stream in STREAMS
        ),
        ("warnings", pa.list_(pa.string())),
        ("error", pa.string()),  # the name of a class of `deeploc.errors`, or of what went wrong
        ("message", pa.string()),
        ("model", pa.string()),
        ("model_revision", pa.string()),
        ("model_sha256", pa.string()),
        ("work_s", pa.float64()),
    ]
)
Load = Callable[[], Analyzer]
Row = dict[str, Any]


class Scorer:
    """What runs on each worker: `{"clip"}` -> a row. The model is loaded once."""

    def __init__(self, load: Load) -> None:
        self.analyzer = load()

    def __call__(self, row: Row) -> Row:
        begin = time.perf_counter()
        info = self.analyzer.info
        row = row | {"model": info.name, "model_revision": info.revision}
        row |= {"model_sha256": info.sha256}
        try:
            with local_copy(row["clip"]) as path:
                row |= {"sha256": file_sha256(path)}
                found = report_row(self.analyzer(path))
        except DeepLocError as error:
            found = error_row(type(error).__name__, str(error))
        except Exception as error:
            found = error_row(type(error).__name__, f"{error}. This is a fault of DeepLoc.")
        return {"row": [{**row, **found, "work_s": time.perf_counter() - begin}]}


def report_row(report: Report) -> Row:
    """A report as a row."""
    return {
        "state": "unscored" if report.video_score is None else "scored",
        "band": report.band,
        "video_score": report.video_score,
        "duration_s": report.media.duration_s,
        "intervals": [
            {
                "start_s": item.segment.start,
                "end_s": item.segment.end,
                "stream": item.stream,
                "score": item.score,
            }
            for item in report.timeline
        ],
        **{
            item.curve.column(item.stream): item.values.tolist()
            for item in report.scores
            if item.curve.proposes
        },
        "warnings": list(report.warnings),
    }


def error_row(error: str, message: str) -> Row:
    return {"state": "error", "error": error, "message": message}


class ResultFiles:
    """The Parquet files of a folder, anywhere that fsspec reaches."""

    def __init__(self, folder: str) -> None:
        self.system, self.root = fsspec.core.url_to_fs(folder)
        self.system.makedirs(self.root, exist_ok=True)

    def rows(self, columns: list[str]) -> list[Row]:
        names = self.system.glob(posixpath.join(self.root, "part-*.parquet"))
        tables = (
            pq.read_table(name, columns=columns, filesystem=self.system) for name in sorted(names)
        )
        return [row for table in tables for row in table.to_pylist()]

    def write(self, rows: list[Row]) -> None:
        """One more file, whole or not at all."""
        name = f"part-{time.time_ns():020}-{uuid.uuid4().hex[:8]}.parquet"
        unfinished = posixpath.join(self.root, f".{name}")
        with self.system.open(unfinished, "wb") as file:
            pq.write_table(pa.Table.from_pylist(rows, SCHEMA), file)
        self.system.mv(unfinished, posixpath.join(self.root, name))


def scan(clips: list[str], results: ResultFiles, load: Load, workers: int, gpus: float = 0) -> int:
    """Scores what has no row yet, on Ray; returns how many clips that were."""
    done = {row["clip"] for row in results.rows(["clip"])}
    left = [clip for clip in clips if clip not in done]
    print(f"{len(clips)} clips, {len(clips) - len(left)} of them done before", flush=True)
    begun = len(left)
    with tqdm(total=begun, unit="clip", disable=None) as bar:
        for size in BLOCK_SIZES:
            for rows in _blocks(left, load, workers, gpus, size):
                results.write(rows)
                bar.update(len(rows))
                written = {row["clip"] for row in rows}
                left = [clip for clip in left if clip not in written]
        if left:
            message = "The worker that had this clip died, more than once."
            results.write([{"clip": clip, **error_row(WORKER_DIED, message)} for clip in left])
            bar.update(len(left))
    return begun


def _blocks(
    clips: list[str], load: Load, workers: int, gpus: float, size: int
) -> Iterator[list[Row]]:
    """Rows as workers finish them; none for blocks whose worker died."""
    if not clips:
        return
    ray.data.DataContext.get_current().max_errored_blocks = -1
    listed = ray.data.from_items(
        [{"clip": clip} for clip in clips], override_num_blocks=ceil(len(clips) / size)
    )
    made = listed.map(
        Scorer,  # type: ignore[arg-type]  # annotated for functions only, though it takes classes
        fn_constructor_args=(load,),
        compute=ray.data.ActorPoolStrategy(
            size=min(workers, ceil(len(clips) / size)),
            max_tasks_in_flight_per_actor=1,  # a worker that dies takes no other clips along
        ),
        num_cpus=1,
        num_gpus=gpus,
        ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": 0},
    )
    for batch in made.iter_batches(batch_size=None, batch_format="pyarrow"):
        table: Any = batch
        yield [row for rows in table["row"].to_pylist() for row in rows]


@contextmanager
def _ray(workers: int) -> Iterator[None]:
    """A Ray of our own, or the cluster that RAY_ADDRESS names. Nothing is reported to anybody."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
    else:
        ray.init("local", num_cpus=workers, include_dashboard=False, **quiet)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _check(results: ResultFiles, sha256: str) -> None:
    """Raises `DeepLocError` where another model wrote some of the rows."""
    others = {row["model_sha256"] for row in results.rows(["model_sha256"])} - {None, sha256}
    if others:
        raise DeepLocError(
            f"{results.root} holds results of another model. Give another --out, or the "
            "--checkpoint that was used."
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deeploc scan",
        description="Analyses an archive with Ray, one row a clip in Parquet files. Resumable.",
        epilog="RAY_ADDRESS names a running cluster; without it, this machine is used.",
    )
    add = parser.add_argument
    add(
        "places",
        metavar="PLACE",
        nargs="+",
        help="folders, patterns with *, CSV files, or addresses such as hf://datasets/owner/name or s3://bucket",
    )
    add("--out", required=True, metavar="FOLDER", help="for the results; may be an address")
    add("--checkpoint", metavar="DIR_OR_REPO", help="default: the embedded one")
    add("--device", default="auto", help="cpu, or cuda (default: CUDA where there is one)")
    add_max_minutes(parser)
    add("--workers", type=int, metavar="N", help="default: as many as GPUs, or else as cores")
    return parser


def main(arguments: list[str]) -> int:
    """Runs the command; the status is 1 where it could not run, or some clips have an error."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.workers is not None and options.workers < 1:
        parser.error("--workers must be at least 1")
    if not HAS_RAY:
        print(
            "deeploc: scan needs Ray. In a clone: pip install -r requirements-scan.txt, or "
            "pip install '.[scan]'",
            file=sys.stderr,
        )
        return 1
    try:
        clips = find_clips(options.places)
        results = ResultFiles(options.out)
        _check(results, load_checkpoint(options.checkpoint)[1].sha256)
        with _ray(options.workers or os.cpu_count() or 1):
            there = ray.cluster_resources()  # type: ignore[no-untyped-call]  # ray leaves it unannotated
            gpus = 0 if options.device == "cpu" else min(1, there.get("GPU", 0))
            workers = options.workers or int(there["GPU" if gpus else "CPU"])
            load = partial(
                load_localizer,
                options.checkpoint,
                options.device,
                max_minutes=options.max_minutes,
            )
            scan(clips, results, load, workers, gpus)
    except (DeepLocError, OSError) as error:
        print(f"deeploc: {error}", file=sys.stderr)
        return 1
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        print(f"deeploc: the workers could not go on ({reason}).", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("deeploc: stopped; the same command goes on", file=sys.stderr)
        return 130
    return _print_summary(clips, results)


def _print_summary(clips: list[str], results: ResultFiles) -> int:
    wanted = set(clips)
    rows = [row for row in results.rows(["clip", "state", "error"]) if row["clip"] in wanted]
    states = Counter(row["state"] for row in rows)
    print(", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    for error, count in Counter(row["error"] for row in rows if row["error"]).most_common():
        print(f"  {error}: {count}")
    return 1 if states["error"] else 0
