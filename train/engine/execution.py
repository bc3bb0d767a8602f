"""How a training is computed, beside what it computes: nothing here changes the result."""

from __future__ import annotations

from dataclasses import dataclass, field

from train.engine.checkpointing import StateFiles
from train.engine.ranks import Ranks, single_rank


@dataclass(frozen=True)
class Execution:
    """The ranks, the parts a rank computes its share of a step in, the processes that read ahead on
    each rank, and the files of the state; without `files` nothing is kept to resume from."""

    ranks: Ranks = field(default_factory=single_rank)
    accumulate: int = 1
    loaders: int = 0
    files: StateFiles | None = None

    def part(self, batch: int) -> int:
        """The most items of a `batch` over all ranks that one rank computes at a time."""
        return -(-batch // (self.accumulate * self.ranks.world))
