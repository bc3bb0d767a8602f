"""Annotations in and out for the page: what it sends is checked, what it gets is a file or a
sentence."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.wording import BROKEN
from deeploc.annotations import read_annotation, write_annotation
from deeploc.annotations.formats.deeploc_json import parse_annotation, parse_media
from deeploc.annotations.registry import WRITABLE, accepted_suffixes
from deeploc.errors import DeepLocError

logger = logging.getLogger(__name__)

EXPORT_FORMATS = [(key, format.label) for key, format in WRITABLE.items()]
IMPORT_SUFFIXES = accepted_suffixes()
LARGEST = 32 << 20  # bytes; an annotation is a few kB, a dataset's metadata some MB
ODD = re.compile(r"[\x00-\x1f/\\\\\ud800-\udfff]")


def export_annotation(annotation: Any, format: str) -> dict[str, Any]:
    """`{"name", "base64", "type"}`, or `{"error"}` with a sentence."""
    try:
        checked = parse_annotation(annotation)
        with TemporaryDirectory() as folder:
            target = Path(folder) / "annotation"
            write_annotation(checked, target, format)
            content = target.read_bytes()
    except DeepLocError as error:
        return {"error": str(error)}
    except Exception:
        logger.exception("an annotation could not be written as %s", format)
        return {"error": BROKEN}
    stem = Path(file_name(checked.media.name)).stem
    encoded = base64.b64encode(content).decode("ascii")
    chosen = WRITABLE[format]
    return {"name": stem + chosen.suffixes[0], "base64": encoded, "type": chosen.mime}


def import_annotation(file: Any, media: Any, truth_only: bool = False) -> dict[str, Any]:
    """The annotation in `{"name", "base64"}`, or `{"error"}` with a sentence. `media`: as in the
    JSON; with `pts`, when each frame begins, frames are counted exactly whatever the timing.
    `truth_only`: for the lane of the ground truth, where a report is refused."""
    try:
        name = file_name(str(file["name"]))
        content = base64.b64decode(file["base64"], validate=True)
        clip = parse_media(media)
    except (binascii.Error, KeyError, TypeError, ValueError):
        return {"error": "The file did not arrive whole. Choose it again."}
    if len(content) > LARGEST:
        return {"error": f"{name} is larger than {LARGEST >> 20} MB: cut it to the rows you need."}
    try:
        with TemporaryDirectory() as folder:
            source = Path(folder) / name
            source.write_bytes(content)
            return read_annotation(source, clip, truth_only).to_dict()
    except DeepLocError as error:
        return {"error": str(error)}
    except Exception:
        logger.exception("an annotation could not be read")
        return {"error": f"{name} could not be read as an annotation."}


def file_name(name: str) -> str:
    """The last characters of a name that some other machine gave, safe as a file name here."""
    return ODD.sub("_", name)[-60:].lstrip(".") or "annotation"
