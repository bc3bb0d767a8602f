"""Pretraining: the masked autoencoder learns to reconstruct authentic clips.

Whether a clip is authentic is decided by its clip label and nothing else. Writes `RUN/mae`, a
checkpoint whose discovery network is untrained, whenever the loss on authentic validation windows
improves. Beside it lie the settings (`mae_config.json`), the losses (`mae_log.jsonl`, and
`tensorboard/`) and `mae_state.pt` to resume from. Under `torchrun` the processes share each step.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
import tyro
from torch import Tensor
from torch.utils.data import DataLoader

from deeploc.errors import DeepLocError
from deeploc.models.mae import MAE, MAEConfig, face_energies, random_hidden, sound_energies
from deeploc.models.rt_deeploc import TINY, RTDeepLoc
from train.config import CachePath, PretrainConfig, RunPath
from train.data.cache import AuthenticWindows, CachedClip, ClipTensors, load_cache
from train.data.evidence_store import RunningMoments
from train.engine.checkpointing import StateFiles, TensorBoardCurves, save_model
from train.engine.execution import Execution
from train.engine.ranks import Ranks, gradients_of, joined_ranks, seed_of
from train.losses.reconstruction import share_of_loss

WARM_UP = 200
SURPRISE_WEIGHT = 1.0
VALIDATION_SEED = 1
Batch = tuple[Tensor, Tensor, Tensor]  # faces, mel, hidden patches


@dataclass(frozen=True)
class WindowSampler:
    """Which of the endless windows make up a step, and which of these are this rank's.

    A step has `size` windows. Each rank computes its share of them in `parts` batches. The windows
    of a step are the same however it is divided, so two ranks train as one with twice the batch,
    and a resumed run as one that was never stopped.
    """

    size: int
    parts: int
    ranks: Ranks

    def __post_init__(self) -> None:
        if self.size % (self.parts * self.ranks.world):
            raise DeepLocError(
                f"A batch of {self.size} can't be divided into {self.parts} equal parts on each of "
                f"{self.ranks.world} ranks: choose another --batch or --accumulate."
            )

    def slices(self) -> list[slice]:
        """This rank's batches as places in a step."""
        length = self.size // (self.parts * self.ranks.world)
        starts = range(self.ranks.rank * length, self.size, length * self.ranks.world)
        return [slice(start, start + length) for start in starts]

    def window_numbers(self, steps: Iterable[int]) -> Iterator[list[int]]:
        """The numbers of this rank's windows in all `steps`, batch by batch."""
        for step in steps:
            numbers = range(step * self.size, (step + 1) * self.size)
            yield from (list(numbers[part]) for part in self.slices())

    def hidden(self, config: MAEConfig, seed: int) -> tuple[list[Tensor], Tensor]:
        """The patches this rank hides, batch by batch, and `(2,)` the number of hidden patches of
        all ranks by stream (picture, sound)."""
        generator = torch.Generator().manual_seed(seed)
        hidden = random_hidden(config, self.size, generator)
        streams = hidden[:, : config.visual_patches], hidden[:, config.visual_patches :]
        counts = torch.stack([stream.sum() for stream in streams])
        return [hidden[part] for part in self.slices()], counts


def set_sound_statistics(mae: MAE, samples: list[CachedClip], ranks: Ranks) -> None:
    """Mean and spread of every mel bin and band over authentic clips, into the MAE's buffers."""
    moments = RunningMoments(mae.mel_mean.shape)
    for sample in ranks.share([sample for sample in samples if sample.pristine]):
        moments.add(ClipTensors.load_mel(sample.path))
    mean, spread = moments.over(ranks)
    mae.mel_mean.copy_(mean)
    mae.mel_std.copy_(spread.clamp(min=0.1))


def typical_energies(mae: MAE, faces: Tensor, mel: Tensor) -> Tensor:
    """`(2, 3)`: mean energy of the targets by stream and band; the unit of the loss."""
    patches = mae.targets(faces, mel)
    energies = (face_energies(patches.faces), sound_energies(patches.sound))
    return torch.stack([energy.mean((0, 1, 2)) for energy in energies])


class Pretraining:
    """One training of the MAE, with everything that changes on the way and is needed to resume."""

    def __init__(self, config: PretrainConfig, execution: Execution, name: str = "deeploc") -> None:
        torch.manual_seed(config.seed)
        self.config, self.ranks, self.files = config, execution.ranks, execution.files
        self.sampler = WindowSampler(config.batch, execution.accumulate, self.ranks)
        sizes = TINY if config.tiny else MAEConfig()
        self.model = RTDeepLoc(mae=asdict(sizes), name=name).to(self.ranks.device)
        self.mae = self.model.mae
        self.network = self.ranks.shared(self.mae)
        self.optimizer = torch.optim.AdamW(
            self.mae.parameters(), config.lr, betas=(0.9, 0.95), weight_decay=0.05
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            config.lr,
            total_steps=config.steps + 1,
            pct_start=min(0.3, WARM_UP / config.steps),
        )
        self.done, self.best = 0, float("inf")
        self.scales = torch.ones(2, 3, device=self.ranks.device)
        self.log: list[dict] = []

    def begin_or_resume(self, samples: list[CachedClip], held_out: list[Batch]) -> None:
        """Load the state that was left behind, or take from the data what the loss is measured
        in."""
        state = None
        if self.files:
            state = self.files.begin_or_load(self.config, self.ranks)
        if state is None:
            set_sound_statistics(self.mae, samples, self.ranks)
            energies = [typical_energies(self.mae, *self._on_device(b)[:2]) for b in held_out]
            self.scales = self.ranks.total(torch.stack(energies).mean(0)) / self.ranks.world
            return
        self.mae.load_state_dict(state["mae"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.done, self.best = state["done"], state["best"]
        self.scales, self.log = state["scales"], state["log"]

    def step(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        """One step of the optimizer; this rank's part of its (miss, surprise, gradient norm)."""
        hidden, counts = self.sampler.hidden(self.mae.config, seed_of(self.config.seed, self.done))
        total = torch.zeros(2, device=self.ranks.device)
        self.optimizer.zero_grad()
        for number, ((faces, mel), own) in enumerate(zip(batches, hidden, strict=True), start=1):
            with gradients_of(self.network, last=number == len(hidden)):
                loss = self._loss(self.network, (faces, mel, own), counts)
                weighted = loss[0] + SURPRISE_WEIGHT * loss[1]
                (weighted * self.ranks.world).backward()  # ranks average where batches add up
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.mae.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.done += 1
        return torch.cat([total, norm[None] / self.ranks.world])

    @torch.inference_mode()
    def validate(self, held_out: list[Batch], counts: Tensor) -> tuple[float, float]:
        """(miss, surprise) of fixed windows over all ranks."""
        losses = torch.stack([self._loss(self.mae, batch, counts) for batch in held_out])
        miss, surprise = self.ranks.total(losses.sum(0)).tolist()
        return miss, surprise

    def record(self, losses: tuple[float, float], training: Tensor) -> None:
        """Log validation `losses` and `training (3,)`, this rank's part of the mean since the last
        record; save the model if it is the best one so far, and the state."""
        miss, surprise = losses
        names = ("train miss", "train surprise", "gradient norm")
        means = dict(zip(names, self.ranks.total(training).tolist(), strict=True))
        self.log.append({"step": self.done, "miss": miss, "surprise": surprise, **means})
        better = miss + surprise < self.best
        self.best = min(self.best, miss + surprise)
        if not (self.ranks.first and self.files):
            return
        if better:
            save_model(self.model, self.files.folder / self.files.name)
        self.files.save(
            self.log,
            mae=self.mae.state_dict(),
            optimizer=self.optimizer.state_dict(),
            schedule=self.schedule.state_dict(),
            done=self.done,
            best=self.best,
            scales=self.scales,
        )

    def _loss(self, network: MAE, batch: Batch, counts: Tensor) -> Tensor:
        """`network` is the MAE, as it is or shared between ranks."""
        faces, mel, hidden = self._on_device(batch)
        with self.ranks.autocast(self.config.precision):
            patches = self.mae.targets(faces, mel)
            expected = network(patches, hidden)
        return share_of_loss(expected, patches, hidden, self.scales, counts.to(self.ranks.device))

    def _on_device(self, batch: Iterable[Tensor]) -> Batch:
        faces, mel, hidden = (part.to(self.ranks.device, non_blocking=True) for part in batch)
        return faces, mel, hidden


def train_mae(cache: Path, config: PretrainConfig, execution: Execution, name: str) -> None:
    """Train to the end, from the state that was left behind if there is one."""
    training = Pretraining(config, execution, name)
    ranks, sizes = execution.ranks, training.mae.config
    train, dev = load_cache(cache, "train"), load_cache(cache, "dev")
    fixed = WindowSampler(
        config.batch * config.validation_batches,
        execution.accumulate * config.validation_batches,
        ranks,
    )
    windows = AuthenticWindows(dev, sizes.window, VALIDATION_SEED)
    hidden, counts = fixed.hidden(sizes, VALIDATION_SEED)
    numbers = fixed.window_numbers([0])
    loaded = DataLoader(windows, batch_sampler=numbers, num_workers=execution.loaders)
    held_out = [(faces, mel, own) for (faces, mel), own in zip(loaded, hidden, strict=True)]
    training.begin_or_resume(train, held_out)
    loader = DataLoader(
        AuthenticWindows(train, sizes.window, config.seed),
        batch_sampler=training.sampler.window_numbers(range(training.done, config.steps)),
        num_workers=execution.loaders,
        pin_memory=ranks.device.type == "cuda",
    )
    batches = iter(loader)
    curves = None
    if execution.files:
        curves = TensorBoardCurves(execution.files.curves, training.done, ranks.first)
    recent, began = [], time.monotonic()
    bar = ranks.bar(total=config.steps, initial=training.done, unit="step")
    while training.done < config.steps:
        recent.append(training.step(islice(batches, execution.accumulate)))
        bar.update()
        if training.done % config.every == 0 or training.done == config.steps:
            rate = len(recent) * config.batch / (time.monotonic() - began)
            losses = training.validate(held_out, counts)
            bar.set_postfix(miss=f"{losses[0]:.3f}", surprise=f"{losses[1]:.3f}")
            training.record(losses, torch.stack(recent).mean(0))
            rates = {"lr": training.schedule.get_last_lr()[0], "windows a second": rate}
            if curves:
                curves.add(training.done, training.log[-1] | rates)
            recent, began = [], time.monotonic()


def pretrain(
    cache: CachePath,
    run: RunPath,
    config: tyro.conf.OmitArgPrefixes[PretrainConfig] = PretrainConfig(),
    name: str = "deeploc",
    accumulate: int = 1,
    loaders: int = 0,
) -> None:
    """Train the autoencoder on the authentic clips of a cache.

    Args:
        name: name stored in the checkpoint
        accumulate: parts that a rank computes its share of a step in, to save memory
        loaders: processes that read windows ahead, on each rank
    """
    with joined_ranks() as ranks:
        execution = Execution(ranks, accumulate, loaders, StateFiles(run, "mae"))
        train_mae(cache, config, execution, name)


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(pretrain, args=arguments, prog="python -m train pretrain", description=__doc__)
