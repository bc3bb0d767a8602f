"""The processes of one training: one, or those that `torchrun` starts, on one machine or several.

Each holds the whole network, reads its own share of every batch, and gradients are averaged
(torch's DistributedDataParallel: NCCL between GPUs, gloo between CPUs). Nothing here knows what is
trained. Every process must see the same folders.
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

PATIENCE = timedelta(days=1)  # ranks wait for each other while clips are measured

CPU = torch.device("cpu")

Item = TypeVar("Item")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Ranks:
    """This process among `world`, numbered from 0, and the device it computes on."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def own(self, items: Sequence[Item]) -> Sequence[Item]:
        """This rank's share of something that ranks divide between them."""
        return items[self.rank :: self.world]

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


def alone() -> Ranks:
    """One process, on the GPU if there is one."""
    return Ranks(device=torch.device("cuda", 0) if torch.cuda.is_available() else CPU)


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that `torchrun` started this process among, or this process alone."""
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world == 1:
        yield alone()
        return
    device = CPU
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), world, device)
    finally:
        distributed.destroy_process_group()


def gradients_of(network: nn.Module, last: bool) -> AbstractContextManager:
    """Around one backward pass: ranks exchange gradients in the `last` of a step alone."""
    if isinstance(network, DistributedDataParallel) and not last:
        return network.no_sync()
    return nullcontext()


def seed_of(*numbers: int) -> int:
    """One seed of several numbers: another for every step, epoch or rank."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
