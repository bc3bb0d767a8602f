"""Where weights come from: the embedded checkpoint, a folder, or a Hub repository.

It knows the layout of a checkpoint folder and nothing about what the model computes.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

import httpx2
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    DryRunError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError
from safetensors.torch import load_file

from deeploc.errors import BadCheckpoint
from deeploc.models.rt_deeploc import FORMAT, RTDeepLoc
from deeploc.report import ModelInfo

PACKAGE = Path(__file__).parent
# in a wheel the assets lie inside of the package, in a clone beside it
ASSETS = next(root / "assets" for root in (PACKAGE, PACKAGE.parent) if (root / "assets").is_dir())
EMBEDDED = ASSETS / "checkpoint"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
LARGEST_B = 1_000_000_000


def load_checkpoint(
    checkpoint: str | Path | None = None, revision: str | None = None
) -> tuple[RTDeepLoc, ModelInfo]:
    """The model in evaluation mode, on the CPU, and what it is.

    `checkpoint`: a folder, a Hub repository as `owner/name` or `owner/name@revision`, or "tiny"
    (random weights, for tests). Without one, the environment variable DEEPLOC_MODEL, else the
    embedded checkpoint. Raises `BadCheckpoint`.
    """
    source = str(checkpoint or os.environ.get("DEEPLOC_MODEL") or EMBEDDED)
    if source == "tiny":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return RTDeepLoc().eval(), ModelInfo("tiny", "random weights", "")
    folder, found = _folder(source, revision)
    _check(folder, source)
    try:
        model = RTDeepLoc(**json.loads((folder / CONFIG).read_text()))
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, ValueError, TypeError, SafetensorError) as error:
        raise BadCheckpoint(
            f"The weights of {source} don't fit this version of DeepLoc. Use a checkpoint made by "
            "its train/ code, or leave --checkpoint away for the embedded one."
        ) from error
    sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    return model.eval(), ModelInfo(model.name, found, sha256)


def _folder(source: str, revision: str | None) -> tuple[Path, str]:
    """The local folder of a checkpoint and the revision that it holds."""
    path = Path(source)
    if path.is_dir():
        return path, "embedded" if path == EMBEDDED else "local"
    repo, _, pinned = source.partition("@")
    if path.is_absolute() or source.startswith(".") or repo.count("/") != 1:
        raise BadCheckpoint(
            f"There is no checkpoint folder {source}. Give a folder with {CONFIG} and {WEIGHTS}, "
            "or a Hub repository as owner/name or owner/name@revision."
        )
    folder = _downloaded(repo, pinned or revision)
    return folder, folder.name


def _downloaded(repo: str, revision: str | None) -> Path:
    """The snapshot of a Hub repository, from its cache where it is there; 40 letters name it."""
    files = [CONFIG, WEIGHTS]
    try:
        with suppress(DryRunError):  # without a network: what is cached is small enough
            planned = snapshot_download(repo, revision=revision, allow_patterns=files, dry_run=True)
            if sum(file.file_size or 0 for file in planned) > LARGEST_B:
                raise BadCheckpoint(
                    f"{repo} is larger than {LARGEST_B / 1e9:g} GB: it can't be a checkpoint of "
                    "DeepLoc. Check its name."
                )
        return Path(snapshot_download(repo, revision=revision, allow_patterns=files))
    except RevisionNotFoundError as error:
        why: Exception = error
        said = f"{repo} has no revision {revision}. Look its revisions up on the Hub."
    except RepositoryNotFoundError as error:
        why, said = error, f"{repo} is not on the Hub, or not for you to see. Check its name."
    except HFValidationError as error:
        why = error
        said = f"{repo} is neither a folder here nor a name that the Hub allows. Check it."
    except HfHubHTTPError as error:
        why, said = error, f"The Hub refused {repo}: {error.server_message or error}."
    except httpx2.TimeoutException as error:
        why, said = error, "The Hub did not answer in time. Try again later."
    except (LocalEntryNotFoundError, httpx2.ConnectError) as error:
        why = error
        said = f"The Hub can't be reached, and {repo} was never loaded here. Check the connection."
    except (httpx2.HTTPError, OSError) as error:
        why, said = error, f"{repo} came only in part. Try again."
    raise BadCheckpoint(f"{said} Without --checkpoint the embedded one is used.") from why


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
