"""Small motions of pictures, for what must not flicker when the picture moves."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

NOISE = 0.02
TURN, ZOOM, SHIFT = 0.08, 0.08, 8.0
"""The most, in radians, as a share, and in px."""
PIXELS = 8
"""Whole pixels, in each direction, by fewer than which pictures are shifted."""
SHARP = 2.0
"""Weight of such shifts: other motions blur, and so hold back strokes as well as flicker."""


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


def unsteadiness(
    paint: Callable[[torch.Tensor], torch.Tensor],
    picture: torch.Tensor,
    painted: torch.Tensor,
    rng: torch.Generator,
) -> torch.Tensor:
    """Return how far a moved and noisy picture is painted from the painted one, moved.

    Args:
        paint: what paints pictures [1, 3, H, H] in [-1, 1].
        picture: such a picture.
        painted: `paint(picture)`.
        rng: all draws come from it.
    """
    grid = motion(picture.shape[2], rng)
    noise = torch.randn(picture.shape, generator=rng, device=picture.device) * NOISE
    again = paint(moved(picture, grid) + noise)
    return (again - moved(painted, grid)).square().mean()


def shifted(
    paint: Callable[[torch.Tensor], torch.Tensor],
    picture: torch.Tensor,
    painted: torch.Tensor,
    rng: torch.Generator,
) -> torch.Tensor:
    """Return how far a picture shifted by whole pixels is painted from the painted one, shifted.

    Args:
        paint: as in `unsteadiness`.
        picture: likewise.
        painted: likewise.
        rng: likewise.
    """
    down, right = (torch.rand(2, generator=rng, device=rng.device) * PIXELS).int().tolist()
    side = picture.shape[2] - PIXELS
    part = (..., slice(down, down + side), slice(right, right + side))
    return SHARP * (paint(picture[part]) - painted[part]).square().mean()
