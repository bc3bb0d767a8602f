"""`python -m train.evaluate.ablation CACHE RUN`: what each part of the method is worth.

Trains every row of `ROWS` on the evidence of `RUN/mae` with several seeds, and measures them on one
split of a cache (`--test-cache`: another one, real generators for instance) with one and the same
post-processing and metrics; beside them stands what each value of the evidence tells alone
(`values.py`). Writes `ablation.json`, `ablation.md` and a picture. Rows are given to
`train.discover` as they stand in `ROWS`; what this command doesn't know goes there too
(`--epochs 10`). Nothing is chosen: no row, epoch or weight depends on a number of this table.
Trained networks stay in `RUN/ablation`, so that a second start goes on where the first ended.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file

from deeploc.checkpoints import load_checkpoint
from deeploc.evidence import (
    Evidence,
    error_scores,
    forgery_scores,
)
from deeploc.models.fdn import FDN
from deeploc.models.rt_deeploc import RTDeepLoc
from train.data.cache import load_cache
from train.data.evidence_store import (
    EvidenceByFile,
    measure_clips,
    set_statistics,
)
from train.discover import (
    NOT_LEARNING,
    fdn_config,
    learn,
    parse,
)
from train.evaluate.bootstrap import (
    Contender,
    compare,
)
from train.evaluate.methods import (
    CHANCE,
    ERROR,
    Method,
    chance,
)
from train.evaluate.plots import write_ablation
from train.evaluate.protocol import (
    draw,
    protocol,
)
from train.evaluate.single_values import value_aucs
from train.evaluate.tables import ablation_markdown
from train.losses.objective import ClipSet

RESULT, TABLES = "ablation.json", "ablation.md"
SETTINGS = ("clip", "streams", "frames")
WEAK = ("clip", "streams")
FIRST = "+ MTLR: the first stage"
FULL = "+ second stage: the full method"
UNTRAINED = "untrained"


@dataclass(frozen=True)
class Row:
    """One way of training: its name, what `train.discover` is told, and the settings it makes
    sense in (`--labels`)."""

    name: str
    flags: str
    settings: tuple[str, ...] = ("clip",)


ROWS = (
    Row("MIL alone", "--guide 0 --aicl 0 --mtlr 0 --pseudo 0", SETTINGS),
    Row("+ error as input", "--inputs all --guide 0 --aicl 0 --mtlr 0 --pseudo 0"),
    Row("+ error as guide", "--aicl 0 --mtlr 0 --pseudo 0", SETTINGS),
    Row("+ AICL", "--mtlr 0 --pseudo 0", WEAK),
    Row(FIRST, "--pseudo 0", WEAK),
    Row(FULL, "", SETTINGS),
    Row("first stage, no guide", "--guide 0 --pseudo 0"),
    Row("first stage, error as input too", "--inputs all --pseudo 0"),
    Row("first stage, symmetric contrast", "--symmetric --pseudo 0"),
    Row("first stage + minority", "--minority 1 --pseudo 0"),
    Row("MDP's scheme", "--mil 0 --streams 0 --p2s 1 --deviation 0.2 --aicl 0 --mtlr 0 --pseudo 0"),
    Row("MIL, one head", "--streams 0 --guide 0 --aicl 0 --mtlr 0 --pseudo 0"),
    Row("CoLA's contrast", "--guide 0 --cola 0.01 --aicl 0 --mtlr 0 --pseudo 0"),
)
REFERENCE = ("clip", FULL)


@dataclass(frozen=True)
class Bench:
    """What all rows share: the frozen autoencoder with its statistics, its evidence of the clips
    to learn from, and the folder that keeps trained networks."""

    model: RTDeepLoc
    clips: ClipSet
    held_out: ClipSet
    folder: Path
    origin: str

    def network(self, args: argparse.Namespace) -> RTDeepLoc:
        """The model with the discovery network that `args` give: kept from before, or trained."""
        told = {name: value for name, value in vars(args).items() if name not in NOT_LEARNING}
        digest = hashlib.sha256(f"{self.origin} {sorted(told.items())}".encode()).hexdigest()[:16]
        path = self.folder / f"{digest}.safetensors"
        if not path.exists():
            learn(self.model, self.clips, self.held_out, args)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            save_file(self.model.fdn.state_dict(), partial)
            partial.rename(path)
        self.model.fdn = FDN(fdn_config(self.model, args)).eval()
        self.model.fdn.load_state_dict(load_file(path))
        return self.model


def bench(args: argparse.Namespace) -> Bench:
    """Measure what isn't measured yet, take the statistics."""
    base = args.run / "mae"
    model, info = load_checkpoint(base)
    splits = {name: load_cache(args.cache, name) for name in ("train", "dev")}
    raw = {
        name: measure_clips(base, split, args.evidence, args.workers)
        for name, split in splits.items()
    }
    set_statistics(model, raw["train"].pristine(splits["train"]))
    ready = {name: ClipSet(split, raw[name].standardised(model)) for name, split in splits.items()}
    truth = [sample.annotation for split in splits.values() for sample in split]
    origin = hashlib.sha256(f"{info.sha256} {truth}".encode()).hexdigest()
    return Bench(model, ready["train"], ready["dev"], args.run / "ablation", origin)


def contenders(
    shared: Bench, evidence: Mapping[str, Evidence], args: argparse.Namespace
) -> Iterator[Contender]:
    """Every row with the scores of each of its seeds, the untrained ones first."""
    error = {file: error_scores(item) for file, item in evidence.items()}
    yield Contender(UNTRAINED, ERROR, "", [Method(error)])
    yield Contender(UNTRAINED, CHANCE, "", [Method(chance(error))])
    asked = {(setting, name) for setting in args.settings for name in args.rows} | {REFERENCE}
    rows = [
        (setting, row)
        for setting in SETTINGS
        for row in ROWS
        if setting in row.settings and (setting, row.name) in asked
    ]
    for setting, row in rows:
        flags = f"--labels {setting} {row.flags}".strip()
        methods = []
        for seed in range(args.seeds):
            own = [*args.training, *flags.split(), "--seed", str(seed)]
            told = parse([str(args.cache), str(args.run), *own])
            print(f"{setting}, {row.name}, seed {seed}", flush=True)
            model = shared.network(told)
            scores = {file: forgery_scores(model, item) for file, item in evidence.items()}
            methods.append(Method(scores))
        yield Contender(setting, row.name, flags, methods)


def main(arguments: list[str] | None = None) -> None:
    args = _parse(arguments)
    shared = bench(args)
    cache = args.test_cache or args.cache
    samples = load_cache(cache, args.split)
    folder = args.test_evidence or (cache / "evidence" if args.test_cache else args.evidence)
    raw = measure_clips(args.run / "mae", samples, folder, args.workers)
    evidence = EvidenceByFile.of(samples, raw.standardised(shared.model))
    drawn, draws = draw(samples, args.resamples)
    rows = compare(samples, contenders(shared, evidence, args), draws, REFERENCE)
    result = {
        "protocol": {
            **protocol(samples, f"{drawn} and seeds", args.resamples),
            "split": args.split,
            "cache": cache.name,
            "training cache": args.cache.name,
            "training clips": len(shared.clips),
            "training": " ".join(args.training),
            "reference": list(REFERENCE),
        },
        "rows": rows,
        "values": value_aucs(samples, evidence),
    }
    plain = json.loads(json.dumps(result), parse_constant=lambda nan: None)
    out = args.out or args.run / "ablation" / cache.name
    out.mkdir(parents=True, exist_ok=True)
    (out / RESULT).write_text(json.dumps(plain, indent=1) + "\n")
    (out / TABLES).write_text(ablation_markdown(plain))
    print(ablation_markdown(plain))
    for line in write_ablation(plain, out):
        print(line)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate.ablation", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("cache", type=Path, help="folder made by train.data.extract, to train on")
    parser.add_argument("run", type=Path, help="folder that holds mae/")
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--seeds", type=int, default=3, help="how often each row is trained")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=SETTINGS)
    parser.add_argument("--rows", nargs="+", choices=names, default=names)
    parser.add_argument("--test-cache", type=Path, help="measure on clips of another cache")
    parser.add_argument("--evidence", type=Path, help="measured clips (default: RUN/evidence)")
    parser.add_argument("--test-evidence", type=Path, help="the same of TEST_CACHE")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap draws")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    parser.add_argument("--out", type=Path, help="default: RUN/ablation and the name of the cache")
    args, training = parser.parse_known_args(arguments)
    args.training = training
    args.evidence = args.evidence or args.run / "evidence"
    parse([str(args.cache), str(args.run), *training])  # refuse unknown ones at once
    return args


if __name__ == "__main__":
    main()
