"""A picture in parts that fit the memory, with nothing to see where they meet.

A part is read with a halo as wide as the network's receptive radius, clipped at the picture's
border, never padded there: the network's own padding then acts where it acts on the whole picture,
and every pixel is computed from the same numbers in the same order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from volute.errors import VoluteError

Network = Callable[[np.ndarray], np.ndarray]
"""[n, bands, H, W] in [-1, 1] to [n, bands, scale * H, scale * W], by several threads at once."""
Tick = Callable[[float], None]
"""Is told the share of the work that is done, in (0, 1]."""
Made = TypeVar("Made")
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


def shape_for(
    height: int, width: int, pixels: int, radius: int, workers: int, multiple: int = 1
) -> tuple[int, int]:
    """Return rows and columns of a tile: at most `pixels` with its halo, at least 16 a side.

    Strips of the whole width, one for each worker, where they fit; else squares. Sides are whole
    multiples of `multiple`, as `height` and `width` must be.
    """
    least = up(16, multiple)
    rows = max(least, up(math.ceil(height / workers), multiple))
    if (rows + 2 * radius) * width <= pixels:
        return rows, width
    side = math.isqrt(pixels) - 2 * radius
    large = math.lcm(ALIGNED, multiple)
    side = side // large * large or side // multiple * multiple
    return max(least, side), max(least, side)


def up(length: int, multiple: int) -> int:
    """Return the least multiple that is no less than `length`."""
    return -(-length // multiple) * multiple


def in_order(
    make: Callable[[Tile], Made], parts: Sequence[Tile], workers: int
) -> Iterator[tuple[Tile, Made]]:
    """Yield what `make` gives for each part, in order; at most one more than the workers."""
    if workers == 1 or len(parts) == 1:
        yield from ((tile, make(tile)) for tile in parts)
        return
    waiting: deque[tuple[Tile, Future[Made]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for tile in parts:
                waiting.append((tile, pool.submit(make, tile)))
                if len(waiting) > workers:
                    first, result = waiting.popleft()
                    yield first, result.result()
            for first, result in waiting:
                yield first, result.result()
        finally:
            pool.shutdown(cancel_futures=True)


def halves(
    network: Network, block_BCHW: np.ndarray, scale: int, radius: int, multiple: int = 1
) -> np.ndarray:
    """Return what `network` makes of a block in two overlapping parts, for less memory.

    Args:
        network: what makes it; it may halve its part again.
        block_BCHW: its sides are multiples of `multiple`.
        scale: of the network.
        radius: of the network, a multiple of `multiple`.
        multiple: of the sides of what the network takes.

    Raises:
        VoluteError: if the parts would be no smaller.
    """
    axis = 2 if block_BCHW.shape[2] >= block_BCHW.shape[3] else 3
    middle = block_BCHW.shape[axis] // 2 // multiple * multiple
    if middle <= 2 * radius:
        hint = "Close other programs, or give fewer threads."
        raise VoluteError("there is not enough memory even for the smallest tile", hint)
    upper = network(np.split(block_BCHW, [middle + radius], axis)[0])
    lower = network(np.split(block_BCHW, [middle - radius], axis)[1])
    kept = np.split(upper, [middle * scale], axis)[0], np.split(lower, [radius * scale], axis)[1]
    return np.concatenate(kept, axis)


def _spans(length: int, side: int, radius: int) -> Iterator[tuple[slice, slice]]:
    for start in range(0, length, side):
        stop = min(start + side, length)
        outer = slice(max(0, start - radius), min(length, stop + radius))
        yield outer, slice(start - outer.start, stop - outer.start)


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
