"""Variation without end: windows of faces and sound as other cameras and rooms would have them.

All of it is what may happen to an authentic clip, it lasts for a whole window, and it runs on the
device that trains. Pictures and sound keep their time. Each change is laid over a random part of a
batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from deeploc.models.aligned_mae import SIDE
from deeploc.models.hearing import EDGE_SAMPLES, RATE_HZ

HISTORY_SAMPLES = 4800  # of sound before a window, for its reverberation
FFT = 16384


def centred(faces: Tensor) -> Tensor:
    """`(B, K, 3, H, W) uint8` -> its square in the middle, as it is."""
    margin = (faces.shape[-1] - SIDE) // 2
    return faces[..., margin : margin + SIDE, margin : margin + SIDE].contiguous()


def varied_faces(faces: Tensor) -> Tensor:
    """`(B, K, 3, H, W) uint8` -> `(B, K, 3, SIDE, SIDE) uint8`."""
    b, k = faces.shape[:2]
    device = faces.device
    x = _placed(faces)
    kind = torch.float16 if faces.is_cuda else torch.float32
    x = x.to(kind).reshape(b, k, 3, SIDE, SIDE)
    for change, share in ((_rescaled, 0.15), (_rescaled, 0.15), (_sharpened, 0.1)):
        part = _part(b, share)
        x[part] = change(x[part])
    x = _coloured(x)
    for change, share in (
        (_lit, 0.3),
        (_dimmed, 0.1),
        (_noisy, 0.4),
        (_compressed, 0.25),
        (_rescaled, 0.1),
        (_covered, 0.06),
    ):
        part = _part(b, share)
        x[part] = change(x[part])
    assert x.device == device
    return x.round_().clamp_(0, 255).to(torch.uint8)


def varied_times(starts: Tensor, length: int) -> Tensor:
    """First frames `(B,)` -> the frames `(B, K)` of every step. A few windows have half the frame
    rate, or a picture that stands still from some step on."""
    b, device = len(starts), starts.device
    steps = torch.arange(length, device=device).expand(b, -1)
    chance = torch.rand(b, 1, device=device)
    stop = torch.randint(2, length, (b, 1), device=device)
    steps = torch.where(chance < 0.06, steps // 2 * 2, steps)
    steps = torch.where(chance > 0.98, torch.minimum(steps, stop), steps)
    return starts[:, None] + steps


def varied_waves(waves: Tensor) -> Tensor:
    """`(B, HISTORY_SAMPLES + S) float32` -> `(B, S)`: sound in other rooms, through other
    microphones."""
    b, device = len(waves), waves.device
    level = waves.square().mean(1, keepdim=True).sqrt() + 1e-5
    babble = waves.roll(1, 0) / level.roll(1, 0) * level * _decibels(-26, -8, b, device)
    waves = waves + babble * _some(b, 0.15, device)
    spectrum = torch.fft.rfft(waves, FFT)
    spectrum = spectrum * _equaliser(b, device) * _room(b, device)
    noise = torch.randn(b, FFT, device=device)
    hertz = torch.linspace(0, RATE_HZ / 2, FFT // 2 + 1, device=device)
    slope = torch.empty(b, 1, device=device).uniform_(-1.0, 0.3)
    tint = ((hertz + 100) / 1000) ** slope
    noise_spectrum = torch.fft.rfft(noise) * tint
    loud = torch.fft.irfft(noise_spectrum, FFT)
    loud = loud / (loud.square().mean(1, keepdim=True).sqrt() + 1e-5)
    result = torch.fft.irfft(spectrum, FFT)[:, : waves.shape[1]]
    added = level * _decibels(-45, -8, b, device) * _some(b, 0.6, device)
    result = result + loud[:, : waves.shape[1]] * added
    result = result * _decibels(-14, 8, b, device)
    hard = _some(b, 0.05, device)
    limit = 1.5 * level
    result = torch.where(hard > 0, result.clamp(-limit, limit), result)
    return result[:, HISTORY_SAMPLES:].clamp(-1, 1)


def plain_waves(waves: Tensor) -> Tensor:
    """The same window, unvaried."""
    return waves[:, HISTORY_SAMPLES:]


def _part(b: int, share: float) -> slice:
    """A random run of a batch; runs of different changes overlap as they fall."""
    size = min(b, max(1, round(b * share)))
    start = int(torch.randint(0, b - size + 1, (1,)))
    return slice(start, start + size)


def _uniform(low: float, high: float, shape: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.empty(shape, device=like.device, dtype=torch.float32).uniform_(low, high)


def _placed(faces: Tensor) -> Tensor:
    """Mirrored, moved, turned, scaled and bent a little: `(B, K * 3, SIDE, SIDE) float32`."""
    b, _, _, side, _ = faces.shape
    like = faces
    scale = torch.exp(0.07 * torch.randn(b, device=faces.device)).clamp(0.82, 1.22)
    ratio = torch.exp(_uniform(-0.04, 0.04, (b,), like))
    turn = 0.06 * torch.randn(b, device=faces.device)
    flip = torch.where(torch.rand(b, device=faces.device) < 0.5, -1.0, 1.0)
    shift = 0.025 * torch.randn(b, 2, device=faces.device)
    cos, sin = torch.cos(turn) * SIDE / side, torch.sin(turn) * SIDE / side
    rows = [
        torch.stack([flip * cos / scale * ratio, -sin / scale, shift[:, 0]], -1),
        torch.stack([flip * sin / scale * ratio, cos / scale, shift[:, 1]], -1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), [b, 1, SIDE, SIDE], align_corners=False)
    bend = 0.014 * torch.randn(b, 2, 6, 6, device=faces.device)
    bend = bend * torch.rand(b, 1, 1, 1, device=faces.device)
    bend = functional.interpolate(bend, (SIDE, SIDE), mode="bicubic", align_corners=True)
    grid = grid + bend.permute(0, 2, 3, 1)
    return functional.grid_sample(
        faces.flatten(1, 2).float(), grid, "bilinear", "border", align_corners=False
    )


def _coloured(x: Tensor) -> Tensor:
    """Gains, saturation, contrast and gamma, one a window."""
    b = len(x)
    gain = torch.exp(0.12 * torch.randn(b, 1, device=x.device))
    gain = gain * torch.exp(0.05 * torch.randn(b, 3, device=x.device))
    saturation = _uniform(0.5, 1.4, (b, 1, 1), x)
    grey = torch.full((3, 3), 1 / 3, device=x.device)
    matrix = saturation * torch.eye(3, device=x.device) + (1 - saturation) * grey
    matrix = gain[:, :, None] * matrix
    offset = _uniform(-0.08, 0.08, (b, 1, 1), x)
    flat = x.transpose(1, 2).reshape(b, 3, -1)
    changed = torch.baddbmm(offset.to(x.dtype), (matrix / 255).to(x.dtype), flat)
    changed = changed.reshape(b, 3, *x.shape[1:2], *x.shape[3:]).transpose(1, 2)
    gamma = torch.exp(0.22 * torch.randn(b, 1, 1, 1, 1, device=x.device))
    return changed.clamp_(1e-3, 1).pow(gamma.to(x.dtype)).mul_(255)


def _rescaled(x: Tensor) -> Tensor:
    """Down and up again: what a low resolution leaves."""
    size = int(torch.randint(56, 180, (1,)))
    flat = x.flatten(0, 1).float()
    small = functional.interpolate(flat, (size, size), mode="bilinear", antialias=True)
    mode = "bicubic" if torch.rand(1) < 0.5 else "bilinear"
    return functional.interpolate(small, x.shape[-2:], mode=mode).reshape(x.shape).to(x.dtype)


def _sharpened(x: Tensor) -> Tensor:
    flat = x.flatten(0, 1)
    soft = functional.avg_pool2d(flat, 3, 1, 1, count_include_pad=False)
    amount = _uniform(0.2, 1.2, (len(x), 1, 1, 1, 1), x).to(x.dtype)
    return x + amount * (flat - soft).reshape(x.shape)


def _lit(x: Tensor) -> Tensor:
    """Light from a side."""
    axis = torch.linspace(-1, 1, SIDE, device=x.device)
    slope = 0.25 * torch.randn(len(x), 2, 1, 1, device=x.device)
    plane = 1 + slope[:, :1] * axis[:, None] + slope[:, 1:] * axis
    return x * plane[:, None].to(x.dtype)


def _dimmed(x: Tensor) -> Tensor:
    """Light that changes during the window."""
    time = torch.linspace(-1, 1, x.shape[1], device=x.device)
    change = 0.2 * torch.randn(len(x), 1, device=x.device) * time
    return x * (1 + change)[:, :, None, None, None].to(x.dtype)


def _noisy(x: Tensor) -> Tensor:
    strength = 9 * torch.rand(len(x), 1, 1, 1, 1, device=x.device).square()
    if torch.rand(1) < 0.4:  # coarse grain
        small = torch.randn(*x.shape[:2], 3, SIDE // 2, SIDE // 2, device=x.device, dtype=x.dtype)
        grain = functional.interpolate(small.flatten(0, 1), scale_factor=2, mode="bilinear")
        return x + 1.5 * strength.to(x.dtype) * grain.reshape(x.shape)
    return x + strength.to(x.dtype) * torch.randn_like(x)


def _covered(x: Tensor) -> Tensor:
    """A plain box on the picture, as captions and logos have it."""
    b = len(x)
    axis = torch.arange(SIDE, device=x.device)
    low = torch.randint(0, SIDE - 16, (b, 2), device=x.device)
    high = low + torch.randint(8, 70, (b, 2), device=x.device)
    rows, columns = ((axis >= low[:, i, None]) & (axis < high[:, i, None]) for i in (0, 1))
    inside = (rows[:, :, None] & columns[:, None])[:, None, None]
    colour = _uniform(0, 255, (b, 1, 3, 1, 1), x).to(x.dtype)
    return torch.where(inside, colour, x)


def _cosines(device: torch.device, kind: torch.dtype) -> Tensor:
    n = torch.arange(8, dtype=torch.float64)
    basis = torch.cos(math.pi * (2 * n + 1) * n[:, None] / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis.to(device, kind)


LUMA = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])


def _compressed(x: Tensor) -> Tensor:
    """The losses of an 8 x 8 block transform coder, whose blocks lie anywhere."""
    b, kind = len(x), x.dtype
    offset = torch.randint(0, 8, (2,)).tolist()
    basis, luma = _cosines(x.device, kind), LUMA.to(x.device)
    n = SIDE // 8
    moved = x.roll(offset, (-2, -1)) - 128
    flat = moved.transpose(1, 2).reshape(b, 3, -1)
    colours = (luma.to(kind) @ flat).reshape(b, 3, x.shape[1], n, 8, n, 8)
    blocks = colours.transpose(-3, -2)  # (..., n, n, 8, 8)
    spectrum = (blocks @ basis.T).transpose(-1, -2) @ basis.T  # lies on its side, like the table
    frequency = torch.arange(8, device=x.device)
    table = 10 + 8.0 * (frequency[:, None] + frequency)
    quality = _uniform(0.1, 1.6, (b, 1, 1, 1, 1, 1, 1), x)
    chroma = torch.tensor([1.0, 1.8, 1.8], device=x.device).view(3, 1, 1, 1, 1, 1)
    step = (quality * chroma * table).to(kind)
    spectrum = (spectrum / step).round_() * step
    back = ((spectrum @ basis).transpose(-1, -2) @ basis).transpose(-3, -2).reshape(b, 3, -1)
    back = torch.linalg.inv(luma).to(kind) @ back
    back = back.reshape(b, 3, x.shape[1], SIDE, SIDE).transpose(1, 2) + 128
    return back.roll([-offset[0], -offset[1]], (-2, -1))


def _decibels(low: float, high: float, b: int, device: torch.device) -> Tensor:
    return 10 ** (torch.empty(b, 1, device=device).uniform_(low, high) / 20)


def _some(b: int, share: float, device: torch.device) -> Tensor:
    return (torch.rand(b, 1, device=device) < share).float()


def _equaliser(b: int, device: torch.device) -> Tensor:
    """`(B, FFT / 2 + 1)`: a smooth frequency response; now and then nothing above some pitch."""
    curve = 3.5 * torch.randn(b, 1, 9, device=device)
    curve = functional.interpolate(curve, FFT // 2 + 1, mode="linear", align_corners=True)[:, 0]
    gain = 10 ** (curve / 20)
    hertz = torch.linspace(0, RATE_HZ / 2, FFT // 2 + 1, device=device)
    top = torch.empty(b, 1, device=device).uniform_(3000, 7800)
    low = torch.empty(b, 1, device=device).uniform_(50, 300)
    narrow, thin = _some(b, 0.2, device) > 0, _some(b, 0.15, device) > 0
    gain = torch.where(narrow, gain * torch.sigmoid((top - hertz) / 120), gain)
    return torch.where(thin, gain * torch.sigmoid((hertz - low) / 30), gain)


def _room(b: int, device: torch.device) -> Tensor:
    """`(B, FFT / 2 + 1) complex`: the response of a room, or of none."""
    time = torch.arange(HISTORY_SAMPLES, device=device) / RATE_HZ
    decay = torch.empty(b, 1, device=device).uniform_(0.02, 0.09)
    tail = torch.randn(b, HISTORY_SAMPLES, device=device) * torch.exp(-time / decay)
    tail = tail / tail.square().sum(1, keepdim=True).sqrt()
    tail = tail * _decibels(-18, -1, b, device) * _some(b, 0.3, device)
    tail[:, 0] = 1
    return torch.fft.rfft(tail, FFT)


assert HISTORY_SAMPLES >= EDGE_SAMPLES
