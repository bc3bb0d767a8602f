"""Where weights come from: the embedded checkpoint, a folder, or a Hub repository.

It knows the layout of a checkpoint folder and nothing about what the model computes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError

from deeploc.errors import BadCheckpoint
from deeploc.models.rt_deeploc import FORMAT, RTDeepLoc
from deeploc.report import ModelInfo

EMBEDDED = Path(__file__).parents[1] / "assets" / "checkpoint"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def load_checkpoint(
    checkpoint: str | Path | None = None, revision: str | None = None
) -> tuple[RTDeepLoc, ModelInfo]:
    """The model in evaluation mode, on the CPU, and what it is.

    `checkpoint`: a folder, a Hub repository id, or "tiny" (random weights, for tests). Without one,
    the environment variable DEEPLOC_MODEL, else the embedded checkpoint. Raises `BadCheckpoint`.
    """
    source = str(checkpoint or os.environ.get("DEEPLOC_MODEL") or EMBEDDED)
    if source == "tiny":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return RTDeepLoc().eval(), ModelInfo("tiny", "random weights", "")
    folder, found = _folder(source, revision)
    _check(folder, source)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the mixin prints
            model = RTDeepLoc.from_pretrained(folder, strict=True).eval()
    except (OSError, RuntimeError, ValueError, TypeError, SafetensorError) as error:
        raise BadCheckpoint(
            f"The weights of {source} don't fit this version of DeepLoc. Use a checkpoint made by "
            "its train/ code, or leave --checkpoint away for the embedded one."
        ) from error
    sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    return model, ModelInfo(model.name, found, sha256)


def _folder(source: str, revision: str | None) -> tuple[Path, str]:
    """The local folder of a checkpoint and the revision that it holds."""
    path = Path(source)
    if path.is_dir():
        return path, "embedded" if path == EMBEDDED else "local"
    if path.is_absolute() or source.startswith(".") or source.count("/") != 1:
        raise BadCheckpoint(
            f"There is no checkpoint folder {source}. Give a folder with {CONFIG} and {WEIGHTS}, "
            "or a Hub repository as owner/name."
        )
    try:
        folder = snapshot_download(source, revision=revision, allow_patterns=[CONFIG, WEIGHTS])
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise BadCheckpoint(
            f"The checkpoint {source} is neither a folder here nor can it be had from the Hub. "
            "Check the name and revision, the connection, and your access to it; without "
            "--checkpoint the embedded one is used."
        ) from error
    return Path(folder), Path(folder).name


def _check(folder: Path, source: str) -> None:
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise BadCheckpoint(
            f"{source} holds no {' and no '.join(missing)}: it is not a DeepLoc checkpoint. Give a "
            "folder that DeepLoc's training wrote, or a Hub repository made from one."
        )
    try:
        config = json.loads((folder / CONFIG).read_text())
        known = config.get("format") == FORMAT
    except (ValueError, AttributeError):
        known = False
    if not known:
        raise BadCheckpoint(
            f"{source} was not made by DeepLoc, or by another version of it (its {CONFIG} doesn't "
            f'say "format": "{FORMAT}"). Give a checkpoint made by DeepLoc.'
        )
