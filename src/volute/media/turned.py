"""Pictures the way up that they are shown, over pixels that are stored another way.

A camera stores a portrait lying down, with a note how to turn it (EXIF). Nothing is copied: parts
are turned as they are read and written.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from volute.media.raster import Block, Kept, Raster

TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
"""What makes a picture of each EXIF orientation upright: transpose it, then reverse its rows, and
its columns."""


class Turn:
    """Places and parts of a picture as it is shown, and as it is stored.

    Args:
        orientation: of EXIF, 1 to 8.
        height: as it is stored, in pixels.
        width: likewise.
    """

    def __init__(self, orientation: int, height: int, width: int) -> None:
        self.transposed, self.upside_down, self.mirrored = TURNS[orientation]
        self.height, self.width = (width, height) if self.transposed else (height, width)

    def place(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        """Return where a part that is shown at `rows` and `columns` is stored."""
        if self.upside_down:
            rows = slice(self.height - rows.stop, self.height - rows.start)
        if self.mirrored:
            columns = slice(self.width - columns.stop, self.width - columns.start)
        return (columns, rows) if self.transposed else (rows, columns)

    def shown(self, stored_CHW: np.ndarray) -> np.ndarray:
        """Return a part as it is shown."""
        turned = stored_CHW.swapaxes(1, 2) if self.transposed else stored_CHW
        return turned[:, :: self._down, :: self._right]

    def stored(self, shown_CHW: np.ndarray) -> np.ndarray:
        """Return a part as it is stored."""
        turned = shown_CHW[:, :: self._down, :: self._right]
        return turned.swapaxes(1, 2) if self.transposed else turned

    @property
    def _down(self) -> int:
        return -1 if self.upside_down else 1

    @property
    def _right(self) -> int:
        return -1 if self.mirrored else 1


class TurnedRaster:
    """A raster as it is shown."""

    def __init__(self, raster: Raster, orientation: int) -> None:
        self.raster, self.turn = raster, Turn(orientation, raster.height, raster.width)
        self.bands, self.levels, self.masked = raster.bands, raster.levels, raster.masked
        self.rgb, self.alpha = raster.rgb, raster.alpha
        self.height, self.width = self.turn.height, self.turn.width

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part."""
        return _shown(self.raster.read(*self.turn.place(rows, columns)), self.turn)


class TurnedCanvas:
    """A canvas that takes what is shown.

    Args:
        canvas: takes what is stored.
        orientation: of EXIF, 1 to 8.
        height: of what is stored, in pixels.
        width: likewise.
    """

    def __init__(self, canvas: Kept, orientation: int, height: int, width: int) -> None:
        self.canvas, self.turn = canvas, Turn(orientation, height, width)

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part."""
        return _shown(self.canvas.read(*self.turn.place(rows, columns)), self.turn)

    def write(self, rows: slice, columns: slice, block: Block) -> None:
        """Take a part."""
        valid = None if block.valid is None else self.turn.stored(block.valid)
        stored = Block(self.turn.stored(block.numbers), valid)
        self.canvas.write(*self.turn.place(rows, columns), stored)


def _shown(block: Block, turn: Turn) -> Block:
    valid = None if block.valid is None else turn.shown(block.valid)
    return Block(turn.shown(block.numbers), valid)


def orientation_of(image: Any) -> int:
    """Return the EXIF orientation that a libvips image tells; 1 where it tells none."""
    told = image.get("orientation") if image.get_typeof("orientation") else 1
    return told if told in TURNS else 1
