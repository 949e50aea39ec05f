"""What is looked at while a network learns: pictures side by side, or a text."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image


def grid(x_BCHW: torch.Tensor) -> np.ndarray:
    """Lay pictures in [-1, 1] out as a square grid: uint8 [H, W, C]."""
    side = math.isqrt(len(x_BCHW))
    pixels = ((x_BCHW[: side * side].float().cpu() + 1) * 127.5).round().clamp(0, 255)
    rows_HWC = pixels.to(torch.uint8).unflatten(0, (side, side)).permute(0, 3, 1, 4, 2)
    return rows_HWC.flatten(0, 1).flatten(1, 2).numpy()


def to_image(pixels_HWC: np.ndarray) -> Image.Image:
    """Return a PIL picture of uint8 [H, W, C]; grey has one channel."""
    return Image.fromarray(pixels_HWC[..., 0] if pixels_HWC.shape[2] == 1 else pixels_HWC)
