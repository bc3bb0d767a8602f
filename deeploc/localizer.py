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
from typing import Protocol

import numpy as np
import torch

from deeploc.audio import (
    MEL_BINS,
    waveform_peaks,
)
from deeploc.calibration import (
    UNCALIBRATED_MARKS,
    heat_scale,
)
from deeploc.checkpoints import load_checkpoint
from deeploc.errors import (
    DeepLocError,
    NoFace,
)
from deeploc.evidence import (
    Evidence,
    error_scores,
    forgery_scores,
    measure_evidence,
)
from deeploc.export.inspection import (
    InspectionWriter,
    open_inspection,
)
from deeploc.faces.crop import crop_squares
from deeploc.faces.detector import FaceDetector
from deeploc.faces.track import FaceTrack
from deeploc.faces.tracker import track_faces
from deeploc.media.clip import (
    Clip,
    file_sha256,
    open_clip,
)
from deeploc.models.rt_deeploc import RTDeepLoc
from deeploc.postprocess import (
    clip_score,
    to_proposals,
    to_timeline,
)
from deeploc.preprocess import (
    ModelInput,
    prepare,
    prepare_sound,
)
from deeploc.report import (
    FaceEvidence,
    Localization,
    ModelInfo,
    Report,
    SoundEvidence,
    Timing,
    Unscored,
)
from deeploc.scores import (
    FrameScores,
    Stream,
)

STAGES = ("decode", "faces", "reconstruct", "discover")
MIN_SEEN_SHARE = 0.5
SMALL_FACE_PX = 64
GLIMPSE_S = 2.88  # 8 windows
LONG_S = 8.0


class Hook(Protocol):
    """Called as `hook(stage, completed, total)`; it may raise `Cancelled` to stop the run."""

    def __call__(self, stage: str, completed: int, total: int) -> None: ...


class Preview(Protocol):
    """Called as `preview(start, total, errors)` with the finished steps from `start` of `total`.

    `errors`: stream -> `(n,)` error as a multiple of the authentic p95, NaN where unscored.
    """

    def __call__(self, start: int, total: int, errors: dict[str, np.ndarray]) -> None: ...


def silent(stage: str, completed: int, total: int) -> None:
    """The hook that does nothing."""


class Localizer:
    """`localizer(path, hook, face) -> Report`: finds the forged intervals of one clip."""

    def __init__(
        self, model: RTDeepLoc, info: ModelInfo, device: str | torch.device = "cpu"
    ) -> None:
        self.model = model.eval().to(device)
        self.info = info
        self.detector = FaceDetector(device)

    def on(self, device: str | torch.device) -> Localizer:
        """The same model on another device, to which it moves."""
        return Localizer(self.model, self.info, device)

    def __call__(
        self,
        path: str | Path,
        hook: Hook = silent,
        face: int | None = None,
        inspection: str | Path | None = None,
        preview: Preview | None = None,
    ) -> Report:
        """Analyse the clip at `path`; `face` is the number of the face to score (default: the
        longest-present largest one). In the folder `inspection`, if given, what the MAE rebuilt is
        kept as an mp4. `preview` is shown the curve of errors as it grows. Raises `DeepLocError`
        with a sentence for the user."""
        watch = _Stopwatch(hook)
        with watch.stage("decode"):
            clip = open_clip(path)
            clip = replace(clip, info=replace(clip.info, sha256=file_sha256(clip.path)))
        early = preview and self._against_usual(preview)
        with watch.stage("faces"):
            if early and face is None and clip.info.duration_s > LONG_S:
                self._glimpse(clip, early, watch.progress)
            tracks = track_faces(clip, self.detector, watch.progress)
            track = choose_face(tracks, face)
        with watch.stage("reconstruct"), self._inspected(inspection, clip, track) as views:
            given = prepare(clip, track, self.model.mae.config.crop)
            evidence = self._measure(given, watch.progress, views, early)
        with watch.stage("discover"):
            forgery = forgery_scores(self.model, evidence)
        report = self._report(clip, track, tracks, evidence, forgery, watch.timing(clip))
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

    def _measure(
        self,
        given: ModelInput,
        progress: Callable[[int, int], None],
        views: InspectionWriter | None = None,
        preview: Preview | None = None,
    ) -> Evidence:
        sound = given.mel, given.lines, given.heard
        return measure_evidence(self.model, given.faces, *sound, progress, views, preview)

    def _glimpse(self, clip: Clip, preview: Preview, progress: Callable[[int, int], None]) -> None:
        """Shows the curve of the first seconds before the faces of the whole clip are looked for.

        It is not kept: faces are chosen, and tracks smoothed, with all of the clip in view.
        """
        beginning, n_frames = clip.beginning(GLIMPSE_S), clip.grid.n_frames

        def stopped(done: int, total: int) -> None:
            progress(0, n_frames)

        def early(start: int, total: int, errors: dict[str, np.ndarray]) -> None:
            preview(start, n_frames, errors)

        with suppress(NoFace):
            track = track_faces(beginning, self.detector, stopped)[0]
            given = prepare(beginning, track, self.model.mae.config.crop)
            self._measure(given, stopped, preview=early)

    def _against_usual(self, preview: Preview) -> Preview:
        """Errors -> multiples of the authentic p95, the scale on which `preview` is told."""
        marks = self.model.calibration.error_marks

        def early(start: int, total: int, errors: dict[str, np.ndarray]) -> None:
            usual = {stream: marks.get(stream, UNCALIBRATED_MARKS)[1] for stream in errors}
            preview(start, total, {key: values / usual[key] for key, values in errors.items()})

        return early

    def _inspected(
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
        timing: Timing,
    ) -> Report:
        calibration = self.model.calibration
        seen = float(evidence.seen.mean())
        score = clip_score(forgery["fused"]) if seen >= MIN_SEEN_SHARE else None
        proposals = [item for scores in forgery.values() for item in to_proposals(scores)]
        side = self.model.mae.config.cells
        return Report(
            media=clip.info,
            model=self.info,
            calibration=calibration,
            video_score=score,
            verdict=calibration.verdict(score),
            timeline=() if score is None else _timeline(forgery, calibration.thresholds),
            proposals=tuple(sorted(proposals, key=lambda item: -item.score)),
            scores=(*error_scores(evidence).values(), *forgery.values()),
            unscored=_unscored(forgery, clip),
            warnings=(*clip.warnings, *_warnings(track, tracks, seen)),
            timing=timing,
            evidence=FaceEvidence(
                track=track,
                heat=evidence.face_error.reshape(-1, side, side),
                crops=crop_squares(track),
                tracks=tuple(tracks),
            ),
            pts_s=clip.pts_s,
        )


def load_localizer(
    checkpoint: str | Path | None = None, device: str = "auto", revision: str | None = None
) -> Localizer:
    """The localizer on a checkpoint (see `load_checkpoint`), on CUDA where there is one.

    `device`: "auto", "cpu", "cuda" or "cuda:N". Raises `BadCheckpoint`, and
    `DeepLocError` for a device that is not there.
    """
    model, info = load_checkpoint(checkpoint, revision)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return Localizer(model, info, device)
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


def _unscored(forgery: dict[Stream, FrameScores], clip: Clip) -> tuple[Unscored, ...]:
    sound = "no sound" if clip.info.has_audio else "the file has no sound"
    return (
        *(Unscored(part, "no usable face", "visual") for part in forgery["visual"].unscored),
        *(Unscored(part, sound, "audio") for part in forgery["audio"].unscored),
    )


def _warnings(track: FaceTrack, tracks: list[FaceTrack], seen: float) -> Iterator[str]:
    if len(tracks) > 1:
        yield (
            f"{len(tracks)} faces stay in this clip; face {track.number} was scored. "
            "Pick another one to score it."
        )
    if seen < MIN_SEEN_SHARE:
        yield f"The face could be scored in only {seen:.0%} of the clip: too little for a verdict."
    if track.height < SMALL_FACE_PX:
        yield (
            f"The face is only {track.height:.0f} pixels high; traces of forgery may be lost. "
            "Use the clip in its original size if you can."
        )


class _Stopwatch:
    """Seconds of each stage, and progress of the one that runs."""

    def __init__(self, hook: Hook) -> None:
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
