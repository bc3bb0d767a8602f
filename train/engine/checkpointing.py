"""The files that a training writes while it runs, so that it may be killed at any moment.

Each file is written aside and put in place whole. The log is part of the state and written from it,
so that steps after the last state, which are done again, are not logged twice. Nothing here knows
what is trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from deeploc.models.rt_deeploc import RTDeepLoc
from train.config import keep_config
from train.engine.ranks import Ranks

TENSORBOARD = find_spec("tensorboard") and import_module("torch.utils.tensorboard")


@dataclass(frozen=True)
class StateFiles:
    """Where a training leaves its state, log, settings and curves: in `folder`, by its `name`."""

    folder: Path
    name: str

    @property
    def state(self) -> Path:
        return self.folder / f"{self.name}_state.pt"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}_log.jsonl"

    @property
    def config(self) -> Path:
        return self.folder / f"{self.name}_config.json"

    @property
    def curves(self) -> Path:
        return self.folder / "tensorboard" / self.name

    def begin_or_load(self, config: Any, ranks: Ranks, data: str = "") -> dict | None:
        """The state of an interrupted training, None where there is none.

        Keeps `config` beside a new training; exits with a sentence where the interrupted one had
        another, or learnt from other `data` (`keep_config`).
        """
        begun = self.state.exists()
        if begun or ranks.first:
            keep_config(self.config, config, self.state, data)
        if not begun:
            return None
        return torch.load(self.state, map_location=ranks.device, weights_only=True)

    def save(self, log: list[dict], **state: Any) -> None:
        """`state` to resume from with its `log`, which is written as JSON lines as well."""
        partial = self.state.with_name(self.state.name + ".part")
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save({**state, "log": log}, partial)
        partial.replace(self.state)
        partial = self.log.with_name(self.log.name + ".part")
        partial.write_text("".join(json.dumps(record) + "\n" for record in log))
        partial.replace(self.log)


def save_model(model: RTDeepLoc, folder: Path) -> None:
    """The model as a checkpoint folder, in which every file is old or new, never half of one."""
    partial = folder.with_name(folder.name + ".part")
    model.save_pretrained(partial)
    folder.mkdir(parents=True, exist_ok=True)
    for file in partial.iterdir():
        file.replace(folder / file.name)
    partial.rmdir()


class TensorBoardCurves:
    """Curves for TensorBoard in `folder`, where it is installed and this rank writes."""

    def __init__(self, folder: Path, done: int, writes: bool = True) -> None:
        self._writer = None
        if writes and TENSORBOARD:
            self._writer = TENSORBOARD.SummaryWriter(str(folder), purge_step=done + 1)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()
