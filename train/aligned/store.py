"""A cache of aligned faces held in the memory of the device that trains, and windows out of it.

Pictures are decoded once and stay as bytes; a window is cut out when it is needed. Also here: what
is hidden of a window in training. Nothing here knows about networks, losses or schedules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deeploc.models.aligned_mae import (
    CELL,
    COARSE,
    EYE_PLACES,
    GRID,
    MOUTH_PLACES,
    PLACES,
    AlignedConfig,
    partitions,
)
from deeploc.models.hearing import EDGE_SAMPLES, SOUND_ROWS
from train.aligned.cache import SIDE, STEP_SAMPLES, Piece, read_faces, read_index, read_sound
from train.aligned.variation import HISTORY_SAMPLES

BEFORE = HISTORY_SAMPLES + EDGE_SAMPLES
PAUSE = BEFORE + EDGE_SAMPLES  # samples of silence between pieces


@dataclass(frozen=True)
class Starts:
    """Where windows may begin: `frames (N,)` and `samples (N,)` in the store, `sounding (N,) bool`,
    and how often each is drawn, `weights (N,)`: a person with few windows has each more often."""

    frames: Tensor
    samples: Tensor
    sounding: Tensor
    weights: Tensor
    people: list[str]

    def draw(self, count: int, quiet: bool = False) -> Tensor:
        """`(count,)` places among them, with `quiet` also such without sound."""
        weights = self.weights if quiet else self.weights * self.sounding
        return torch.multinomial(weights, count, replacement=True)

    def spread(self, per_person: int) -> Tensor:
        """Places of windows with sound, evenly over the people and their time; always the same."""
        heard = np.flatnonzero(self.sounding.cpu().numpy())
        names = np.array(self.people)[heard]
        chosen = []
        for person in np.unique(names):
            own = heard[names == person]
            chosen.append(own[np.linspace(0, len(own) - 1, per_person).round().astype(int)])
        return torch.from_numpy(np.concatenate(chosen)).to(self.weights.device)


class Store:
    """Decoded pieces of one split: `faces (F, 3, 208, 208) uint8` and `sound (S,) int16`, one after
    the other, and the `Starts` of talking faces and of speech."""

    def __init__(self, cache: Path, split: str, window: int, device: torch.device) -> None:
        pieces = read_index(cache, split)
        self.device, self.window = device, window
        seen = [piece for piece in pieces if piece.picture]
        steps = sum(piece.steps for piece in seen)
        self.faces = torch.empty(steps, 3, SIDE, SIDE, dtype=torch.uint8, device=device)
        begins = np.cumsum([0, *(piece.steps for piece in seen)]).tolist()

        def load(piece: Piece, begin: int) -> None:
            frames = torch.from_numpy(read_faces(cache, piece)).to(device)
            self.faces[begin : begin + piece.steps] = frames.permute(0, 3, 1, 2)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(load, seen, begins[:-1]))
        parts, sample = [np.zeros(PAUSE, np.int16)], PAUSE
        first_sample = {}
        for piece in pieces:
            first_sample[piece.file] = sample
            quiet = np.zeros(piece.steps * STEP_SAMPLES, np.int16)
            parts += [read_sound(cache, piece) if piece.sound else quiet, np.zeros(PAUSE, np.int16)]
            sample += piece.steps * STEP_SAMPLES + PAUSE
        self.sound = torch.from_numpy(np.concatenate(parts)).to(device)
        first_frame = {piece.file: begin for piece, begin in zip(seen, begins[:-1], strict=True)}
        self.talking = self._starts(seen, first_frame, first_sample)
        spoken = [piece for piece in pieces if not piece.picture]
        self.speech = self._starts(spoken, {}, first_sample)

    def _starts(
        self, pieces: list[Piece], frames: dict[str, int], samples: dict[str, int]
    ) -> Starts:
        rows, people = [], []
        for piece in pieces:
            for step in range(piece.steps - self.window + 1):
                begin = samples[piece.file] + step * STEP_SAMPLES
                rows.append((frames.get(piece.file, 0) + step, begin, piece.sound))
                people.append(piece.identity)
        count = Counter(people)
        weights = torch.tensor([count[name] ** -0.6 for name in people], device=self.device)
        table = torch.tensor(rows, dtype=torch.long, device=self.device).reshape(-1, 3)
        return Starts(table[:, 0], table[:, 1], table[:, 2].bool(), weights, people)

    def pictures(
        self, starts: Tensor, times: Callable[[Tensor, int], Tensor] | None = None
    ) -> Tensor:
        """`(B, K, 3, 208, 208) uint8` from the frames `starts (B,)` on; `times` says which."""
        every = torch.arange(self.window, device=self.device)
        return self.faces[times(starts, self.window) if times else starts[:, None] + every]

    def waves(self, samples: Tensor) -> Tensor:
        """`(B, HISTORY_SAMPLES + 640 K + 512) float32`: sound of windows and what is around it."""
        length = BEFORE + self.window * STEP_SAMPLES + EDGE_SAMPLES
        every = torch.arange(length, device=self.device) - BEFORE
        return self.sound[samples[:, None] + every].float() / 32768


@dataclass(frozen=True)
class Hidden:
    """What of B windows the encoder sees and what the decoder is asked: `visible (B, V)` patches,
    `pictures (B, Qv)` and `sounds (B, Qa)`, the last two as places within their stream."""

    visible: Tensor
    pictures: Tensor
    sounds: Tensor


KINDS = ("half", "most", "picture", "sound")
KIND_CHANCES = (0.4, 0.3, 0.15, 0.15)
HIDDEN_SHARES = {"half": 0.5, "most": 0.72}
ASKED_PICTURES, ASKED_SOUNDS = 96, 32


def draw_hidden(config: AlignedConfig, kind: str, windows: int, device: torch.device) -> Hidden:
    """Hidden patches of training, all windows with as many.

    half, most: blocks of the picture through all of the window (nothing can be copied from the step
    before), often all of the mouth, the eyes, or one of `partitions`, and half of the sound in
    blocks; picture, sound: a whole stream (of the other, half may be seen). Of what is hidden the
    decoder is asked a random part.
    """
    c, b = config, windows
    if kind == "picture":
        sounds = torch.arange(c.audio_patches, device=device).expand(b, -1)
        asked = _some(torch.rand(b, c.visual_patches, device=device), ASKED_PICTURES)
        return Hidden(sounds + c.visual_patches, asked, sounds[:, :0])
    cells = _order_of_cells(c, b, device)
    hidden = round(HIDDEN_SHARES.get(kind, 0.5) * len(PLACES))
    gone, left = _patches(cells[:, :hidden], c), _patches(cells[:, hidden:], c)
    if kind == "sound":
        asked = torch.arange(c.audio_patches, device=device).expand(b, -1)
        return Hidden(left, asked[:, :0], _sample(asked, ASKED_SOUNDS))
    pairs = torch.rand(b, c.sound_slots // 2, device=device).argsort(1)
    halves = [_sound_patches(half) for half in pairs.chunk(2, dim=1)]
    visible = torch.cat([left, halves[1] + c.visual_patches], dim=1)
    return Hidden(visible, _sample(gone, ASKED_PICTURES), _sample(halves[0], ASKED_SOUNDS))


def draw_hidden_speech(config: AlignedConfig, windows: int, device: torch.device) -> Hidden:
    """The same of speech without a picture."""
    pairs = torch.rand(windows, config.sound_slots // 2, device=device).argsort(1)
    gone, left = (_sound_patches(half) for half in pairs.chunk(2, dim=1))
    return Hidden(left + config.visual_patches, gone[:, :0], _sample(gone, ASKED_SOUNDS))


def hide(config: AlignedConfig, hidden: Tensor, windows: int) -> Hidden:
    """The `Hidden` of `hidden (L,) bool`, the same for all windows, everything hidden asked for."""
    picture, sound = hidden.split([config.visual_patches, config.audio_patches])
    named = ((~hidden).nonzero()[:, 0], picture.nonzero()[:, 0], sound.nonzero()[:, 0])
    return Hidden(*(each.expand(windows, -1) for each in named))


def hidden_region(config: AlignedConfig, places: range) -> Tensor:
    """`(L,) bool`: the mouth (`MOUTH_PLACES`) or the eyes, through all of the window; all the rest
    of the picture and the sound are visible."""
    cells = torch.zeros(len(PLACES), dtype=torch.bool)
    cells[list(places)] = True
    return torch.cat([cells.repeat(config.slots), torch.zeros(config.audio_patches).bool()])


def _order_of_cells(config: AlignedConfig, b: int, device: torch.device) -> Tensor:
    """`(B, C)`: cells, those to be hidden first."""
    rows = torch.tensor([top // CELL for top, _, _ in PLACES], device=device)
    columns = torch.tensor([left // CELL for _, left, _ in PLACES], device=device)
    offset = torch.randint(0, 2, (b, 2, 1), device=device)
    blocks = GRID // 2 + 1
    block = (rows + offset[:, 0]) // 2 * blocks + (columns + offset[:, 1]) // 2
    score = torch.rand(b, blocks**2, device=device).gather(1, block)
    score = score + 0.1 * torch.rand(b, len(PLACES), device=device)
    chance = torch.rand(b, 1, device=device)
    place = torch.arange(len(PLACES), device=device)
    mouth = (place >= MOUTH_PLACES.start) & (place < MOUTH_PLACES.stop)
    eyes = (place >= EYE_PLACES.start) & (place < EYE_PLACES.stop)
    first = partitions(config)[0, : len(PLACES)].to(device)
    score = score + 2 * (mouth & (chance < 0.3)) + 2 * (eyes & (chance > 0.2) & (chance < 0.42))
    score = score + 2 * (first & (chance > 0.5) & (chance < 0.6))
    score = score + 2 * (~first & (chance > 0.6) & (chance < 0.7))
    return score.argsort(1, descending=True)


def _patches(cells: Tensor, config: AlignedConfig) -> Tensor:
    """Cells `(B, n)` -> all patches of theirs in a window, `(B, slots * n)`."""
    slots = torch.arange(config.slots, device=cells.device) * len(PLACES)
    return (cells[:, None] + slots[:, None]).flatten(1)


def _sound_patches(pairs: Tensor) -> Tensor:
    """Pairs of slots `(B, n)` -> their patches of sound, `(B, 2 * n * rows)`."""
    every = torch.arange(2 * SOUND_ROWS, device=pairs.device)
    return (pairs[:, :, None] * len(every) + every).flatten(1)


def _some(scores: Tensor, count: int) -> Tensor:
    return scores.argsort(1)[:, :count]


def _sample(places: Tensor, count: int) -> Tensor:
    """A random part of each row."""
    scores = torch.rand(places.shape, device=places.device)
    return places.gather(1, _some(scores, count))


assert COARSE + len(MOUTH_PLACES) + len(EYE_PLACES) == len(PLACES)
