"""From a dataset to a checkpoint, on one machine: extract into `RUN/cache`, pretrain, discover.

Killed, it goes on where it was when it is started again. It reads no test clip: `evaluate` does.
Whoever wants other options, or several GPUs, runs the three verbs one by one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from deeploc.checkpoints import CONFIG
from train import discover, pretrain
from train.config import DiscoverConfig, Labels, PretrainConfig, RunPath
from train.data import extract


def run(
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")],
    run: RunPath,
    format: str = "auto",
    name: str = "deeploc",
    labels: Labels = DiscoverConfig.labels,
    steps: int = PretrainConfig.steps,
    epochs: int = DiscoverConfig.epochs,
    workers: int = 1,
    seed: int = 0,
) -> None:
    """Make `RUN/model` from a dataset.

    Args:
        data: a dataset: its folder, or its metadata file
        format: the dataset's format, see extract --help; auto tells it by its content
        name: name stored in the checkpoint
        labels: which labels discovery reads
        steps: steps of pretraining
        epochs: epochs of each stage of discovery
        workers: processes that extract and that measure evidence
        seed: seed of pretraining and of discovery
    """
    cache, model = run / "cache", run / "model"
    extract.main(["--data", str(data), str(cache), "--format", format, "--workers", str(workers)])
    pretrain.pretrain(cache, run, replace(PretrainConfig(), steps=steps, seed=seed), name)
    if not (model / CONFIG).exists():
        config = replace(DiscoverConfig(), labels=labels, epochs=epochs, seed=seed)
        discover.discover(cache, run, config, name, workers=workers)
    print(f"{model}: the checkpoint. What it is worth on the test split:")
    print(f"python -m train evaluate {model} {cache}")


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(run, args=arguments, prog="python -m train run", description=__doc__)
