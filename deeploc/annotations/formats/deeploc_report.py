"""A saved report: the intervals of its timeline, as proposals that no person has judged."""

from __future__ import annotations

from deeploc.annotations.annotation import Annotation, annotation_from_report
from deeploc.annotations.format import Format, Source
from deeploc.report_files import read_report


def read(source: Source) -> Annotation:
    return annotation_from_report(read_report(source.path))


def matches(source: Source) -> bool:
    return isinstance(source.json, dict) and {"schema", "timeline"} <= set(source.json)


FORMAT = Format(
    key="report",
    label="DeepLoc report",
    suffixes=(".json", ".npz"),
    mime="application/json",
    keeps="what the model found, as proposals with their scores",
    matches=matches,
    read_with_media=read,
    is_truth=False,
)
