"""The straight line: a path goes in, a `Report` comes out.

Each step is one call that can be made alone. Nothing here shows anything, and nothing here decides
what "high" means: the checkpoint's calibration does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from deeploc import __version__
from deeploc.analyzer import STAGES, ErrorPreview, ProgressHook, ignore_progress
from deeploc.calibration import UNCALIBRATED_MARKS, Calibration, heat_scale
from deeploc.checkpoints import load_checkpoint
from deeploc.config import Settings
from deeploc.errors import DeepLocError, NoFace
from deeploc.evidence import Evidence, error_scores, forgery_scores, measure_evidence
from deeploc.export.inspection import InspectionWriter, open_inspection
from deeploc.faces.crop import crop_squares
from deeploc.faces.detector import FaceDetector
from deeploc.faces.track import FaceTrack
from deeploc.faces.tracker import track_faces
from deeploc.media.clip import MAX_MINUTES, VIDEO_RATE_HZ, Clip, file_sha256, open_clip
from deeploc.media.shots import Shots, find_shots
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.postprocess import (
    FEWEST_SEEN,
    LEAST_SEEN,
    proposals_of,
    to_timeline,
    verdict_score,
)
from deeploc.preprocess.audio import MEL_BINS, waveform_peaks
from deeploc.preprocess.inputs import ModelInput, prepare, prepare_sound
from deeploc.preprocess.scorable import SCORABLE
from deeploc.report import (
    FaceEvidence,
    Localization,
    ModelInfo,
    Report,
    SoundEvidence,
    Timing,
    Unscored,
)
from deeploc.scores import FrameScores, Stream

SMALL_FACE_PX = 64
UNREADABLE = "unreadable"  # a picture that can't be decoded
PREVIEW_S = 2.88  # of the beginning of a clip: 8 windows
PREVIEW_FROM_S = 8.0  # shorter clips get no preview of their beginning


class Localizer:
    """`localizer(path) -> Report`: the `Analyzer` that runs a checkpoint in this process.

    `max_minutes`: longer clips are refused with `ClipTooLong`.
    """

    def __init__(
        self,
        model: RTDeepLoc,
        info: ModelInfo,
        device: str | torch.device = "cpu",
        max_minutes: float = MAX_MINUTES,
    ) -> None:
        self.model = model.eval().to(device)
        self.info = info
        self.max_minutes = max_minutes
        self.detector = FaceDetector(device)

    def to(self, device: str | torch.device) -> Localizer:
        """A localizer on another device, to which the model moves."""
        return Localizer(self.model, self.info, device, self.max_minutes)

    def __call__(
        self,
        path: str | Path,
        hook: ProgressHook = ignore_progress,
        face: int | None = None,
        inspection: str | Path | None = None,
        preview: ErrorPreview | None = None,
    ) -> Report:
        """Analyse the clip at `path`.

        `hook` hears of the progress. `face`: the number of the face to score, by default the
        longest-present largest one. `inspection`: a folder in which an mp4 of what the MAE rebuilt
        is kept. `preview` is shown the curve of errors as it grows. Raises `DeepLocError` with a
        sentence for the user.
        """
        timer = _StageTimer(hook)
        with timer.stage("decode"):
            clip = open_clip(path, self.max_minutes)
            clip = replace(clip, info=replace(clip.info, sha256=file_sha256(clip.path)))
        scaled = preview and self._relative_to_p95(preview)
        with timer.stage("faces"):
            if scaled and face is None and clip.info.duration_s > PREVIEW_FROM_S:
                self._preview_beginning(clip, scaled, timer.progress)
            shots = find_shots(clip)
            tracks = track_faces(clip, shots, self.detector, timer.progress)
            track = choose_face(tracks, face)
        with timer.stage("reconstruct"), self._open_inspection(inspection, clip, track) as views:
            given = self._prepare(clip, track, shots)
            evidence = self._measure(given, timer.progress, views, scaled)
        with timer.stage("discover"):
            forgery = forgery_scores(self.model, evidence)
        unscored, timing = _unscored(forgery, given), timer.timing(clip)
        report = self._report(clip, track, tracks, evidence, forgery, unscored, timing)
        report = replace(report, shots=shots.segments(clip.grid))
        sound = None if clip.audio is None else _sound(clip.audio, given.mel, evidence, views)
        return replace(report, sound=sound, inspection=views.path if views else None)

    def warm_up(self) -> None:
        """Does a first clip's work on nothing, so that no visitor waits for what happens once."""
        size, steps = self.model.mae.config.crop, self.model.mae.config.window
        heard, blank = np.ones(steps, bool), np.zeros((size, size, 3), np.uint8)
        silence = np.zeros(0, np.float32)
        sound = prepare_sound(silence, steps)
        measure_evidence(self.model, [blank] * steps, *sound, heard)
        self.detector([np.zeros((225, 400, 3), np.uint8)])

    def _prepare(self, clip: Clip, track: FaceTrack, shots: Shots) -> ModelInput:
        around = self.model.fdn.config.surroundings
        return prepare(clip, track, shots, self.model.mae.config.crop, around)

    def _measure(
        self,
        given: ModelInput,
        progress: Callable[[int, int], None],
        views: InspectionWriter | None = None,
        preview: ErrorPreview | None = None,
    ) -> Evidence:
        sound = given.mel, given.lines, given.heard
        return measure_evidence(
            self.model,
            given.faces,
            *sound,
            given.scenes,
            given.surroundings,
            progress,
            views,
            preview,
        )

    def _preview_beginning(
        self, clip: Clip, preview: ErrorPreview, progress: Callable[[int, int], None]
    ) -> None:
        """Shows the curve of the first seconds before the faces of the whole clip are looked for.

        It is not kept: faces are chosen, and tracks smoothed, with all of the clip in view.
        """
        beginning, n_frames = clip.beginning(PREVIEW_S), clip.grid.n_frames

        def no_progress(done: int, total: int) -> None:
            progress(0, n_frames)

        def preview_of_all(start: int, total: int, errors: dict[str, np.ndarray]) -> None:
            preview(start, n_frames, errors)

        with suppress(NoFace):
            shots = find_shots(beginning)
            track = track_faces(beginning, shots, self.detector, no_progress)[0]
            given = self._prepare(beginning, track, shots)
            self._measure(given, no_progress, preview=preview_of_all)

    def _relative_to_p95(self, preview: ErrorPreview) -> ErrorPreview:
        """A preview of plain errors, which hands them on as multiples of the authentic p95."""
        marks = self.model.calibration.error_marks

        def scaled(start: int, total: int, errors: dict[str, np.ndarray]) -> None:
            p95 = {stream: marks.get(stream, UNCALIBRATED_MARKS)[1] for stream in errors}
            preview(start, total, {key: values / p95[key] for key, values in errors.items()})

        return scaled

    def _open_inspection(
        self, folder: str | Path | None, clip: Clip, track: FaceTrack
    ) -> AbstractContextManager[InspectionWriter | None]:
        if folder is None:
            return nullcontext()
        name = f"{clip.path.stem}-{clip.info.sha256[:8]}-face{track.number}.mp4"
        scale = heat_scale(self.model.calibration.error_marks)
        return open_inspection(Path(folder) / name, clip.grid.n_frames, scale)

    def _report(
        self,
        clip: Clip,
        track: FaceTrack,
        tracks: list[FaceTrack],
        evidence: Evidence,
        forgery: dict[Stream, FrameScores],
        unscored: tuple[Unscored, ...],
        timing: Timing,
    ) -> Report:
        calibration = self.model.calibration
        score = verdict_score(forgery)
        scores = (
            *(_marked(item, calibration) for item in error_scores(evidence).values()),
            *forgery.values(),
        )
        side = self.model.mae.config.cells
        return Report(
            media=clip.info,
            model=self.info,
            calibration=calibration,
            video_score=score,
            band=calibration.band(score),
            timeline=() if score is None else _timeline(forgery, calibration.thresholds),
            proposals=proposals_of(scores),
            scores=scores,
            unscored=unscored,
            warnings=(*clip.warnings, *_warnings(track, tracks, forgery["visual"])),
            timing=timing,
            version=__version__,
            settings=Settings(face=track.number, device=self.detector.device.type),
            evidence=FaceEvidence(
                track=track,
                heat=evidence.face_error.reshape(-1, side, side),
                crops=crop_squares(track),
                tracks=tuple(tracks),
            ),
            pts_s=clip.pts_s,
        )


def load_localizer(
    checkpoint: str | Path | None = None,
    device: str = "auto",
    revision: str | None = None,
    max_minutes: float = MAX_MINUTES,
) -> Localizer:
    """Loads a checkpoint; by default the embedded one, on CUDA where there is one.

    `checkpoint`: a folder, or a Hub repository as `owner/name` or `owner/name@revision`; without
    one, the environment variable DEEPLOC_MODEL is asked first. `device`: "auto", "cpu", "cuda" or
    "cuda:N". `max_minutes`: longer clips are refused. Raises `BadCheckpoint`, and `DeepLocError`
    for a device that is not there.
    """
    model, info = load_checkpoint(checkpoint, revision)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return Localizer(model, info, device, max_minutes)
    except (RuntimeError, AssertionError) as error:
        raise DeepLocError(
            f"The device {device} can't be used here. Use --device cpu, or leave it away."
        ) from error


def choose_face(tracks: list[FaceTrack], number: int | None) -> FaceTrack:
    """The track with that number, or the first one. Raises `DeepLocError` if there is none such."""
    if number is None:
        return tracks[0]
    for track in tracks:
        if track.number == number:
            return track
    raise DeepLocError(f"There is no face {number} in this clip: choose from 1 to {len(tracks)}.")


def _marked(scores: FrameScores, calibration: Calibration) -> FrameScores:
    """The scores, with the percentiles of authentic clips as marks on their curve."""
    levels = calibration.error_marks.get(scores.stream, ())
    return replace(scores, curve=scores.curve.with_percentiles(levels))


def _timeline(
    forgery: dict[Stream, FrameScores], thresholds: dict[str, float]
) -> tuple[Localization, ...]:
    """Intervals of the fused score, each given to the stream whose own score stands out in it."""
    if not thresholds:
        return ()
    found = []
    for segment in to_timeline(forgery["fused"], thresholds["fused"]):
        start, end = forgery["fused"].grid.span(segment)
        peaks = {stream: _peak(scores.values[start:end]) for stream, scores in forgery.items()}
        streams: list[Stream] = ["visual", "audio"]
        above = [stream for stream in streams if peaks[stream] >= thresholds[stream]]
        stream = above[0] if len(above) == 1 else "fused"
        found.append(Localization(segment, peaks["fused"], stream))
    return tuple(found)


def _peak(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else -math.inf


def _sound(
    audio: np.ndarray, mel: np.ndarray, evidence: Evidence, views: InspectionWriter | None
) -> SoundEvidence:
    return SoundEvidence(
        mel=mel[:, :MEL_BINS].astype(np.float16),
        error=evidence.sound_error,
        peaks=waveform_peaks(audio).astype(np.float16),
        rebuilt=views.rebuilt_mel.astype(np.float16) if views else None,
    )


def _unscored(forgery: dict[Stream, FrameScores], given: ModelInput) -> tuple[Unscored, ...]:
    """Runs of unscored steps, each with its reason: that of the nearest step which has one."""
    found = []
    streams: list[Stream] = ["visual", "audio"]
    for stream, reasons in zip(streams, (given.picture_reasons, given.sound_reasons), strict=True):
        scores = forgery[stream]
        told = np.flatnonzero(reasons != SCORABLE)
        unscored = np.flatnonzero(~scores.scored)
        if len(told):
            nearest = told[np.rint(np.interp(unscored, told, np.arange(len(told)))).astype(int)]
            reasons = reasons.copy()
            reasons[unscored] = reasons[nearest]
        else:
            reasons = np.full(len(reasons), UNREADABLE)
        for reason in np.unique(reasons[unscored]):
            here = ~scores.scored & (reasons == reason)
            found += [Unscored(part, str(reason), stream) for part in scores.grid.runs(here)]
    return tuple(sorted(found, key=lambda item: (item.stream != "visual", item.segment)))


def _warnings(track: FaceTrack, tracks: list[FaceTrack], picture: FrameScores) -> Iterator[str]:
    if len(tracks) > 1:
        yield (
            f"{len(tracks)} faces stay in this clip; face {track.number} was scored. "
            "Pick another one to score it."
        )
    seen = int(picture.scored.sum())
    if seen < FEWEST_SEEN:
        yield (
            f"The face could be scored for only {seen / VIDEO_RATE_HZ:.1f} s: too short for a "
            f"verdict, which takes {FEWEST_SEEN / VIDEO_RATE_HZ:.0f} s."
        )
    elif seen < LEAST_SEEN * len(picture.values):
        share = seen / len(picture.values)
        yield f"The face could be scored in only {share:.0%} of the clip: too little for a verdict."
    if track.height < SMALL_FACE_PX:
        yield (
            f"The face is only {track.height:.0f} pixels high; traces of forgery may be lost. "
            "Use the clip in its original size if you can."
        )


class _StageTimer:
    """Seconds of each stage, and progress of the one that runs."""

    def __init__(self, hook: ProgressHook) -> None:
        self._hook = hook
        self._seconds: dict[str, float] = {}
        self._stage = STAGES[0]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._stage = name
        self._hook(name, 0, 1)
        begin = time.perf_counter()
        yield
        self._seconds[name] = time.perf_counter() - begin
        self._hook(name, 1, 1)

    def progress(self, done: int, total: int) -> None:
        self._hook(self._stage, done, total)

    def timing(self, clip: Clip) -> Timing:
        stages = {
            name: round(seconds / clip.info.duration_s, 4)
            for name, seconds in self._seconds.items()
        }
        return Timing(round(sum(stages.values()), 4), stages)
