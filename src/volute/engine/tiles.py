"""A picture in parts that fit the memory, with nothing to see where they meet.

A part is read with a halo as wide as the network's receptive radius, clipped at the picture's
border, never padded there: the network's own padding then acts where it acts on the whole picture,
and every pixel is computed from the same numbers in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

ALIGNED = 256
"""Large tiles are multiples of it, so that they end where the blocks of a tiled file end."""


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


def tiles(height: int, width: int, shape: tuple[int, int], radius: int) -> list[Tile]:
    """Return the parts of a picture, row by row, of `shape` (rows, columns) but for the last."""
    return [
        Tile(rows, columns, inner_rows, inner_columns)
        for rows, inner_rows in _spans(height, shape[0], radius)
        for columns, inner_columns in _spans(width, shape[1], radius)
    ]


def shape_for(height: int, width: int, pixels: int, radius: int, workers: int) -> tuple[int, int]:
    """Return rows and columns of a tile: at most `pixels` with its halo, at least 16 a side.

    Strips of the whole width, one for each worker, where they fit; else squares.
    """
    rows = max(16, math.ceil(height / workers))
    if (rows + 2 * radius) * width <= pixels:
        return rows, width
    side = max(16, math.isqrt(pixels) - 2 * radius)
    side = side // ALIGNED * ALIGNED or side
    return side, side


def _spans(length: int, side: int, radius: int) -> Iterator[tuple[slice, slice]]:
    for start in range(0, length, side):
        stop = min(start + side, length)
        outer = slice(max(0, start - radius), min(length, stop + radius))
        yield outer, slice(start - outer.start, stop - outer.start)


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
