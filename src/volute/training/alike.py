"""Real pictures and re-made ones that go the same way: one size, one filter, one quality for both.

What tells them apart must not be how they were saved. Each pair therefore has its draws in common;
only the real one is at times softened besides, since blur is no trace of a network.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageFilter

ROOM = 8
"""Pixels over the side of a crop, so that it can begin at any phase of what was saved."""
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
OFTEN = {"saved before": 0.25, "sharp": 0.12, "blurred": 0.15, "noisy": 0.15, "softened": 0.25}
"""Share of the pairs that meet each."""
QUALITY = (60, 101)
"""Of JPEG and WebP."""
JPEG, WEBP = 0.65, 0.15
"""Share of the pairs that are saved so at last; the others lose nothing."""

Way = Callable[[Image.Image], Image.Image]


def sent(
    real: np.ndarray, made: np.ndarray, side: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return crops of both, uint8 [side, side, 3], after the same way.

    Args:
        real, made: uint8 [S, S, 3], of the same place; S >= side + 8 and they are resized to it.
        side: of the crops, px.
        draw: for all draws.
    """
    way = drawn(draw, side + ROOM)
    top, left = draw.integers(0, ROOM + 1, 2)
    if draw.random() < OFTEN["softened"]:
        real = np.asarray(softened(Image.fromarray(real), draw))
    both = [np.asarray(way(Image.fromarray(x))) for x in (real, made)]
    first, second = (x[top : top + side, left : left + side] for x in both)
    return first, second


def drawn(draw: np.random.Generator, side: int = 0) -> Way:
    """Return a way at random that ends with pictures of `side` px, or of the size they had."""
    on = {name: draw.random() < often for name, often in OFTEN.items()}
    resampling = FILTERS[int(draw.integers(len(FILTERS)))]
    sigma, noise = float(draw.uniform(0.3, 1.2)), float(draw.uniform(0.5, 4))
    amount, seed = int(draw.integers(40, 160)), int(draw.integers(1 << 31))
    before, last = _saving(draw, 1.0), _saving(draw, float(draw.random()))

    def way(image: Image.Image) -> Image.Image:
        if on["saved before"]:
            image = before(image)
        if side and image.size != (side, side):
            image = image.resize((side, side), resampling)
        if on["sharp"]:
            image = image.filter(ImageFilter.UnsharpMask(1 + sigma, amount, 0))
        elif on["blurred"]:
            image = image.filter(ImageFilter.GaussianBlur(sigma))
        if on["noisy"]:
            grain = np.random.default_rng(seed).standard_normal((*image.size[::-1], 3)) * noise
            image = Image.fromarray(
                np.clip(np.rint(np.asarray(image) + grain), 0, 255).astype(np.uint8)
            )
        return last(image)

    return way


def softened(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Return a picture made small and large again by filters of image programs."""
    share = float(draw.uniform(0.4, 0.9))
    small = [max(16, round(share * side)) for side in image.size]
    down, up = (FILTERS[int(draw.integers(len(FILTERS)))] for _ in range(2))
    return image.resize((small[0], small[1]), down).resize(image.size, up)


def as_bytes(x_BCHW: torch.Tensor) -> np.ndarray:
    """Return pictures in [-1, 1] as uint8 [B, H, W, C]."""
    pixels = ((x_BCHW.cpu() + 1) * 127.5).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())


def as_floats(pixels_BHWC: np.ndarray) -> torch.Tensor:
    """Return uint8 pictures as float32 [B, C, H, W] in [-1, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(pixels_BHWC)).float()
    return (x / 127.5 - 1).permute(0, 3, 1, 2)


def _saving(draw: np.random.Generator, share: float) -> Way:
    """Return how a picture is saved: as JPEG from a share of 0.35 on, as WebP from 0.2 on."""
    quality, subsampling = (
        int(draw.integers(*QUALITY)),
        int(draw.choice([0, 1, 2], p=[0.3, 0.1, 0.6])),
    )
    if share < 1 - JPEG - WEBP:
        return lambda image: image
    if share < 1 - JPEG:
        return lambda image: _saved(image, "WEBP", quality=quality, method=1)
    return lambda image: _saved(image, "JPEG", quality=quality, subsampling=subsampling)


def _saved(image: Image.Image, form: str, **options: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return Image.open(stream).convert("RGB")
