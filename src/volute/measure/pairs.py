"""How near a picture is to the one it should be: PSNR, SSIM, MS-SSIM. NumPy, any range, any size.

Pictures are [H, W] or [H, W, C] arrays of numbers from 0 to `peak`; channels count alike.
"""

from __future__ import annotations

import numpy as np

from volute.errors import UsageError

STRIP = 128
"""Rows that are measured at a time."""
SIDE, DEVIATION = 11, 1.5
"""Gaussian window of Wang et al. 2004, in pixels."""
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, Wang et al. 2003, from fine to coarse."""
SMALLEST_MS_SSIM = SIDE << (len(SCALES) - 1)
"""Sides under which there is no fifth scale, in pixels."""


def psnr(a: np.ndarray, b: np.ndarray, peak: float = 255.0) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal pictures.

    Raises:
        UsageError: if the pictures differ in shape.
    """
    _check(a, b, 1)
    starts = range(0, len(a), STRIP)
    squares = [np.square(_floats(a, start) - _floats(b, start)).sum() for start in starts]
    error = float(sum(squares)) / a.size
    return float("inf") if error == 0 else 10 * float(np.log10(peak**2 / error))


def ssim(a: np.ndarray, b: np.ndarray, peak: float = 255.0) -> float:
    """Return the structural similarity, at most 1 (Wang et al. 2004).

    The mean is over the places where the whole window lies inside, as in the original.

    Raises:
        UsageError: if the pictures differ in shape, or a side is under 11 px.
    """
    _check(a, b, SIDE)
    return _similarity(a, b, peak)[0]


def ms_ssim(a: np.ndarray, b: np.ndarray, peak: float = 255.0) -> float:
    """Return the multi-scale structural similarity over five scales (Wang et al. 2003).

    Negative contrasts count as 0, as is usual.

    Raises:
        UsageError: if the pictures differ in shape, or a side is under 176 px.
    """
    _check(a, b, SMALLEST_MS_SSIM)
    product = 1.0
    for index, exponent in enumerate(SCALES):
        whole, contrast = _similarity(a, b, peak)
        last = index == len(SCALES) - 1
        product *= max(0.0, whole if last else contrast) ** exponent
        a, b = _halved(a), _halved(b)
    return product


def _check(a: np.ndarray, b: np.ndarray, least: int) -> None:
    if a.shape != b.shape or a.ndim not in (2, 3):
        shapes = f"{list(a.shape)} and {list(b.shape)}"
        raise UsageError(
            f"cannot compare pictures of shapes {shapes}", "Both must be one shape, [H, W, C]."
        )
    if min(a.shape[:2]) < least:
        height, width = a.shape[:2]
        raise UsageError(f"{width} x {height} px is too small: this measure needs {least} px")


def _floats(x: np.ndarray, start: int, more: int = 0) -> np.ndarray:
    """Return a strip of rows in float64: only strips are ever held so."""
    return x[start : start + STRIP + more].astype(np.float64)


def _similarity(a: np.ndarray, b: np.ndarray, peak: float) -> tuple[float, float]:
    """Return the means of SSIM (equation 13 of Wang et al. 2004) and of its contrast part."""
    rows = len(a) - SIDE + 1
    whole = contrast = 0.0
    for start in range(0, rows, STRIP):
        strip_a, strip_b = (_floats(x, start, SIDE - 1) for x in (a, b))
        light, structure = _parts(strip_a, strip_b, peak)
        whole += float((light * structure).sum())
        contrast += float(structure.sum())
    count = rows * (a.shape[1] - SIDE + 1) * a[0, 0].size
    return whole / count, contrast / count


def _parts(a: np.ndarray, b: np.ndarray, peak: float) -> tuple[np.ndarray, np.ndarray]:
    low, middle = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _smoothed(a), _smoothed(b)
    variance_a = (_smoothed(a * a) - mean_a**2).clip(min=0)
    variance_b = (_smoothed(b * b) - mean_b**2).clip(min=0)
    shared = _smoothed(a * b) - mean_a * mean_b
    contrast = (2 * shared + middle) / (variance_a + variance_b + middle)
    return (2 * mean_a * mean_b + low) / (mean_a**2 + mean_b**2 + low), contrast


def _smoothed(x: np.ndarray) -> np.ndarray:
    """Return `x` under the Gaussian window, where all of it lies inside: SIDE - 1 px less."""
    places = np.arange(SIDE) - SIDE // 2
    window = np.exp(-(places**2) / (2 * DEVIATION**2))
    window /= window.sum()
    for _ in range(2):  # down, then across: the axes change places and are back after both
        length = len(x) - SIDE + 1
        smooth = window[0] * x[:length]
        for start in range(1, SIDE):
            smooth += window[start] * x[start : start + length]
        x = smooth.swapaxes(0, 1)
    return x


def _halved(x: np.ndarray) -> np.ndarray:
    """Return the means of 2 x 2 px; an odd last row or column is left out."""
    height, width = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    x = x[:height, :width]
    down = x[::2].astype(np.float64) + x[1::2]
    return (down[:, ::2] + down[:, 1::2]) / 4
