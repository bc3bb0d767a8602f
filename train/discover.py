"""`python -m train.discover CACHE RUN`: the forgery discovery network, from clip-level labels.

Reads `RUN/mae`, measures every clip once, trains on the train split, calibrates on the authentic
clips of the validation split and writes `RUN/model`. Nothing else is taken from validation clips:
their losses are only logged, as `RUN/model_log.jsonl` and for TensorBoard under `RUN/tensorboard`.
Interrupted, it resumes with the epoch that it was in. Under `torchrun` every process takes
`--batch` clips of a step.
Three settings: `--labels clip` knows one bit a clip, `streams` (as LAV-DF's metadata) one bit a
stream, and `frames` also which steps are forged. The last is weak supervision no more, but on a
corpus that `train.forge` made nobody annotated anything: the forge knows where it forged (the
self-forged setting).
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from deeploc.checkpoints import load_checkpoint
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.models.fdn import (
    FDN,
    FDNConfig,
)
from deeploc.models.rt_deeploc import RTDeepLoc
from train.calibrate import calibrate
from train.data.cache import (
    CachedClip,
    load_cache,
)
from train.data.evidence_store import (
    EvidenceStore,
    measure_clips,
    set_statistics,
)
from train.engine.checkpointing import (
    Board,
    load_state,
    save_model,
    save_state,
)
from train.engine.ranks import (
    Ranks,
    alone,
    gradients_of,
    joined_ranks,
    seed_of,
)
from train.losses.discovery import authentic_gates
from train.losses.objective import (
    Clips,
    ClipSet,
    Teacher,
    add_loss_arguments,
    authentic_logits,
    fdn_loss,
    gather,
)

SCORE_HALF = 0.9  # quantile of authentic training steps whose score is 0.5
NOT_LEARNING = ("cache", "run", "out", "name", "workers", "loaders", "memory")


@dataclass(frozen=True)
class Home:
    """Where a training runs, and where it leaves its state and log: nowhere without a `folder`.

    `origin` tells the evidence that it learns from.
    """

    ranks: Ranks = field(default_factory=alone)
    folder: Path | None = None
    name: str = "model"
    origin: str = ""


@dataclass(frozen=True)
class Shares:
    """Which clips make up each step of an epoch, and which of these are this rank's.

    A step has `batch` clips of every rank, `times` over: two ranks learn from what one with twice
    the batch learns from. The last step of an epoch has what is left.
    """

    clips: int
    batch: int
    times: int
    ranks: Ranks

    def steps(self, order: np.ndarray) -> Iterator[list[tuple[list[int], float]]]:
        """This rank's batches step by step, each with its part of all clips of the step."""
        world = self.ranks.world
        size = self.batch * self.times * world
        for start in range(0, self.clips, size):
            chunk = order[start : start + size]
            chunk = np.resize(chunk, max(world, len(chunk)))  # nobody goes without
            own = np.array_split(chunk, world)[self.ranks.rank]
            parts = np.array_split(own, -(-len(own) // self.batch))
            yield [(part.tolist(), len(part) / len(chunk)) for part in parts]

    def keys(self, orders: Iterable[tuple[int, np.ndarray]]) -> Iterator[list[tuple[int, int]]]:
        """What a `ClipSet` is asked for in all `orders` (epoch, order), batch by batch."""
        for epoch, order in orders:
            for step in self.steps(order):
                yield from ([(epoch, i) for i in part] for part, _ in step)


class Learning:
    """One training of the FDN: all that changes on the way, and so all there is to resume."""

    def __init__(
        self, model: RTDeepLoc, args: argparse.Namespace, home: Home, teacher: Teacher | None
    ) -> None:
        self.model, self.args, self.home, self.teacher = model, args, home, teacher
        self.ranks = home.ranks
        self.fdn = model.fdn
        self.network = self.ranks.shared(self.fdn)
        self.bf16 = self.ranks.device.type == "cuda" if args.bf16 is None else args.bf16
        self.optimizer = torch.optim.AdamW(
            self.fdn.parameters(), args.lr, weight_decay=args.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, args.epochs)
        self.log: list[dict] = []
        told = {name: value for name, value in vars(args).items() if name not in NOT_LEARNING}
        told["batch"] = told.pop("accumulate") * args.batch * self.ranks.world
        self.recipe = told | {"origin": home.origin}
        self.name = f"{home.name}_second" if teacher else home.name
        self.path = home.folder / f"{self.name}_state.pt" if home.folder else None

    @property
    def done(self) -> int:
        """Epochs that lie behind."""
        return len(self.log)

    def resume(self) -> None:
        """Go on from the state that was left behind, if there is one."""
        state = load_state(self.path, self.recipe, self.ranks.device) if self.path else None
        if state:
            self.fdn.load_state_dict(state["fdn"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.log = state["log"]

    def keep(self) -> None:
        """Leave the state and the log behind."""
        if self.path and self.ranks.first:
            save_state(
                self.path,
                self.path.with_name(f"{self.name}_log.jsonl"),
                fdn=self.fdn.state_dict(),
                optimizer=self.optimizer.state_dict(),
                schedule=self.schedule.state_dict(),
                log=self.log,
                recipe=self.recipe,
            )

    def order(self, epoch: int, clips: int) -> np.ndarray:
        return np.random.default_rng([self.args.seed, epoch]).permutation(clips)

    def epoch(
        self, batches: Iterator[Clips], steps: Iterable[list[tuple[list[int], float]]]
    ) -> float:
        """Train on one epoch; its mean loss over all ranks."""
        torch.manual_seed(seed_of(self.args.seed, self.done, self.ranks.rank))  # dropout
        self.fdn.train()
        self.model.fdn = self.network
        total, count = torch.zeros((), device=self.ranks.device), 0
        for step in steps:
            self.optimizer.zero_grad()
            for number, (_, share) in enumerate(step, start=1):
                with gradients_of(self.network, last=number == len(step)):
                    loss = self._terms(next(batches))[1].sum() * share * self.ranks.world
                    loss.backward()
                total += loss.detach()
            torch.nn.utils.clip_grad_norm_(self.fdn.parameters(), 1.0)
            self.optimizer.step()
            count += 1
        self.schedule.step()
        self.model.fdn = self.fdn
        self.fdn.eval()
        return float(self.ranks.total(total)) / count / self.ranks.world

    @torch.inference_mode()
    def validate(self, batches: Iterable[Clips]) -> dict[str, float]:
        """The terms of the loss, averaged over the clips of all ranks."""
        names: list[str] = []
        total, count = torch.zeros((), device=self.ranks.device), 0
        for clips in batches:
            names, values = self._terms(clips)
            total, count = total + len(clips.labels) * values, count + len(clips.labels)
        mean = self.ranks.total(total) / self.ranks.total(torch.tensor(count)).item()
        return dict(zip(names, mean.tolist(), strict=True))

    def _terms(self, clips: Clips) -> tuple[list[str], Tensor]:
        device = self.ranks.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            terms = fdn_loss(self.model, clips.to(device), self.args, self.teacher)
        return list(terms), torch.stack([term.float() for term in terms.values()])


def learn(
    model: RTDeepLoc,
    clips: ClipSet,
    held_out: ClipSet,
    args: argparse.Namespace,
    home: Home | None = None,
) -> list[dict]:
    """Replace the model's FDN by a new one and train it; returns the losses.

    With `--pseudo` that is the first stage: its scores then teach another new one, unless frame
    labels do.
    """
    home = home or Home()
    model.requires_grad_(False)
    begin(model, args, args.seed)
    log = train(model, clips, held_out, args, home=home)
    device = home.ranks.device
    if args.pseudo and args.labels != "frames":
        fdn = model.fdn.to(device).eval()
        teacher = Teacher.of(fdn, _in_order(clips, args, device), args.labels)
        begin(model, args, seed_of(args.seed, 2))
        log = log + train(model, clips, held_out, args, teacher, home)
    fdn = model.fdn.to(device).eval()
    for column, logits in enumerate(authentic_logits(fdn, _in_order(clips, args, device))):
        if len(logits):
            fdn.set_scale(column, *authentic_gates(logits, SCORE_HALF))
    model.fdn.cpu()
    return log


def begin(model: RTDeepLoc, args: argparse.Namespace, seed: int) -> None:
    """Give the model a new discovery network."""
    torch.manual_seed(seed)
    model.fdn = FDN(fdn_config(model, args))


def fdn_config(model: RTDeepLoc, args: argparse.Namespace) -> FDNConfig:
    """What the discovery network that `args` train is like. Where neither MIL nor MTLR teaches the
    heads of picture and sound, the third answers for them."""
    one_head = args.labels == "clip" and not args.streams and not args.mtlr
    return replace(model.fdn.config, inputs=args.inputs, one_head=one_head)


def train(
    model: RTDeepLoc,
    clips: ClipSet,
    held_out: ClipSet,
    args: argparse.Namespace,
    teacher: Teacher | None = None,
    home: Home | None = None,
) -> list[dict]:
    """Train the FDN in place for all epochs; returns the losses, one record an epoch.

    No epoch is chosen: the clip-level loss is lowest long before the steps are told apart.
    """
    home = home or Home()
    model.fdn.to(home.ranks.device)
    run = Learning(model, args, home, teacher)
    run.resume()
    shares = Shares(len(clips), args.batch, args.accumulate, home.ranks)
    left = range(run.done, args.epochs)
    keys = shares.keys((epoch, run.order(epoch, len(clips))) for epoch in left)
    batches = iter(_loader(clips, keys, args))
    in_order = [(0, np.arange(len(held_out)))]
    fixed = list(Shares(len(held_out), args.batch, 1, home.ranks).keys(in_order))
    checked = _loader(held_out, fixed, args)
    board = None
    if home.folder:
        board = Board(home.folder / "tensorboard" / run.name, run.done, home.ranks.first)
    for epoch in home.ranks.bar(left, unit="epoch"):
        learnt = run.epoch(batches, shares.steps(run.order(epoch, len(clips))))
        run.log.append({"epoch": epoch, **run.validate(checked), "train": learnt})
        run.keep()
        if board:
            board.add(epoch + 1, run.log[-1])
    if not np.isfinite(sum(run.log[-1].values())):
        raise RuntimeError("training diverged: the last validation loss is not finite")
    model.fdn.cpu()
    return run.log


def _in_order(clips: ClipSet, args: argparse.Namespace, device: torch.device) -> Iterator[Clips]:
    """All clips once, the same ones on every rank."""
    keys = Shares(len(clips), args.batch, 1, Ranks()).keys([(0, np.arange(len(clips)))])
    return (batch.to(device) for batch in _loader(clips, keys, args))


def _loader(clips: ClipSet, keys: Iterable[list], args: argparse.Namespace) -> DataLoader:
    return DataLoader(
        clips,
        batch_sampler=keys,
        collate_fn=gather,
        num_workers=args.loaders,
        persistent_workers=args.loaders > 0,
    )


def discovered(args: argparse.Namespace, ranks: Ranks) -> None:
    """Measure, train, calibrate and write the checkpoint."""
    base = args.run / "mae"
    model, info = load_checkpoint(base)
    splits = {name: load_cache(args.cache, name) for name in ("train", "dev")}
    raw = {
        name: measure_clips(base, samples, args.run / "evidence", args.workers, ranks)
        for name, samples in splits.items()
    }
    set_statistics(model, raw["train"].pristine(splits["train"]), ranks)
    ready = {name: measured.standardised(model) for name, measured in raw.items()}
    clips, held_out = (clip_set(splits[name], ready[name], args) for name in ("train", "dev"))
    origin = hashlib.sha256(info.sha256.encode())
    for sample in chain(*splits.values()):
        origin.update(repr(sample.annotation).encode())
    home = Home(ranks, args.run, args.out, origin.hexdigest())
    log = learn(model, clips, held_out, args, home)
    if ranks.first:
        model = model.half().float()  # calibrate what is saved
        scale = calibrate(model, ready["dev"].pristine(splits["dev"]))
        out = args.run / args.out
        save_model(model.calibrated(scale, args.name).half(), out)
        told = {"arguments": {k: str(v) for k, v in vars(args).items()}, "epochs": log}
        (out / "training.json").write_text(json.dumps(told))
        for name in (args.out, f"{args.out}_second"):
            (args.run / f"{name}_state.pt").unlink(missing_ok=True)
    ranks.wait()


def clip_set(
    samples: list[CachedClip], evidence: EvidenceStore, args: argparse.Namespace
) -> ClipSet:
    """A split as `args` want it read."""
    memory = args.memory * 1e9 / max(1, args.loaders)
    longest = round(args.longest * VIDEO_RATE_HZ)
    return ClipSet(samples, evidence, longest, memory, args.seed)


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    with joined_ranks() as ranks:
        discovered(args, ranks)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.discover", description=__doc__)
    parser.add_argument("cache", type=Path, help="folder made by train.data.extract")
    parser.add_argument("run", type=Path, help="folder that holds mae/; the result goes there")
    parser.add_argument("--out", default="model", help="name of the result in RUN")
    parser.add_argument("--name", default="deeploc", help="name stored in the checkpoint")
    add_loss_arguments(parser)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32, help="clips at a time, on each rank")
    parser.add_argument("--accumulate", type=int, default=1, help="such batches a step")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--longest", type=float, default=120, help="seconds of a clip a step sees")
    parser.add_argument(
        "--bf16",
        action=argparse.BooleanOptionalAction,
        help="bfloat16 autocast (default: on CUDA alone)",
    )
    parser.add_argument("--loaders", type=int, default=0, help="processes that read, on each rank")
    parser.add_argument("--memory", type=float, default=4, help="GB of clips kept, on each rank")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that measure, on each rank"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    if args.labels == "clip" and not (args.mil or args.streams or args.p2s):
        parser.error("nothing would be learnt from clip labels: weigh --streams, --mil or --p2s")
    return args


if __name__ == "__main__":
    main()
