"""What a run found: one `Report`, written as JSON (schema 1).

Nothing here computes a score or knows how a report is shown.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from deeploc.calibration import Calibration
from deeploc.faces.track import FaceTrack
from deeploc.media.clip import MediaInfo
from deeploc.scores import (
    FrameScores,
    Stream,
)
from deeploc.timeline import Segment

SCHEMA = 1


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

    `proposals` are sorted by score and may overlap; `timeline` is disjoint: what a user sees.
    `video_score` is None when too little could be scored. `calibration`, `evidence`, `sound`,
    `pts_s` (source frame times in seconds) and `inspection` (an mp4, original | reconstruction |
    error of the face, one frame a step) feed the viewer; but for `calibration` they are not part
    of the JSON.
    """

    media: MediaInfo
    model: ModelInfo
    calibration: Calibration
    video_score: float | None
    verdict: str
    timeline: tuple[Localization, ...]
    proposals: tuple[Localization, ...]
    scores: tuple[FrameScores, ...]
    unscored: tuple[Unscored, ...]
    warnings: tuple[str, ...]
    timing: Timing
    evidence: FaceEvidence | None = None
    pts_s: np.ndarray | None = None
    sound: SoundEvidence | None = None
    inspection: Path | None = None

    def to_dict(self) -> dict:
        """The report as plain data, JSON schema 1: seconds and scores rounded, NaN as None."""
        return {
            "schema": SCHEMA,
            "media": {**asdict(self.media), "duration_s": round(self.media.duration_s, 3)},
            "model": asdict(self.model),
            "video_score": None if self.video_score is None else round(self.video_score, 4),
            "verdict": self.verdict,
            "timeline": [_span(item.segment) | {"stream": item.stream} for item in self.timeline],
            "proposals": [_localization(item) for item in self.proposals],
            "scores": [_scores(item) for item in self.scores],
            "unscored": [
                _span(item.segment) | {"reason": item.reason, "stream": item.stream}
                for item in self.unscored
            ],
            "warnings": list(self.warnings),
            "timing": asdict(self.timing),
            "calibration": asdict(self.calibration),
        }


def _span(segment: Segment) -> dict:
    return {"start_s": round(segment.start, 3), "end_s": round(segment.end, 3)}


def _localization(item: Localization) -> dict:
    return _span(item.segment) | {"score": round(item.score, 4), "stream": item.stream}


def _scores(item: FrameScores) -> dict:
    values = [None if np.isnan(value) else round(float(value), 4) for value in item.values]
    return {
        "kind": item.kind,
        "stream": item.stream,
        "rate_hz": item.grid.rate_hz,
        "values": values,
    }
