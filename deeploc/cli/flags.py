"""Flags that more than one command has, each with its environment variable."""

from __future__ import annotations

import argparse
import os

from deeploc.media.clip import MAX_MINUTES


def add_max_minutes(parser: argparse.ArgumentParser, default: float = MAX_MINUTES) -> None:
    """Adds `--max-minutes`, whose default is DEEPLOC_MAX_MINUTES or else `default`."""
    parser.add_argument(
        "--max-minutes",
        metavar="N",
        type=minutes,
        default=os.environ.get("DEEPLOC_MAX_MINUTES", str(default)),
        help=f"refuse longer clips (default: DEEPLOC_MAX_MINUTES, or else {default:g})",
    )


def minutes(text: str) -> float:
    """A positive number of minutes, for `type=` of a flag."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no length. Set it, or DEEPLOC_MAX_MINUTES, to a number of minutes."
        )
    return number
