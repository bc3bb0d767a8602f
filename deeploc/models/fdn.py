"""The forgery discovery network (FDN): evidence of every step -> forgery scores of every step.

It sees the whole clip and only ever relative to itself: a partial forgery is an outlier among the
steps of its own scene, or in sound of the clip. Cells of the face are averaged over five zones and
rows of the mel over three bands, so that a network trained on few people does not memorise them.
Vocoders leave traces that are finer than a mel band, so their spectral lines are an input, too
(`deeploc.preprocess.audio.vocoder_lines`). It knows nothing about pixels, seconds or how the
evidence was measured.

Shapes: B clips, T steps (25 Hz), L cells or rows, V evidence values each, D values a step, R frame
rates of vocoders.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

MIN_SPREAD = 0.01
AROUND = 2 * 8 + 2  # what is around a face, signed and two-sided, and which of it there is


@dataclass(frozen=True)
class FDNConfig:
    """`visual`, `audio`: evidence values a step; `depth` blocks with dilations 1, 2, 4...

    `inputs`: which evidence is an input: "content" (vocoder lines, and of the `values` of every
    zone the first `content`, which do not depend on a reconstruction), "error" (the other values)
    or "all". The error guides MIL in training (`candidates`); as an input it lowered the scores.
    `surroundings`: whether what is around the face is an input, too.
    `one_head`: the heads on picture and sound were not trained (neither MIL of streams nor MTLR was
    in the loss), so the fused head gives the scores of all three.
    """

    visual: int
    audio: int
    width: int = 32
    depth: int = 2
    dropout: float = 0.3
    inputs: str = "content"
    values: int = 12
    content: int = 4
    surroundings: bool = False
    one_head: bool = False


@dataclass(frozen=True)
class FDNOutput:
    """`logits (B, T, 3)` of the three heads, on the picture, the sound and both; `embedding
    (B, T, W)` of both, for contrastive losses."""

    logits: Tensor
    embedding: Tensor


class FDN(nn.Module):
    """One temporal convolution network a stream, and one over both."""

    used_visual: Tensor
    used_audio: Tensor
    level: Tensor
    spread: Tensor

    def __init__(self, config: FDNConfig) -> None:
        super().__init__()
        self.config = config
        around = AROUND if config.surroundings else 0
        self.visual = _Stream(2 * config.visual + around, config)
        self.line_filter = LineFilter()
        self.audio = _Stream(2 * config.audio + len(LineFilter.SPREADS), config)
        self.fused = _Stream(2 * config.width, config)
        used = torch.cat([_used(config.visual, config), torch.ones(AROUND)])
        self.register_buffer("used_visual", used, persistent=False)
        self.register_buffer("used_audio", _used(config.audio, config), persistent=False)
        self.visual_head = nn.Linear(config.width, 1)
        self.audio_head = nn.Linear(config.width, 1)
        self.fused_head = nn.Linear(config.width, 1)
        self.register_buffer("level", torch.zeros(3))
        self.register_buffer("spread", torch.ones(3))

    def forward(
        self, visual: Tensor, audio: Tensor, lines: Tensor, seen: Tensor, heard: Tensor
    ) -> FDNOutput:
        """`visual (B, T, 2 Dv + 18)`, `audio (B, T, 2 Da)`, `lines (B, T, R)`: `picture_input`,
        `sound_input` and `lines_input`; `seen`, `heard (B, T) bool`. Logits of unseen or unheard
        steps are undefined."""
        used = self.used_visual[: self.visual.embed.in_features]
        picture = self.visual(visual[..., : len(used)] * used, seen)
        lined = self.line_filter(lines, heard)
        if self.config.inputs == "error":
            lined = lined * 0
        sound = self.audio(torch.cat([audio * self.used_audio, lined], dim=-1), heard)
        both = self.fused(torch.cat([picture, sound], dim=-1), seen | heard)
        logits = torch.cat(
            [self.visual_head(picture), self.audio_head(sound), self.fused_head(both)], dim=-1
        )
        return FDNOutput(logits, both)

    def scores(self, logits: Tensor, seen: Tensor, heard: Tensor) -> Tensor:
        """`(B, T, 3)` 0..1 in the order visual, audio, fused, of the heads' logits.

        Each is 0.5 at the head's `level` and counts in its `spread`, which bring the streams to one
        scale (`set_scale`). A step is forged if either stream is: the fused score is `either` of
        theirs. The fused head only supervises them in training, by MIL and MTLR: on validation
        clips it ranked steps worse than they do.
        """
        scores = ((logits - self.level) / self.spread).sigmoid()
        if self.config.one_head:
            return scores[..., 2:].expand_as(scores)
        return torch.cat([scores[..., :2], either(scores, seen, heard)[..., None]], dim=-1)

    def set_scale(self, column: int, median: float, high: float) -> None:
        """Score 0.5 for the logit `high` of a head (0 visual, 1 audio, 2 fused), and the distance
        to the `median` as unit, both of steps of authentic training clips."""
        self.level[column] = high
        self.spread[column] = max(high - median, MIN_SPREAD)


def _used(evidence: int, config: FDNConfig) -> Tensor:
    """`(2 D,)` 1 for each value of a stream that is an input, 0 for the others."""
    content = torch.arange(evidence) % config.values < config.content
    used = {"all": content | True, "content": content, "error": ~content}[config.inputs]
    return used.repeat(2).float()


class LineFilter(nn.Module):
    """Lines `(B, T, R)`, `heard (B, T) bool` -> `(B, T, 2)`: their Gaussian means over time, about
    0.3 and 0.6 s long, in units of their noise, and of either the largest over frame rates.

    It has no trained weights, so it prefers neither a vocoder of the training clips nor a rate.
    """

    kernels: Tensor

    SPREADS = (3.0, 6.0)  # standard deviations, in steps
    NOISE = 2.0  # of independent lines, as neighbouring windows share most of their sound
    MOST_EACH, MOST = 3.0, (-1.0, 4.0)

    def __init__(self) -> None:
        super().__init__()
        step = torch.arange(-18.0, 19.0)
        bells = [torch.exp(-0.5 * (step / spread) ** 2) for spread in self.SPREADS]
        kernels = [bell / bell.norm() / self.NOISE for bell in bells]
        self.register_buffer("kernels", torch.stack(kernels)[:, None], persistent=False)

    def forward(self, lines: Tensor, heard: Tensor) -> Tensor:
        clips, steps, rates = lines.shape
        known = lines.clamp(-self.MOST_EACH, self.MOST_EACH) * heard[:, :, None]
        apart = known.transpose(1, 2).reshape(clips * rates, 1, steps)
        found = functional.conv1d(apart, self.kernels, padding=18)
        largest = found.reshape(clips, rates, len(self.SPREADS), steps).amax(1)
        return largest.clamp(*self.MOST).transpose(1, 2) * heard[:, :, None]


class _Stream(nn.Module):
    def __init__(self, features: int, config: FDNConfig) -> None:
        super().__init__()
        self.embed = nn.Linear(features, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            _Block(config.width, 2**level, config.dropout) for level in range(config.depth)
        )

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        gate = valid[:, None].to(x.dtype)
        h: Tensor = self.embed(self.dropout(x)).transpose(1, 2) * gate
        for block in self.blocks:
            h = block(h, gate)
        return h.transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.spread = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, gate: Tensor) -> Tensor:
        """`h (B, W, T)`; `gate (B, 1, T)` keeps absent steps at zero: they reach nothing."""
        known = self.norm(h.transpose(1, 2)).transpose(1, 2) * gate
        mixed: Tensor = self.dropout(self.mix(functional.gelu(self.spread(known))))
        return (h + mixed) * gate


def either(scores: Tensor, seen: Tensor, heard: Tensor) -> Tensor:
    """`(B, T)` the larger of the picture's and the sound's `scores (B, T, 2 or more)`, of what is
    seen and heard; 0 where neither is."""
    known = torch.stack([seen, heard], dim=-1)
    return scores[..., :2].masked_fill(~known, 0).amax(-1)


def picture_input(
    evidence: Tensor,
    seen: Tensor,
    scenes: Tensor | None = None,
    surroundings: Tensor | None = None,
) -> Tensor:
    """`(B, T, 36, V)` evidence, `seen (B, T) bool`, `scenes (B, T) int` and `surroundings
    (B, T, 2, 4)` -> `(B, T, 2 D + 18)`, the FDN's visual input."""
    zones = (FACE_ZONES.to(evidence) @ evidence).flatten(2)
    if surroundings is None:
        surroundings = zones.new_full((*seen.shape, 2, 4), torch.nan)
    there = ~surroundings[..., -1].isnan() & seen[..., None]
    parts = [
        relative_to_usual(zones, seen, scenes),
        relative_to_usual(surroundings.flatten(2), seen, scenes),
        there.to(zones),
    ]
    return torch.cat(parts, dim=-1)


def sound_input(evidence: Tensor, heard: Tensor) -> Tensor:
    """`(B, T, 10, V)` evidence, `heard (B, T) bool` -> `(B, T, 2 D)`, the FDN's audio input."""
    return relative_to_usual((SOUND_ZONES.to(evidence) @ evidence).flatten(2), heard)


def lines_input(lines: Tensor, heard: Tensor) -> Tensor:
    """`(B, T, R)` lines, `heard (B, T) bool` -> the same minus their median over the clip, which a
    constant hum would raise."""
    known = torch.where(heard[:, :, None], lines, torch.nan)
    return (known - known.nanmedian(dim=1, keepdim=True).values).nan_to_num(0.0).clamp(-6, 6)


def _face_zones() -> Tensor:
    """`(5, 36)`: means over the edges, the forehead, the eyes, the nose, the mouth of a crop."""
    zones = torch.zeros(5, 6, 6)
    zones[0, :, [0, 5]] = 1
    for zone, rows in enumerate(((0, 1), (1, 3), (3, 4), (4, 6)), start=1):
        zones[zone, slice(*rows), 1:5] = 1
    return zones.flatten(1) / zones.sum((1, 2))[:, None]


def _sound_zones() -> Tensor:
    """`(3, 10)`: means over the low, the middle and the high rows of the mel."""
    zones = torch.zeros(3, 10)
    for zone, (start, end) in enumerate(((0, 3), (3, 7), (7, 10))):
        zones[zone, start:end] = 1 / (end - start)
    return zones


FACE_ZONES, SOUND_ZONES = _face_zones(), _sound_zones()


def relative_to_usual(x: Tensor, valid: Tensor, scenes: Tensor | None = None) -> Tensor:
    """Evidence `(B, T, D)` minus what is usual, signed and two-sided.

    Usual is the median over the valid steps of the same scene, `scenes (B, T) int`, or of the clip.
    Returns `(B, T, 2 D)`: the deviation and its magnitude, clipped at 6, zero where not valid.
    """
    known = torch.where(valid[:, :, None], x, torch.nan)
    if scenes is None:
        usual = known.nanmedian(dim=1, keepdim=True).values
    else:
        usual = torch.full_like(known, torch.nan)
        for scene in torch.unique(scenes):
            inside = (scenes == scene)[:, :, None]
            own = torch.where(inside, known, torch.nan).nanmedian(dim=1, keepdim=True).values
            usual = torch.where(inside, own, usual)
    deviation = (known - usual).nan_to_num(0.0).clamp(-6, 6)
    return torch.cat([deviation, deviation.abs()], dim=-1)
