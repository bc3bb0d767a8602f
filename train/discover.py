"""Discovery: the forgery discovery network learns from clip labels and the evidence of `RUN/mae`.

Measures the evidence of every clip once, trains on the train split, calibrates on the authentic
clips of the validation split (`train/calibrate.py`) and writes `RUN/model`. Nothing else is taken
from validation clips: their losses are only logged (`model_log.jsonl`, `tensorboard/`). Clips under
held-out kinds of everyday change are left out of both splits. Interrupted, it resumes with the
epoch that it was in, from `model_state.pt`. Under `torchrun` the processes share each step.

Three settings: `--labels clip` reads one bit a clip, `streams` (as LAV-DF's metadata) one bit a
stream, and `frames` also which steps are forged. The last is no weak supervision, but on a corpus
that `forge` made nobody annotated anything: the forge knows where it forged (the self-forged
setting).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.utils.data import DataLoader

from deeploc.checkpoints import load_checkpoint
from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.models.fdn import FDN, FDNConfig
from deeploc.models.rt_deeploc import RTDeepLoc
from train.calibrate import calibrate
from train.config import CachePath, DiscoverConfig, RunPath, plain
from train.data.cache import CachedClip, load_cache
from train.data.clip_batches import ClipBatch, ClipDataset, collate
from train.data.evidence_store import EvidenceStore, measure_clips, set_statistics
from train.engine.checkpointing import StateFiles, TensorBoardCurves, save_model
from train.engine.execution import Execution
from train.engine.ranks import Ranks, gradients_of, joined_ranks, seed_of
from train.everyday.kinds import without_held_out
from train.losses.objective import discovery_loss
from train.losses.pseudo_labels import PseudoLabeler, authentic_gates, authentic_logits

SCORE_HALF = 0.9  # quantile of authentic training steps whose score is 0.5


@dataclass(frozen=True)
class ClipSampler:
    """Which clips make up each step of an epoch, and which of these are this rank's.

    A step has `size` clips; the last one of an epoch has what is left. Each rank computes its share
    of them in at most `parts` batches. The clips of a step are the same however it is divided.
    """

    clips: int
    size: int
    parts: int
    ranks: Ranks

    def steps(self, order: np.ndarray) -> Iterator[list[tuple[list[int], float]]]:
        """This rank's batches step by step, each with its share of all clips of the step."""
        world = self.ranks.world
        longest = -(-self.size // (self.parts * world))
        for start in range(0, self.clips, self.size):
            step = order[start : start + self.size]
            step = np.resize(step, max(world, len(step)))  # no rank goes without
            own = np.array_split(step, world)[self.ranks.rank]
            batches = np.array_split(own, -(-len(own) // longest))
            yield [(batch.tolist(), len(batch) / len(step)) for batch in batches]

    def keys(self, orders: Iterable[tuple[int, np.ndarray]]) -> Iterator[list[tuple[int, int]]]:
        """The keys of a `ClipDataset` in all `orders` (epoch, order), batch by batch."""
        for epoch, order in orders:
            for step in self.steps(order):
                yield from ([(epoch, i) for i in batch] for batch, _ in step)


class Stage:
    """One training of an FDN, with everything that changes on the way and is needed to resume."""

    def __init__(
        self,
        fdn: FDN,
        config: DiscoverConfig,
        execution: Execution,
        data: str = "",
        labeler: PseudoLabeler | None = None,
    ) -> None:
        self.fdn, self.config, self.labeler, self.data = fdn, config, labeler, data
        self.ranks = execution.ranks
        self.network = self.ranks.shared(fdn)
        self.optimizer = torch.optim.AdamW(
            fdn.parameters(), config.lr, weight_decay=config.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, config.epochs)
        self.log: list[dict] = []
        self.files = execution.files
        if self.files and labeler:
            self.files = replace(self.files, name=f"{self.files.name}_second")

    @property
    def done(self) -> int:
        """Number of finished epochs."""
        return len(self.log)

    def begin_or_resume(self) -> None:
        """Go on from the state that was left behind, if there is one."""
        state = None
        if self.files:
            state = self.files.begin_or_load(self.config, self.ranks, self.data)
        if state:
            self.fdn.load_state_dict(state["fdn"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.log = state["log"]

    def save(self) -> None:
        """Leave the state and the log behind."""
        if self.files and self.ranks.first:
            self.files.save(
                self.log,
                fdn=self.fdn.state_dict(),
                optimizer=self.optimizer.state_dict(),
                schedule=self.schedule.state_dict(),
            )

    def order(self, epoch: int, clips: int) -> np.ndarray:
        """A permutation of the clips `(N,)`, another in every epoch."""
        return np.random.default_rng([self.config.seed, epoch]).permutation(clips)

    def epoch(
        self, batches: Iterator[ClipBatch], steps: Iterable[list[tuple[list[int], float]]]
    ) -> float:
        """Train on one epoch; its mean loss over all ranks."""
        torch.manual_seed(seed_of(self.config.seed, self.done, self.ranks.rank))  # dropout
        self.fdn.train()
        total, count = torch.zeros((), device=self.ranks.device), 0
        for step in steps:
            self.optimizer.zero_grad()
            for number, (_, share) in enumerate(step, start=1):
                with gradients_of(self.network, last=number == len(step)):
                    terms = self._terms(self.network, next(batches))[1]
                    loss = terms.sum() * share * self.ranks.world
                    loss.backward()
                total += loss.detach()
            torch.nn.utils.clip_grad_norm_(self.fdn.parameters(), 1.0)
            self.optimizer.step()
            count += 1
        self.schedule.step()
        self.fdn.eval()
        return float(self.ranks.total(total)) / count / self.ranks.world

    @torch.inference_mode()
    def validate(self, batches: Iterable[ClipBatch]) -> dict[str, float]:
        """The terms of the loss, averaged over the clips of all ranks."""
        names: list[str] = []
        total, count = torch.zeros((), device=self.ranks.device), 0
        for clips in batches:
            names, terms = self._terms(self.fdn, clips)
            total, count = total + len(clips.labels) * terms, count + len(clips.labels)
        mean = self.ranks.total(total) / self.ranks.total(torch.tensor(count)).item()
        return dict(zip(names, mean.tolist(), strict=True))

    def _terms(self, network: FDN, clips: ClipBatch) -> tuple[list[str], Tensor]:
        with self.ranks.autocast(self.config.precision):
            terms = discovery_loss(network, clips.to(self.ranks.device), self.config, self.labeler)
        return list(terms), torch.stack([term.float() for term in terms.values()])


def train_fdn(
    model: RTDeepLoc,
    clips: ClipDataset,
    held_out: ClipDataset,
    config: DiscoverConfig,
    execution: Execution | None = None,
    data: str = "",
) -> list[dict]:
    """Replace the model's FDN by a new one, train it and set the scale of its scores; returns the
    losses.

    Where `config.pseudo` has a weight this is the first stage: its scores then are the
    pseudo-labels of another new network, unless frame labels are read. `data` is a digest of what
    is learnt from.
    """
    execution = execution or Execution()
    device = execution.ranks.device
    model.requires_grad_(False)
    if not config.everyday:
        clips = clips.without_changes()
    model.fdn = new_fdn(model, config, config.seed)
    log = train_stage(model.fdn, clips, held_out, config, execution, data)
    if config.pseudo and config.labels != "frames":
        in_order = _in_order(clips, config, execution)
        labeler = PseudoLabeler.of(model.fdn.to(device).eval(), in_order, config.labels)
        model.fdn = new_fdn(model, config, seed_of(config.seed, 2))
        log = log + train_stage(model.fdn, clips, held_out, config, execution, data, labeler)
    fdn = model.fdn.to(device).eval()
    for column, logits in enumerate(authentic_logits(fdn, _in_order(clips, config, execution))):
        if len(logits):
            fdn.set_scale(column, *authentic_gates(logits, SCORE_HALF))
    model.fdn.cpu()
    return log


def new_fdn(model: RTDeepLoc, config: DiscoverConfig, seed: int) -> FDN:
    """An untrained discovery network for the model's evidence."""
    torch.manual_seed(seed)
    return FDN(fdn_config(model, config))


def fdn_config(model: RTDeepLoc, config: DiscoverConfig) -> FDNConfig:
    """The architecture that `config` trains. Where neither MIL of streams nor MTLR trains the heads
    on picture and sound, the fused head gives their scores, too."""
    one_head = config.labels == "clip" and not config.streams and not config.mtlr
    chosen = {name: getattr(config, name) for name in ("inputs", "surroundings")}
    return replace(model.fdn.config, **chosen, one_head=one_head)


def train_stage(
    fdn: FDN,
    clips: ClipDataset,
    held_out: ClipDataset,
    config: DiscoverConfig,
    execution: Execution,
    data: str = "",
    labeler: PseudoLabeler | None = None,
) -> list[dict]:
    """Train an FDN in place for all epochs; returns the losses, one record an epoch.

    No epoch is chosen: the clip-level loss is lowest long before steps are told apart. Raises
    `RuntimeError` where the loss ends as no finite number.
    """
    ranks = execution.ranks
    stage = Stage(fdn.to(ranks.device), config, execution, data, labeler)
    stage.begin_or_resume()
    sampler = ClipSampler(len(clips), config.batch, execution.accumulate, ranks)
    left = range(stage.done, config.epochs)
    keys = sampler.keys((epoch, stage.order(epoch, len(clips))) for epoch in left)
    batches = iter(_loader(clips, keys, execution))
    fixed = ClipSampler(len(held_out), execution.part(config.batch) * ranks.world, 1, ranks)
    fixed_keys = list(fixed.keys([(0, np.arange(len(held_out)))]))
    validation = _loader(held_out, fixed_keys, execution)
    curves = None
    if stage.files:
        curves = TensorBoardCurves(stage.files.curves, stage.done, ranks.first)
    for epoch in ranks.bar(left, unit="epoch"):
        loss = stage.epoch(batches, sampler.steps(stage.order(epoch, len(clips))))
        stage.log.append({"epoch": epoch, **stage.validate(validation), "train": loss})
        stage.save()
        if curves:
            curves.add(epoch + 1, stage.log[-1])
    if not np.isfinite(sum(stage.log[-1].values())):
        raise RuntimeError("training diverged: the last validation loss is not finite")
    fdn.cpu()
    return stage.log


def _in_order(
    clips: ClipDataset, config: DiscoverConfig, execution: Execution
) -> Iterator[ClipBatch]:
    """All clips once, the same ones on every rank."""
    sampler = ClipSampler(len(clips), execution.part(config.batch), 1, Ranks())
    keys = sampler.keys([(0, np.arange(len(clips)))])
    return (batch.to(execution.ranks.device) for batch in _loader(clips, keys, execution))


def _loader(clips: ClipDataset, keys: Iterable[list], execution: Execution) -> DataLoader:
    return DataLoader(
        clips,
        batch_sampler=keys,
        collate_fn=collate,
        num_workers=execution.loaders,
        persistent_workers=execution.loaders > 0,
    )


def data_digest(autoencoder_sha256: str, samples: Iterable[CachedClip]) -> str:
    """A digest of all that a discovery network learns from."""
    digest = hashlib.sha256(autoencoder_sha256.encode())
    for sample in samples:
        digest.update(repr(sample.annotation).encode())
    return digest.hexdigest()


def dataset(
    samples: list[CachedClip], evidence: EvidenceStore, config: DiscoverConfig, memory: float = 4e9
) -> ClipDataset:
    """The clips of a split as `config` reads them, of which `memory` bytes are kept."""
    longest = round(config.longest * VIDEO_RATE_HZ)
    return ClipDataset(samples, evidence, longest, memory, config.seed)


def discover(
    cache: CachePath,
    run: RunPath,
    config: tyro.conf.OmitArgPrefixes[DiscoverConfig] = DiscoverConfig(),
    name: str = "deeploc",
    out: str = "model",
    accumulate: int = 1,
    loaders: int = 0,
    memory: Annotated[float, tyro.conf.arg(metavar="GB")] = 4,
    workers: int = 1,
) -> None:
    """Train, calibrate and write a checkpoint from the clips of a cache and `RUN/mae`.

    Args:
        name: name stored in the checkpoint
        out: name of the result's folder in RUN
        accumulate: parts that a rank computes its share of a step in, to save memory
        loaders: processes that read clips ahead, on each rank
        memory: GB of clips kept in memory, on each rank
        workers: processes that measure evidence, on each rank
    """
    with joined_ranks() as ranks:
        model, info = load_checkpoint(run / "mae")
        splits = {split: without_held_out(load_cache(cache, split)) for split in ("train", "dev")}
        raw = {
            split: measure_clips(run / "mae", samples, run / "evidence", workers, ranks)
            for split, samples in splits.items()
        }
        set_statistics(model, raw["train"].pristine(splits["train"]), ranks)
        ready = {split: evidence.standardised(model) for split, evidence in raw.items()}
        kept = memory * 1e9 / max(1, loaders)
        clips, held_out = (dataset(splits[s], ready[s], config, kept) for s in ("train", "dev"))
        files = StateFiles(run, out)
        execution = Execution(ranks, accumulate, loaders, files)
        data = data_digest(info.sha256, chain(*splits.values()))
        log = train_fdn(model, clips, held_out, config, execution, data)
        if ranks.first:
            model = model.half().float()  # calibrate what is saved
            scale = calibrate(model, splits["dev"], ready["dev"])
            save_model(model.calibrated(scale, name).half(), run / out)
            record = {"config": plain(config), "epochs": log}
            (run / out / "training.json").write_text(json.dumps(record))
            for stage in (files, replace(files, name=f"{out}_second")):
                stage.state.unlink(missing_ok=True)
        ranks.wait()


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(discover, args=arguments, prog="python -m train discover", description=__doc__)
