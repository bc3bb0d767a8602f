"""One clip's report held against its truth: who matches whom, what each miss is, and the numbers of
this clip, as the page has them (app/viewer/compare/metrics.js).

Numbers of a dataset are another thing: `deeploc.metrics` pools clips. Knows no file format.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deeploc.annotations.truth import segments_with_stream
from deeploc.metrics import average_precision, average_recall, frame_auc
from deeploc.report import Localization, Report
from deeploc.scores import Stream
from deeploc.timeline import Segment, Timeline

MatchKind = Literal["TP", "LOC", "DUP", "FP"]
NEAR = 0.1  # an interval below the wanted tIoU, but from here on, is a localisation error
TIOUS, COUNTS = (0.5, 0.75, 0.9, 0.95), (10, 20, 50, 100)


@dataclass(frozen=True)
class Match:
    """What an interval turned out to be, and the number of the true segment that it is near."""

    kind: MatchKind
    truth: int | None
    tiou: float


def match(
    found: Sequence[Localization], truth: Sequence[Segment], tiou: float
) -> tuple[list[Match], list[int]]:
    """The match of each interval, and the numbers of the true segments that were missed.

    Greedy by score: each interval takes the unused true segment that it covers best, at `tiou` or
    more: TP. DUP: all such were taken. LOC: near one, but not near enough. FP: none is near.
    """
    matches: dict[int, Match] = {}
    used: set[int] = set()
    for index in sorted(range(len(found)), key=lambda at: -found[at].score):
        pairs = [(found[index].segment.iou(segment), -at) for at, segment in enumerate(truth)]
        near = [(iou, -at) for iou, at in sorted(pairs, reverse=True)]
        good = [(iou, at) for iou, at in near if iou >= tiou]
        free = next((pair for pair in good if pair[1] not in used), None)
        best = free or (near[0] if near else (0.0, -1))
        kind: MatchKind = "TP" if free else "DUP" if good else "LOC" if best[0] >= NEAR else "FP"
        used |= {best[1]} if free else set()
        matches[index] = Match(kind, None if kind == "FP" else best[1], best[0])
    return [matches[at] for at in range(len(found))], [
        at for at in range(len(truth)) if at not in used
    ]


def compare_with_truth(
    report: Report, truth: Mapping[Stream, Timeline], tiou: float = 0.5
) -> dict[str, Any]:
    """What the report found, held against the truth by stream, as plain data.

    `intervals`: those of the timeline, with `kind`, `tiou` and how far their edges are off in
    seconds. `missed`: true segments without a TP. AP, AR and the frame AUC are those of the `fused`
    proposals and curve over this clip alone, whatever the threshold; None where undefined.
    """
    true = segments_with_stream(truth)
    matches, missed = match(report.timeline, [segment for _, segment in true], tiou)
    spans = [segment for _, segment in true]
    counts = Counter(one.kind for one in matches)
    return {
        "clip": report.media.name,
        "tiou": tiou,
        "true_segments": len(true),
        "counts": {kind: counts[kind] for kind in ("TP", "LOC", "DUP", "FP")} | {"FN": len(missed)},
        "intervals": [
            _interval(item, one, spans) for item, one in zip(report.timeline, matches, strict=True)
        ],
        "missed": [_span(true[at][1]) | {"stream": true[at][0]} for at in missed],
        **_metrics(report, Timeline.of(spans)),
    }


def _span(segment: Segment) -> dict[str, Any]:
    return {"start_s": round(segment.start, 3), "end_s": round(segment.end, 3)}


def _interval(item: Localization, one: Match, truth: Sequence[Segment]) -> dict[str, Any]:
    row = _span(item.segment) | {"stream": item.stream, "kind": one.kind}
    row["tiou"] = round(one.tiou, 4)
    if one.truth is not None:
        near = truth[one.truth]
        row["start_off_s"] = round(item.segment.start - near.start, 3)
        row["end_off_s"] = round(item.segment.end - near.end, 3)
    return row


def _metrics(report: Report, truth: Timeline) -> dict[str, Any]:
    name, fused = report.media.name, [item for item in report.proposals if item.stream == "fused"]
    true, proposals = {name: truth}, {name: fused or list(report.proposals)}
    curve = report.deciding
    fused_curve = curve if curve and curve.stream == "fused" else None
    auc = frame_auc(true, {name: fused_curve}) if fused_curve else math.nan
    flagged = Timeline.of(item.segment for item in report.timeline)
    falsely_s = flagged.duration - sum(flagged.overlap(segment) for segment in truth)
    return {
        "average_precision": {
            str(wanted): _number(average_precision(true, proposals, wanted)) for wanted in TIOUS
        },
        "average_recall": {str(n): _number(average_recall(true, proposals, n)) for n in COUNTS},
        "frame_auc": _number(auc),
        "falsely_flagged_s_per_minute": _number(falsely_s / report.media.duration_s * 60),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
