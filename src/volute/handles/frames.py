"""A frame of a film between what repaints it and the film, and the shot that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from volute.engine.steady import Steady, cut
from volute.engine.stylize import share_of
from volute.media.raster import Block, Canvas, Raster

Measure = TypeVar("Measure")
GLANCE = 64
"""Pixels of a frame's longer side that are looked at."""
DRIFT, FACTOR, QUIET = 0.08, 1.3, 0.02
"""By how much brightness may change, of 1, and the contrast, as a factor; and what is none."""


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


class Shot(Generic[Measure]):
    """Keeps what was measured of a frame for those after it, as long as they are much alike."""

    def __init__(self) -> None:
        self._glance = np.empty((0, 0, 3), np.float32)
        self._seen: Measure | None = None

    def __call__(self, raster: Raster, measured: Callable[[Raster], Measure]) -> Measure:
        """Return what `measured` says of this frame, or of one before that looked like it."""
        glance = _glance(raster)
        if self._seen is None or _apart(self._glance, glance):
            self._glance, self._seen = glance, measured(raster)
        return self._seen


def _glance(raster: Raster) -> np.ndarray:
    """Return some of a frame's pixels, float32 [h, w, 1 or 3] in [0, 1]."""
    step = -(-max(raster.height, raster.width) // GLANCE)
    block = raster.read(slice(0, raster.height), slice(0, raster.width))
    colours = block.numbers[: raster.bands - raster.alpha, ::step, ::step]
    return raster.levels.unit(colours).transpose(1, 2, 0)


def _apart(before: np.ndarray, now: np.ndarray) -> bool:
    if before.shape != now.shape or cut(before, now):
        return True
    contrast = (now.std() + QUIET) / (before.std() + QUIET)
    return bool(abs(now.mean() - before.mean()) > DRIFT or not 1 / FACTOR < contrast < FACTOR)
