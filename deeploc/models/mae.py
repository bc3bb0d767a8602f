"""The masked autoencoder (MAE): talking faces and their sound, rebuilt from what is left visible.

Trained on authentic clips only, it says two things about every hidden patch: what should be there,
and how large the miss usually is. So an observed miss can be surprising in both directions: too
large, or too small (forged content is often smoother than authentic content). What is too fine to
be rebuilt, the face at twice the resolution and the sound's linear spectrum, it only weighs: how
much there is, against how much should be ("detail").

It knows nothing about clips, labels, or what a surprise means: `deeploc.evidence` turns it into
evidence. The design is our own; RT-DeepLoc's abstract fixes only "MAE trained on authentic data".

Shapes: B windows, K steps a window (25 Hz), L = Lv + La patches (picture first), S steps a patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

REBUILT = ("value", "fine", "change")
BANDS = (*REBUILT, "detail")
ENERGY_FLOOR = 1e-5


@dataclass(frozen=True)
class MAEConfig:
    """Sizes of the MAE. Faces of `crop` pixels a side are averaged down to `face`, and cut into
    `patch` pixel squares over `tubelet` steps; the log-mel into patches of `mel_patch` bins over
    the same steps."""

    window: int = 16
    crop: int = 192
    face: int = 96
    patch: int = 16
    tubelet: int = 2
    mel_bins: int = 80
    mel_patch: int = 8
    mel_per_step: int = 4
    width: int = 192
    depth: int = 4
    heads: int = 4
    decoder_width: int = 128
    decoder_depth: int = 2

    @property
    def cells(self) -> int:
        """Patches along one side of the face."""
        return self.face // self.patch

    @property
    def slots(self) -> int:
        """Patches along time."""
        return self.window // self.tubelet

    @property
    def mel_rows(self) -> int:
        """Patches along frequency."""
        return self.mel_bins // self.mel_patch

    @property
    def visual_patches(self) -> int:
        return self.slots * self.cells**2

    @property
    def audio_patches(self) -> int:
        return self.slots * self.mel_rows


@dataclass(frozen=True)
class Patches:
    """Windows cut into patches: what the MAE sees, and what it is to expect.

    `faces (B, Lv, S, p, p, 3)`, `sound (B, La, S, f, m)`: normalised values; `face_detail
    (B, Lv, S)`: log energy of the Laplacian of the luma at the resolution of the crop;
    `sound_detail (B, La, S)`: spectral flatness.
    """

    faces: Tensor
    sound: Tensor
    face_detail: Tensor
    sound_detail: Tensor

    def only(self, wanted: Tensor) -> Patches:
        """The patches that `wanted (L,) bool` names."""
        picture, sound = torch.split(wanted, [self.faces.shape[1], self.sound.shape[1]])
        return Patches(
            self.faces[:, picture],
            self.sound[:, sound],
            self.face_detail[:, picture],
            self.sound_detail[:, sound],
        )


@dataclass(frozen=True)
class Reconstruction:
    """What the MAE expects at patches, hidden or not (only hidden ones mean anything); Lv and La
    count the ones that were asked for.

    `faces (B, Lv, S, p, p, 3)`, `sound (B, La, S, f, m)`: values, normalised like the targets;
    `face_energy (B, Lv, S, 4)`, `sound_energy (B, La, S, 4)`: expected log energy of the residual
    in each of `REBUILT`, and expected detail.
    """

    faces: Tensor
    sound: Tensor
    face_energy: Tensor
    sound_energy: Tensor


class Composite:
    """What the MAE rebuilt of a batch: every patch from the pass in which it was hidden.

    `faces (B, Lv, S, p, p, 3)`, `sound (B, La, S, f, m)`: normalised values, empty before the
    first pass.
    """

    def __init__(self) -> None:
        self.faces = self.sound = torch.empty(0)

    def take(self, patches: Patches, hidden: Tensor, expected: Reconstruction) -> None:
        """Keeps what is expected of those of the `patches` that `hidden (L,) bool` removed."""
        if not len(self.faces):
            self.faces = torch.zeros_like(patches.faces)
            self.sound = torch.zeros_like(patches.sound)
        picture, sound = torch.split(hidden, [self.faces.shape[1], self.sound.shape[1]])
        self.faces[:, picture] = expected.faces
        self.sound[:, sound] = expected.sound


class MAE(nn.Module):
    """Encoder over visible patches of picture and sound together, decoder over all of them."""

    mel_mean: Tensor
    mel_std: Tensor

    def __init__(self, config: MAEConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        face_values = c.tubelet * c.patch**2 * 3
        mel_values = c.tubelet * c.mel_per_step * c.mel_patch
        self.register_buffer("mel_mean", torch.zeros(c.mel_bins + c.mel_rows))
        self.register_buffer("mel_std", torch.ones(c.mel_bins + c.mel_rows))
        self.embed_faces = nn.Linear(face_values + c.tubelet, c.width)
        self.embed_sound = nn.Linear(mel_values + c.tubelet, c.width)
        patches = c.visual_patches + c.audio_patches
        self.position = nn.Parameter(torch.randn(patches, c.width) * 0.02)
        self.anchor = nn.Parameter(torch.randn(1, 1, c.width) * 0.02)
        self.encoder = _transformer(c.width, c.depth, c.heads)
        self.to_decoder = nn.Linear(c.width, c.decoder_width)
        self.missing = nn.Parameter(torch.randn(c.decoder_width) * 0.02)
        self.decoder_position = nn.Parameter(torch.randn(patches, c.decoder_width) * 0.02)
        self.decoder = _transformer(c.decoder_width, c.decoder_depth, c.heads)
        self.faces_head = nn.Linear(c.decoder_width, face_values)
        self.sound_head = nn.Linear(c.decoder_width, mel_values)
        self.face_energy_head = nn.Linear(c.decoder_width, c.tubelet * len(BANDS))
        self.sound_energy_head = nn.Linear(c.decoder_width, c.tubelet * len(BANDS))

    def targets(self, faces: Tensor, mel: Tensor) -> Patches:
        """Patches of `faces (B, K, crop, crop, 3) uint8` and `mel (B, 4K, M + rows)`, the log-mel
        and the flatness of as many bands as it has rows of patches, as `log_mel` gives them."""
        c = self.config
        assert faces.shape[1:] == (c.window, c.crop, c.crop, 3), faces.shape
        assert mel.shape[1:] == (c.window * c.mel_per_step, len(self.mel_mean)), mel.shape
        b, n, p = len(faces), c.cells, c.patch
        detail = self._detail(faces)
        x = _averaged(faces, c.crop // c.face).mul_(4 / 255).sub_(2)
        x = x.reshape(b, c.slots, c.tubelet, n, p, n, p, 3)
        x = x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(b, c.visual_patches, c.tubelet, p, p, 3)
        y = (mel - self.mel_mean) / self.mel_std
        y, flat = torch.split(y, [c.mel_bins, c.mel_rows], dim=-1)
        y = y.reshape(b, c.slots, c.tubelet, c.mel_per_step, c.mel_rows, c.mel_patch)
        y = y.permute(0, 1, 4, 2, 3, 5)
        y = y.reshape(b, c.audio_patches, c.tubelet, c.mel_per_step, c.mel_patch)
        flat = flat.reshape(b, c.slots, c.tubelet, c.mel_per_step, c.mel_rows).mean(3)
        flat = flat.transpose(2, 3).reshape(b, c.audio_patches, c.tubelet)
        return Patches(x, y, detail, flat)

    def views(self, composite: Composite) -> tuple[Tensor, Tensor]:
        """Back from patches to what people know: `(B, K, face, face, 3) uint8` RGB, and log-mel
        `(B, 4K, M)`."""
        c = self.config
        b, n, p = len(composite.faces), c.cells, c.patch
        x = composite.faces.reshape(b, c.slots, n, n, c.tubelet, p, p, 3)
        x = x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(b, c.window, c.face, c.face, 3)
        x = ((x * 0.25 + 0.5) * 255).round_().clamp_(0, 255).to(torch.uint8)
        y = composite.sound.reshape(b, c.slots, c.mel_rows, c.tubelet, c.mel_per_step, c.mel_patch)
        y = y.permute(0, 1, 3, 4, 2, 5).reshape(b, c.window * c.mel_per_step, c.mel_bins)
        return x, y * self.mel_std[: c.mel_bins] + self.mel_mean[: c.mel_bins]

    def _detail(self, faces: Tensor) -> Tensor:
        """`(B, K, crop, crop, 3) uint8` -> `(B, Lv, S)`: log energy of the Laplacian of the luma,
        patch by patch. Whole numbers as long as possible: a window has millions of pixels."""
        c = self.config
        luma = faces[..., 0].short() + faces[..., 1] + faces[..., 2]
        energy = (laplacian(luma).float() / (3 * 255 * 0.25)).square()
        energy = functional.avg_pool2d(energy, c.crop // c.cells, ceil_mode=True)
        detail = (log_energy(energy) + 4) / 2
        detail = detail.reshape(len(faces), c.slots, c.tubelet, c.cells**2)
        return detail.transpose(2, 3).reshape(len(faces), c.visual_patches, c.tubelet)

    def forward(self, patches: Patches, hidden: Tensor) -> Reconstruction:
        """`patches` as `targets` gives them; `hidden (B, L) bool`, True = removed."""
        return self.rebuild(self.embed(patches), hidden)

    def embed(self, patches: Patches) -> Tensor:
        """Tokens `(B, L, width)` of all patches, the same whatever will be hidden."""
        seen = torch.cat([patches.faces.flatten(2), patches.face_detail], dim=-1)
        heard = torch.cat([patches.sound.flatten(2), patches.sound_detail], dim=-1)
        tokens = torch.cat([self.embed_faces(seen), self.embed_sound(heard)], dim=1)
        return tokens + self.position

    def rebuild(
        self, tokens: Tensor, hidden: Tensor, wanted: Tensor | None = None
    ) -> Reconstruction:
        """What is expected where `wanted (L,) bool` says, everywhere by default."""
        c = self.config
        assert hidden.shape == tokens.shape[:2], (hidden.shape, tokens.shape)
        b, width = len(tokens), tokens.shape[-1]
        order = hidden.to(torch.uint8).argsort(dim=1, stable=True)
        kept = order[:, : int((~hidden).sum(1).max())]
        visible = tokens.gather(1, kept[:, :, None].expand(-1, -1, width))
        absent = hidden.gather(1, kept)
        absent = torch.cat([absent.new_zeros(b, 1), absent], dim=1)
        visible = torch.cat([self.anchor.expand(b, 1, -1), visible], dim=1)
        padding = absent if bool(absent.any()) else None
        encoded = self.to_decoder(self.encoder(visible, src_key_padding_mask=padding)[:, 1:])
        full = self.missing.to(encoded.dtype).expand(b, tokens.shape[1], -1)
        full = full.scatter(1, kept[:, :, None].expand(-1, -1, encoded.shape[-1]), encoded)
        full = torch.where(hidden[:, :, None], self.missing.to(encoded.dtype), full)
        decoded = self.decoder(full + self.decoder_position)
        picture, sound = torch.split(decoded, [c.visual_patches, c.audio_patches], dim=1)
        if wanted is not None:
            shown, played = torch.split(wanted, [c.visual_patches, c.audio_patches])
            picture, sound = picture[:, shown], sound[:, played]
        seen, heard = ((b, each.shape[1], c.tubelet) for each in (picture, sound))
        return Reconstruction(
            self.faces_head(picture).float().reshape(*seen, c.patch, c.patch, 3),
            self.sound_head(sound).float().reshape(*heard, c.mel_per_step, c.mel_patch),
            self.face_energy_head(picture).float().reshape(*seen, len(BANDS)),
            self.sound_energy_head(sound).float().reshape(*heard, len(BANDS)),
        )


def _transformer(width: int, depth: int, heads: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)


def _averaged(faces: Tensor, by: int) -> Tensor:
    """`(B, K, H, W, 3) uint8` -> `(B, K, H / by, W / by, 3) float32`."""
    summed = faces[:, :, ::by, ::by].short()
    for row, column in list(product(range(by), repeat=2))[1:]:
        summed = summed + faces[:, :, row::by, column::by]
    return summed.float() / by**2


def laplacian(luma: Tensor) -> Tensor:
    """`(..., H, W)` -> `(..., H - 2, W - 2)`."""
    return (
        4 * luma[..., 1:-1, 1:-1]
        - luma[..., :-2, 1:-1]
        - luma[..., 2:, 1:-1]
        - luma[..., 1:-1, :-2]
        - luma[..., 1:-1, 2:]
    )


def face_energies(patches: Tensor) -> Tensor:
    """Mean squares of face patches `(..., S, p, p, 3)` in each of `REBUILT`: `(..., S, 3)`.

    value: all channels; fine: Laplacian of the luma, inside the patch; change: difference of the
    luma between the steps of a patch.
    """
    red, green, blue = patches.unbind(-1)
    luma = (red + green + blue) / 3  # several times as fast as mean(-1)
    change = luma.diff(dim=-3).square().mean((-3, -2, -1))
    return torch.stack(
        [
            patches.square().mean((-3, -2, -1)),
            laplacian(luma).square().mean((-2, -1)),
            change[..., None].expand(luma.shape[:-2]),
        ],
        dim=-1,
    )


def sound_energies(patches: Tensor) -> Tensor:
    """Mean squares of sound patches `(..., S, f, m)` in each of `REBUILT`: `(..., S, 3)`.

    fine: second difference along frequency (harmonics); change: difference along time.
    """
    return torch.stack(
        [
            patches.square().mean((-2, -1)),
            patches.diff(n=2, dim=-1).square().mean((-2, -1)),
            patches.diff(dim=-2).square().mean((-2, -1)),
        ],
        dim=-1,
    )


def log_energy(energies: Tensor) -> Tensor:
    return torch.log(energies + ENERGY_FLOOR)


def missed(patches: Patches, expected: Reconstruction) -> tuple[Tensor, Tensor]:
    """What `Reconstruction` expects the size of, as it is: log energies of the residuals, and
    detail. `(B, Lv, S, 4)` of the picture, `(B, La, S, 4)` of the sound."""
    picture = log_energy(face_energies(patches.faces - expected.faces))
    sound = log_energy(sound_energies(patches.sound - expected.sound))
    return (
        torch.cat([picture, patches.face_detail[..., None]], dim=-1),
        torch.cat([sound, patches.sound_detail[..., None]], dim=-1),
    )


def hidden_tubes(config: MAEConfig) -> Tensor:
    """`(2, L) bool`: two complementary partitions, so that every patch is hidden once.

    Picture: a chequerboard of 2 x 2 patch blocks, hidden for the whole window (tubes: nothing can
    be copied from the step before); one holds the mouth. Sound: alternating blocks of two patches
    along time, all frequencies.
    """
    cell = torch.arange(config.cells) // 2
    face = ((cell[:, None] + cell[None, :]) % 2).bool().flatten().repeat(config.slots)
    slot = (torch.arange(config.slots) // 2 % 2).bool()
    sound = slot.repeat_interleave(config.mel_rows)
    first = torch.cat([face, sound])
    return torch.stack([first, ~first])


def hidden_streams(config: MAEConfig) -> Tensor:
    """`(2, L) bool`: all picture hidden, then all sound hidden: the cross-modal partitions."""
    picture = torch.zeros(config.visual_patches + config.audio_patches, dtype=torch.bool)
    picture[: config.visual_patches] = True
    return torch.stack([picture, ~picture])


def random_hidden(config: MAEConfig, windows: int, generator: torch.Generator) -> Tensor:
    """`(windows, L) bool` for training: tubes and sound blocks at random, a stream at times whole.

    About half of each stream is hidden; in a quarter of the windows one whole stream is.
    """
    blocks = (config.cells + 1) // 2
    cell = torch.arange(config.cells) // 2
    tube = torch.rand(windows, blocks, blocks, generator=generator) < 0.5
    face = tube[:, cell][:, :, cell].flatten(1).repeat(1, config.slots)
    gap = torch.rand(windows, (config.slots + 1) // 2, generator=generator) < 0.5
    sound = gap[:, torch.arange(config.slots) // 2].repeat_interleave(config.mel_rows, dim=1)
    chance = torch.rand(windows, generator=generator)
    face = face | (chance < 0.125)[:, None]
    sound = sound | ((chance >= 0.125) & (chance < 0.25))[:, None]
    return torch.cat([face, sound], dim=1)
