"""Small motions of pictures, for what must not flicker when the picture moves."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

TURN, ZOOM, SHIFT = 0.08, 0.08, 8.0
"""The most, in radians, as a share, and in px."""


def motion(side: int, rng: torch.Generator) -> torch.Tensor:
    """Return where each pixel of a square comes from, [1, side, side, 2]: a turn, zoom and shift.

    As `torch.nn.functional.grid_sample` takes it.
    """
    draw = (torch.rand(4, generator=rng, device=rng.device) * 2 - 1).tolist()
    angle, zoom = TURN * draw[0], 1 + ZOOM * draw[1]
    across, down = (2 * SHIFT * value / side for value in draw[2:])
    cosine, sine = zoom * math.cos(angle), zoom * math.sin(angle)
    rows = torch.tensor([[[cosine, -sine, across], [sine, cosine, down]]], device=rng.device)
    return F.affine_grid(rows, [1, 1, side, side], align_corners=False)


def moved(x_BCHW: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Return a square picture [1, C, H, H] moved; what comes in at the border is mirrored."""
    return F.grid_sample(
        x_BCHW, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )
