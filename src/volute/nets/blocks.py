"""The layers that the image networks share. Tensors are `x_BCHW`, float, in [-1, 1] at the ends."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn


def sides(size: int) -> list[int]:
    """Resolutions from the base, 4 to 7 px, up to `size = base * 2**k`."""
    base = size
    while base >= 8 and base % 2 == 0:
        base //= 2
    assert base in range(4, 8), f"{size} px is not base * 2**k with base in 4..7"
    return [base << k for k in range((size // base).bit_length())]


def channels_at(side: int, width: int, cap: int) -> int:
    """Channels at a resolution: `width` at 8 px, halved with each doubling; 16 to `cap`.

    A multiple of 8, as group norm needs it.
    """
    return max(16, min(cap, int(width * 2.0 ** round(math.log2(8 / side)))) // 8 * 8)


def maps_by_side(layers: Iterable[nn.Module], x_BCHW: torch.Tensor) -> list[torch.Tensor]:
    """Return the last features of each resolution, one layer after the other, fine to coarse."""
    found = {}
    for layer in layers:
        x_BCHW = layer(x_BCHW)
        found[x_BCHW.shape[-1]] = x_BCHW
    return list(found.values())


class Upsample(nn.Module):
    """Double the sides by bilinear interpolation, the filter [1, 3, 3, 1] / 4 along each axis."""

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, C, H, W] to [B, C, 2H, 2W]."""
        return F.interpolate(x_BCHW, scale_factor=2.0, mode="bilinear", align_corners=False)


class Residual(nn.Module):
    """Pre-activation residual block of two 3x3 convolutions (He et al. 2016, figure 4e).

    `norm` makes the normalisation before each convolution. Without one, the last convolution
    starts at zero so that the block starts as the identity (Zhang et al. 2019, Fixup).
    """

    def __init__(self, channels: int, norm: type[nn.Module] | None, slope: float) -> None:
        super().__init__()
        first = nn.Conv2d(channels, channels, 3, padding=1)
        last = nn.Conv2d(channels, channels, 3, padding=1)
        if norm is None:
            nn.init.zeros_(last.weight)
        make = norm or (lambda _: nn.Identity())
        self.branch = nn.Sequential(
            make(channels), nn.LeakyReLU(slope), first, make(channels), nn.LeakyReLU(slope), last
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, C, H, W] to the same shape."""
        return x_BCHW + self.branch(x_BCHW)
