"""Colour channels of uint8 arrays: grey, grey + alpha, RGB, RGBA, from any to any by one rule."""

from __future__ import annotations

from typing import Literal

import numpy as np

Mode = Literal["L", "RGB", "RGBA"]
CHANNELS: dict[Mode, int] = {"L": 1, "RGB": 3, "RGBA": 4}

_LUMA = np.array([19595, 38470, 7471], np.uint32)


def to_mode(array: np.ndarray, mode: Mode) -> np.ndarray:
    """Convert colour channels.

    Alpha is flattened on white when it is dropped and 255 when it is added; grey is repeated to
    make RGB; RGB becomes grey by the BT.601 luma 0.299 R + 0.587 G + 0.114 B, rounded.

    Args:
        array: uint8 [..., H, W, C], C being 1, 2 (grey + alpha), 3 or 4; left unchanged.
        mode: what to make.

    Returns:
        uint8 [..., H, W, 1], [..., H, W, 3] or [..., H, W, 4].
    """
    channels = array.shape[-1]
    if mode == "RGBA":
        alpha = array[..., -1:] if channels in (2, 4) else np.full_like(array[..., :1], 255)
        colour = array[..., : 1 if channels < 3 else 3]
        return np.concatenate([np.broadcast_to(colour, (*colour.shape[:-1], 3)), alpha], axis=-1)
    flat = flatten_alpha(array) if channels in (2, 4) else array
    if mode == "RGB":
        return flat if flat.shape[-1] == 3 else np.repeat(flat, 3, axis=-1)
    return flat if flat.shape[-1] == 1 else luma(flat)


def luma(array: np.ndarray) -> np.ndarray:
    """Return the BT.601 luma, uint8 [..., 1], of uint8 RGB [..., 3]: equal channels stay exact."""
    return (((array @ _LUMA)[..., None] + 0x8000) >> 16).astype(np.uint8)


def flatten_alpha(array: np.ndarray) -> np.ndarray:
    """Lay uint8 [..., 2 or 4] on white by its last channel: [..., 1 or 3]."""
    alpha = array[..., -1:].astype(np.uint16)
    return ((array[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def scale_to_uint8(array: np.ndarray, top: int | None) -> tuple[np.ndarray, bool]:
    """Bring numbers of any type to 0..255, rounded.

    Args:
        array: real numbers of any shape; what is not finite becomes the lowest.
        top: the number that means white. None: 1 if all are in [0, 1] and floating point, else the
            range is the array's own minimum to maximum.

    Returns:
        uint8 of the same shape, and whether the range was fixed (False: stretched).
    """
    if top is not None:
        wide = np.clip(array, 0, top).astype(np.uint32)
        return ((wide * 255 + top // 2) // top).astype(np.uint8), True
    finite = np.isfinite(array)
    if not finite.any():
        return np.zeros(array.shape, np.uint8), False
    low, high = float(array[finite].min()), float(array[finite].max())
    fixed = array.dtype.kind == "f" and low >= 0 and high <= 1
    if fixed:
        low, high = 0.0, 1.0
    unit = (np.where(finite, array, low).astype(np.float64) - low) / max(high - low, 1e-300)
    return np.rint(unit * 255).astype(np.uint8), fixed
