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
    wide = np.pad(luma, 2, "edge")
    made, masking = _adaptation(wide), _masking(wide[1:-1, 1:-1])
    less = np.minimum(made, masking)
    made += masking
    made -= np.multiply(less, np.float32(OVERLAP), out=less)
    return made


def _adaptation(luma_HW: np.ndarray) -> np.ndarray:
    """Return what the luminance around hides, [H - 4, W - 4]: more in the dark and the bright."""
    even = _around(_around(luma_HW).T).T
    dark = np.sqrt(even)
    dark *= np.float32(-17 / 127**0.5)
    dark += np.float32(20)
    even -= np.float32(127)
    even *= np.float32(3 / 128)
    even += np.float32(3)
    np.maximum(dark, even, out=even)  # they meet at 127
    return np.minimum(even, np.float32(ADAPTED), out=even)


def _around(x: np.ndarray) -> np.ndarray:
    """Return the weighted means of five rows, of which those above weigh as those below."""
    far, near, here = (np.float32(weight) for weight in AROUND[:3])
    made = x[1:-3] + x[3:-1]
    made *= near
    outer = x[:-4] + x[4:]
    made += np.multiply(outer, far, out=outer)
    made += np.multiply(x[2:-2], here, out=outer)
    return made


def _masking(luma_HW: np.ndarray) -> np.ndarray:
    """Return what contrast hides, [H - 2, W - 2]."""
    contrast = _slope(luma_HW)
    contrast += _slope(luma_HW.T).T
    made = contrast ** np.float32(EXPONENT / 2)
    made *= np.float32(MASKING)
    contrast += np.float32(BETA**2)
    made /= contrast
    return made


def _slope(x: np.ndarray) -> np.ndarray:
    """Return the squares of the slope along rows, smoothed along columns."""
    (_, _, steep), (beside, here, _) = SOBEL
    smooth = x[:-2] + x[2:]
    smooth *= np.float32(steep * beside)
    smooth += x[1:-1] * np.float32(steep * here)
    made = smooth[:, 2:] - smooth[:, :-2]
    made *= made
    return made
