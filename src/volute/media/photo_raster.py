"""The pixels of a photograph, on disk, as a raster and a canvas."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from volute.errors import DataError
from volute.media.raster import Block, Levels
from volute.media.scratch import Scratch

SAMPLES = 1_000_000


class ScratchRaster:
    """A photograph on disk as a raster; floats that are not finite are not valid."""

    def __init__(self, scratch: Scratch, levels: Levels, rgb: bool, alpha: bool) -> None:
        self.scratch, self.levels, self.rgb, self.alpha = scratch, levels, rgb, alpha
        self.bands, self.height, self.width = scratch.bands, scratch.height, scratch.width
        self.masked = scratch.dtype.kind == "f"

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part."""
        return _block(self.scratch, rows, columns)


class ScratchCanvas:
    """A photograph on disk as a canvas; what is not valid becomes NaN."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part."""
        return _block(self.scratch, rows, columns)

    def write(self, rows: slice, columns: slice, block: Block) -> None:
        """Take a part."""
        numbers = block.numbers
        if block.valid is not None:
            numbers = np.where(block.valid, numbers, np.array(np.nan, numbers.dtype))
        self.scratch.write(rows, columns, numbers)


def _block(scratch: Scratch, rows: slice, columns: slice) -> Block:
    numbers = scratch.read(rows, columns)
    if scratch.dtype.kind != "f" or (valid := np.isfinite(numbers)).all():
        return Block(numbers)
    return Block(numbers, valid)


def photo_levels(scratch: Scratch, alpha: bool, source: Path) -> Levels:
    """Return black and white: of the type for 8 and 16 bits, 0 and 1 for floats that lie there."""
    dtype = scratch.dtype
    if dtype in (np.uint8, np.uint16):
        return Levels.fixed(dtype, 0, np.iinfo(dtype).max)
    step = max(1, math.isqrt(scratch.height * scratch.width // SAMPLES))
    low, high, samples = np.inf, -np.inf, []
    for rows in scratch.strips():
        strip = scratch.read(rows, slice(0, scratch.width))
        kept = np.where(np.isfinite(strip), strip, np.nan) if dtype.kind == "f" else strip
        colour = kept[: scratch.bands - alpha]
        if np.isfinite(colour).any():
            low, high = min(low, np.nanmin(colour)), max(high, np.nanmax(colour))
        samples.append(kept[:, -rows.start % step :: step, ::step].reshape(scratch.bands, -1))
    if low > high:
        raise DataError(f"{source}: it holds no finite number")
    if dtype.kind == "f" and low >= 0 and high <= 1:
        return Levels.fixed(dtype, 0, 1)
    sampled = np.concatenate(samples, 1)
    empty = ~np.isfinite(sampled).any(1, keepdims=True)
    levels = Levels.measured(dtype, np.where(empty, low, sampled).astype(dtype))
    if alpha:
        levels.black[-1], levels.white[-1] = 0, 1 if dtype.kind == "f" else np.iinfo(dtype).max
    return levels
