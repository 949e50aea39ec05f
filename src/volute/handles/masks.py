"""Masks as a person gives them: a file, a PIL picture, an array."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from volute.errors import UsageError
from volute.handles.pictures import Picture, opened, several
from volute.media import mask as files
from volute.media.raster import Raster

Mask = Picture | np.ndarray


def in_memory(mask: Mask) -> Raster:
    """Return a mask as a raster, upright.

    Args:
        mask: as for `opened`, or an array of bool.

    Raises:
        UsageError: for what is no single picture.
        DataError: if a file cannot be read.
    """
    if several(mask):
        raise UsageError("a mask is one picture, not several")
    if isinstance(mask, np.ndarray) and mask.dtype == bool:
        mask = mask.astype(np.uint8) * 255
    (pixels,), _ = opened(mask)
    return files.of_array(pixels)


@contextmanager
def laid_over(mask: Mask | None) -> Iterator[Raster | None]:
    """Give a mask as a raster, upright; one in a file stays there.

    Args:
        mask: as for `in_memory`; None gives None.

    Raises:
        UsageError: for what is no single picture.
        DataError: if its file cannot be read.
    """
    if mask is None:
        yield None
    elif isinstance(mask, str | Path):
        with files.opened(Path(mask)) as raster:
            yield raster
    else:
        yield in_memory(mask)
