"""`python -m train.pretrain CACHE RUN`: the masked autoencoder, on authentic clips only.

Whether a clip is authentic is decided by its clip label and nothing else. Writes `RUN/mae` (a
DeepLoc checkpoint whose discovery network is untrained) whenever the loss on authentic validation
windows improves, the curves as `RUN/mae_log.jsonl` and for TensorBoard under `RUN/tensorboard`, and
`RUN/mae_state.pt` to resume from. Under `torchrun` every process takes `--batch` windows of a step.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from deeploc.models.mae import (
    MAE,
    MAEConfig,
    face_energies,
    random_hidden,
    sound_energies,
)
from deeploc.models.rt_deeploc import (
    TINY,
    RTDeepLoc,
)
from train.data.cache import (
    AuthenticWindows,
    CachedClip,
    ClipTensors,
    load_cache,
)
from train.data.evidence_store import RunningMoments
from train.engine.checkpointing import (
    Board,
    load_state,
    save_model,
    save_state,
)
from train.engine.ranks import (
    Ranks,
    gradients_of,
    joined_ranks,
    seed_of,
)
from train.losses.discovery import reconstruction_loss

WARM_UP = 200
SURPRISE_WEIGHT = 1.0
VALIDATION_SEED = 1
Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Draw:
    """Which of the endless windows make up a step, and which of these are this rank's.

    A step has `size` windows: `batch` of every rank, `times` over. So two ranks learn from what
    one with twice the batch learns from, and a resumed run from what it would have.
    """

    batch: int
    times: int
    ranks: Ranks

    @property
    def size(self) -> int:
        return self.batch * self.times * self.ranks.world

    def own(self) -> list[slice]:
        """This rank's batches as places in a step."""
        starts = range(self.ranks.rank * self.batch, self.size, self.batch * self.ranks.world)
        return [slice(start, start + self.batch) for start in starts]

    def numbers(self, steps: Iterable[int]) -> Iterator[list[int]]:
        """The numbers of this rank's windows in all `steps`, batch by batch."""
        for step in steps:
            yield from (
                list(range(step * self.size, (step + 1) * self.size)[b]) for b in self.own()
            )

    def hidden(self, config: MAEConfig, seed: int) -> tuple[list[Tensor], Tensor]:
        """What this rank hides, batch by batch, and `(2,)` hidden patches of all ranks: picture,
        sound."""
        generator = torch.Generator().manual_seed(seed)
        hidden = random_hidden(config, self.size, generator)
        sides = hidden[:, : config.visual_patches], hidden[:, config.visual_patches :]
        return [hidden[b] for b in self.own()], torch.stack([side.sum() for side in sides])


def set_sound_statistics(mae: MAE, samples: list[CachedClip], ranks: Ranks) -> None:
    """Mean and spread of every mel bin and band over authentic clips, into the MAE's buffers."""
    moments = RunningMoments(mae.mel_mean.shape)
    for sample in ranks.own([sample for sample in samples if sample.pristine]):
        moments.add(ClipTensors.load_mel(sample.path))
    mean, spread = moments.over(ranks)
    mae.mel_mean.copy_(mean)
    mae.mel_std.copy_(spread.clamp(min=0.1))


def typical_energies(mae: MAE, faces: Tensor, mel: Tensor) -> Tensor:
    """`(2, 3)`: mean energy of the targets by stream and band; the unit of the loss."""
    patches = mae.targets(faces, mel)
    energies = (face_energies(patches.faces), sound_energies(patches.sound))
    return torch.stack([energy.mean((0, 1, 2)) for energy in energies])


def batch_loss(network: MAE, mae: MAE, batch: Batch, scales: Tensor, of: Tensor, bf16: bool):
    """(miss, surprise) `(2,)` of a batch; see `train.losses.discovery.reconstruction_loss`.

    `network` is `mae`, as it is or shared between ranks. The result is the batch's part of the mean
    over `of (2,)` hidden patches of each stream: the parts of all batches of a step add up to the
    loss of the step, however it was divided.
    """
    faces, mel, hidden = batch
    with torch.autocast(faces.device.type, torch.bfloat16, enabled=bf16):
        patches = mae.targets(faces, mel)
        expected = network(patches, hidden)
    # every output takes part, also where a batch hides nothing of a stream: other ranks wait for it
    loss = 0 * torch.stack([output.mean() for output in vars(expected).values()]).sum().expand(2)
    is_picture = torch.arange(hidden.shape[1], device=hidden.device) < mae.config.visual_patches
    for own, everywhere in zip((hidden & is_picture, hidden & ~is_picture), of, strict=True):
        means = torch.stack(reconstruction_loss(expected, patches, own, scales))
        loss = loss + means * (own.sum() / everywhere.clamp(min=1))
    return loss


class Pretraining:
    """One training of the MAE: all that changes on the way, and so all there is to resume."""

    def __init__(self, args: argparse.Namespace, ranks: Ranks) -> None:
        torch.manual_seed(args.seed)
        self.args, self.ranks = args, ranks
        self.bf16 = ranks.device.type == "cuda" if args.bf16 is None else args.bf16
        self.draw = Draw(args.batch, args.accumulate, ranks)
        config = TINY if args.tiny else MAEConfig()
        self.model = RTDeepLoc(mae=asdict(config), name=args.name).to(ranks.device)
        self.mae = self.model.mae
        self.network = ranks.shared(self.mae)
        self.optimizer = torch.optim.AdamW(
            self.mae.parameters(), args.lr, betas=(0.9, 0.95), weight_decay=0.05
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            args.lr,
            total_steps=args.steps + 1,
            pct_start=min(0.3, WARM_UP / args.steps),
        )
        self.done, self.best = 0, float("inf")
        self.scales = torch.ones(2, 3, device=ranks.device)
        self.log: list[dict] = []
        names = ("steps", "lr", "seed", "tiny")
        self.recipe = {name: getattr(args, name) for name in names} | {"batch": self.draw.size}

    def begin(self, samples: list[CachedClip], held_out: list[Batch]) -> None:
        """Take from the data what the loss is measured in."""
        set_sound_statistics(self.mae, samples, self.ranks)
        energies = [typical_energies(self.mae, *self._here(batch)[:2]) for batch in held_out]
        self.scales = self.ranks.total(torch.stack(energies).mean(0)) / self.ranks.world

    def resume(self, state: dict) -> None:
        self.mae.load_state_dict(state["mae"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.done, self.best = state["done"], state["best"]
        self.scales, self.log = state["scales"], state["log"]

    def step(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        """One step of the optimizer; this rank's part of its (miss, surprise, gradient norm)."""
        hidden, of = self.draw.hidden(self.mae.config, seed_of(self.args.seed, self.done))
        total = torch.zeros(2, device=self.ranks.device)
        self.optimizer.zero_grad()
        for number, ((faces, mel), own) in enumerate(zip(batches, hidden, strict=True), start=1):
            with gradients_of(self.network, last=number == len(hidden)):
                loss = self._loss(self.network, (faces, mel, own), of)
                weighed = loss[0] + SURPRISE_WEIGHT * loss[1]
                (weighed * self.ranks.world).backward()  # ranks average where batches add up
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.mae.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.done += 1
        return torch.cat([total, norm[None] / self.ranks.world])

    @torch.inference_mode()
    def validate(self, held_out: list[Batch], of: Tensor) -> tuple[float, float]:
        """(miss, surprise) of fixed windows over all ranks."""
        losses = torch.stack([self._loss(self.mae, batch, of) for batch in held_out])
        miss, surprise = self.ranks.total(losses.sum(0)).tolist()
        return miss, surprise

    def record(self, losses: tuple[float, float], learnt: Tensor) -> None:
        """Log, and leave behind the model if it is the best one so far, and the state."""
        miss, surprise = losses
        names = ("train miss", "train surprise", "gradient norm")
        trained = dict(zip(names, self.ranks.total(learnt).tolist(), strict=True))
        self.log.append({"step": self.done, "miss": miss, "surprise": surprise, **trained})
        better = miss + surprise < self.best
        self.best = min(self.best, miss + surprise)
        if not self.ranks.first:
            return
        if better:
            save_model(self.model, self.args.run / "mae")
        save_state(
            self.args.run / "mae_state.pt",
            self.args.run / "mae_log.jsonl",
            mae=self.mae.state_dict(),
            optimizer=self.optimizer.state_dict(),
            schedule=self.schedule.state_dict(),
            done=self.done,
            best=self.best,
            scales=self.scales,
            log=self.log,
            recipe=self.recipe,
        )

    def _loss(self, network: MAE, batch: Batch, of: Tensor) -> Tensor:
        of = of.to(self.ranks.device)
        return batch_loss(network, self.mae, self._here(batch), self.scales, of, self.bf16)

    def _here(self, batch: Iterable[Tensor]) -> Batch:
        faces, mel, hidden = (part.to(self.ranks.device, non_blocking=True) for part in batch)
        return faces, mel, hidden


def pretrain(args: argparse.Namespace, ranks: Ranks) -> None:
    """Train to the end, from the state that was left behind if there is one."""
    run = Pretraining(args, ranks)
    train, dev = load_cache(args.cache, "train"), load_cache(args.cache, "dev")
    config = run.mae.config
    fixed = Draw(args.batch, args.accumulate * args.validation_batches, ranks)
    windows = AuthenticWindows(dev, config.window, VALIDATION_SEED)
    hidden, of = fixed.hidden(config, VALIDATION_SEED)
    loaded = DataLoader(windows, batch_sampler=fixed.numbers([0]), num_workers=args.loaders)
    held_out = [(faces, mel, own) for (faces, mel), own in zip(loaded, hidden, strict=True)]
    state = load_state(args.run / "mae_state.pt", run.recipe, ranks.device)
    if state:
        run.resume(state)
    else:
        run.begin(train, held_out)
    loader = DataLoader(
        AuthenticWindows(train, config.window, args.seed),
        batch_sampler=run.draw.numbers(range(run.done, args.steps)),
        num_workers=args.loaders,
        pin_memory=ranks.device.type == "cuda",
    )
    batches, board = iter(loader), Board(args.run / "tensorboard" / "mae", run.done, ranks.first)
    learnt, began = [], time.monotonic()
    bar = ranks.bar(total=args.steps, initial=run.done, unit="step")
    while run.done < args.steps:
        learnt.append(run.step(islice(batches, args.accumulate)))
        bar.update()
        if run.done % args.every == 0 or run.done == args.steps:
            rate = len(learnt) * run.draw.size / (time.monotonic() - began)
            losses = run.validate(held_out, of)
            bar.set_postfix(miss=f"{losses[0]:.3f}", surprise=f"{losses[1]:.3f}")
            run.record(losses, torch.stack(learnt).mean(0))
            rates = {"lr": run.schedule.get_last_lr()[0], "windows a second": rate}
            board.add(run.done, run.log[-1] | rates)
            learnt, began = [], time.monotonic()


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    with joined_ranks() as ranks:
        pretrain(args, ranks)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.pretrain", description=__doc__)
    parser.add_argument("cache", type=Path, help="folder made by train.data.extract")
    parser.add_argument("run", type=Path, help="folder for the result")
    parser.add_argument("--name", default="deeploc", help="name stored in the checkpoint")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=16, help="windows at a time, on each rank")
    parser.add_argument("--accumulate", type=int, default=1, help="such batches a step")
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--every", type=int, default=100, help="steps between validations")
    parser.add_argument("--validation-batches", type=int, default=8)
    parser.add_argument(
        "--bf16",
        action=argparse.BooleanOptionalAction,
        help="bfloat16 autocast (default: on CUDA alone)",
    )
    parser.add_argument("--loaders", type=int, default=0, help="processes that read, on each rank")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, for tests")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
