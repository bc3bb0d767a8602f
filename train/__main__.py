"""`python -m train DATA RUN`: from a dataset to a checkpoint, on one machine.

Runs `train.data.extract` into `RUN/cache`, then `train.pretrain` and `train.discover`, each with
its own defaults. Killed, it goes on where it was. Whoever wants another option, or several GPUs,
runs the three one by one. It looks at no test clip: `train.evaluate RUN/model RUN/cache` does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from deeploc.checkpoints import CONFIG
from train import (
    discover as train_fdn,
)
from train import (
    pretrain as pretrain_mae,
)
from train.data import extract


def main(arguments: list[str] | None = None) -> None:
    args = _parse(arguments)
    cache, run = str(args.run / "cache"), str(args.run)
    workers = _given(args, "workers")
    extract.main(["--data", str(args.data), cache, *_given(args, "format"), *workers])
    pretrain_mae.main([cache, run, *_given(args, "name", "steps", "seed")])
    if not (args.run / "model" / CONFIG).exists():
        train_fdn.main([cache, run, *_given(args, "name", "labels", "epochs", "seed"), *workers])
    print(f"{args.run / 'model'}: the checkpoint. What it is worth on the test split:")
    print(f"python -m train.evaluate {args.run / 'model'} {cache}")


def _given(args: argparse.Namespace, *names: str) -> list[str]:
    """Those of the options that were given, as words; the others are left to the command."""
    values = {name: getattr(args, name) for name in names}
    return [
        word
        for name, value in values.items()
        if value is not None
        for word in (f"--{name}", str(value))
    ]


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset: its folder, or its metadata file")
    parser.add_argument("run", type=Path, help="folder for the cache, the logs, the checkpoint")
    parser.add_argument("--format", help="the dataset's format, see train.data.extract")
    parser.add_argument("--labels", help="clip, streams or frames, see train.discover")
    parser.add_argument("--name", help="name stored in the checkpoint")
    parser.add_argument("--steps", type=int, help="of pretraining")
    parser.add_argument("--epochs", type=int, help="of discovery")
    parser.add_argument("--workers", type=int, help="processes that extract and measure")
    parser.add_argument("--seed", type=int)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
