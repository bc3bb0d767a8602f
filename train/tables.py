"""The numbers of one evaluation as Markdown, in percent where nothing else is said.

It knows only the plain data of `metrics.json`; README and model card print lines of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deeploc.scores import STREAMS
from train.breakdown import SEEN, UNSEEN
from train.trials import ALARMS, AP_TIOUS, AR_COUNTS

MAIN = ("mean AP", "AP@0.5", "AP@0.75", "AR@10", "frame AUC", "clip AUC", "clip EER", ALARMS)
BOUNDED = ("mean AP", "AP@0.5", "AR@10", "frame AUC", "clip AUC")
PRECISION = ("mean AP", *(f"AP@{tiou}" for tiou in AP_TIOUS))
RECALL = (*(f"AR@{n}" for n in AR_COUNTS), "frame AUC", "frame AUC inside")
FAMILY = ("mean AP", "AP@0.5", "AR@10", "frame AUC inside")


def markdown(result: dict) -> str:
    """All tables with their protocol beside."""
    parts = [
        f"# {result['model']['name']}, split {result['protocol']['split']}",
        protocol(result),
        table(result),
        "Every AP:",
        table(result, PRECISION),
        "Every AR, and AUC of steps in all clips and inside forged clips:",
        table(result, RECALL),
        f"Main columns with their intervals ({result['protocol']['intervals']}):",
        interval_table(result),
    ]
    if result["families"]:
        parts += ["By manipulation, the checkpoint, with intervals; * never seen in training:"]
        parts += [family_table(result)]
    if result["alarms"]:
        parts += ["Alarms in clips without any forgery, with intervals:", alarm_table(result)]
    return "\n\n".join(parts) + "\n"


def protocol(result: dict) -> str:
    """What the numbers were measured on and by which rules, in one line."""
    facts = result["protocol"]
    return (
        f"Split {facts['split']}: {facts['clips']} clips ({facts['forged']} forged, "
        f"{facts['authentic']} authentic, {facts['null forgeries among them']} of those null "
        f"forgeries) of {facts['identities']} identities; {facts['empty_rule']}; {facts['tiou']}; "
        f"{facts['area']}. "
        "Mean AP is over tIoU 0.1 to 0.7. Percent; false alarms a minute of authentic clips at the "
        "stored threshold."
    )


def table(result: dict, columns: Sequence[str] = MAIN) -> str:
    """One line a method and stream."""
    return _table(
        ("method", "stream", *columns),
        (
            (name, stream, *(_cell(column, values[column]) for column in columns))
            for name, streams in result["rows"].items()
            for stream, values in streams.items()
        ),
    )


def interval_table(result: dict, columns: Sequence[str] = BOUNDED) -> str:
    """One line a method and stream, each number with its interval."""
    return _table(
        ("method", "stream", *columns),
        (
            (name, stream, *(_bounded(column, values, bounds) for column in columns))
            for name, streams in result["rows"].items()
            for stream, values in streams.items()
            for bounds in [result["intervals"][name][stream]]
        ),
    )


def family_table(result: dict) -> str:
    """One line a stream and family; seen and unseen families together come first."""
    order = {stream: number for number, stream in enumerate(STREAMS)}
    together = [row for row in result["families"] if row["family"] in (SEEN, UNSEEN)]
    single = [row for row in result["families"] if row not in together]
    rows = sorted(together, key=lambda row: (order[row["stream"]], not row["seen"])) + single
    return _table(
        ("stream", "manipulation", "clips", *FAMILY),
        (
            (
                row["stream"],
                row["family"] + ("" if row["seen"] else " *"),
                str(row["clips"]),
                *(
                    _bounded(name, row, row["intervals"])
                    if name in row["intervals"]
                    else _cell(name, row[name])
                    for name in FAMILY
                ),
            )
            for row in rows
        ),
    )


def alarm_table(result: dict) -> str:
    """Untouched authentic clips, null forgeries, and both."""
    columns = tuple(result["alarms"][0]["intervals"])
    return _table(
        ("clips without forgery", "clips", "minutes", *columns),
        (
            (
                row["kind"],
                str(row["clips"]),
                f"{row['minutes']:.1f}",
                *(_bounded(name, row, row["intervals"]) for name in columns),
            )
            for row in result["alarms"]
        ),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_line(head), "|---" * len(head) + "|", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if column.startswith(ALARMS) else f"{100 * value:.1f}"


def _bounded(column: str, values: dict, bounds: dict) -> str:
    low, high = bounds[column]
    if low is None:
        return _cell(column, values[column])
    return f"{_cell(column, values[column])} ({_cell(column, low)}-{_cell(column, high)})"
