"""A picture of any size, made so small that a network can measure it at once."""

from __future__ import annotations

import math

import numpy as np

from volute.engine import planes
from volute.engine.tiles import up
from volute.media.raster import Block, Raster

AT_ONCE = 1 << 20
"""Pixels that are read at once."""
MIDDLE = np.float32(0.5)
"""Stands, in [0, 1], for what is not seen and has nothing near by that is."""
GRAIN = 0.02
"""Deviation, of -1 to 1, that what is measured has at least."""


def reduced(raster: Raster, pixels: int, multiple: int) -> np.ndarray:
    """Return the colours of a raster, float32 [3, h, w] in [-1, 1], of some `pixels` at most.

    Squares of whole pixels become the mean of what is seen in them; a rest at the bottom and on the
    right is left out. Grey is repeated. What is then no multiple is continued by mirroring.

    Args:
        raster: grey or RGB, with or without opacity.
        pixels: how many there may be; long pictures are reduced further.
        multiple: of height and width, which are two of it or more.
    """
    height, width = raster.height, raster.width
    longest = pixels // (2 * multiple)
    step = max(math.sqrt(height * width / pixels), max(height, width) / longest)
    down, across = (min(math.ceil(step), side) for side in (height, width))
    rows, columns = height // down * down, width // across * across
    strip = max(1, AT_ONCE // (columns * down)) * down
    parts = []
    for top in range(0, rows, strip):
        block = raster.read(slice(top, min(top + strip, rows)), slice(0, columns))
        parts.append(_means(raster, block, down, across))
    colour, known = (np.concatenate(part, 1) for part in zip(*parts, strict=True))
    if not known.all():
        colour = planes.filled(colour - MIDDLE, known) + MIDDLE
    signed = (2 * colour - 1).repeat(3 // len(colour), 0)
    more = [max(2 * multiple, up(side, multiple)) - side for side in signed.shape[1:]]
    return np.pad(signed, ((0, 0), (0, more[0]), (0, more[1])), mode="symmetric")


def grained(pixels_CHW: np.ndarray) -> np.ndarray:
    """Return pixels in [-1, 1], with grain where they are plain, float32.

    Of a plain picture nothing but its borders would be measured, and brought to the contrast of a
    painting. The grain is always the same: the page of `volute.web` makes it too.
    """
    lacking = GRAIN**2 - pixels_CHW.var((1, 2)).mean()
    if lacking <= 0:
        return pixels_CHW
    grain = np.float32(lacking**0.5) * _noise(pixels_CHW.size)
    return pixels_CHW + grain.reshape(pixels_CHW.shape)


def _noise(count: int) -> np.ndarray:
    """Return numbers of mean 0 and deviation 1, float32: hashed places (MurmurHash3, fmix32)."""
    mixed = np.arange(count, dtype=np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed ^= mixed >> shift
        mixed *= np.uint32(factor)
    mixed ^= mixed >> 16
    return ((mixed / 2**32 - 0.5) * 12**0.5).astype(np.float32)


def _means(raster: Raster, block: Block, down: int, across: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean colour in [0, 1] of what is seen in each rectangle, and where anything is."""
    unit = raster.levels.unit(block.numbers)
    colour = unit[:-1] if raster.alpha else unit
    known = np.ones((1, *unit.shape[1:]), bool) if block.valid is None else block.valid
    known = known[: len(colour)]
    if raster.alpha:
        known = known & (unit[-1:] > 0)
    counted = np.where(known, colour, np.float32(0)).clip(0, 1)
    count = _sums(known.astype(np.float32), down, across)
    return _sums(counted, down, across) / np.maximum(count, 1), count > 0


def _sums(planes_CHW: np.ndarray, down: int, across: int) -> np.ndarray:
    bands, height, width = planes_CHW.shape
    return planes_CHW.reshape(bands, height // down, down, width // across, across).sum((2, 4))
