"""What a run found: one `Report`.

Nothing here computes a score, or knows how a report is shown or kept (`deeploc.report_files`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deeploc.calibration import Band, Calibration
from deeploc.config import Settings
from deeploc.curves import Curve
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import MediaInfo
from deeploc.scores import FrameScores, Stream
from deeploc.timeline import Segment


@dataclass(frozen=True)
class Localization:
    """A segment that is proposed as forged, in one stream, with its score (0..1)."""

    segment: Segment
    score: float
    stream: Stream


@dataclass(frozen=True)
class Unscored:
    """A segment that could not be scored, why, and in which stream ("fused": in both)."""

    segment: Segment
    reason: str
    stream: Stream = "fused"


@dataclass(frozen=True)
class ModelInfo:
    """Which checkpoint made the report: name, revision, and sha256 of the weights file."""

    name: str
    revision: str
    sha256: str


@dataclass(frozen=True)
class FaceEvidence:
    """Where the scored face is and which part of it is surprising.

    `track`: the scored face on the 25 Hz grid. `heat (T, R, C) float32`: calibrated surprise of
    each cell of the face crop, NaN where unscored. `crops (T, 4) float32`: the xyxy pixel square of
    the source picture that the cells divide evenly. `tracks`: every face that stayed.
    """

    track: FaceTrack
    heat: np.ndarray
    crops: np.ndarray
    tracks: tuple[FaceTrack, ...] = ()


@dataclass(frozen=True)
class SoundEvidence:
    """What was heard, what the MAE rebuilt of it, and which part of it is surprising.

    `mel (4T, 80) float16`: log-mel (natural logarithm of power), low to high; `rebuilt`: the same
    from the hidden patches, NaN where there was nothing to hear, None where nobody asked for it.
    `error (T, rows) float32`: calibrated surprise of each row of patches, NaN where unscored.
    `peaks (4T, 2) float16`: lowest and highest sample, -1..1.
    """

    mel: np.ndarray
    error: np.ndarray
    peaks: np.ndarray
    rebuilt: np.ndarray | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds of work a second of clip, in all and by stage."""

    seconds_per_second: float
    stages: dict[str, float]


@dataclass(frozen=True)
class Report:
    """Everything that a view may show of one clip.

    `band`: how much evidence of forgery `video_score` means for this checkpoint. `video_score` is
    None when too little could be scored. `proposals` are sorted by score and may overlap;
    `timeline` is disjoint: what a user sees, each interval with the peak of its score. `shots`
    follow one another and cover the picture, one where it has no cut; none if nobody looked.

    Where it comes from: `media.sha256` (the analysed file), `model` (the checkpoint), `version` (of
    DeepLoc) and `settings`.

    `evidence`, `sound`, `pts_s` (source frame times in seconds) and `inspection` (an mp4, original
    | reconstruction | error of the face, one frame a step) feed the viewer; JSON has none of them.
    """

    media: MediaInfo
    model: ModelInfo
    calibration: Calibration
    video_score: float | None
    band: Band
    timeline: tuple[Localization, ...]
    proposals: tuple[Localization, ...]
    scores: tuple[FrameScores, ...]
    unscored: tuple[Unscored, ...]
    warnings: tuple[str, ...]
    timing: Timing
    version: str = ""
    settings: Settings = field(default_factory=Settings)
    evidence: FaceEvidence | None = None
    pts_s: np.ndarray | None = None
    sound: SoundEvidence | None = None
    inspection: Path | None = None
    shots: tuple[Segment, ...] = ()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The definition of each kind of curve, in the order of the scores, with the marks of the
        fused stream where there is one."""
        found: dict[str, Curve] = {}
        for item in self.scores:
            if item.kind not in found or item.stream == "fused":
                found[item.kind] = item.curve
        return tuple(found.values())

    @property
    def deciding(self) -> FrameScores | None:
        """The curve that the timeline comes from: of both streams, else of one."""
        curves = [item for item in self.scores if item.curve.proposes]
        return next((item for item in curves if item.stream == "fused"), next(iter(curves), None))
