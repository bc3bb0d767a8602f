"""The command line: `deeploc CLIP [FOLDER|CSV|ADDRESS ...]` prints and writes what was found;
`deeploc scan`, `compare` and `benchmark` are the other modules of `deeploc.cli`.
`python -m deeploc` is the same.

Exit status: 0 when every clip was analysed, 1 when one was not, 130 after Ctrl-C. Nothing here
knows how a clip is analysed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from deeploc import __version__
from deeploc.analyzer import Analyzer, ProgressHook, ignore_progress
from deeploc.calibration import Band
from deeploc.cli.flags import add_max_minutes
from deeploc.cli.sources import find_clips, is_single_clip, local_copy
from deeploc.errors import Cancelled, DeepLocError
from deeploc.report import Report, Timing
from deeploc.report_files import write_report

if sys.platform != "win32":
    import resource

BAND_WORDS: dict[Band, str] = {
    "unscored": "not enough evidence to judge",
    "none": "no evidence of forgery found",
    "some": "some evidence of forgery",
    "strong": "strong evidence of forgery",
}
UNTRAINED = "untrained model: no verdict"
Cost = tuple[float, Timing]  # seconds of the clip, and what they took


def load(options: argparse.Namespace) -> Analyzer:
    """The analyzer that the options ask for. Raises `BadCheckpoint`."""
    from deeploc.localizer import load_localizer

    return load_localizer(
        options.checkpoint, device=options.device, max_minutes=options.max_minutes
    )


def main(
    arguments: list[str] | None = None, load: Callable[[argparse.Namespace], Analyzer] = load
) -> int:
    """Runs the command line and returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["scan"]:
        from deeploc.cli.scan import main as scan

        return scan(arguments[1:])
    if arguments[:1] == ["compare"]:
        from deeploc.cli.compare import main as compare

        return compare(arguments[1:], load)
    if arguments[:1] == ["benchmark"]:
        from deeploc.cli.benchmark import main as benchmark

        return benchmark(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    several = len(options.clips) > 1 or not is_single_clip(options.clips[0])
    if several and options.json and options.json.exists() and not options.json.is_dir():
        parser.error(f"--json {options.json} is a file: several clips need a folder")
    try:
        clips = find_clips(options.clips)
        targets = _targets(clips, options.json, several)
        analyzer = load(options)
        return (_run_several if several else _run_one)(analyzer, clips, targets, options)
    except (DeepLocError, OSError) as error:
        print(f"deeploc: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Cancelled):
        print("deeploc: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deeploc",
        description="Finds when a talking-face video was forged, in picture or in sound.",
        epilog="deeploc scan --help: for archives, resumable, on many machines. "
        "deeploc compare --help: what was found, held against the truth. "
        "deeploc benchmark --help: what an analysis costs on this machine.",
    )
    add = parser.add_argument
    add("--version", action="version", version=f"deeploc {__version__}")
    add(
        "clips",
        metavar="CLIP",
        nargs="+",
        help="video files, folders of them, a CSV with a column file, or addresses such as "
        "hf://datasets/owner/name",
    )
    add(
        "--json",
        metavar="OUT",
        type=Path,
        help="write the report here; of several clips or a folder: a folder, one file a clip",
    )
    add(
        "--checkpoint",
        metavar="DIR_OR_REPO",
        help="a checkpoint folder or Hugging Face repo (default: the embedded one)",
    )
    add("--device", default="auto", help="cpu, cuda or cuda:N (default: CUDA where there is one)")
    add(
        "--face",
        metavar="N",
        type=int,
        help="number of the face to score, where several stay (default: the largest)",
    )
    add_max_minutes(parser)
    add("--profile", action="store_true", help="print time by stage, and peak memory")
    return parser


def _targets(clips: list[str], out: Path | None, several: bool) -> dict[str, Path]:
    """Where the report of each clip goes; clips of one name are numbered in their order."""
    if not out:
        return {}
    if not several and not out.is_dir():
        return {clips[0]: out}
    targets: dict[str, Path] = {}
    taken: set[str] = set()
    for clip in clips:
        stem = Path(clip).stem
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        targets[clip] = out / f"{name}.json"
    return targets


def _run_one(
    analyzer: Analyzer, clips: list[str], targets: dict[str, Path], options: argparse.Namespace
) -> int:
    with tqdm(disable=None, leave=False, bar_format="{desc} {percentage:3.0f}% {bar}") as bar:
        report = analyse_clip(analyzer, clips[0], options.face, StageBar(bar))
    _write(report, targets.get(clips[0]))
    print("\n".join(_table(report)))
    if options.profile:
        print("\n".join(_profile([(report.media.duration_s, report.timing)])))
    return 0


def _run_several(
    analyzer: Analyzer, clips: list[str], targets: dict[str, Path], options: argparse.Namespace
) -> int:
    costs: list[Cost] = []
    failed = 0
    with tqdm(clips, unit="clip", disable=None) as bar:
        for clip in bar:
            try:
                report = analyse_clip(analyzer, clip, options.face)
                _write(report, targets.get(clip))
            except (DeepLocError, OSError) as error:
                failed += 1
                tqdm.write(f"{clip}: {error}", file=sys.stderr)
                continue
            costs.append((report.media.duration_s, report.timing))
            tqdm.write(_line(clip, report, targets.get(clip)), file=sys.stdout)
    if options.profile and costs:
        print("\n".join(_profile(costs)))
    if failed:
        print(f"deeploc: {failed} of {len(clips)} clips failed", file=sys.stderr)
    return 1 if failed else 0


def analyse_clip(
    analyzer: Analyzer, clip: str, face: int | None, hook: ProgressHook = ignore_progress
) -> Report:
    """The report of a clip. What no one foresaw becomes a sentence too: one clip, one line."""
    try:
        with local_copy(clip) as path:
            return analyzer(path, hook=hook, face=face)
    except (DeepLocError, Cancelled):
        raise
    except Exception as error:
        raise DeepLocError(
            f"{Path(clip).name} could not be analysed ({type(error).__name__}: {error}). "
            "This is a fault of DeepLoc: please report it."
        ) from error


class StageBar:
    """Shows the progress of one clip: a `ProgressHook`."""

    def __init__(self, bar: tqdm) -> None:
        self.bar = bar

    def __call__(self, stage: str, completed: int, total: int) -> None:
        self.bar.set_description_str(stage, refresh=False)
        self.bar.total, self.bar.n = total or None, completed
        self.bar.refresh()


def _write(report: Report, target: Path | None) -> None:
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_report(report, target)


def _band(report: Report) -> str:
    return BAND_WORDS[report.band] if report.calibration.clips else UNTRAINED


def _score(report: Report) -> str:
    return "no score" if report.video_score is None else f"score {report.video_score:.3f}"


def _line(clip: str, report: Report, target: Path | None) -> str:
    found = len(report.timeline)
    intervals = f"{found} interval{'' if found == 1 else 's'}"
    arrow = f" -> {target}" if target else ""
    return f"{clip}: {_band(report)}, {_score(report)}, {intervals}{arrow}"


def _table(report: Report) -> Iterator[str]:
    media, model = report.media, report.model
    sound = "with sound" if media.has_audio else "no sound"
    yield f"{media.name}: {media.duration_s:.2f} s, {media.fps:.4g} fps, " + (
        f"{media.width}x{media.height}, {sound}"
    )
    yield f"{_band(report)} ({_score(report)}, model {model.name})"
    yield ""
    if report.timeline:
        yield f"{'stream':8}{'start':>11}{'end':>11}{'length':>10}{'peak':>8}"
    else:
        yield "no intervals above the threshold"
    for item in report.timeline:
        start, end = item.segment.start, item.segment.end
        times = f"{clock(start):>11}{clock(end):>11}{end - start:8.2f} s"
        yield f"{item.stream:8}{times}{item.score:8.3f}"
    for gap in report.unscored:
        start, end = gap.segment.start, gap.segment.end
        yield f"unscored {clock(start):>10}{clock(end):>11}{end - start:8.2f} s  {gap.reason}"
    yield from (f"warning: {warning}" for warning in report.warnings)
    yield ""
    yield f"{report.timing.seconds_per_second:.2f} s of work a second of clip"


def clock(seconds: float) -> str:
    """Minutes and seconds: 1:02.50."""
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{int(minutes)}:{rest:05.2f}"


def _profile(costs: list[Cost]) -> Iterator[str]:
    """Mean seconds of work a second of clip, weighted by the clips' lengths; peak memory."""
    length = sum(duration for duration, _ in costs)
    stages: dict[str, float] = {}
    for duration, timing in costs:
        for stage, cost in timing.stages.items():
            stages[stage] = stages.get(stage, 0) + cost * duration / length
    yield f"\n{'stage':16}{'s per s of clip':>16}"
    yield from (f"{stage:16}{cost:16.3f}" for stage, cost in stages.items())
    yield f"{'sum':16}{sum(stages.values()):16.3f}"
    if sys.platform != "win32":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
        yield f"peak memory     {peak * unit / 2**30:12.2f} GiB"
