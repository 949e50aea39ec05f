"""Masks from files, the way up that they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from volute.media.photo import read_picture
from volute.media.photo_file import format_of
from volute.media.photo_file import opened as opened_photo
from volute.media.photo_raster import ScratchRaster, photo_levels
from volute.media.raster import ArrayRaster, Levels, Raster
from volute.media.scratch import Scratch
from volute.media.turned import TurnedRaster, orientation_of


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
        yield TurnedRaster(raster, orientation_of(photo.image))


def of_array(array_HWC: np.ndarray) -> Raster:
    """Return uint8 [H, W, C] of 1 to 4 channels as a raster."""
    array = array_HWC.transpose(2, 0, 1)
    kinds = {"rgb": len(array) >= 3, "alpha": len(array) in (2, 4)}
    return ArrayRaster(array, Levels.fixed(array.dtype, 0, 255), **kinds)
