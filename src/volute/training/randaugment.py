"""Augmentation for classifiers: a few random operations a picture, each of random strength.

After RandAugment (Cubuk et al. 2020, arXiv:1909.13719), with operations that a gradient passes
through and that work on a whole batch at once: every operation runs on every picture, with strength
zero where it was not drawn.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from volute.training.draws import uniform

AFFINE = ("rotate", "shear_x", "shear_y", "move_x", "move_y", "zoom")
COLOUR = ("brightness", "contrast", "saturation", "sharpness")
OPERATIONS = (*AFFINE, *COLOUR, "cutout")
STRONGEST = {
    "rotate": math.pi / 6,
    "shear_x": 0.3,
    "shear_y": 0.3,
    "move_x": 0.5,
    "move_y": 0.5,
    "zoom": 0.3,
    "brightness": 0.8,
    "contrast": 0.8,
    "saturation": 0.8,
    "sharpness": 0.8,
    "cutout": 0.5,
}
"""At magnitude 1: radians, shares of half the side, shares of the value, share of the side."""


def randaugment(
    x_BCHW: torch.Tensor, operations: int, magnitude: float, rng: torch.Generator
) -> torch.Tensor:
    """Change pictures [B, C, H, W] in [-1, 1] by `operations` random operations each.

    Strengths are uniform up to `magnitude` (0 to 1) of the strongest, of either sign. Outside the
    picture lies its mirror image. Alpha moves along and keeps its values otherwise. Draws come from
    `rng` alone.
    """
    batch, number = len(x_BCHW), len(OPERATIONS)
    rank = uniform((batch, number), rng).argsort(1).argsort(1)
    signed = 2 * uniform((batch, number), rng) - 1
    drawn = (rank < operations) * signed * magnitude
    scale = torch.tensor([STRONGEST[name] for name in OPERATIONS], device=x_BCHW.device)
    strength = dict(zip(OPERATIONS, (drawn * scale).unbind(1), strict=True))
    moved = _affine(x_BCHW, strength)
    colours = _cutout(_colour(moved[:, :3], strength), strength["cutout"].abs(), rng)
    return torch.cat([colours, moved[:, 3:]], 1)


def _affine(x_BCHW: torch.Tensor, strength: dict[str, torch.Tensor]) -> torch.Tensor:
    """Turn, shear, zoom and move by one bilinear resampling."""
    cosine, sine = strength["rotate"].cos(), strength["rotate"].sin()
    zoom = 1 + strength["zoom"]
    shear_x, shear_y = strength["shear_x"], strength["shear_y"]
    rows = [
        torch.stack([zoom * (cosine + shear_x * sine), zoom * (shear_x * cosine - sine)], 1),
        torch.stack([zoom * (shear_y * cosine + sine), zoom * (cosine - shear_y * sine)], 1),
    ]
    move = torch.stack([strength["move_x"], strength["move_y"]], 1)
    matrix = torch.cat([torch.stack(rows, 1), move[:, :, None]], 2)
    places = F.affine_grid(matrix, list(x_BCHW.shape), align_corners=False)
    return F.grid_sample(x_BCHW, places, padding_mode="reflection", align_corners=False)


def _colour(x_BCHW: torch.Tensor, strength: dict[str, torch.Tensor]) -> torch.Tensor:
    brightness, contrast, saturation, sharpness = (
        strength[name][:, None, None, None] for name in COLOUR
    )
    x_BCHW = x_BCHW + brightness
    if x_BCHW.shape[1] == 3:
        grey = x_BCHW.mean(1, keepdim=True)
        x_BCHW = grey + (x_BCHW - grey) * (1 + saturation)
    middle = x_BCHW.mean((1, 2, 3), keepdim=True)
    x_BCHW = middle + (x_BCHW - middle) * (1 + contrast)
    smooth = F.avg_pool2d(F.pad(x_BCHW, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return (x_BCHW + (x_BCHW - smooth) * sharpness).clamp(-1, 1)


def _cutout(x_BCHW: torch.Tensor, share: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Blank a square of `share` of the side with middle grey, its centre anywhere."""
    batch, _, height, width = x_BCHW.shape
    centre = uniform((2, batch, 1), rng, 1)
    rows = (torch.arange(height, device=x_BCHW.device) + 0.5) / height
    columns = (torch.arange(width, device=x_BCHW.device) + 0.5) / width
    inside_rows = (rows - centre[0]).abs() < share[:, None] / 2
    inside_columns = (columns - centre[1]).abs() < share[:, None] / 2
    return x_BCHW * ~(inside_rows[:, None, :, None] & inside_columns[:, None, None, :])
