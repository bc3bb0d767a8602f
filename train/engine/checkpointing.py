"""What a training leaves behind while it runs, so that it may be killed at any moment.

Files are written aside and put in place whole. The log is part of the state and written from it:
what happened after the last state happens again, and is not there twice. Nothing here knows what is
trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from deeploc.models.rt_deeploc import RTDeepLoc

try:
    from torch.utils import tensorboard
except ImportError:  # requirements-train.txt
    tensorboard = None  # type: ignore[assignment]


def load_state(path: Path, recipe: Mapping[str, Any], device: torch.device) -> dict | None:
    """The state of an interrupted training, None where there is none.

    Exits with a sentence where `recipe`, what decides the result, is another.
    """
    if not path.exists():
        return None
    state = torch.load(path, map_location=device, weights_only=True)
    begun = state["recipe"]
    if begun != dict(recipe):
        names = sorted(name for name in {*begun, *recipe} if begun.get(name) != recipe.get(name))
        other = ", ".join(f"{name} {begun.get(name)}" for name in names)
        raise SystemExit(
            f"{path} was begun with other settings: {other}. "
            f"Repeat them to resume, choose another folder, or delete {path.name} to start anew."
        )
    return state


def save_state(path: Path, log_path: Path, **state: Any) -> None:
    """`state` to resume from, with its `recipe` and its `log`, written as JSON lines as well."""
    partial = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, partial)
    partial.replace(path)
    write_log(log_path, state["log"])


def write_log(path: Path, log: list[dict]) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text("".join(json.dumps(record) + "\n" for record in log))
    partial.replace(path)


def save_model(model: RTDeepLoc, folder: Path) -> None:
    """The model as a checkpoint folder, in which every file is old or new, never half of one."""
    partial = folder.with_name(folder.name + ".part")
    model.save_pretrained(partial)
    folder.mkdir(parents=True, exist_ok=True)
    for file in partial.iterdir():
        file.replace(folder / file.name)
    partial.rmdir()


class Board:
    """Curves for TensorBoard in `folder`, where it is installed and this rank writes."""

    def __init__(self, folder: Path, done: int, writes: bool = True) -> None:
        self._writer = None
        if writes and tensorboard is not None:
            self._writer = tensorboard.SummaryWriter(str(folder), purge_step=done + 1)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()
