"""A raster continued beyond its border by mirroring, and a canvas that takes only what is within.

A network that continues its features with zeros would see the border as a thing in the picture.
"""

from __future__ import annotations

import numpy as np

from volute.media.raster import Block, Canvas, Raster


class Mirrored:
    """A raster with `more` mirrored pixels on each side.

    Args:
        raster: what is continued.
        more: how far; beyond the size of the raster it is mirrored again.
    """

    def __init__(self, raster: Raster, more: int) -> None:
        self.raster, self.more = raster, more
        self.bands, self.levels = raster.bands, raster.levels
        self.rgb, self.alpha, self.masked = raster.rgb, raster.alpha, raster.masked
        self.height, self.width = raster.height + 2 * more, raster.width + 2 * more

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part."""
        down = _mirrored(rows, self.more, self.raster.height)
        across = _mirrored(columns, self.more, self.raster.width)
        top, left = down.min(), across.min()
        block = self.raster.read(slice(top, down.max() + 1), slice(left, across.max() + 1))
        if len(down) == down[-1] - top + 1 and len(across) == across[-1] - left + 1:
            return block  # nothing in it is mirrored
        place = np.ix_(down - top, across - left)
        valid = None if block.valid is None else block.valid[:, *place]
        return Block(block.numbers[:, *place], valid)


class Cropped:
    """What of a canvas lies within a raster that was continued.

    Args:
        canvas: the inner one.
        more: by how much the raster was continued.
        height: of the inner one.
        width: likewise.
    """

    def __init__(self, canvas: Canvas, more: int, height: int, width: int) -> None:
        self.canvas, self.more, self.height, self.width = canvas, more, height, width

    def write(self, rows: slice, columns: slice, block: Block) -> None:
        """Take a part, and leave out what lies outside."""
        down, rows = _within(rows, self.more, self.height)
        across, columns = _within(columns, self.more, self.width)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        valid = None if block.valid is None else block.valid[:, down, across]
        self.canvas.write(rows, columns, Block(block.numbers[:, down, across], valid))


def _mirrored(part: slice, more: int, length: int) -> np.ndarray:
    """Return which of `length` places each of a part shows; the edge itself is not repeated."""
    last = length - 1
    place = np.arange(part.start, part.stop) - more
    return np.abs((place + last) % max(1, 2 * last) - last)


def _within(part: slice, more: int, length: int) -> tuple[slice, slice]:
    """Return what of a part is kept, counted from its start, and where that lies within."""
    start, stop = max(part.start - more, 0), min(part.stop - more, length)
    first = start + more - part.start
    return slice(first, first + max(0, stop - start)), slice(start, stop)
