"""How much of a change the eye misses at each place of a picture; marks laid under it. In torch.

The formula and its constants are those of `volute.provenance.visible`, which runs them in use.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from volute.provenance.visible import (
    ADAPTED,
    AROUND,
    BETA,
    EXPONENT,
    LUMA,
    MASKING,
    OVERLAP,
    SOBEL,
)


def just_noticeable(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Return what is just noticeable, [B, 1, H, W] on the scale of 0 to 255, of RGB in [-1, 1]."""
    luma = (_row(LUMA, x_BCHW)[None, :, None, None] * x_BCHW).sum(1, keepdim=True) * 127.5 + 127.5
    even = _filtered(luma, (AROUND, AROUND))
    dark = 17 * (1 - (even.clamp(min=0) / 127).sqrt()) + 3
    adapted = torch.where(even <= 127, dark, 3 / 128 * (even - 127) + 3).clamp(max=ADAPTED)
    slope, smooth = SOBEL
    across, down = _filtered(luma, (smooth, slope)), _filtered(luma, (slope, smooth))
    contrast = across.square() + down.square()
    masking = MASKING * contrast ** (EXPONENT / 2) / (contrast + BETA**2)
    return adapted + masking - OVERLAP * torch.minimum(adapted, masking)


def laid_under(
    x_BCHW: torch.Tensor, added_BCHW: torch.Tensor, psnr: torch.Tensor | float
) -> torch.Tensor:
    """Return pictures in [-1, 1] with `added`, brought to their size, where the eye misses it most.

    Its strength is that which gives `psnr` in dB, before what does not fit the range is cut.
    """
    added = F.interpolate(added_BCHW, x_BCHW.shape[2:], mode="bilinear", antialias=True)
    added = added * just_noticeable(x_BCHW)
    power = added.square().mean((1, 2, 3), keepdim=True)
    return (x_BCHW + added * (2 * 10 ** (-psnr / 20) / (power + 1e-12).sqrt())).clamp(-1, 1)


def _filtered(x_B1HW: torch.Tensor, kernels: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    """Filter by columns and rows, what is outside continued by the border."""
    down, across = (_row(kernel, x_B1HW) for kernel in kernels)
    reach = [len(across) // 2] * 2 + [len(down) // 2] * 2
    padded = F.pad(x_B1HW, reach, mode="replicate")
    return F.conv2d(F.conv2d(padded, down.view(1, 1, -1, 1)), across.view(1, 1, 1, -1))


_ROWS: dict[tuple[tuple[float, ...], torch.device], torch.Tensor] = {}


def _row(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    """Return constants where `like` lies; kept there, since a copy to a GPU waits for it."""
    key = values, like.device
    if key not in _ROWS:
        _ROWS[key] = torch.tensor(values, device=like.device)
    return _ROWS[key]
