"""The flags of `python app.py`, each with an environment variable, and what they need."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from importlib.util import find_spec

from app.runtime.limits import limits_from
from deeploc.cli.flags import minutes
from deeploc.errors import DeepLocError


def parse_flags() -> argparse.Namespace:
    """The flags, with the `limits` of the environment. Ends the program if they can't be had."""
    parser = argparse.ArgumentParser(prog="app.py", description="The DeepLoc page.")
    add, environ = parser.add_argument, os.environ
    add("--checkpoint", metavar="DIR_OR_REPO", help="instead of the embedded one: DEEPLOC_MODEL")
    add("--device", default=environ.get("DEEPLOC_DEVICE", "auto"), help="cpu, cuda or cuda:N")
    add("--host", default=environ.get("DEEPLOC_HOST"), help="the address to listen on")
    add("--port", type=int, default=environ.get("DEEPLOC_PORT"))
    mcp, push = (environ.get(name) == "1" for name in ("DEEPLOC_MCP", "DEEPLOC_PUSH"))
    add("--mcp", action="store_true", default=mcp, help="serve the API over MCP, too")
    add("--push", action="store_true", default=push, help="let visitors push to the Hub")
    try:
        limits = limits_from(environ)
    except DeepLocError as error:
        parser.error(str(error))
    add("--max-minutes", metavar="N", type=minutes, default=limits.max_minutes)
    options, _ = parser.parse_known_args()
    options.limits = replace(limits, max_minutes=options.max_minutes)
    require_package(options.mcp, "mcp", "requirements-mcp.txt")
    require_package(options.push, "authlib", "requirements-push.txt")
    return options


def require_package(wanted: bool, package: str, requirements: str) -> None:
    """Ends the program with a sentence if a wanted package is not installed."""
    if wanted and find_spec(package) is None:
        sys.exit(f"app.py: this needs more packages: pip install -r {requirements}")
