"""The mark in the pixels of a file: laid when a picture, or a frame of a film, has been made."""

from __future__ import annotations

from typing import cast

import numpy as np
from PIL import Image

from volute.engine.tiles import tiles
from volute.handles.frames import Shot
from volute.media.raster import Block, Canvas, Kept, Raster, Run
from volute.provenance import watermark
from volute.provenance.added import LARGEST, SMALLEST, Added, squares
from volute.provenance.ident import ident_of
from volute.provenance.manifest import Origin

STRIP = 1 << 20
"""Pixels that are looked at at a time, to be made small."""
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
    """What was made of a raster, `scale` times as large."""

    def __init__(self, raster: Raster, canvas: Kept, scale: int) -> None:
        self.canvas, self.levels = canvas, raster.levels
        self.rgb, self.colours = raster.rgb, raster.bands - raster.alpha
        self.height, self.width = scale * raster.height, scale * raster.width
        self.whole = slice(0, self.height), slice(0, self.width)

    def added(self, ident: int) -> Added:
        """Return what is added to all of it."""
        size = self.height, self.width
        factor = max(1, max(size) // (LARGEST * squares(*size)))
        tall = max(1, STRIP // (factor * self.width)) * factor
        strips = [
            self._reduced(slice(top, min(top + tall, self.height)), factor)
            for top in range(0, self.height, tall)
        ]
        return watermark.shipped().added(np.concatenate(strips), size, ident)

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
        block, levels, colours = self.canvas.read(*place), self.levels, self.colours
        made = np.add(block.numbers[:colours], steps_CHW, dtype=steps_CHW.dtype)
        least, most = (made.dtype.type(end) for end in (levels.lowest, levels.highest))
        np.clip(made, least, most, out=made)
        numbers = np.concatenate([made.astype(levels.dtype), block.numbers[colours:]])
        self.canvas.write(*place, Block(numbers, block.valid))

    def _reduced(self, rows: slice, factor: int) -> np.ndarray:
        """Return the means of squares of a strip's colours, uint8 [h, w, C]."""
        numbers = self.canvas.read(rows, self.whole[1]).numbers[: self.colours]
        if numbers.dtype != np.uint8:
            unit = np.nan_to_num(self.levels.unit(numbers)).clip(0, 1)
            numbers = np.rint(unit * 255).astype(np.uint8)
        pixels = np.ascontiguousarray(numbers.transpose(1, 2, 0))
        image = Image.fromarray(pixels[..., 0] if self.colours == 1 else pixels)
        small = np.asarray(image.reduce(factor))
        return small.reshape(*small.shape[:2], -1)

    def _steps(self, added_CHW: np.ndarray) -> np.ndarray:
        """Return what is added in the units of the file, in a type in which nothing overflows."""
        levels = self.levels
        span = (levels.white - levels.black).astype(np.float32)
        steps = added_CHW * (span[: self.colours] if span.ndim else span)
        if levels.dtype.kind == "f":
            return steps.astype(levels.dtype)
        return np.rint(steps).astype(f"i{2 * levels.dtype.itemsize}")
