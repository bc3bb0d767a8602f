"""`deeploc compare REPORT_OR_CLIP TRUTH`: what was found in one clip, held against the truth.

Exit status: 0 when both could be read, 1 when one could not, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from deeploc.analyzer import Analyzer
from deeploc.annotations import media_from_report, read_clip_truth
from deeploc.annotations.registry import FORMATS, format_labels
from deeploc.cli.analyse import StageBar, analyse_clip, clock
from deeploc.cli.flags import add_max_minutes
from deeploc.comparison import compare_with_truth
from deeploc.errors import Cancelled, DeepLocError
from deeploc.report import Report
from deeploc.report_files import read_report

KINDS = {"TP": "found", "LOC": "misplaced", "DUP": "duplicate", "FP": "false"}


def main(arguments: list[str], load: Callable[[argparse.Namespace], Analyzer]) -> int:
    """Runs the command and returns the exit status. `load`: the analyzer for a clip."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not 0 < options.tiou <= 1:
        parser.error(f"--tiou is {options.tiou:g}: give a number above 0, up to 1")
    try:
        report = _report(options, load)
        truth = read_clip_truth(options.truth, media_from_report(report))
        result = compare_with_truth(report, truth.segments, options.tiou)
        if options.json:
            text = json.dumps(result, ensure_ascii=False, allow_nan=False, indent=1)
            options.json.write_text(text + "\n", encoding="utf-8")
    except (DeepLocError, OSError) as error:
        print(f"deeploc: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Cancelled):
        print("deeploc: stopped", file=sys.stderr)
        return 130
    print("\n".join(_lines(result, options.truth)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deeploc compare",
        description="Holds what was found in one clip against the truth: intervals that were "
        "found, misplaced, false or missed, how far their edges are off, and AP, AR and AUC of "
        "this clip alone.",
    )
    add = parser.add_argument
    add("clip", metavar="REPORT_OR_CLIP", help="a saved report (JSON or NPZ), or the video file")
    add(
        "truth",
        metavar="TRUTH",
        type=Path,
        help=f"when the clip is forged: {format_labels(truth_only=True)}",
    )
    add("--tiou", metavar="X", type=float, default=0.5, help="IoU that counts as found (0.5)")
    add("--json", metavar="OUT", type=Path, help="write the comparison here")
    add("--checkpoint", metavar="DIR_OR_REPO", help="for a clip; default: the embedded one")
    add("--device", default="auto", help="for a clip: cpu, cuda or cuda:N")
    add("--face", metavar="N", type=int, help="for a clip: number of the face to score")
    add_max_minutes(parser)
    return parser


def _report(options: argparse.Namespace, load: Callable[[argparse.Namespace], Analyzer]) -> Report:
    if Path(options.clip).suffix.lower() in FORMATS["report"].last_suffixes:
        return read_report(options.clip)
    with tqdm(disable=None, leave=False, bar_format="{desc} {percentage:3.0f}% {bar}") as bar:
        return analyse_clip(load(options), options.clip, options.face, StageBar(bar))


def _lines(result: dict[str, Any], truth: Path) -> Iterator[str]:
    counts = result["counts"]
    yield f"{result['clip']} against {truth.name}, tIoU {result['tiou']:g}"
    found = [f"{counts[kind]} {word}" for kind, word in KINDS.items()]
    yield f"{result['true_segments']} true: {found[0]}, {counts['FN']} missed; " + (
        f"{', '.join(found[1:])}"
    )
    yield ""
    if result["intervals"] or result["missed"]:
        heads = f"{'':10}{'stream':8}{'start':>10}{'end':>10}{'tIoU':>7}"
        yield f"{heads}{'start off':>12}{'end off':>12}"
    for row in result["intervals"]:
        off = (_off(row.get(edge)) for edge in ("start_off_s", "end_off_s"))
        yield f"{KINDS[row['kind']]:10}{_span(row)}{row['tiou']:7.2f}" + "".join(off)
    yield from (f"{'missed':10}{_span(row)}" for row in result["missed"])
    yield ""
    yield _numbers("AP at tIoU", result["average_precision"])
    yield _numbers("AR of the first", result["average_recall"])
    yield f"frame AUC {_number(result['frame_auc'])}, falsely flagged " + (
        f"{_number(result['falsely_flagged_s_per_minute'])} s a minute"
    )


def _span(row: dict[str, Any]) -> str:
    return f"{row['stream']:8}{clock(row['start_s']):>10}{clock(row['end_s']):>10}"


def _off(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:+10.3f} s"


def _numbers(name: str, values: dict[str, float | None]) -> str:
    return f"{name} " + ", ".join(f"{key}: {_number(value)}" for key, value in values.items())


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
