"""The processes of one training: one, or those that `torchrun` starts, on one machine or several.

Each holds the whole network, reads its own share of every step, and gradients are averaged
(torch's DistributedDataParallel: NCCL between GPUs, gloo between CPUs). Every process must see the
same folders. Nothing here knows what is trained.

Hugging Face `accelerate` (1.15) was tried in its place. Three of its parts break guarantees that
the tests hold:
- Two ranks train as one with twice the batch: its scheduler steps once for every process.
- Every clip and every hidden patch weighs the same in a gradient: `accumulate` divides by the
  number of batches, whatever their size.
- A training may be killed at any moment: `save_state` writes several files in place, some of them
  pickles. Here a state is one file, put in place whole and loaded without pickle.
Without these, `accelerate` trains the same as this module. What it would replace then, the process
group, the wrapped network and the sum over ranks, is the forty lines below.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from train.config import Precision

LONGEST_WAIT = timedelta(days=1)  # of ranks for each other, while clips are measured

CPU = torch.device("cpu")

Item = TypeVar("Item")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Ranks:
    """This process, one of `world` numbered from 0, and the device it computes on."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those of the items that are this rank's: every `world`-th."""
        return items[self.rank :: self.world]

    def autocast(self, precision: Precision) -> torch.autocast:
        """A context that computes in `precision` on this rank's device."""
        on_cuda = self.device.type == "cuda"
        bf16 = precision == "bf16" or (precision == "auto" and on_cuda)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)

    def bar(self, items: Iterable[Item] | None = None, **how: Any) -> tqdm:
        """A progress bar that the first rank shows, unless TQDM_DISABLE is set."""
        return tqdm(items, **how) if self.first else tqdm(items, **how, disable=True)

    def total(self, values: Tensor) -> Tensor:
        """The sum over all ranks; every rank must ask."""
        if self.world == 1:
            return values
        summed = values.to(self.device, copy=True)
        distributed.all_reduce(summed)
        return summed.to(values.device)

    def wait(self) -> None:
        """Until all ranks are here."""
        self.total(torch.zeros(1))

    def shared(self, network: Network) -> Network:
        """The network with gradients that are averaged over ranks, and the first one's weights."""
        if self.world == 1:
            return network
        devices = [self.device.index] if self.device.type == "cuda" else None
        wrapped = DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)
        return cast(Network, wrapped)


def single_rank() -> Ranks:
    """One process, on the GPU if there is one."""
    return Ranks(device=torch.device("cuda", 0) if torch.cuda.is_available() else CPU)


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that `torchrun` started this process among, or this process alone."""
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world == 1:
        yield single_rank()
        return
    device = CPU
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield Ranks(distributed.get_rank(), world, device)
    finally:
        distributed.destroy_process_group()


def gradients_of(network: nn.Module, last: bool) -> AbstractContextManager:
    """A context for one backward pass: ranks average gradients in the `last` of a step only."""
    if isinstance(network, DistributedDataParallel) and not last:
        return network.no_sync()
    return nullcontext()


def seed_of(*numbers: int) -> int:
    """One seed from several numbers, such as the run's seed, a step and a rank."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
