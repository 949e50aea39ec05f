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
        down, above, below = _seen(rows, self.more, self.raster.height)
        across, before, behind = _seen(columns, self.more, self.raster.width)
        block = self.raster.read(down, across)
        if not any((above, below, before, behind)):
            return block
        more = (0, 0), (above, below), (before, behind)
        first = rows.start - self.more - (down.start - above)
        left = columns.start - self.more - (across.start - before)
        place = (
            slice(None),
            slice(first, first + rows.stop - rows.start),
            slice(left, left + columns.stop - columns.start),
        )
        valid = None if block.valid is None else np.pad(block.valid, more, mode="reflect")[place]
        return Block(np.pad(block.numbers, more, mode="reflect")[place], valid)


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


def _seen(part: slice, more: int, length: int) -> tuple[slice, int, int]:
    """Return what of `length` places a part shows, and how far it is mirrored on either side; the
    edge itself is not repeated."""
    start, stop = part.start - more, part.stop - more
    before, behind = max(0, -start), max(0, stop - length)
    first = 0 if before else min(start, max(0, length - 1 - behind))
    last = length if behind else max(stop, min(length, before + 1))
    return slice(first, last), before, behind


def _within(part: slice, more: int, length: int) -> tuple[slice, slice]:
    """Return what of a part is kept, counted from its start, and where that lies within."""
    start, stop = max(part.start - more, 0), min(part.stop - more, length)
    first = start + more - part.start
    return slice(first, first + max(0, stop - start)), slice(start, stop)
