"""A clip, its report, and analyzers that answer without a model: for tests of the page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from deeploc.analyzer import Analyzer, ignore_progress
from deeploc.calibration import Calibration, heat_scale
from deeploc.config import Settings
from deeploc.curves import FORGERY_SCORE, RECONSTRUCTION_ERROR, Curve
from deeploc.errors import NoFace
from deeploc.export.inspection import open_inspection
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import AUDIO_RATE_HZ, MediaInfo
from deeploc.media.writer import write_clip
from deeploc.preprocess.windows import Window
from deeploc.report import (
    FaceEvidence,
    Localization,
    ModelInfo,
    Report,
    SoundEvidence,
    Timing,
    Unscored,
)
from deeploc.scores import FrameScores
from deeploc.timeline import FrameGrid, Segment

SECONDS, WIDTH, HEIGHT = 4, 320, 180
GRID = FrameGrid(25, SECONDS * 25)
FORGED = Segment(1.2, 2.0)
NO_FACE = "No face could be followed in this clip. Use a clip with one face that looks at you."
CALIBRATION = Calibration(
    error_marks={
        "visual": [0.8, 1.6, 2.2],
        "audio": [0.7, 1.5, 2.0],
        "fused": [0.8, 1.5, 2.1],
        "cell": [0.8, 1.6, 2.2],
    },
    thresholds={"visual": 0.5, "audio": 0.5, "fused": 0.5},
    bands={"some": 0.5, "strong": 0.8},
    honest={"all": {"clips": 120, "some": 6, "strong": 1}},
)


def counts(clips: int, some: int, strong: int = 0) -> dict[str, int]:
    return {"clips": clips, "some": some, "strong": strong}


MEASURED = replace(
    CALIBRATION,
    honest={
        "all": counts(459, 37, 4),
        "laboratory": counts(41, 2),
        "ordinary": counts(18, 3, 1),
        "captions": counts(40, 0),
        "noise-burst": counts(40, 4),
        "music": counts(9, 9),
        "silence-before": counts(40, 5),
        "soft-focus": counts(40, 6),
        "volume-step": counts(40, 1),
    },
    forged={"self-made": counts(114, 37), "real generators": counts(189, 93)},
)


def write_moving_clip(path: Path, seconds: int = SECONDS) -> Path:
    """An mp4 with a bright square that wanders, and a tone."""
    moments = np.arange(round(seconds * AUDIO_RATE_HZ)) / AUDIO_RATE_HZ
    tone = (0.1 * np.sin(2 * np.pi * 220 * moments)).astype(np.float32)
    write_clip(path, _frames(seconds * 25), tone)
    return path


def _frames(n_frames: int) -> Iterator[np.ndarray]:
    for index in range(n_frames):
        picture = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        left = 40 + 2 * (index % 80)
        picture[60:120, left : left + 60] = (210, 180, 150)
        yield picture


def fake_report(path: Path | str = "clip.mp4", n_faces: int = 1, face: int | None = None):
    """Four seconds with one forged interval in the picture; the last 0.4 s have no face, the first
    0.2 s no sound."""
    number = face or 1
    return Report(
        media=MediaInfo(Path(path).name, float(SECONDS), 25.0, WIDTH, HEIGHT, True),
        model=FakeAnalyzer.info,
        calibration=CALIBRATION,
        video_score=0.74,
        band="some",
        timeline=(Localization(FORGED, 0.91, "visual"),),
        proposals=(Localization(FORGED, 0.8, "visual"),),
        scores=tuple(_scores()),
        unscored=(
            Unscored(Segment(3.6, 4.0), "no usable face", "visual"),
            Unscored(Segment(0, 0.2), "no sound", "audio"),
        ),
        warnings=(),
        timing=Timing(0.5, {"decode": 0.1, "faces": 0.4}),
        version="0.2.0",
        settings=Settings(face=number, device="cpu"),
        evidence=_evidence(number, n_faces),
        pts_s=np.arange(GRID.n_frames) / 25,
        sound=_sound(),
    )


def with_cuts(report: Report) -> Report:
    """The report of a clip of three shots that begins with a second of stillness and silence, by a
    model of which much was measured."""
    shots = (Segment(0, 2.4), Segment(2.4, 3), Segment(3, 4))
    still, cuts = Segment(0, 1), (Segment(2.32, 2.52), Segment(2.92, 3.12))
    unseen = (*report.scores[0].unscored, still, *cuts)
    missing = {"visual": unseen, "audio": (still,), "fused": (still,)}
    scores = tuple(_without(item, missing[item.stream]) for item in report.scores)
    unscored = (
        Unscored(still, "frozen picture", "visual"),
        *(Unscored(cut, "cut", "visual") for cut in cuts),
        Unscored(Segment(3.6, 4.0), "no usable face", "visual"),
        Unscored(still, "no speech", "audio"),
    )
    changes = {"shots": shots, "scores": scores, "unscored": unscored}
    return replace(report, calibration=MEASURED, **changes)


def _without(scores: FrameScores, missing: tuple[Segment, ...]) -> FrameScores:
    values = scores.values.copy()
    for segment in missing:
        start, end = scores.grid.span(segment)
        values[start:end] = np.nan
    return replace(scores, values=values)


def _sound() -> SoundEvidence:
    steps, bins = np.arange(4 * GRID.n_frames)[:, None], np.arange(80)[None]
    mel = (-8 + 6 * np.cos(bins / 6 + steps / 40)).astype(np.float16)
    error = np.full((GRID.n_frames, 10), 0.5, np.float32)
    error[30:50, 6:9], error[:5] = 3.5, np.nan
    loud = (0.2 + 0.6 * np.abs(np.sin(steps[:, 0] / 30))).astype(np.float16)
    return SoundEvidence(mel, error, np.stack([-loud, loud], axis=1), mel - 1)


def write_inspection(folder: Path, report: Report) -> Path:
    """An inspection mp4 whose first tile tells the step, in 7 stripes, and the second one not."""
    heat = report.evidence.heat.reshape(GRID.n_frames, -1)
    path = folder / f"fake-{report.evidence.track.number}.mp4"
    bits = np.arange(GRID.n_frames)[:, None] >> np.arange(6, -1, -1) & 1
    stripes = np.concatenate([bits, np.zeros((GRID.n_frames, 1), int)], axis=1) * 255
    faces = np.repeat(stripes.astype(np.uint8), 24, axis=1)[:, None, :, None]
    faces = np.broadcast_to(faces, (GRID.n_frames, 192, 192, 3))
    known = ~np.isnan(heat[None, :, 0])
    window = Window(0, faces, np.zeros((4 * GRID.n_frames, 90)), known[0], known[0])
    with open_inspection(path, GRID.n_frames, heat_scale(CALIBRATION.error_marks)) as inspection:
        rebuilt = np.full((1, GRID.n_frames, 96, 96, 3), 200, np.uint8)
        inspection.add([window], rebuilt, np.zeros((1, 4 * GRID.n_frames, 80)), known, known)
        inspection.finish(heat)
    return path


def _error(stream: str) -> Curve:
    return RECONSTRUCTION_ERROR.with_percentiles(CALIBRATION.error_marks[stream])


def _scores() -> Iterator[FrameScores]:
    steps = np.arange(GRID.n_frames)
    bump = np.exp(-(((steps - 40) / 7.0) ** 4))
    wave = 0.15 * np.sin(steps / 3.0)
    error = (0.9 + wave + 1.6 * bump).astype(np.float32)
    forgery = (0.12 + 0.1 * wave + 0.78 * bump).astype(np.float32)
    unseen = steps >= 90
    yield FrameScores(GRID, "visual", _error("visual"), np.where(unseen, np.nan, error))
    heard_error = np.where(steps < 5, np.nan, 0.7 + wave).astype(np.float32)
    yield FrameScores(GRID, "audio", _error("audio"), heard_error)
    yield FrameScores(GRID, "fused", _error("fused"), error)
    yield FrameScores(GRID, "visual", FORGERY_SCORE, np.where(unseen, np.nan, forgery))
    yield FrameScores(GRID, "audio", FORGERY_SCORE, (0.1 + 0.1 * wave).astype(np.float32))
    yield FrameScores(GRID, "fused", FORGERY_SCORE, np.where(unseen, np.nan, forgery * 0.97))


def _evidence(number: int, n_faces: int) -> FaceEvidence:
    steps = np.arange(GRID.n_frames)
    left = 30 + 2.0 * (steps % 80)
    squares = np.stack([left, left * 0 + 50, left + 80, left * 0 + 130], axis=1).astype(np.float32)
    heat = np.full((GRID.n_frames, 8, 8), 0.6, np.float32)
    heat[30:50, 4:7, 2:6] = 3.5
    seen, shift = steps < 90, np.array([90, 10, 90, 10], np.float32)
    heat[~seen], squares[~seen] = np.nan, np.nan
    tracks = tuple(
        FaceTrack(index, squares + (index - 1) * shift, seen.astype(np.float32), seen)
        for index in range(1, n_faces + 1)
    )
    return FaceEvidence(tracks[number - 1], heat, tracks[number - 1].boxes, tracks)


class FakeAnalyzer:
    """Walks through the stages and answers with the fake report; some names do other things.

    `noface...`: `NoFace`. `broken...`: an unexpected exception. `two...`: two faces. `quiet...`:
    no error stands out. `cuts...`: see `with_cuts`. `slow...`: takes a minute unless it is stopped.
    """

    info = ModelInfo("fake", "r1", "ab" * 32)

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s
        self.faces: list[int | None] = []

    def __call__(
        self, path, hook=ignore_progress, face=None, inspection=None, preview=None
    ) -> Report:
        name = Path(path).name
        self.faces.append(face)
        for stage in ("decode", "faces", "reconstruct", "discover"):
            steps = 4 if name.startswith("slow") and stage in ("decode", "faces") else None
            for done in range(steps or (600 if name.startswith("slow") else 4)):
                hook(stage, done, 4 if not name.startswith("slow") else 600)
                if preview and stage == "reconstruct":
                    preview(25 * (done % 4), 100, {"visual": np.ones(25), "audio": np.ones(25)})
                time.sleep(0.025 if name.startswith("slow") else self.pause_s)
            if stage == "faces" and name.startswith("noface"):
                raise NoFace(NO_FACE)
            if stage == "faces" and name.startswith("broken"):
                raise RuntimeError("tensor of unexpected shape")
        report = fake_report(path, 2 if name.startswith("two") else 1, face)
        if name.startswith("cuts"):
            report = with_cuts(report)
        if name.startswith("quiet"):
            report.evidence.heat[30:50] = 0.6
            report.sound.error[30:50] = 0.5
        if inspection is None:
            return report
        Path(inspection).mkdir(parents=True, exist_ok=True)
        return replace(report, inspection=write_inspection(Path(inspection), report))


class FakeModels:
    """A model source with one analyzer that is there at once. `info`: what it says of itself."""

    notice = ""

    def __init__(self, analyzer: Analyzer | None = None, info: ModelInfo | None = None) -> None:
        self.analyzer = analyzer or FakeAnalyzer()
        self.info = info

    def ready(self, picked: str = "") -> Analyzer:
        return self.analyzer
