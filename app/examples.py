"""The results of the examples, made beforehand: they open at once, and without a model.

`python -m app.examples` makes them again, as a new checkpoint needs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import deeploc
from deeploc.errors import DeepLocError
from deeploc.report import ModelInfo, Report
from deeploc.report_files import read_report, write_report

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"


def result_paths(clip: str | Path) -> tuple[Path, Path]:
    """Where the report and the inspection clip of an example are."""
    folder, stem = Path(clip).parent / "results", Path(clip).stem
    return folder / f"{stem}.npz", folder / f"{stem}.mp4"


def example_report(clip: str | Path, info: ModelInfo | None) -> Report | None:
    """The report of an example, if the model `info` made it or there is no model; else None."""
    path, inspection = result_paths(clip)
    if not path.exists():
        return None
    try:
        report = read_report(path)
    except DeepLocError:
        return None
    if info is not None and report.model.sha256 != info.sha256:
        return None
    return replace(report, inspection=inspection if inspection.exists() else None)


def make_results(folder: Path, checkpoint: str | None = None) -> None:
    """Analyses every clip of a folder and keeps what was found below it."""
    localizer = deeploc.load_localizer(checkpoint)
    for clip in sorted(folder.glob("*.mp4")):
        path, inspection = result_paths(clip)
        path.parent.mkdir(exist_ok=True)
        report = localizer(clip, inspection=path.parent)
        if report.inspection:
            report.inspection.replace(inspection)
        write_report(report, path)
        print(f"{clip.name}: {report.band}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes the results of the example clips.")
    parser.add_argument("folder", nargs="?", type=Path, default=EXAMPLES)
    parser.add_argument("--checkpoint", default=None)
    options = parser.parse_args()
    make_results(options.folder, options.checkpoint)
