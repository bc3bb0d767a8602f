"""The masked autoencoder of aligned faces: talking faces and their sound, rebuilt from a part.

Trained on authentic clips only. Eyes and mouth are always in the same place (see
`deeploc.faces.alignment`), so it looks at them more closely than at the rest: the square is cut
into 8 x 8 cells, seen at half the resolution; those of the mouth and the eyes are seen at the full
one, in four patches each. Of every hidden patch it says what should be there, and how large the
miss usually is, in each of four bands (`BANDS`): the values, their high frequencies, their change
from step to step, and `detail`, which it only weighs (as `deeploc.models.mae` does).

The encoder sees the visible patches of picture and sound together; the decoder asks it about each
hidden one (cross-attention alone, as CrossMAE has it, arXiv 2401.14391), so that what isn't asked
for costs nothing. It knows nothing about clips, labels, or what a surprise means.

Shapes: B windows, K steps a window (25 Hz), C cells, R rows of sound, L = Lv + La patches (picture
first, then sound; time before place), S steps a patch, V visible and Q wanted patches.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.nn import functional

from deeploc.models.hearing import ROW_BINS, SOUND_BINS, SOUND_ROWS, Hearing
from deeploc.models.mae import BANDS, REBUILT, laplacian, log_energy

SIDE, GRID, PATCH = 192, 8, 12  # pixels of the square; cells a side; values along a patch
CELL = SIDE // GRID
MOUTH = [(row, column) for row in (5, 6) for column in (2, 3, 4, 5)]
EYES = [(3, column) for column in (2, 3, 4, 5)]
ROW_BLOCKS, COLUMN_BLOCKS = (0, 1, 1, 2, 2, 3, 3, 4), (0, 0, 1, 1, 1, 1, 2, 2)
PER_STEP = 4  # rows of sound features a step


@dataclass(frozen=True)
class AlignedConfig:
    """Sizes. A patch of the picture lasts `tubelet` steps, one of the sound `sound_tubelet`."""

    window: int = 16
    tubelet: int = 4
    sound_tubelet: int = 2
    width: int = 256
    depth: int = 6
    heads: int = 4
    decoder_width: int = 192
    decoder_depth: int = 3

    @property
    def slots(self) -> int:
        """Patches of the picture along time."""
        return self.window // self.tubelet

    @property
    def sound_slots(self) -> int:
        return self.window // self.sound_tubelet

    @property
    def visual_patches(self) -> int:
        return self.slots * len(PLACES)

    @property
    def audio_patches(self) -> int:
        return self.sound_slots * SOUND_ROWS


def _places() -> list[tuple[int, int, int]]:
    fine = [*MOUTH, *EYES]
    coarse = [(r * CELL, c * CELL, CELL) for r in range(GRID) for c in range(GRID)
              if (r, c) not in fine]  # fmt: skip
    return coarse + [
        (row * CELL + y, column * CELL + x, PATCH)
        for row, column in fine
        for y in (0, PATCH)
        for x in (0, PATCH)
    ]


PLACES = _places()  # of every cell and fine patch: top, left, side in pixels of the square
COARSE = GRID**2 - len(MOUTH) - len(EYES)
MOUTH_PLACES = range(COARSE, COARSE + 4 * len(MOUTH))
EYE_PLACES = range(MOUTH_PLACES.stop, MOUTH_PLACES.stop + 4 * len(EYES))


@dataclass(frozen=True)
class AlignedPatches:
    """Windows cut into patches: what the autoencoder sees, and what it is to expect.

    `faces (B, Lv, S, 3, 12, 12)`, `sound (B, La, S', 4, 16)`: normalised values; `face_detail (B,
    Lv, S)`: log energy of the Laplacian of the luma at full resolution; `sound_detail (B, La, S')`:
    spectral flatness.
    """

    faces: Tensor
    sound: Tensor
    face_detail: Tensor
    sound_detail: Tensor


@dataclass(frozen=True)
class Expected:
    """What is expected at the wanted patches: `faces (B, Qv, S, 3, 12, 12)`, `sound (B, Qa, S', 4,
    16)`: values; `face_energy (B, Qv, S, 4)`, `sound_energy (B, Qa, S', 4)`: log energy of the
    residual in each of `REBUILT`, and detail."""

    faces: Tensor
    sound: Tensor
    face_energy: Tensor
    sound_energy: Tensor


class Attention(nn.Module):
    """Of `queries (B, Q, width)` on `keys (B, V, from_width)`; `absent (B, V) bool` are ignored."""

    def __init__(self, width: int, heads: int, from_width: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.to_query = nn.Linear(width, width)
        self.to_key_value = nn.Linear(from_width or width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, absent: Tensor | None = None) -> Tensor:
        b, q, width = queries.shape
        query = self.to_query(queries).view(b, q, self.heads, -1).transpose(1, 2)
        key, value = (
            each.view(b, keys.shape[1], self.heads, -1).transpose(1, 2)
            for each in self.to_key_value(keys).chunk(2, dim=-1)
        )
        present = None if absent is None else ~absent[:, None, None]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=present)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(b, q, width))
        return out


class Block(nn.Module):
    """A transformer block; with `from_width` it attends to other tokens than its own."""

    def __init__(self, width: int, heads: int, from_width: int | None = None) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attention = Attention(width, heads, from_width)
        self.between = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(
        self, tokens: Tensor, absent: Tensor | None = None, source: Tensor | None = None
    ) -> Tensor:
        normed = self.before(tokens)
        seen = normed if source is None else source
        tokens = tokens + self.attention(normed, seen, absent)
        tokens = tokens + self.mlp(self.between(tokens))
        return tokens


class Position(nn.Module):
    """Learnt embeddings of time and place `(L, width)`, picture first."""

    def __init__(self, config: AlignedConfig, width: int) -> None:
        super().__init__()
        sizes = (config.slots, len(PLACES), config.sound_slots, SOUND_ROWS)
        self.time, self.place, self.sound_time, self.row = (
            nn.Parameter(torch.randn(size, width) * 0.02) for size in sizes
        )

    def forward(self) -> Tensor:
        picture = self.time[:, None] + self.place
        sound = self.sound_time[:, None] + self.row
        return torch.cat([picture.flatten(0, 1), sound.flatten(0, 1)])


AnyModel = TypeVar("AnyModel")  # what the mixin asks for


class AlignedMAE(nn.Module, PyTorchModelHubMixin, library_name="deeploc", tags=["deepfake"]):
    """The autoencoder; `config`: fields of `AlignedConfig` as plain data.

    `AlignedMAE.from_pretrained(folder)` loads, `save_pretrained(folder)` writes.
    """

    sound_mean: Tensor
    sound_std: Tensor

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.config = c = AlignedConfig(**(config or {}))
        face_values, sound_values = c.tubelet * 3 * PATCH**2, c.sound_tubelet * PER_STEP * ROW_BINS
        self.hearing = Hearing()
        self.register_buffer("sound_mean", torch.zeros(SOUND_BINS + SOUND_ROWS))
        self.register_buffer("sound_std", torch.ones(SOUND_BINS + SOUND_ROWS))
        self.embed_faces = nn.Linear(face_values + c.tubelet, c.width)
        self.embed_sound = nn.Linear(sound_values + c.sound_tubelet, c.width)
        self.position = Position(c, c.width)
        self.anchor = nn.Parameter(torch.randn(1, 1, c.width) * 0.02)
        self.encoder = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.depth))
        self.encoded = nn.LayerNorm(c.width)
        self.decoder_position = Position(c, c.decoder_width)
        self.missing = nn.Parameter(torch.randn(c.decoder_width) * 0.02)
        self.decoder = nn.ModuleList(
            Block(c.decoder_width, c.heads, c.width) for _ in range(c.decoder_depth)
        )
        self.decoded = nn.LayerNorm(c.decoder_width)
        self.faces_head = nn.Linear(c.decoder_width, face_values)
        self.sound_head = nn.Linear(c.decoder_width, sound_values)
        self.face_energy_head = nn.Linear(c.decoder_width, c.tubelet * len(BANDS))
        self.sound_energy_head = nn.Linear(c.decoder_width, c.sound_tubelet * len(BANDS))

    @classmethod
    def _load_as_pickle(
        cls, model: AnyModel, model_file: str, map_location: str, strict: bool
    ) -> AnyModel:
        """What the mixin falls back to; pickles can run anything."""
        raise ValueError("This repository holds no model.safetensors, and nothing else is loaded.")

    @staticmethod
    def plain(config: AlignedConfig) -> dict[str, Any]:
        return asdict(config)

    def targets(self, faces: Tensor, waves: Tensor) -> AlignedPatches:
        """Patches of `faces (B, K, 3, 192, 192) uint8` and `waves (B, 640 K + 512)` at 16 kHz, of
        which the first and the last 256 samples are surroundings."""
        c = self.config
        assert faces.shape[1:] == (c.window, 3, SIDE, SIDE), faces.shape
        values, detail = cut_faces(faces, c.tubelet)
        sound, flatness = self.hear(waves)
        return AlignedPatches(values, sound, detail, flatness)

    def hear(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """The sound's part of `targets`: `(B, La, S', 4, 16)` values, `(B, La, S')` flatness."""
        c = self.config
        sound = torch.cat(self.hearing(waves), dim=-1)
        assert sound.shape[1] == c.window * PER_STEP, sound.shape
        sound = (sound - self.sound_mean) / self.sound_std
        bands, flat = torch.split(sound, [SOUND_BINS, SOUND_ROWS], dim=-1)
        b = len(sound)
        bands = bands.reshape(b, c.sound_slots, c.sound_tubelet, PER_STEP, SOUND_ROWS, ROW_BINS)
        bands = bands.permute(0, 1, 4, 2, 3, 5).flatten(1, 2)
        flat = flat.reshape(b, c.sound_slots, c.sound_tubelet, PER_STEP, SOUND_ROWS).mean(3)
        return bands, flat.transpose(2, 3).flatten(1, 2)

    def embed(self, patches: AlignedPatches) -> Tensor:
        """Tokens `(B, L, width)` of all patches, the same whatever will be hidden."""
        seen = torch.cat([patches.faces.flatten(2), patches.face_detail], dim=-1)
        heard = torch.cat([patches.sound.flatten(2), patches.sound_detail], dim=-1)
        tokens = torch.cat([self.embed_faces(seen), self.embed_sound(heard)], dim=1)
        places: Tensor = self.position()
        return tokens + places

    def encode(self, tokens: Tensor, visible: Tensor, absent: Tensor | None = None) -> Tensor:
        """`(B, 1 + V, width)`: an anchor and the patches `visible (B, V)` names, of which those
        that are `absent (B, V) bool` are not looked at."""
        seen = tokens.gather(1, visible[:, :, None].expand(-1, -1, tokens.shape[-1]))
        seen = torch.cat([self.anchor.to(seen.dtype).expand(len(seen), 1, -1), seen], dim=1)
        absent = None if absent is None else functional.pad(absent, (1, 0))
        for block in self.encoder:
            seen = block(seen, absent)
        encoded: Tensor = self.encoded(seen)
        return encoded

    def decode(
        self, encoded: Tensor, pictures: Tensor, sounds: Tensor, absent: Tensor | None = None
    ) -> Expected:
        """What is expected at the patches `pictures (B, Qv)` and `sounds (B, Qa)`, as places among
        those of their own stream."""
        c = self.config
        asked = torch.cat([pictures, sounds + c.visual_patches], dim=1)
        queries = self.missing + self.decoder_position()[asked]
        absent = None if absent is None else functional.pad(absent, (1, 0))
        for block in self.decoder:
            queries = block(queries, absent, encoded)
        queries = self.decoded(queries)
        shown, played = torch.split(queries, [pictures.shape[1], sounds.shape[1]], dim=1)
        seen = (*pictures.shape, c.tubelet)
        heard = (*sounds.shape, c.sound_tubelet)
        return Expected(
            self.faces_head(shown).reshape(*seen, 3, PATCH, PATCH),
            self.sound_head(played).reshape(*heard, PER_STEP, ROW_BINS),
            self.face_energy_head(shown).reshape(*seen, len(BANDS)),
            self.sound_energy_head(played).reshape(*heard, len(BANDS)),
        )


def cut_faces(faces: Tensor, tubelet: int) -> tuple[Tensor, Tensor]:
    """`(B, K, 3, 192, 192) uint8` -> values `(B, Lv, S, 3, 12, 12)`, normalised, and the log energy
    of the Laplacian of the luma at full resolution `(B, Lv, S)`."""
    b, k = faces.shape[:2]
    x = faces.flatten(0, 1)
    # half precision is finer than a grey value; bfloat16, with its three digits, is not
    x = x.to(torch.float16 if x.is_cuda else torch.float32).mul_(4 / 255).sub_(2)
    whole = _grid(functional.avg_pool2d(x, 2), PATCH)
    fine = [_grid(_region(x, region), PATCH) for region in (MOUTH, EYES)]
    coarse = [r * GRID + c for r in range(GRID) for c in range(GRID)
              if (r, c) not in MOUTH and (r, c) not in EYES]  # fmt: skip
    orders = [_fine_order(region) for region in (MOUTH, EYES)]
    parts = [whole[:, coarse], *(each[:, order] for each, order in zip(fine, orders, strict=True))]
    values = torch.cat(parts, dim=1)  # (B K, C, 3, 12, 12)
    energy = laplacian(x.mean(1)).square()
    energy = functional.pad(energy, (1, 1, 1, 1))[:, None]
    large = functional.avg_pool2d(energy, CELL).flatten(1)[:, coarse]
    small = [
        functional.avg_pool2d(_region(energy, region), PATCH).flatten(1)[:, order]
        for region, order in zip((MOUTH, EYES), orders, strict=True)
    ]
    detail = (log_energy(torch.cat([large, *small], dim=1).float()) + 4) / 2
    places = values.shape[1]
    values = values.reshape(b, k // tubelet, tubelet, places, 3, PATCH, PATCH).transpose(2, 3)
    detail = detail.reshape(b, k // tubelet, tubelet, places).transpose(2, 3)
    return values.flatten(1, 2), detail.flatten(1, 2)


def paste_faces(values: Tensor, config: AlignedConfig) -> Tensor:
    """The way back: `(B, Lv, S, 3, 12, 12)` -> `(B, K, 3, 192, 192) uint8`."""
    b = len(values)
    x = values.float().reshape(b, config.slots, len(PLACES), config.tubelet, 3, PATCH, PATCH)
    x = x.transpose(2, 3).flatten(0, 2)
    canvas = x.new_zeros(len(x), 3, SIDE, SIDE)
    for index, (top, left, side) in enumerate(PLACES):
        patch = functional.interpolate(x[:, index], size=side) if side != PATCH else x[:, index]
        canvas[:, :, top : top + side, left : left + side] = patch
    canvas = ((canvas + 2) * (255 / 4)).round_().clamp_(0, 255).to(torch.uint8)
    return canvas.reshape(b, config.window, 3, SIDE, SIDE)


def _region(x: Tensor, cells: list[tuple[int, int]]) -> Tensor:
    rows, columns = [row for row, _ in cells], [column for _, column in cells]
    return x[
        ...,
        min(rows) * CELL : (max(rows) + 1) * CELL,
        min(columns) * CELL : (max(columns) + 1) * CELL,
    ]


def _grid(x: Tensor, side: int) -> Tensor:
    """`(N, 3, H, W)` -> `(N, H / side * W / side, 3, side, side)`."""
    n, channels, height, width = x.shape
    x = x.reshape(n, channels, height // side, side, width // side, side)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, channels, side, side)


def _fine_order(cells: list[tuple[int, int]]) -> list[int]:
    """Where in a region's grid of fine patches those of each cell lie, in the order of `PLACES`."""
    top, left = min(row for row, _ in cells), min(column for _, column in cells)
    across = 2 * (max(column for _, column in cells) + 1 - left)
    return [
        (2 * (row - top) + y) * across + 2 * (column - left) + x
        for row, column in cells
        for y in (0, 1)
        for x in (0, 1)
    ]


def face_energies(patches: Tensor) -> Tensor:
    """Mean squares of `(..., S, 3, 12, 12)` in each of `REBUILT`: `(..., S, 3)`."""
    luma = patches.mean(-3)
    return torch.stack(
        [
            patches.square().mean((-3, -2, -1)),
            laplacian(luma).square().mean((-2, -1)),
            _between(luma.diff(dim=-3).square().mean((-2, -1))),
        ],
        dim=-1,
    )


def sound_energies(patches: Tensor) -> Tensor:
    """Mean squares of `(..., S, 4, 16)` in each of `REBUILT`: `(..., S, 3)`; fine: the second
    difference along frequency; change: the difference along time."""
    return torch.stack(
        [
            patches.square().mean((-2, -1)),
            patches.diff(n=2, dim=-1).square().mean((-2, -1)),
            patches.diff(dim=-2).square().mean((-2, -1)),
        ],
        dim=-1,
    )


def _between(changes: Tensor) -> Tensor:
    """`(..., S - 1)` changes between steps -> `(..., S)`: the mean of those before and after."""
    return (
        torch.cat([changes[..., :1], changes], dim=-1)
        + torch.cat([changes, changes[..., -1:]], dim=-1)
    ) / 2


def missed_faces(values: Tensor, detail: Tensor, expected: Tensor) -> Tensor:
    """What `Expected.face_energy` expects the size of, as it is: `(..., S, 4)`."""
    energy = log_energy(face_energies(values.float() - expected.float()))
    return torch.cat([energy, detail[..., None].float()], dim=-1)


def missed_sound(values: Tensor, flatness: Tensor, expected: Tensor) -> Tensor:
    """The same of the sound."""
    energy = log_energy(sound_energies(values.float() - expected.float()))
    return torch.cat([energy, flatness[..., None].float()], dim=-1)


def surprises(
    mae: AlignedMAE, patches: AlignedPatches, hidden: Tensor, absent: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """What is missed minus what was expected to be, with each patch hidden once: `(B, Lv, S, 4)` of
    the picture, `(B, La, S', 4)` of the sound. `hidden (P, L) bool`: complementary partitions;
    `absent (L,) bool`: patches that are never seen, the sound of a silent file for instance."""
    c = mae.config
    b = len(patches.faces)
    tokens = mae.embed(patches)
    in_picture = patches.face_detail.new_zeros(*patches.face_detail.shape, len(BANDS))
    in_sound = patches.sound_detail.new_zeros(*patches.sound_detail.shape, len(BANDS))
    for partition in hidden:
        picture, sound = torch.split(partition, [c.visual_patches, c.audio_patches])
        visible = ~partition if absent is None else ~(partition | absent)
        seen, shown, played = (each.nonzero()[:, 0] for each in (visible, picture, sound))
        encoded = mae.encode(tokens, seen.expand(b, -1))
        expected = mae.decode(encoded, shown.expand(b, -1), played.expand(b, -1))
        faces = missed_faces(patches.faces[:, shown], patches.face_detail[:, shown], expected.faces)
        heard = missed_sound(
            patches.sound[:, played], patches.sound_detail[:, played], expected.sound
        )
        in_picture[:, shown] = faces - expected.face_energy.float()
        in_sound[:, played] = heard - expected.sound_energy.float()
    return in_picture, in_sound


def partitions(config: AlignedConfig) -> Tensor:
    """`(2, L) bool`, True = hidden: two complementary partitions, so that every patch is hidden
    once. Picture: a chequerboard of blocks through all of the window, one of which is the mouth and
    another, in the other partition, eyes and nose. Sound: alternating blocks of two patches along
    time, all rows."""
    blocks = [
        (ROW_BLOCKS[top // CELL] + COLUMN_BLOCKS[left // CELL]) % 2 == 0 for top, left, _ in PLACES
    ]
    picture = torch.tensor(blocks).repeat(config.slots)
    slot = (torch.arange(config.sound_slots) // 2 % 2).bool()
    first = torch.cat([picture, slot.repeat_interleave(SOUND_ROWS)])
    return torch.stack([first, ~first])


def streams(config: AlignedConfig) -> Tensor:
    """`(2, L) bool`: all picture hidden, then all sound."""
    picture = torch.arange(config.visual_patches + config.audio_patches) < config.visual_patches
    return torch.stack([picture, ~picture])


assert len(REBUILT) + 1 == len(BANDS)
