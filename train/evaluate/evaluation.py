"""`python -m train.evaluate CHECKPOINT CACHE`: a checkpoint's localization beside its baselines.

The same evidence, post-processing and metrics for every method. Writes `metrics.json`, tables
(`metrics.md`) and pictures (`metrics.html`, and SVG where kaleido and a browser are there) beside
the weights or under `--out`. Nothing is chosen here: thresholds and weights come with the
checkpoint, and which families are seen is what the cache's train split holds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deeploc.checkpoints import load_checkpoint
from deeploc.scores import STREAMS
from train.data.cache import (
    METADATA,
    CachedClip,
    load_cache,
)
from train.data.evidence_store import (
    EvidenceByFile,
    EvidenceStore,
    measure_clips,
)
from train.evaluate.families import (
    by_family,
    by_kind,
    errors_by_family,
    reliability,
    seen_families,
)
from train.evaluate.methods import (
    CHECKPOINT,
    ERROR,
    all_methods,
)
from train.evaluate.plots import write_pictures
from train.evaluate.protocol import (
    ALARMS,
    Trial,
    draw,
    prepare,
    protocol,
)
from train.evaluate.tables import markdown

METRICS, TABLES = "metrics.json", "metrics.md"
BOUNDED = ("mean AP", "AP@0.5", "AP@0.75", "AR@10", "frame AUC", "clip AUC", "clip EER", ALARMS)
CURVE_TIOUS, CURVE_RECALLS = (0.3, 0.5, 0.75), np.linspace(0, 1, 51)


def evaluate(
    checkpoint: Path,
    cache: Path,
    samples: list[CachedClip],
    measured: EvidenceStore,
    beside: Mapping[str, Path],
    resamples: int = 1000,
) -> dict:
    """All numbers with their protocol, as plain data; `beside`: checkpoint folders by name.

    Intervals are 95 % percentile bootstraps. Identities are drawn where every clip names its own,
    clips otherwise; every number is computed on the same draws.
    """
    model, info = load_checkpoint(checkpoint)
    files = [sample.annotation.file for sample in samples]
    evidence = EvidenceByFile.of(samples, measured.standardised(model))
    methods = all_methods(model, evidence, beside)
    drawn, draws = draw(samples, resamples)
    trials = {
        name: {stream: prepare(samples, method, stream) for stream in STREAMS}
        for name, method in methods.items()
    }
    seen = seen_families(cache / METADATA)
    own = methods[CHECKPOINT]
    kinds = by_kind(samples, own, model.calibration, draws)
    authentic = kinds[-1] if kinds else {}
    return {
        "model": {"name": info.name, "sha256": info.sha256},
        "protocol": {
            **protocol(samples, drawn, resamples),
            "training families": {stream: sorted(names) for stream, names in seen.items()},
        },
        "rows": {
            name: {stream: trial.values(np.ones(len(files))) for stream, trial in streams.items()}
            for name, streams in trials.items()
        },
        "intervals": {
            name: {stream: trial.intervals(BOUNDED, draws) for stream, trial in streams.items()}
            for name, streams in tqdm(trials.items(), unit="method", desc="intervals")
        },
        "families": by_family(samples, trials[CHECKPOINT], seen, draws),
        "errors": errors_by_family(samples, methods[ERROR]),
        "error families": by_family(samples, trials[ERROR], seen, draws),
        "alarms": kinds,
        "false_alarms": {
            band: authentic[f"clips at {band}"] for band in model.calibration.bands if authentic
        },
        "reliability": reliability(samples, own, model.calibration),
        "curves": {
            name: {stream: curves(trial) for stream, trial in streams.items()}
            for name, streams in trials.items()
        },
    }


def curves(trial: Trial) -> dict[str, list[float]]:
    """Interpolated precision at 51 even recalls, by tIoU."""
    found = {}
    for tiou in CURVE_TIOUS:
        recall, precision = trial.overlaps.curve(tiou)
        place = np.searchsorted(recall, CURVE_RECALLS - 1e-9)
        heights = np.append(precision, 0.0)[place]
        found[str(tiou)] = [round(float(height), 4) for height in heights]
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="checkpoint folder")
    parser.add_argument("cache", type=Path, help="folder made by train.data.extract")
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--evidence", type=Path, help="where measured clips are kept")
    parser.add_argument(
        "--beside",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "FOLDER"),
        help="a row for another checkpoint on the same autoencoder",
    )
    parser.add_argument("--out", type=Path, help="folder for the results (default: CHECKPOINT)")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap draws")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    args = parser.parse_args(arguments)
    samples = load_cache(args.cache, args.split)
    folder = args.evidence or args.cache / "evidence"
    measured = measure_clips(args.checkpoint, samples, folder, args.workers)
    beside = {name: Path(path) for name, path in args.beside}
    result = evaluate(args.checkpoint, args.cache, samples, measured, beside, args.resamples)
    result["protocol"]["split"] = args.split
    plain = json.loads(json.dumps(result), parse_constant=lambda nan: None)
    out = args.out or args.checkpoint
    out.mkdir(parents=True, exist_ok=True)
    (out / METRICS).write_text(json.dumps(plain, indent=1) + "\n")
    (out / TABLES).write_text(markdown(plain))
    print(markdown(plain))
    for line in write_pictures(plain, out):
        print(line)


if __name__ == "__main__":
    main()
