"""Pictures made small: as an image program does it, and as they come from the web.

The latter are blurred, resized, noisy and compressed, twice over: the second-order model of Wang et
al. 2021 (Real-ESRGAN, arXiv:2107.10833, section 3), with milder ranges and one strength for each
picture, so that a network can be told how much to repair. Pictures are [B, C, H, W] in [-1, 1], C
is 1 or 3, and every draw comes from the given generator.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from volute.training.distort import jpeg_steps, luma_chroma, quantised

REACH = 6
"""Pixels on each side that a blur sees."""
BLUR, NOISE, QUALITY = 1.5, 15 / 127.5, 50
"""At strength 1: the deviation of the blur in px and of the noise, the quality of JPEG."""


def degrade(
    x_BCHW: torch.Tensor, scale: int, strength: torch.Tensor, rng: torch.Generator
) -> torch.Tensor:
    """Return the pictures reduced by `scale`, spoiled by up to their strength [B] in [0, 1].

    At strength 0 it is the bicubic reduction.
    """
    size = [side // scale for side in x_BCHW.shape[2:]]
    first = _spoiled(x_BCHW, strength, _between(size, x_BCHW.shape[2:], rng), rng)
    second = _spoiled(first, strength, size, rng)
    plain = F.interpolate(x_BCHW, size, mode="bicubic", antialias=True)
    return torch.where(strength[:, None, None, None] > 0, second, plain).clamp(-1, 1)


def reduced(pictures: torch.Tensor, scale: int) -> torch.Tensor:
    """Reduce [B, C, H, W] in [-1, 1] by an antialiased bicubic filter, rounded to 8 bits.

    The filter is that of Pillow and of MATLAB's `imresize` (Keys 1981 with a = -0.5).
    """
    size = [side // scale for side in pictures.shape[2:]]
    small = F.interpolate(pictures, size, mode="bicubic", antialias=True, align_corners=False)
    return in_bytes(small)


def in_bytes(pictures: torch.Tensor) -> torch.Tensor:
    """Round pictures in [-1, 1] to what 8 bits hold."""
    return ((pictures.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def in_bytes_through(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Round pictures to what 8 bits hold; gradients pass as if they were not."""
    return x_BCHW + (in_bytes(x_BCHW) - x_BCHW).detach()


def _spoiled(
    x_BCHW: torch.Tensor, strength: torch.Tensor, size: list[int], rng: torch.Generator
) -> torch.Tensor:
    amount = strength[:, None] * _uniform((len(x_BCHW), 4), x_BCHW, rng)
    x_BCHW = blurred(x_BCHW, 0.05 + BLUR * amount[:, :2])
    x_BCHW = _resized(x_BCHW, size, rng)
    grain = torch.randn(x_BCHW.shape, generator=rng, device=x_BCHW.device)
    x_BCHW = (x_BCHW + grain * (NOISE * amount[:, 2])[:, None, None, None]).clamp(-1, 1)
    steps = jpeg_steps(100 - (100 - QUALITY) * amount[:, 3], x_BCHW.shape[1])
    if x_BCHW.shape[1] == 1:
        return quantised(x_BCHW, steps)
    to, back = luma_chroma(x_BCHW.device)
    colours = quantised(torch.einsum("kc,bchw->bkhw", to, x_BCHW), steps)
    return torch.einsum("ck,bkhw->bchw", back, colours)


def blurred(x_BCHW: torch.Tensor, sigma_B2: torch.Tensor) -> torch.Tensor:
    """Blur by a Gaussian, its deviation in px along each axis."""
    batch, channels = x_BCHW.shape[:2]
    place = torch.arange(-REACH, REACH + 1, device=x_BCHW.device)
    kernels = torch.softmax(-(place**2) / (2 * sigma_B2[:, :, None] ** 2), 2)
    down, across = kernels.repeat_interleave(channels, 0)[:, None].unbind(2)
    flat = F.pad(x_BCHW, [REACH] * 4, mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, down[:, :, :, None], groups=batch * channels)
    flat = F.conv2d(flat, across[:, :, None, :], groups=batch * channels)
    return flat.view(x_BCHW.shape)


def _resized(x_BCHW: torch.Tensor, size: list[int], rng: torch.Generator) -> torch.Tensor:
    """Resize by a filter that is drawn: an area's mean, bilinear or bicubic."""
    which = int(torch.randint(3, (), generator=rng, device=x_BCHW.device))
    if which == 0:
        return F.interpolate(x_BCHW, size, mode="area")
    mode = ("bilinear", "bicubic")[which - 1]
    return F.interpolate(x_BCHW, size, mode=mode, antialias=True)


def _between(small: list[int], large: torch.Size, rng: torch.Generator) -> list[int]:
    share = float(torch.rand((), generator=rng, device=rng.device))
    return [round(a + (b - a) * share) for a, b in zip(small, large, strict=True)]


def _uniform(shape: tuple[int, ...], like: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=rng, device=like.device)
