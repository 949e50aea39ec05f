"""A frame of a film between what repaints it and the film."""

from __future__ import annotations

import numpy as np

from volute.engine.steady import Steady
from volute.engine.stylize import share_of
from volute.media.raster import Block, Canvas, Raster


class Frame:
    """A canvas that keeps a frame until it is whole, and what stays still in it as it was shown.

    Args:
        raster: the frame as it was: 8 or 16 bits, everywhere valid.
        canvas: where it goes in the end.
        steady: what remembers the frames before.
        mask: where it is black, the frame stays as it was.
    """

    def __init__(self, raster: Raster, canvas: Canvas, steady: Steady, mask: Raster | None) -> None:
        self.raster, self.canvas, self.steady, self.mask = raster, canvas, steady, mask
        shape = (raster.bands, raster.height, raster.width)
        self.made = np.empty(shape, raster.levels.dtype)

    def write(self, rows: slice, columns: slice, block: Block) -> None:
        """Take a part."""
        self.made[:, rows, columns] = block.numbers

    def show(self) -> None:
        """Hand the whole frame on."""
        whole = slice(0, self.raster.height), slice(0, self.raster.width)
        numbers = self.raster.read(*whole).numbers
        colours = len(numbers) - self.raster.alpha
        unit = self.raster.levels.unit(numbers[:colours]).transpose(1, 2, 0)
        held = self.steady(unit, self.made[:colours].transpose(1, 2, 0))
        self.made[:colours] = held.transpose(2, 0, 1)
        if self.mask is not None:
            kept = share_of(self.mask, self.mask.read(*whole)) == 0
            np.copyto(self.made, numbers, where=kept)
        self.canvas.write(*whole, Block(self.made))
