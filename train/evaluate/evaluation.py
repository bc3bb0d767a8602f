"""Evaluation: the localization of a checkpoint beside its baselines, and how often it flags honest
clips under everyday changes.

The same evidence, post-processing and metrics for every method. Writes `metrics.json`, tables
(`metrics.md`) and plots (`metrics.html`, and SVG where kaleido and a browser are there) beside the
weights or under `--out`. Nothing is chosen here: thresholds and weights come with the checkpoint,
and the seen families are those of the cache's train split. Clips under everyday changes are in no
table but their own (`train/evaluate/everyday.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from tqdm import tqdm

from deeploc.checkpoints import load_checkpoint
from deeploc.errors import DeepLocError
from deeploc.scores import STREAMS
from train.config import CachePath
from train.data.cache import METADATA, CachedClip, load_cache
from train.data.evidence_store import EvidenceByFile, EvidenceStore, measure_clips
from train.evaluate.everyday import by_change, verdicts
from train.evaluate.families import by_family, by_kind, errors_by_family, reliability, seen_families
from train.evaluate.methods import CHECKPOINT, ERROR, all_methods
from train.evaluate.plots import write_plots
from train.evaluate.protocol import (
    ALARMS,
    Split,
    StreamEvaluation,
    describe_protocol,
    draw_clips,
    evaluate_stream,
)
from train.evaluate.tables import markdown

METRICS, TABLES = "metrics.json", "metrics.md"
BOUNDED = ("mean AP", "AP@0.5", "AP@0.75", "AR@10", "frame AUC", "clip AUC", "clip EER", ALARMS)
CURVE_TIOUS, CURVE_RECALLS = (0.3, 0.5, 0.75), np.linspace(0, 1, 51)


def evaluate_checkpoint(
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
    every_clip = np.ones(len(samples))
    evidence = EvidenceByFile.of(samples, measured.standardised(model))
    methods = all_methods(model, evidence, beside)
    drawn, draws = draw_clips(samples, resamples)
    evaluations = {
        name: {stream: evaluate_stream(samples, method, stream) for stream in STREAMS}
        for name, method in methods.items()
    }
    seen = seen_families(cache / METADATA)
    own = methods[CHECKPOINT]
    kinds = by_kind(samples, own, model.calibration, draws)
    authentic = kinds[-1] if kinds else {}
    return {
        "model": {"name": info.name, "sha256": info.sha256},
        "protocol": {
            **describe_protocol(samples, drawn, resamples),
            "training families": {stream: sorted(names) for stream, names in seen.items()},
        },
        "rows": {
            name: {stream: item.all_metrics(every_clip) for stream, item in streams.items()}
            for name, streams in evaluations.items()
        },
        "intervals": {
            name: {stream: item.intervals(BOUNDED, draws) for stream, item in streams.items()}
            for name, streams in tqdm(evaluations.items(), unit="method", desc="intervals")
        },
        "families": by_family(samples, evaluations[CHECKPOINT], seen, draws),
        "errors": errors_by_family(samples, methods[ERROR]),
        "error families": by_family(samples, evaluations[ERROR], seen, draws),
        "alarms": kinds,
        "false_alarms": {
            band: authentic[f"clips at {band}"] for band in model.calibration.bands if authentic
        },
        "reliability": reliability(samples, own, model.calibration),
        "curves": {
            name: {stream: precision_curves(item) for stream, item in streams.items()}
            for name, streams in evaluations.items()
        },
    }


def precision_curves(evaluation: StreamEvaluation) -> dict[str, list[float]]:
    """Interpolated precision at 51 even recalls, by tIoU."""
    found = {}
    for tiou in CURVE_TIOUS:
        recall, precision = evaluation.overlaps.curve(tiou)
        place = np.searchsorted(recall, CURVE_RECALLS - 1e-9)
        heights = np.append(precision, 0.0)[place]
        found[str(tiou)] = [round(float(height), 4) for height in heights]
    return found


def evaluate(
    checkpoint: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CHECKPOINT")],
    cache: CachePath,
    split: Split = "test",
    evidence: Path | None = None,
    beside: tyro.conf.UseAppendAction[tuple[tuple[str, Path], ...]] = (),
    honest: Path | None = None,
    out: Path | None = None,
    resamples: int = 1000,
    workers: int = 1,
) -> None:
    """Evaluate a checkpoint on one split of a cache.

    Args:
        checkpoint: checkpoint folder
        split: the split that is evaluated
        evidence: folder of measured clips (default: CACHE/evidence)
        beside: name and folder of another checkpoint on the same autoencoder, for a row beside
        honest: another cache, whose clips of that split are counted by everyday change instead of
            those of CACHE
        out: folder of the results (default: CHECKPOINT)
        resamples: bootstrap draws
        workers: processes that measure evidence
    """
    clips = load_cache(cache, split)
    measured = measure_clips(checkpoint, clips, evidence or cache / "evidence", workers)
    kept = [n for n, clip in enumerate(clips) if not clip.annotation.change]
    if not kept:
        raise DeepLocError(f"{cache} has {split} clips under everyday changes alone.")
    samples, store = [clips[n] for n in kept], EvidenceStore([measured.paths[n] for n in kept])
    result = evaluate_checkpoint(checkpoint, cache, samples, store, dict(beside), resamples)
    result["protocol"]["split"] = split
    if honest:
        clips = load_cache(honest, split)
        measured = measure_clips(checkpoint, clips, honest / "evidence", workers)
    result["everyday"] = by_change(*verdicts(checkpoint, clips, measured))
    plain = json.loads(json.dumps(result), parse_constant=lambda nan: None)
    folder = out or checkpoint
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METRICS).write_text(json.dumps(plain, indent=1) + "\n")
    (folder / TABLES).write_text(markdown(plain))
    print(markdown(plain))
    for line in write_plots(plain, folder):
        print(line)


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(evaluate, args=arguments, prog="python -m train evaluate", description=__doc__)
