"""DeepLoc: when was this talking-face clip forged, in picture and in sound?

    import deeploc

    localizer = deeploc.load_localizer()  # the embedded checkpoint; CUDA where there is one
    report = localizer("clip.mp4")
    print(report.band, report.video_score)  # none, some, strong or unscored; 0..1
    for found in report.timeline:
        print(found.stream, found.segment.start, found.segment.end, found.score)

    for scores in report.scores:  # one value for every 40 ms, NaN where nothing could be scored
        print(scores.stream, scores.values[:25])
    deeploc.write_report(report, "report.npz")

`load_localizer` loads a checkpoint; the `Localizer` that it gives is called with a path and returns
a `Report`. Its intervals are `Localization`s: a `Segment` in seconds, the stream that was forged,
and a score. `FrameScores` hold a curve. `read_report` and `write_report` keep a report in a file.

`read_annotation` and `write_annotation` know every format of intervals that people and datasets
use; `read_clip_truth` reads one as the ground truth of a clip. `compare_with_truth` sets a report
against its segments, a `Timeline` of each stream; `metrics` holds AP, AR and AUC of many clips.
`open_clip` decodes a file onto the 25 Hz grid that everything here shares.

What a user can do something about is a `DeepLocError`, whose message says what. An `Analyzer` is
anything that is called as a `Localizer` is; raising `Cancelled` from its hook stops it.

Importing this loads no torch: a name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeploc import metrics
    from deeploc.analyzer import Analyzer
    from deeploc.annotations.registry import read_annotation, read_clip_truth, write_annotation
    from deeploc.comparison import compare_with_truth
    from deeploc.errors import Cancelled, DeepLocError
    from deeploc.localizer import Localizer, load_localizer
    from deeploc.media.clip import open_clip
    from deeploc.report import Localization, Report
    from deeploc.report_files import read_report, write_report
    from deeploc.scores import FrameScores
    from deeploc.timeline import Segment, Timeline

__version__ = "0.2.0"
__all__ = [
    "Analyzer",
    "Cancelled",
    "DeepLocError",
    "FrameScores",
    "Localization",
    "Localizer",
    "Report",
    "Segment",
    "Timeline",
    "__version__",
    "compare_with_truth",
    "load_localizer",
    "metrics",
    "open_clip",
    "read_annotation",
    "read_clip_truth",
    "read_report",
    "write_annotation",
    "write_report",
]
_MODULE_OF = {
    "Analyzer": "analyzer",
    "Cancelled": "errors",
    "DeepLocError": "errors",
    "FrameScores": "scores",
    "Localization": "report",
    "Localizer": "localizer",
    "Report": "report",
    "Segment": "timeline",
    "Timeline": "timeline",
    "compare_with_truth": "comparison",
    "load_localizer": "localizer",
    "open_clip": "media.clip",
    "read_annotation": "annotations.registry",
    "read_clip_truth": "annotations.registry",
    "read_report": "report_files",
    "write_annotation": "annotations.registry",
    "write_report": "report_files",
}


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("deeploc.metrics")
    if name in _MODULE_OF:
        return getattr(import_module(f"deeploc.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'deeploc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
