"""`python -m train.evaluate CHECKPOINT CACHE`: a checkpoint's localization beside its baselines.

The same evidence, post-processing and metrics for every row: the checkpoint, its reconstruction
error alone, and chance (uniform noise). Prints a Markdown table and writes `metrics.json` beside
the weights. Nothing is chosen here: thresholds and weights come with the checkpoint.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from deeploc.checkpoints import load_checkpoint
from deeploc.discover import discover, errors
from deeploc.measure import Evidence
from deeploc.metrics import average_precision, average_recall, clip_auc, frame_auc
from deeploc.postprocess import clip_score, to_proposals
from deeploc.scores import STREAMS, FrameScores, Stream
from train.data import Sample, load_cache
from train.evidence import measure_samples

METRICS = "metrics.json"
Scores = Mapping[str, Mapping[Stream, FrameScores]]


def chance(files: list[str], like: Scores) -> Scores:
    """Uniform noise on the same grids, seeded by the file's name."""
    noise = {}
    for file in files:
        rng = np.random.default_rng(zlib.crc32(file.encode()))
        noise[file] = {
            stream: FrameScores(
                scores.grid,
                stream,
                "forgery",
                np.where(scores.scored, rng.random(scores.grid.n_frames), np.nan).astype(
                    np.float32
                ),
            )
            for stream, scores in like[file].items()
        }
    return noise


def evaluate_stream(samples: list[Sample], scores: Scores, stream: Stream) -> dict[str, float]:
    """AP, AR and AUC of one stream over all clips, authentic ones included; NaN: undefined here.

    A clip counts as forged if that stream of it is. `frame AUC inside` pools forged clips only.
    """
    truth = {sample.annotation.file: sample.annotation.segments[stream] for sample in samples}
    own = {file: scores[file][stream] for file in truth}
    forged = {file for file, segments in truth.items() if len(segments)}
    proposals = {file: to_proposals(item) for file, item in own.items()}
    whole = [clip_score(item) for item in own.values()]
    return {
        **{
            f"AP@{tiou}": average_precision(truth, proposals, tiou)
            for tiou in (0.1, 0.3, 0.5, 0.75)
        },
        **{f"AR@{n}": average_recall(truth, proposals, n) for n in (10, 5)},
        "frame AUC": frame_auc(truth, own),
        "frame AUC inside": frame_auc(truth, {file: own[file] for file in forged}),
        "clip AUC": clip_auc(
            [file in forged for file in own],
            [np.nan if score is None else score for score in whole],
        ),
    }


def by_family(samples: list[Sample], scores: Scores) -> dict[str, float]:
    """Frame AUC inside the forged clips of each manipulation family, by stream."""
    table: dict[str, float] = {}
    for stream in ("visual", "audio"):
        families: dict[str, list[Sample]] = {}
        for sample in samples:
            family = sample.annotation.families.get(stream)
            if family and len(sample.annotation.segments[stream]):
                families.setdefault(family, []).append(sample)
        for family, members in sorted(families.items()):
            truth = {item.annotation.file: item.annotation.segments[stream] for item in members}
            own = {file: scores[file][stream] for file in truth}
            table[f"{stream} {family} (n={len(members)})"] = frame_auc(truth, own)
    return table


def evaluate(
    checkpoint: Path,
    samples: list[Sample],
    evidence: list[Evidence],
    beside: Mapping[str, Path],
) -> dict:
    """All rows of the table with their protocol, as plain data.

    `beside`: rows of other checkpoints on the same autoencoder, by name.
    """
    model, info = load_checkpoint(checkpoint)
    files = [sample.annotation.file for sample in samples]
    found = {file: discover(model, item) for file, item in zip(files, evidence, strict=True)}
    error = {file: errors(item) for file, item in zip(files, evidence, strict=True)}
    rows: dict[str, Scores] = {
        "checkpoint": found,
        "reconstruction error alone": error,
        "chance": chance(files, found),
    }
    for name, folder in beside.items():
        other, _ = load_checkpoint(folder)
        own = model.state_dict()
        assert all(
            torch.equal(value, own[key])
            for key, value in other.state_dict().items()
            if not key.startswith("fdn.")
        ), f"{folder} stands on another autoencoder"
        rows[name] = {
            file: discover(other, item) for file, item in zip(files, evidence, strict=True)
        }
    people = {item.annotation.identity or item.annotation.file for item in samples}
    quiet = [s.annotation.file for s in samples if not s.annotation.forged]
    wholes = [clip_score(found[file]["fused"]) or 0.0 for file in quiet]
    forged = sum(sample.annotation.forged for sample in samples)
    return {
        "model": {"name": info.name, "sha256": info.sha256},
        "protocol": {
            "clips": len(samples),
            "forged": forged,
            "authentic": len(samples) - forged,
            "null forgeries among them": sum(
                not sample.annotation.forged and not sample.untouched for sample in samples
            ),
            "identities": len(people),
            "empty_rule": "a forged clip without proposals counts as missed",
            "tiou": "AP is strict (IoU > t); AR averages 0.50:0.05:0.95",
        },
        "rows": {
            name: {stream: evaluate_stream(samples, scores, stream) for stream in STREAMS}
            for name, scores in rows.items()
        },
        "families": by_family(samples, found),
        "false_alarms": {
            band: float(np.mean(np.array(wholes) >= level))
            for band, level in model.calibration.bands.items()
        },
    }


def table(result: dict) -> str:
    """The rows as a Markdown table, in percent."""
    frame = pd.DataFrame(
        {
            (name, stream): values
            for name, streams in result["rows"].items()
            for stream, values in streams.items()
        }
    ).T
    lines = ["| method | stream | " + " | ".join(frame.columns) + " |"]
    lines.append("|---" * (len(frame.columns) + 2) + "|")
    for (name, stream), values in frame.iterrows():
        cells = " | ".join("-" if pd.isna(v) else f"{100 * v:.1f}" for v in values)
        lines.append(f"| {name} | {stream} | {cells} |")
    protocol = result["protocol"]
    lines.append("")
    lines.append(
        f"Split {protocol['split']}: {protocol['clips']} clips ({protocol['forged']} forged, "
        f"{protocol['authentic']} authentic) of {protocol['identities']} identities; "
        f"{protocol['empty_rule']}; {protocol['tiou']}. Percent."
    )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="checkpoint folder")
    parser.add_argument("cache", type=Path, help="folder made by train.extract")
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
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    args = parser.parse_args(arguments)
    samples = load_cache(args.cache, args.split)
    folder = args.evidence or args.cache / "evidence"
    evidence = measure_samples(args.checkpoint, samples, folder, args.workers)
    result = evaluate(args.checkpoint, samples, evidence, dict(args.beside))
    result["protocol"]["split"] = args.split
    plain = json.loads(json.dumps(result), parse_constant=lambda nan: None)
    (args.checkpoint / METRICS).write_text(json.dumps(plain, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
