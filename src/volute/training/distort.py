"""Distortions of pictures, as a network meets them: what perceptual distances are learned on.

Each picture gets one of `DISTORTIONS`, of random strength. Pictures are RGB [B, 3, S, S] in
[-1, 1], and every draw comes from the given generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F

LUMINANCE = """
    16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56
    14 17 22 29 51 87 80 62  18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92
    49 64 78 87 103 121 120 101  72 92 95 98 112 100 103 99"""
CHROMINANCE = """
    17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99  24 26 56 99 99 99 99 99
    47 66 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99"""
"""The quantisation tables of the JPEG standard, annex K, for quality 50."""
YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def distort(x_BCHW: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return each picture with one distortion of random strength."""
    kinds = torch.randint(len(DISTORTIONS), (len(x_BCHW),), generator=rng, device=x_BCHW.device)
    strength = torch.rand(len(x_BCHW), generator=rng, device=x_BCHW.device)
    result = x_BCHW.clone()
    for kind, change in enumerate(DISTORTIONS):
        (rows,) = torch.where(kinds == kind)
        if len(rows):
            result[rows] = change(x_BCHW[rows], strength[rows], rng).clamp(-1, 1)
    return result


def blur(x_BCHW: torch.Tensor, strength: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Blur by a Gaussian of 0.3 to 4 px."""
    batch, channels, height, width = x_BCHW.shape
    sigma = 0.3 * (4 / 0.3) ** strength
    place = torch.arange(-12, 13, device=x_BCHW.device)
    kernel = torch.softmax(-(place**2) / (2 * sigma[:, None] ** 2), 1)
    kernel = kernel.repeat_interleave(channels, 0)[:, None]
    flat = F.pad(x_BCHW, (12, 12, 12, 12), mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, kernel[:, :, :, None], groups=batch * channels)
    flat = F.conv2d(flat, kernel[:, :, None, :], groups=batch * channels)
    return flat.view(batch, channels, height, width)


def noise(x_BCHW: torch.Tensor, strength: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Add Gaussian noise, its deviation 0.01 to 0.5, grey for half of the pictures."""
    grain = torch.randn(x_BCHW.shape, generator=rng, device=x_BCHW.device)
    grey = torch.rand(len(x_BCHW), 1, 1, 1, generator=rng, device=x_BCHW.device) < 0.5
    grain = torch.where(grey, grain[:, :1], grain)
    return x_BCHW + grain * (0.01 * 50**strength)[:, None, None, None]


def jpeg(x_BCHW: torch.Tensor, strength: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Quantise 8 x 8 blocks as JPEG does, from quality 95 down to 3."""
    steps = jpeg_steps(95 - 92 * strength, 3)
    to, back = luma_chroma(x_BCHW.device)
    colours = quantised(torch.einsum("kc,bchw->bkhw", to, x_BCHW), steps)
    return torch.einsum("ck,bkhw->bchw", back, colours)


def jpeg_steps(quality: torch.Tensor, channels: int) -> torch.Tensor:
    """Return the quantisation tables [B, C, 8, 8] for qualities [B]; the first is of luminance."""
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    names = (LUMINANCE, *[CHROMINANCE] * (channels - 1))
    tables = torch.stack([_table(text, quality.device) for text in names])
    return (tables * factor[:, None, None, None]).clamp(1, 255)


def quantised(x_BCHW: torch.Tensor, steps_BC88: torch.Tensor) -> torch.Tensor:
    """Round the cosine transform of 8 x 8 blocks of pictures in [-1, 1]."""
    height, width = x_BCHW.shape[2:]
    whole = F.pad(x_BCHW * 127.5, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = whole.unfold(2, 8, 8).unfold(3, 8, 8)
    cosine, steps = _cosine(x_BCHW.device), steps_BC88[:, :, None, None]
    waves = (cosine @ blocks @ cosine.T / steps).round() * steps
    blocks = cosine.T @ waves @ cosine
    blocks = blocks.permute(0, 1, 2, 4, 3, 5).reshape(whole.shape)
    return blocks[:, :, :height, :width] / 127.5


def move(x_BCHW: torch.Tensor, strength: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Move by up to 8 px in a random direction, turn by up to 3 degrees, zoom by up to 5 %."""
    signed = 2 * torch.rand(3, len(x_BCHW), generator=rng, device=x_BCHW.device) - 1
    size = torch.tensor(x_BCHW.shape[2:], device=x_BCHW.device)
    angle = math.tau * signed[0]
    shift = 8 * strength * torch.stack([angle.cos(), angle.sin()]) * 2 / size[:, None]
    affine = signed[1:] * strength * (signed[0] > 0)
    turned, zoom = math.radians(3) * affine[0], 1 + 0.05 * affine[1]
    matrix = torch.stack(
        [
            torch.stack([zoom * turned.cos(), -zoom * turned.sin(), shift[0]], 1),
            torch.stack([zoom * turned.sin(), zoom * turned.cos(), shift[1]], 1),
        ],
        1,
    )
    places = F.affine_grid(matrix, list(x_BCHW.shape), align_corners=False)
    return F.grid_sample(
        x_BCHW, places, mode="bicubic", padding_mode="reflection", align_corners=False
    )


def colour(x_BCHW: torch.Tensor, strength: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Change brightness, contrast, saturation and the balance of the channels together."""
    draw = 2 * torch.rand(4, len(x_BCHW), 1, 1, 1, generator=rng, device=x_BCHW.device) - 1
    draw = draw * strength[:, None, None, None]
    balance = 2 * torch.rand(len(x_BCHW), 3, 1, 1, generator=rng, device=x_BCHW.device) - 1
    grey = x_BCHW.mean(1, keepdim=True)
    x_BCHW = grey + (x_BCHW - grey) * (1 + draw[0])
    middle = x_BCHW.mean((1, 2, 3), keepdim=True)
    x_BCHW = middle + (x_BCHW - middle) * 2 ** draw[1]
    return x_BCHW + 0.5 * draw[2] + 0.4 * balance * draw[3]


def reduce(x_BCHW: torch.Tensor, strength: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Reduce by 1.3 to 6 and enlarge again, bicubic or by nearest pixels; one factor for all."""
    factor = 1.3 * (6 / 1.3) ** float(strength[0])
    size = x_BCHW.shape[2:]
    small = F.interpolate(
        x_BCHW, scale_factor=1 / factor, mode="bicubic", antialias=True, align_corners=False
    )
    if torch.rand((), generator=rng, device=x_BCHW.device) < 0.25:
        return F.interpolate(small, size, mode="nearest")
    return F.interpolate(small, size, mode="bicubic", align_corners=False)


def mix(x_BCHW: torch.Tensor, strength: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Lay the mirror image of the next of these pictures over each, up to half."""
    share = strength[:, None, None, None] / 2
    return x_BCHW + (x_BCHW.roll(1, 0).flip(3) - x_BCHW) * share


def waves(x_BCHW: torch.Tensor, strength: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Add a grid or stripes of 2 to 16 px, as badly trained generators do."""
    draw = torch.rand(3, len(x_BCHW), 1, 1, generator=rng, device=x_BCHW.device)
    height, width = x_BCHW.shape[2:]
    rows = torch.arange(height, device=x_BCHW.device)[:, None]
    columns = torch.arange(width, device=x_BCHW.device)
    turn = math.tau / (2 * 8 ** draw[0])
    across = torch.where(draw[1] < 0.5, 1.0, (math.tau * draw[2]).cos().abs())
    pattern = (turn * rows).cos() * (turn * across * columns).cos()
    tint = torch.rand(len(x_BCHW), 3, 1, 1, generator=rng, device=x_BCHW.device)
    return x_BCHW + pattern[:, None] * tint * (0.02 * 20**strength)[:, None, None, None]


DISTORTIONS: tuple[Callable[..., torch.Tensor], ...] = (
    blur,
    noise,
    jpeg,
    move,
    colour,
    reduce,
    mix,
    waves,
)


@lru_cache
def luma_chroma(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the matrix from RGB to luminance and colour differences, and its inverse.

    Constants stay where they are used: a copy to a GPU would wait for it.
    """
    to = torch.tensor(YCC, device=device)
    return to, torch.linalg.inv(to)


@lru_cache
def _table(text: str, device: torch.device) -> torch.Tensor:
    return torch.tensor([float(word) for word in text.split()], device=device).view(8, 8)


@lru_cache
def _cosine(device: torch.device) -> torch.Tensor:
    """Return the orthonormal discrete cosine transform of 8 values."""
    wave = torch.arange(8, device=device)[:, None]
    cosine = (math.pi * (2 * torch.arange(8, device=device) + 1) * wave / 16).cos() / 2
    return torch.where(wave == 0, cosine / math.sqrt(2), cosine)
