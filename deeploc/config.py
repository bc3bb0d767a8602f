"""The settings that shape a report. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field

from deeploc.timeline import Segment

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class PostprocessConfig:
    """Knobs of both outputs, times in seconds.

    `smoothing_s`: standard deviation of the Gaussian laid over the scores; candidates also come
    from `coarse_smoothing_s`. `merge_gap_s`, `min_length_s`: the timeline joins runs that are
    closer, and drops what is shorter. The rest shapes proposals: the thresholds that cut candidate
    runs (as a share of the clip's range, as quantiles of the clip, and absolute), the margin of the
    outer side as a share of the run, the width of the soft suppression (in IoU squared), and how
    many are kept.
    """

    smoothing_s: float = 0.08
    coarse_smoothing_s: float = 0.24
    merge_gap_s: float = 0.2
    min_length_s: float = 0.2
    min_proposal_s: float = 0.12
    range_thresholds: tuple[float, ...] = DECILES
    quantile_thresholds: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
    absolute_thresholds: tuple[float, ...] = DECILES
    margin: float = 0.5
    suppression: float = 0.5
    max_candidates: int = 2000
    max_proposals: int = 100


@dataclass(frozen=True)
class Settings:
    """What was asked of one analysis, beside the file and the checkpoint.

    `face`: number of the scored face. `part`: the seconds of the uploaded file that were cut out
    and analysed, None for all of it; times in the report count from its start. `device`: "cpu" or
    "cuda", where evidence is measured in bfloat16.
    """

    face: int | None = None
    part: Segment | None = None
    device: str = ""
    postprocess: PostprocessConfig = field(default_factory=PostprocessConfig)
