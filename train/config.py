"""The settings of each stage of training, as frozen dataclasses.

A configuration holds what decides the result of a run, and nothing else: where a run reads, writes
and computes is an argument of its command. Command lines are made from the fields and from the text
below each (`tyro`). `keep_config` saves a configuration beside its run and compares it when the run
is resumed. Nothing here imports a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro

Labels = Literal["clip", "streams", "frames"]
Inputs = Literal["all", "content", "error"]
Precision = Literal["auto", "bf16", "fp32"]
CachePath = Annotated[
    tyro.conf.Positional[Path], tyro.conf.arg(metavar="CACHE", help="folder made by extract")
]
RunPath = Annotated[
    tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="folder of the run's results")
]

UNKNOWN = "unknown"  # value of a field that one of two compared configurations lacks

Config = TypeVar("Config")


@dataclass(frozen=True)
class PretrainConfig:
    """What decides the masked autoencoder that `pretrain` leaves behind."""

    steps: int = 4000
    """steps of the optimizer"""
    batch: int = 16
    """windows of a step, over all ranks together"""
    lr: float = 8e-4
    """highest learning rate of the one-cycle schedule"""
    every: int = 100
    """steps between validations; the weights of the best one are kept"""
    validation_batches: int = 8
    """batches of authentic validation windows, always the same ones"""
    precision: Precision = "auto"
    """bf16 is autocast to bfloat16; auto takes it on CUDA alone"""
    tiny: bool = False
    """the smallest sizes of the network, for tests"""
    seed: int = 0
    """seed of weights, windows and hidden patches"""


@dataclass(frozen=True)
class LossConfig:
    """Which labels the discovery loss reads, and the weight of each of its terms; weight 0 switches
    a term off.

    Raises `ValueError` where no term would read clip labels.
    """

    labels: Labels = "clip"
    """one bit a clip, one bit a stream (as LAV-DF), or also which steps are forged"""
    guide: float = 0.25
    """quantile: MIL leaves out the steps of a forged clip whose cue is below it; 0 leaves out none.
    The cue of the picture is its reconstruction error, of the sound the vocoder lines"""
    symmetric: bool = False
    """AICL draws forged steps together, too"""
    mil: float = 1.0
    """multiple-instance learning of the fused head"""
    streams: float = 1.0
    """multiple-instance learning of the visual and the audio head"""
    frames: float = 10.0
    """cross-entropy of steps, with labels of frames only"""
    aicl: float = 0.1
    """asymmetric intra-video contrastive loss"""
    mtlr: float = 0.5
    """multi-task learning reinforcement: agreement of the three heads"""
    minority: float = 0.0
    """the lower half of every clip is authentic"""
    pseudo: float = 5.0
    """pseudo-labels of a second stage; not with labels of frames"""
    p2s: float = 0.0
    """MDP's kind of multiple-instance learning (P2SGrad)"""
    deviation: float = 0.0
    """MDP's deviation-perceiving term; theirs is 0.2"""
    cola: float = 0.0
    """CoLA's contrast of hard with easy steps; theirs is 0.01"""

    def __post_init__(self) -> None:
        if self.labels == "clip" and not (self.mil or self.streams or self.p2s):
            raise ValueError(
                "Nothing would be learnt from clip labels: give streams, mil or p2s a weight."
            )


LOSS_TERMS = (
    *("mil", "streams", "frames", "aicl", "mtlr", "minority", "pseudo"),
    *("p2s", "deviation", "cola"),
)


@dataclass(frozen=True)
class DiscoverConfig(LossConfig):
    """What decides the forgery discovery network that `discover` leaves behind."""

    inputs: Inputs = "content"
    """evidence the network reads: what the clip holds, how it was reconstructed, or both"""
    everyday: bool = True
    """clips under everyday changes are learnt from, too"""
    surroundings: bool = True
    """what is around the face is read, too"""
    epochs: int = 16
    """epochs of each stage"""
    batch: int = 32
    """clips of a step, over all ranks together"""
    lr: float = 2e-3
    """first learning rate of the cosine schedule"""
    weight_decay: float = 0.02
    """weight decay of AdamW"""
    longest: float = 120
    """seconds of a clip that a step reads at most"""
    precision: Precision = "auto"
    """bf16 is autocast to bfloat16; auto takes it on CUDA alone"""
    seed: int = 0
    """seed of weights, order, cuts and dropout"""


@dataclass(frozen=True)
class SourceConfig:
    """What the authentic clips of a corpus are cut into, and who is in which split."""

    seed: int = 0
    """seed of splits and choices, and of what is made from the sources"""
    clip_seconds: float = 7.0
    """longest piece of a clip, in seconds"""
    per_identity: int = 8
    """pieces of one person at most"""


@dataclass(frozen=True)
class VocoderConfig(SourceConfig):
    """What decides the neural vocoder that `vocoder` fits."""

    steps: int = 1600
    """steps of the optimizer"""
    lr: float = 1e-3
    """first learning rate of the encoder; a tenth of it is the generator's"""


def plain(config: Any) -> dict[str, Any]:
    """The fields of a configuration as JSON has them."""
    return json.loads(json.dumps(asdict(config), default=str))


def flags(config: Config, base: Config) -> str:
    """The options that turn `base` into `config` on a command line."""
    return " ".join(_flag(name, new) for name, _, new in _differences(plain(base), plain(config)))


def keep_config(
    path: Path,
    config: Any,
    begun: Path,
    data: str = "",
    data_name: str = "other clips or another autoencoder",
) -> None:
    """Save `config` at `path`; where `begun`, the state of an earlier start, exists, compare it.

    `data` is a digest of what the run is made from, and `data_name` says what may differ in it.
    Exits with a sentence that names every field that differs, both values, and what to do; a run
    never goes on with other settings.
    """
    asked: dict[str, Any] = {"config": plain(config), "data": data}
    if not begun.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_text(json.dumps(asked, indent=1) + "\n")
        partial.replace(path)
        return
    anew = f"choose another folder, or delete {begun.name} to start anew."
    if not path.exists():
        raise SystemExit(f"{begun} has no {path.name} beside it to compare with: {anew}")
    kept = json.loads(path.read_text())
    differing = _differences(kept["config"], asked["config"])
    if differing:
        said = ", ".join(f"{name} {old} (now {new})" for name, old, new in differing)
        both = [(name, old) for name, old, new in differing if UNKNOWN not in (old, new)]
        if len(both) == len(differing):
            anew = f"give {' '.join(_flag(*field) for field in both)} to resume, {anew}"
        raise SystemExit(f"{begun} was begun with other settings: {said}. To go on, {anew}")
    if kept["data"] != data:
        raise SystemExit(f"{begun} was begun on {data_name}: {anew}")


def _differences(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = dict.fromkeys((*asked, *kept))
    pairs = ((name, kept.get(name, UNKNOWN), asked.get(name, UNKNOWN)) for name in names)
    return [(name, old, new) for name, old, new in pairs if old != new]


def _flag(name: str, value: Any) -> str:
    """One field as an option of the command line."""
    word = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{word}" if value else f"--no-{word}"
    if isinstance(value, list):
        return " ".join([f"--{word}", *map(str, value)])
    return f"--{word} {value:g}" if isinstance(value, float) else f"--{word} {value}"
