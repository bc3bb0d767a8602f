"""The tables of README and model card, written from `metrics.json` by `python -m train card`.

A table stands between `<!-- table NAME -->` and `<!-- end of table -->`, and nothing but this
command writes there; a test holds the pages against what their tables are from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tyro

from deeploc.annotations.registry import format_table
from deeploc.checkpoints import EMBEDDED
from train.evaluate.evaluation import METRICS
from train.evaluate.everyday import ALL_KINDS, HELD_OUT
from train.evaluate.methods import CHANCE, CHECKPOINT, ERROR
from train.evaluate.protocol import ALARMS
from train.evaluate.tables import BOUNDED, bounded, counted, markdown_table, share

ROOT = EMBEDDED.parents[1]
CARD, README, FORMATS = EMBEDDED / "README.md", ROOT / "README.md", ROOT / "docs" / "formats.md"
PAGES = (CARD, README, FORMATS)
GENERATORS, SELF_MADE = "real generators", "self-made forgeries"
STREAMS = {"visual": "picture", "audio": "sound", "fused": "both"}
PLACE = re.compile(r"(<!-- table (.+?) -->\n).*?(<!-- end of table -->)", re.DOTALL)

Metrics = dict[str, Any]  # one `metrics.json`


def tables(tests: Mapping[str, Metrics]) -> dict[str, str]:
    """Every table by its name in the pages; `tests`: the metrics of each test, by its title."""
    return {
        "summary": _summary(tests),
        "methods": _methods(tests),
        "verdicts": _verdicts(tests),
        "alarms": _alarms(tests),
        "everyday": _everyday(tests),
        "formats": format_table().rstrip("\n"),
    }


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with its tables written anew. Raises `KeyError` for a table that is not known."""
    return PLACE.sub(lambda found: f"{found[1]}\n{tables[found[2]]}\n\n{found[3]}", page)


def read_tests(checkpoint: Path = EMBEDDED) -> dict[str, Metrics]:
    """What `evaluate` measured of a checkpoint, on splices of real generators and on its corpus."""
    folders = {GENERATORS: checkpoint / "generators", SELF_MADE: checkpoint}
    return {
        title: json.loads((folder / METRICS).read_text(encoding="utf-8"))
        for title, folder in folders.items()
    }


def _summary(tests: Mapping[str, Metrics]) -> str:
    """What a reader of the README needs: one column a test."""
    named = {f"AP@0.5, {name}": (CHECKPOINT, stream) for stream, name in STREAMS.items()}
    named |= {f"AP@0.5, both, by {method}": (method, "fused") for method in (ERROR, CHANCE)}
    rows = [
        ("forged clips that are flagged", *map(_flagged_forged, tests.values())),
        ("authentic clips that are flagged", *map(_flagged_authentic, tests.values())),
        *_flagged_under_changes(tests),
        *(
            (
                title,
                *(
                    bounded("AP@0.5", test["rows"][method][stream], _bounds(test, method, stream))
                    for test in tests.values()
                ),
            )
            for title, (method, stream) in named.items()
        ),
    ]
    titles = [f"{title}, {test['protocol']['identities']} people" for title, test in tests.items()]
    return markdown_table(("", *titles), rows)


def _flagged_forged(test: Metrics) -> str:
    quiet = _quiet(test)
    forged = test["protocol"]["forged"]
    return f"{forged - quiet['forged']} of {forged}"


def _flagged_authentic(test: Metrics) -> str:
    quiet = _quiet(test)
    authentic = test["protocol"]["authentic"]
    return f"{authentic - quiet['clips'] + quiet['forged']} of {authentic}"


def _flagged_under_changes(tests: Mapping[str, Metrics]) -> Iterator[tuple[str, ...]]:
    """A row, where any test has clips under everyday changes: all of them, and held-out kinds."""
    found = [{row["name"]: row for row in test.get("everyday", [])} for test in tests.values()]
    if any(found):
        yield (
            "authentic clips under everyday changes that are flagged (kinds never trained on)",
            *(
                f"{counted(rows.get(ALL_KINDS))} ({counted(rows.get(HELD_OUT))})" if rows else "-"
                for rows in found
            ),
        )


def _quiet(test: Metrics) -> dict[str, int]:
    """The clips without any evidence."""
    return next(row for row in test["reliability"]["bands"] if row["band"] == "none")


def _bounds(test: Metrics, method: str, stream: str) -> dict[str, Any]:
    return test["intervals"][method][stream]


def _methods(tests: Mapping[str, Metrics]) -> str:
    """All streams of the checkpoint, both streams together of what stands beside it."""
    rows = (
        (
            title,
            method,
            STREAMS[stream],
            *(bounded(name, values, _bounds(test, method, stream)) for name in BOUNDED),
        )
        for title, test in tests.items()
        for method, streams in test["rows"].items()
        for stream, values in streams.items()
        if method == CHECKPOINT or stream == "fused"
    )
    return markdown_table(("test", "method", "stream", *BOUNDED), rows)


def _verdicts(tests: Mapping[str, Metrics]) -> str:
    """How many clips of each verdict are forged."""
    rows = (
        (
            found["band"],
            *(
                f"{row['forged']} of {row['clips']}"
                for test in tests.values()
                for row in test["reliability"]["bands"]
                if row["band"] == found["band"]
            ),
        )
        for found in tests[GENERATORS]["reliability"]["bands"]
    )
    return markdown_table(("evidence", *(f"forged clips, {title}" for title in tests)), rows)


def _alarms(tests: Mapping[str, Metrics]) -> str:
    """Alarms in clips without any forgery, by kind."""
    columns = (f"{ALARMS}, fused", "clips at some", "clips at strong")
    return markdown_table(
        ("test", "clips without forgery", "clips", *columns),
        (
            (title, row["kind"], str(row["clips"]), *_cells(row, columns))
            for title, test in tests.items()
            for row in test["alarms"][:-1]  # the last one is all of them
        ),
    )


def _everyday(tests: Mapping[str, Metrics]) -> str:
    """Honest clips by footage and kind of everyday change, of every test that has some."""
    columns = ("clips at some", "clips at strong")
    rows = [(title, row) for title, test in tests.items() for row in test.get("everyday", [])]
    if not rows:
        return "Not measured yet."
    return markdown_table(
        ("test", "honest clips", "clips", "people", *columns, "same clips as they are, flagged"),
        (
            (
                *(title, row["name"] + (" *" if row["held_out"] else "")),
                *(str(row["clips"]), str(row["people"])),
                *(share(name, row) for name in columns),
                counted(row["as they are"]),
            )
            for title, row in rows
        ),
    )


def _cells(row: dict[str, Any], columns: tuple[str, ...]) -> Iterator[str]:
    return (bounded(name, row, row["intervals"]) for name in columns)


def card() -> None:
    """Write the tables into README and model card."""
    written = tables(read_tests())
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), written), encoding="utf-8")
        print(page)


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(card, args=arguments, prog="python -m train card", description=__doc__)
