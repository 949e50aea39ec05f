"""A picture in parts that fit the memory, with nothing to see where they meet.

A part is read with a halo as wide as the network's receptive radius, clipped at the picture's
border, never padded there: the network's own padding then acts where it acts on the whole picture,
and every pixel is computed from the same numbers (up to the rounding of another order of sums).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tile:
    """One part: what to read, and where in what was made of it the part itself lies."""

    rows: slice
    columns: slice
    inner_rows: slice
    """Of the part that was read, those that belong to the tile."""
    inner_columns: slice

    def scaled(self, scale: int) -> tuple[slice, slice]:
        """Return the tile's place in the enlarged reading."""
        return _times(self.inner_rows, scale), _times(self.inner_columns, scale)

    def target(self, scale: int) -> tuple[slice, slice]:
        """Return the tile's place in the enlarged picture."""
        places = []
        for outer, inner in ((self.rows, self.inner_rows), (self.columns, self.inner_columns)):
            whole = slice(outer.start + inner.start, outer.start + inner.stop)
            places.append(_times(whole, scale))
        return places[0], places[1]


def tiles(height: int, width: int, side: int, radius: int) -> Iterator[Tile]:
    """Yield the parts of a picture, row by row, `side` pixels a side but for the last ones."""
    for rows, inner_rows in _spans(height, side, radius):
        for columns, inner_columns in _spans(width, side, radius):
            yield Tile(rows, columns, inner_rows, inner_columns)


def side_for(memory: int, bytes_per_pixel: float, radius: int) -> int:
    """Return the largest side of a tile whose reading takes at most `memory` bytes; 16 at least."""
    return max(16, int((memory / bytes_per_pixel) ** 0.5) - 2 * radius)


def run_tiled(
    network: Callable[[np.ndarray], np.ndarray],
    picture_CHW: np.ndarray,
    scale: int,
    side: int,
    radius: int,
) -> np.ndarray:
    """Return network(picture) made part by part: [C, H, W] to [K, scale * H, scale * W]."""
    _, height, width = picture_CHW.shape
    result: np.ndarray | None = None
    for tile in tiles(height, width, side, radius):
        made = network(picture_CHW[None, :, tile.rows, tile.columns])[0]
        if result is None:
            result = np.empty((len(made), height * scale, width * scale), made.dtype)
        rows, columns = tile.target(scale)
        inner_rows, inner_columns = tile.scaled(scale)
        result[:, rows, columns] = made[:, inner_rows, inner_columns]
    assert result is not None
    return result


def _spans(length: int, side: int, radius: int) -> Iterator[tuple[slice, slice]]:
    for start in range(0, length, side):
        stop = min(start + side, length)
        outer = slice(max(0, start - radius), min(length, stop + radius))
        yield outer, slice(start - outer.start, stop - outer.start)


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
