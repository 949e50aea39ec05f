"""Masks from files, the way up that they are shown, and turned as another file stores its pixels.

A camera stores a portrait lying down, with a note how to turn it (EXIF); a mask that was drawn over
it in an editor is upright.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from volute.media.photo import read_picture
from volute.media.photo_file import format_of
from volute.media.photo_file import opened as opened_photo
from volute.media.photo_raster import ScratchRaster, photo_levels
from volute.media.raster import ArrayRaster, Block, Levels, Raster
from volute.media.scratch import Scratch

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


class Turned:
    """A raster turned upright from an EXIF orientation."""

    def __init__(self, raster: Raster, orientation: int) -> None:
        self.raster, self.turn = raster, TURNS[orientation]
        self.bands, self.levels, self.masked = raster.bands, raster.levels, raster.masked
        self.rgb, self.alpha = raster.rgb, raster.alpha
        size = raster.height, raster.width
        self.height, self.width = size[::-1] if self.turn[0] else size

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part; it is all valid."""
        transposed, upside_down, mirrored = self.turn
        if upside_down:
            rows = slice(self.height - rows.stop, self.height - rows.start)
        if mirrored:
            columns = slice(self.width - columns.stop, self.width - columns.start)
        if transposed:
            rows, columns = columns, rows
        numbers = self.raster.read(rows, columns).numbers
        if transposed:
            numbers = numbers.swapaxes(1, 2)
        return Block(numbers[:, :: -1 if upside_down else 1, :: -1 if mirrored else 1])


@contextmanager
def opened(source: Path) -> Iterator[Raster]:
    """Give the upright pixels of a picture file, on disk; numbers that are none among them.

    Raises:
        DataError: the file cannot be read or holds no picture.
    """
    form = format_of(source)
    if form is None:
        yield of_array(read_picture(source).array)
        return
    with ExitStack() as stack:
        photo = stack.enter_context(opened_photo(source, form))
        size = photo.image.height, photo.image.width, photo.image.bands
        scratch = stack.enter_context(Scratch(*size, photo.dtype))
        photo.decode(scratch)
        levels = photo_levels(scratch, photo.alpha, source)
        raster = ScratchRaster(scratch, levels, photo.rgb, photo.alpha)
        yield Turned(raster, _orientation(photo.image))


def as_stored(raster: Raster, picture: Path) -> Raster:
    """Return an upright raster turned as the pixels of the file `picture` are stored.

    Raises:
        DataError: it cannot be read.
    """
    form = format_of(picture)
    if form is None:
        return raster
    with opened_photo(picture, form) as photo:
        orientation = _orientation(photo.image)
    return Turned(raster, {6: 8, 8: 6}.get(orientation, orientation))


def of_array(array_HWC: np.ndarray) -> Raster:
    """Return uint8 [H, W, C] of 1 to 4 channels as a raster."""
    array = array_HWC.transpose(2, 0, 1)
    kinds = {"rgb": len(array) >= 3, "alpha": len(array) in (2, 4)}
    return ArrayRaster(array, Levels.fixed(array.dtype, 0, 255), **kinds)


def _orientation(image: Any) -> int:
    told = image.get("orientation") if image.get_typeof("orientation") else 1
    return told if told in TURNS else 1
