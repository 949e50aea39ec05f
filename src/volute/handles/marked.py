"""The mark in the pixels of a file: laid when a picture, or a frame of a film, has been made."""

from __future__ import annotations

from typing import cast

import numpy as np

from volute.engine.reduced import reduced
from volute.engine.tiles import tiles
from volute.handles.frames import Shot
from volute.media.raster import Block, Canvas, Kept, Raster, Run
from volute.provenance import watermark
from volute.provenance.added import SMALLEST, Added
from volute.provenance.ident import ident_of
from volute.provenance.manifest import Origin

SEEN = 1 << 20
"""Pixels from which the mark is drawn; it looks at a square of 512 px, or several in a row."""
PART = 256, 1024
"""Rows and columns that are marked at a time."""
ANEW = 24
"""Frames after which the mark of a film is drawn anew; at a cut it is in any case."""


class Marks:
    """Lays one ID into all pictures of an output.

    What was made is looked at again, made small, and then changed part by part: so the tiles in
    which it was made leave no trace in the mark, and memory does not follow its size.

    Args:
        origin: how the output comes about; None lays nothing.
        scale: how many times as large as its source it is.
    """

    def __init__(self, origin: Origin | None, scale: int = 1) -> None:
        self._ident = None if origin is None else ident_of(origin)
        self._scale = scale
        self._shot = Shot[np.ndarray]()
        self._found = False

    def laid(self) -> int | None:
        """Return the ID if the pixels carry it: small and odd pictures do not."""
        return self._ident if self._found else None

    def after(self, run: Run) -> Run:
        """Return what does as `run` does, on a canvas that keeps what is made, and marks it."""
        if self._ident is None:
            return run
        ident = self._ident

        def marked(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
            run(raster, canvas, part, parts)
            made = _Made(raster, cast(Kept, canvas), self._scale)
            if min(made.height, made.width) < SMALLEST or made.colours != (3 if made.rgb else 1):
                return
            self._found = True
            if parts == 1:
                made.mark(made.added(ident))
                return
            if part % ANEW == 0:
                self._shot = Shot[np.ndarray]()
            made.change(made.whole, self._shot(raster, lambda _: made.all_of(made.added(ident))))

        return marked


class _Made:
    """What was made of a raster, `scale` times as large, as a raster itself."""

    def __init__(self, raster: Raster, canvas: Kept, scale: int) -> None:
        self.canvas, self.levels = canvas, raster.levels
        self.bands, self.rgb, self.alpha = raster.bands, raster.rgb, raster.alpha
        self.height, self.width = scale * raster.height, scale * raster.width
        self.masked = raster.masked
        self.colours = raster.bands - raster.alpha
        self.whole = slice(0, self.height), slice(0, self.width)

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part."""
        return self.canvas.read(rows, columns)

    def added(self, ident: int) -> Added:
        """Return what is added to all of it."""
        seen = reduced(self, SEEN, 1)[: self.colours].transpose(1, 2, 0)
        pixels = np.rint((seen + 1) * np.float32(127.5)).astype(np.uint8)
        return watermark.shipped().added(pixels, (self.height, self.width), ident)

    def all_of(self, added: Added) -> np.ndarray:
        """Return what is added to the numbers, [C, H, W]: a film has the same for many frames."""
        return self._steps(added.window(*self.whole))

    def mark(self, added: Added) -> None:
        """Add it part by part."""
        for tile in tiles(self.height, self.width, PART, 0):
            place = tile.rows, tile.columns
            self.change(place, self._steps(added.window(*place)))

    def change(self, place: tuple[slice, slice], steps_CHW: np.ndarray) -> None:
        """Add to the colours of a part; opacity stays."""
        block, levels, colours = self.read(*place), self.levels, self.colours
        made = np.add(block.numbers[:colours], steps_CHW, dtype=steps_CHW.dtype)
        least, most = (made.dtype.type(end) for end in (levels.lowest, levels.highest))
        np.clip(made, least, most, out=made)
        numbers = np.concatenate([made.astype(levels.dtype), block.numbers[colours:]])
        self.canvas.write(*place, Block(numbers, block.valid))

    def _steps(self, added_HWC: np.ndarray) -> np.ndarray:
        """Return what is added in the units of the file, in a type in which nothing overflows."""
        levels = self.levels
        span = (levels.white - levels.black)[: self.colours] if levels.black.ndim else levels.white
        steps = added_HWC.transpose(2, 0, 1) * span.astype(np.float32)
        if levels.dtype.kind == "f":
            return steps.astype(levels.dtype)
        return np.rint(steps).astype(f"i{2 * levels.dtype.itemsize}")
