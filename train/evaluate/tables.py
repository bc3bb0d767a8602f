"""The numbers of one evaluation as Markdown, in percent unless a unit is named.

It knows only the plain data of `metrics.json`; README and model card print lines of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deeploc.scores import STREAMS
from train.evaluate.everyday import ALL_KINDS, FORGED
from train.evaluate.families import SEEN, UNSEEN
from train.evaluate.protocol import ALARMS, AP_TIOUS, AR_COUNTS

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
    if result.get("everyday"):
        parts += [
            "Honest clips as they are, by footage, and under everyday changes, which are in no "
            "table above (Wilson's intervals); * held out: neither trained nor calibrated on:",
            everyday_table(result),
        ]
    return "\n\n".join(parts) + "\n"


def protocol(result: dict) -> str:
    """What the numbers were measured on and by which rules, in one line."""
    return (
        f"{_clips(result['protocol'])} Mean AP is over tIoU 0.1 to 0.7. Percent; false alarms a "
        "minute of authentic clips at the stored threshold."
    )


def _clips(facts: dict) -> str:
    recoded = facts.get("re-encoded among them")
    again = f" and {recoded} re-encoded" if recoded else ""
    return (
        f"Split {facts['split']}: {facts['clips']} clips ({facts['forged']} forged, "
        f"{facts['authentic']} authentic, {facts['null forgeries among them']} of those null "
        f"forgeries{again}) of {facts['identities']} identities; "
        f"{facts['empty_rule']}; {facts['tiou']}; {facts['area']}."
    )


def table(result: dict, columns: Sequence[str] = MAIN) -> str:
    """One line a method and stream."""
    return markdown_table(
        ("method", "stream", *columns),
        (
            (name, stream, *(cell(column, values[column]) for column in columns))
            for name, streams in result["rows"].items()
            for stream, values in streams.items()
        ),
    )


def interval_table(result: dict, columns: Sequence[str] = BOUNDED) -> str:
    """One line a method and stream, each number with its interval."""
    return markdown_table(
        ("method", "stream", *columns),
        (
            (name, stream, *(bounded(column, values, bounds) for column in columns))
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
    return markdown_table(
        ("stream", "manipulation", "clips", *FAMILY),
        (
            (
                row["stream"],
                row["family"] + ("" if row["seen"] else " *"),
                str(row["clips"]),
                *(
                    bounded(name, row, row["intervals"])
                    if name in row["intervals"]
                    else cell(name, row[name])
                    for name in FAMILY
                ),
            )
            for row in rows
        ),
    )


def alarm_table(result: dict) -> str:
    """Untouched authentic clips, null forgeries, re-encoded clips, and all of them."""
    columns = tuple(result["alarms"][0]["intervals"])
    return markdown_table(
        ("clips without forgery", "clips", "minutes", *columns),
        (
            (
                row["kind"],
                str(row["clips"]),
                f"{row['minutes']:.1f}",
                *(bounded(name, row, row["intervals"]) for name in columns),
            )
            for row in result["alarms"]
        ),
    )


def everyday_table(result: dict) -> str:
    """One line a footage and kind of everyday change, then several together.

    "Flagged" is some or strong evidence, as in "clips at some"; *as they are*: of the same clips
    without the change.
    """
    rows = result["everyday"]
    names = dict.fromkeys(name for row in rows for name in row)
    alarms = [name for name in names if name.startswith(ALARMS)]
    shares = [name for name in names if name.startswith("clips at ")]
    footages = list(dict.fromkeys(name for row in rows for name in row["footage"]))
    return markdown_table(
        (
            *("honest clips", "group", "clips", "people", "minutes", "unscored", *shares),
            *("as they are, flagged", *(f"{name}, flagged" for name in footages)),
            *(*alarms, "forged clips, flagged"),
        ),
        (
            (
                row["name"] + (" *" if row["held_out"] else ""),
                row["group"] or "",
                *(str(row["clips"]), str(row["people"])),
                *(f"{row['minutes']:.1f}", str(row["unscored"])),
                *(share(name, row) for name in shares),
                *(counted(own) for own in (row["as they are"], *map(row["footage"].get, footages))),
                *(cell(name, row.get(name)) for name in alarms),
                counted(row["forged"]),
            )
            for row in rows
        ),
    )


def share(column: str, row: dict) -> str:
    """A share of clips with its interval, a dash where there are none."""
    return bounded(column, row, row["intervals"]) if column in row else "-"


def counted(found: dict | None) -> str:
    """How many of how many clips are flagged, a dash where there are none."""
    return f"{found['some']} of {found['clips']}" if found and found["clips"] else "-"


def ablation_markdown(result: dict) -> str:
    """The result of the ablation: one table a stream, the rows of one setting together."""
    facts = result["protocol"]
    setting, name = facts["reference"]
    parts = [
        f"# Ablation on {facts['cache']}, split {facts['split']}",
        f"{_clips(facts)} Trained on {facts['training clips']} clips of {facts['training cache']}. "
        f"Mean AP is over tIoU 0.1 to 0.7. Percent: mean ± standard deviation over seeds "
        f"({facts['intervals']}).",
        f"*Ahead*: how much the reference ({name}, {setting}) has more than the row, on the same "
        "draws; an interval above 0 means that it is better. *Ratio*: its mean AP over the row's.",
    ]
    for stream in STREAMS:
        parts += [f"## {stream}", _ablation_table(result["rows"], stream)]
    if result.get("flagged"):
        parts += [
            "## Clips that are flagged",
            'Percent of clips at or above each network\'s own level of "some", set on validation '
            "clips as `calibrate` does: authentic clips as they are, by footage, and under "
            "everyday changes, which should be few, and forged clips, which should be many. "
            "*More*: than the reference, on the same draws of people and seeds.",
            _flagged_table(result),
        ]
    parts.append("## Each value of the evidence alone")
    parts.append(
        "Frame AUC inside forged clips of one value in one zone, minus its median over the clip, "
        "without any network. 50 is chance; below it the value is lower where the clip is forged."
    )
    for stream, values in result["values"].items():
        zones = tuple(next(iter(values.values())))
        body = [(name, *(cell("", own[zone]) for zone in zones)) for name, own in values.items()]
        parts.append(markdown_table((stream, *zones), body))
    parts.append("## What each row was trained with")
    command = " ".join(["python -m train discover CACHE RUN", facts["training"]]).rstrip()
    parts.append(f"`{command}`, and:")
    parts.append(
        markdown_table(
            ("setting", "row", "seeds", "flags"),
            (
                (row["setting"], row["row"], str(row["seeds"]), f"`{row['flags']}`")
                for row in result["rows"]
                if row["flags"]
            ),
        )
    )
    return "\n\n".join(parts) + "\n"


def _ablation_table(rows: list[dict], stream: str) -> str:
    columns = tuple(rows[0]["streams"][stream])
    return markdown_table(
        ("setting", "row", *columns, "ahead, mean AP", "ahead, AP@0.5", "ratio"),
        (
            (
                row["setting"],
                row["row"],
                *(_seeded(name, row["streams"][stream][name]) for name in columns),
                *(_ahead(row["ahead"][stream]) if row["ahead"] else ("reference", "", "")),
            )
            for row in rows
        ),
    )


def _flagged_table(result: dict) -> str:
    rows, clips = result["flagged"], result["flagged clips"]
    names = tuple(rows[0]["shares"])
    compared = [name for name in (ALL_KINDS, FORGED) if name in names]
    return markdown_table(
        (
            *("setting", "row", *(f"{name} ({clips[name]})" for name in names)),
            *(f"more, {name}" for name in compared),
        ),
        (
            (
                *(row["setting"], row["row"]),
                *(_seeded("", row["shares"][name]) for name in names),
                *(_signed(row["more"][name]) for name in compared),
            )
            for row in rows
        ),
    )


def _seeded(column: str, found: dict) -> str:
    spread = "" if found["spread"] is None else f" ± {cell(column, found['spread'])}"
    return cell(column, found["mean"]) + spread + _span(found["interval"], 100, 1)


def _ahead(found: dict) -> tuple[str, str, str]:
    ratio = found["ratio"]
    shown = "-" if ratio["mean"] is None else f"{ratio['mean']:.2f}"
    shown += _span(ratio["interval"], 1, 2)
    return _signed(found["mean AP"]), _signed(found["AP@0.5"]), shown


def _signed(value: dict) -> str:
    if value["mean"] is None:
        return "-"
    return f"{100 * value['mean']:+.1f}" + _span(value["interval"], 100, 1)


def _span(bounds: Sequence[float | None], factor: int, digits: int) -> str:
    low, high = bounds
    if low is None or high is None:
        return ""
    return f" [{factor * low:.{digits}f}, {factor * high:.{digits}f}]"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_line(head), "|---" * len(head) + "|", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def cell(column: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if column.startswith(ALARMS) else f"{100 * value:.1f}"


def bounded(column: str, values: dict, bounds: dict) -> str:
    low, high = bounds[column]
    if low is None:
        return cell(column, values[column])
    return f"{cell(column, values[column])} ({cell(column, low)}-{cell(column, high)})"
