"""What is done to the planes of a picture around the network, each with a known, small radius."""

from __future__ import annotations

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""BT.601."""
BICUBIC_RADIUS = 2
"""Of `bicubic` and of an antialiased bicubic reduction, in pixels of the small picture."""
FILL_RADIUS = 8
STRIP = 32
"""Rows that are interpolated at a time: what is between stays in the processor's cache."""


def to_luma(rgb_CHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return luma [1, H, W] and the differences of red and blue from it [2, H, W]."""
    luma = np.einsum("c,chw->hw", LUMA, rgb_CHW)[None]
    return luma, rgb_CHW[::2] - luma


def from_luma(luma_1HW: np.ndarray, difference_2HW: np.ndarray) -> np.ndarray:
    """Return [3, H, W] of which `to_luma` is the reverse."""
    rgb = np.empty((3, *luma_1HW.shape[1:]), np.float32)
    np.add(difference_2HW, luma_1HW, out=rgb[::2])
    rgb[1] = (luma_1HW[0] - LUMA[0] * rgb[0] - LUMA[2] * rgb[2]) / LUMA[1]
    return rgb


def bicubic(planes_CHW: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge [C, H, W] by a whole factor: cubic convolution (Keys 1981, a = -0.5), edges repeated.

    Each pixel is summed in the same order whatever the picture's size.
    """
    bands, height, width = planes_CHW.shape
    edge = (BICUBIC_RADIUS, BICUBIC_RADIUS)
    padded = np.pad(planes_CHW, ((0, 0), edge, edge), mode="edge")
    made = np.empty((bands, height * scale, width * scale), np.float32)
    for start in range(0, height, STRIP):
        wide = _interpolated(padded[:, start : start + STRIP + 2 * BICUBIC_RADIUS], scale, 2)
        made[:, start * scale : (start + STRIP) * scale] = _interpolated(wide, scale, 1)
    return made


def filled(planes_CHW: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the planes with what is not valid replaced by a mean of what is, near by.

    Normalised convolution (Knutsson and Westin 1993): the weights, a triangle of `FILL_RADIUS`
    each way, count valid numbers only. Where there are none, the number is 0.

    Args:
        planes_CHW: float32; anything, NaN too, where not valid.
        valid: bool [C, H, W] or [1, H, W].
    """
    mask = np.broadcast_to(valid, planes_CHW.shape)
    known = np.where(mask, planes_CHW, np.float32(0))
    weight = _spread(mask.astype(np.float32))
    mean = _spread(known) / np.maximum(weight, np.float32(1e-12))
    return np.where(mask, known, mean)


def worn(mask: np.ndarray, reach: int) -> np.ndarray:
    """Return where all neighbours up to `reach` are true, bool [C, H, W]; beyond it too."""
    for axis in (1, 2):
        width = [(0, 0)] * 3
        width[axis] = (reach, reach)
        padded, length = np.pad(mask, width, constant_values=True), mask.shape[axis]
        mask = np.logical_and.reduce(
            [padded.take(range(shift, shift + length), axis) for shift in range(2 * reach + 1)]
        )
    return mask


def _interpolated(padded_CHW: np.ndarray, scale: int, axis: int) -> np.ndarray:
    """Enlarge along one axis all but `BICUBIC_RADIUS` at each of its ends."""
    shape = [*padded_CHW.shape]
    shape[axis] -= 2 * BICUBIC_RADIUS
    count = shape[axis]
    total, part = np.empty(shape, np.float32), np.empty(shape, np.float32)
    result = np.empty([*shape[: axis + 1], scale, *shape[axis + 1 :]], np.float32)
    for phase in range(scale):
        place = (phase + 0.5) / scale - 0.5
        total[:] = 0
        for tap in range(-BICUBIC_RADIUS, BICUBIC_RADIUS + 1):
            if weight := np.float32(_cubic(tap - place)):
                first = BICUBIC_RADIUS + tap
                moved = padded_CHW[(slice(None),) * axis + (slice(first, first + count),)]
                np.add(total, np.multiply(moved, weight, out=part), out=total)
        result[(slice(None),) * (axis + 1) + (phase,)] = total
    shape[axis] *= scale
    return result.reshape(shape)


def _cubic(x: float) -> float:
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def _spread(planes_CHW: np.ndarray) -> np.ndarray:
    """Return sums over the neighbourhood, weighted by a triangle along both axes."""
    for axis in (1, 2):
        width = [(0, 0)] * 3
        width[axis] = (FILL_RADIUS, FILL_RADIUS)
        padded, length = np.pad(planes_CHW, width), planes_CHW.shape[axis]
        planes_CHW = np.zeros_like(planes_CHW)
        for shift in range(2 * FILL_RADIUS + 1):
            weight = np.float32(FILL_RADIUS + 1 - abs(shift - FILL_RADIUS))
            part = [slice(None)] * 3
            part[axis] = slice(shift, shift + length)
            planes_CHW += weight * padded[tuple(part)]
    return planes_CHW
