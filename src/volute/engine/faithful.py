"""How an enlarged picture compares with what it was made from, and how the two are made to agree.

Both go through the reduction that super-resolution is trained to undo, the antialiased bicubic
filter of Pillow and MATLAB, as a matrix along each axis.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from PIL import Image

PROJECTION_RADIUS = 16
"""Small pixels: over this distance the inverse in `projected` falls under 1e-6."""
MAP = 512
"""The longest side of a heat map in pixels."""
INVENTED = 2 / 255
"""From this difference on, in units of black to white, the picture contradicts its source."""


@lru_cache(maxsize=16)
def reduction(length: int, scale: int) -> np.ndarray:
    """Return the matrix [length, scale * length] that reduces one axis; rows sum to 1."""
    unit = Image.fromarray(np.eye(length * scale, dtype=np.float32))
    matrix = np.asarray(unit.resize((length * scale, length), Image.Resampling.BICUBIC))
    matrix.setflags(write=False)
    return matrix


def reduced(large_CHW: np.ndarray, scale: int) -> np.ndarray:
    """Return [C, H, W] for [C, scale * H, scale * W]."""
    rows, columns = (side // scale for side in large_CHW.shape[1:])
    return reduction(rows, scale) @ large_CHW @ reduction(columns, scale).T


def projected(large_CHW: np.ndarray, small_CHW: np.ndarray, scale: int) -> np.ndarray:
    """Return the picture nearest to `large_CHW` whose reduction is `small_CHW`.

    With D the reduction of both axes it is x + D^T (D D^T)^-1 (y - D x), the orthogonal projection
    (Elad and Feuer 1997, section III, as a hard constraint); D is separable, and so is the inverse.
    """
    axes = [_pseudo_inverse(side, scale) for side in small_CHW.shape[1:]]
    missing = small_CHW - reduced(large_CHW, scale)
    return large_CHW + axes[0] @ missing @ axes[1].T


@lru_cache(maxsize=16)
def _pseudo_inverse(length: int, scale: int) -> np.ndarray:
    matrix = reduction(length, scale).astype(np.float64)
    return np.linalg.solve(matrix @ matrix.T, matrix).T.astype(np.float32)


class Check:
    """The difference between a picture and the reduction of what was made of it, over all parts.

    Differences are in units of black to white, the largest over the bands at each pixel for the
    map; what is not valid differs by nothing.
    """

    def __init__(self, height: int, width: int) -> None:
        self.cell = max(1, math.ceil(max(height, width) / MAP))
        self.map = np.zeros((math.ceil(height / self.cell), math.ceil(width / self.cell)))
        self.pixels, self.invented, self.worst, self._sum, self._count = 0, 0, 0.0, 0.0, 0

    def add(
        self,
        rows: slice,
        columns: slice,
        small_CHW: np.ndarray,
        again_CHW: np.ndarray,
        valid: np.ndarray | None,
    ) -> None:
        """Count a part: what was there, and the reduction of what was made of it."""
        difference = np.abs(again_CHW - small_CHW)
        if valid is not None:
            difference = np.where(valid, difference, 0)
        self._sum += float(np.square(difference, dtype=np.float64).sum())
        self._count += (
            difference.size
            if valid is None
            else int(np.broadcast_to(valid, difference.shape).sum())
        )
        worst = difference.max(0)
        self.worst = max(self.worst, float(worst.max()))
        self.pixels += worst.size
        self.invented += int((worst > INVENTED).sum())
        places = np.ix_(
            np.arange(rows.start, rows.stop) // self.cell,
            np.arange(columns.start, columns.stop) // self.cell,
        )
        np.maximum.at(self.map, places, worst)

    @property
    def psnr(self) -> float:
        """In dB over all bands; infinite if nothing differs."""
        mean = self._sum / max(1, self._count)
        return 10 * math.log10(1 / mean) if mean else math.inf

    @property
    def share(self) -> float:
        """Of the pixels, those that differ by more than `INVENTED`."""
        return self.invented / max(1, self.pixels)

    def heat_map(self) -> Image.Image:
        """Return the map as RGB: black for no difference, through red to white from 8/255 on."""
        heat = np.clip(self.map * (255 / 8), 0, 1) * 3
        rgb = np.clip(np.stack([heat, heat - 1, heat - 2], 2), 0, 1)
        return Image.fromarray(np.rint(rgb * 255).astype(np.uint8))
