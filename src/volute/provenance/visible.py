"""How much of a change the eye misses at each place of a picture: where a watermark is laid.

The just noticeable difference of Chou and Li 1995 ("A perceptually tuned subband image coder based
on the measure of just-noticeable-distortion profile"): adaptation to the luminance around, and
masking by contrast in the form of Wu et al. 2013 ("Just noticeable difference estimation for
images with free-energy principle"), joined as by Yang et al. 2005. Here
adaptation counts less and contrast more than there, since dark and even places show what is added
to them, as SSIM says too.
"""

from __future__ import annotations

import numpy as np

LUMA = (0.299, 0.587, 0.114)
AROUND = (0.1, 0.2, 0.4, 0.2, 0.1)
"""The luminance around a place, by columns and by rows."""
SOBEL = (-0.5, 0.0, 0.5), (0.25, 0.5, 0.25)
"""The slope along one axis is smoothed along the other."""
ADAPTED = 4.0
"""The most that luminance alone hides."""
MASKING, EXPONENT, BETA = 3 * 1.84, 2.4, 26.0
"""Masking by a contrast c is MASKING * c^EXPONENT / (c^2 + BETA^2)."""
OVERLAP = 0.3
"""Share of the lesser that is counted once."""


def just_noticeable(picture_HWC: np.ndarray) -> np.ndarray:
    """Return what is just noticeable, float32 [H, W], of grey or RGB values from 0 to 255."""
    planes = picture_HWC.astype(np.float32)
    luma = planes[..., 0] if planes.shape[2] < 3 else planes[..., :3] @ np.array(LUMA, np.float32)
    even = _filtered(luma, AROUND, AROUND)
    dark = 17 * (1 - np.sqrt(np.maximum(even, 0) / 127)) + 3
    adapted = np.minimum(np.where(even <= 127, dark, 3 / 128 * (even - 127) + 3), ADAPTED)
    slope, smooth = SOBEL
    contrast = _filtered(luma, smooth, slope) ** 2 + _filtered(luma, slope, smooth) ** 2
    masking = MASKING * contrast ** np.float32(EXPONENT / 2) / (contrast + np.float32(BETA**2))
    return adapted + masking - np.float32(OVERLAP) * np.minimum(adapted, masking)


def _filtered(x: np.ndarray, down: tuple[float, ...], across: tuple[float, ...]) -> np.ndarray:
    """Filter columns and rows, what is outside continued by the border."""
    reach = len(down) // 2
    tall = np.pad(x, ((reach, reach), (0, 0)), "edge")
    rows = [np.float32(w) * tall[k : k + len(x)] for k, w in enumerate(down) if w]
    reach = len(across) // 2
    wide = np.pad(sum(rows[1:], rows[0]), ((0, 0), (reach, reach)), "edge")
    columns = [np.float32(w) * wide[:, k : k + x.shape[1]] for k, w in enumerate(across) if w]
    return sum(columns[1:], columns[0])
