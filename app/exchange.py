"""Annotations in and out for the page: DeepLoc JSON only."""

from __future__ import annotations

import base64
import json
from pathlib import Path

EXPORTS = [("json", "DeepLoc JSON")]


def export_annotation(annotation: dict, format: str) -> dict:
    """`{"name", "base64", "type"}`, or `{"error"}` with a sentence."""
    if format not in dict(EXPORTS):
        return {"error": f"There is no format {format}."}
    content = json.dumps(annotation, indent=1).encode()
    name = f"{Path(annotation['media']['name']).stem}.annotation.json"
    return {
        "name": name,
        "base64": base64.b64encode(content).decode("ascii"),
        "type": "application/json",
    }


def import_annotation(file: dict, media: dict) -> dict:
    """The annotation in `{"name", "base64"}`, or `{"error"}` with a sentence."""
    try:
        found = json.loads(base64.b64decode(file["base64"]))
        if found["format"] == "deeploc-annotation":
            return found
    except (ValueError, KeyError, TypeError):
        pass
    return {"error": f"{file['name']} is no annotation that can be read."}
