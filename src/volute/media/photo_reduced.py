"""Photographs made small as they are read, so that none is too large to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from volute.errors import DataError
from volute.media.photo import PIXEL_LIMIT, PictureError, read_picture
from volute.media.photo_file import format_of, opened

DEPTHS = {"uchar": 1, "ushort": 257}
"""libvips' names of the numbers of large pictures that are read, and how many are one of 255."""


def read_reduced(source: Path, near: int) -> np.ndarray | None:
    """Return a picture, upright, by whole factors smaller: uint8 [H, W, C], C as in `read_picture`.

    One of over 50 megapixels goes through libvips, some rows at a time.

    Args:
        source: a picture file.
        near: pixels that the shorter side keeps at least, if it had them.

    Returns:
        The picture, or None: of over 50 megapixels, and of more than 16 bits.

    Raises:
        PictureError: not a picture of a known format, or broken.
        DataError: a large one is broken, or over 1,000 megapixels.
    """
    try:
        return read_picture(source, near, reduce=True).array
    except PictureError:
        form = format_of(source)
        if form is None:
            raise
        with opened(source, form) as photo:
            image: Any = photo.image
            if image.width * image.height <= PIXEL_LIMIT:
                raise
            return _shrunk(source, image, near)


def _shrunk(source: Path, image: Any, near: int) -> np.ndarray | None:
    if image.format not in DEPTHS:
        return None
    factor = max(1, min(image.width, image.height) // near)
    try:
        small = image.shrink(factor, factor).copy_memory().autorot().numpy()
    except pyvips.Error as error:
        raise DataError(f"{source}: it is damaged", "Copy it again.") from error
    pixels = np.rint(small / np.float32(DEPTHS[image.format])).astype(np.uint8)
    return pixels.reshape(*pixels.shape[:2], -1)
