"""Rasters continued by mirroring are what NumPy's padding gives, in any parts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from volute.engine.mirrored import Cropped, Mirrored
from volute.media.raster import ArrayCanvas, ArrayRaster, Block, Levels

EIGHT = Levels.fixed(np.dtype(np.uint8), 0, 255)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 12), st.data())
def test_any_part_is_that_of_a_padded_array(
    height: int, width: int, more: int, data: st.DataObject
) -> None:
    array = np.arange(2 * height * width, dtype=np.uint8).reshape(2, height, width)
    valid = array % 3 > 0
    padded = np.pad(array, ((0, 0), (more, more), (more, more)), mode="reflect")
    raster = Mirrored(ArrayRaster(array, EIGHT, valid=valid), more)
    assert (raster.height, raster.width) == padded.shape[1:]
    place = []
    for length in padded.shape[1:]:
        start = data.draw(st.integers(0, length - 1))
        place.append(slice(start, data.draw(st.integers(start + 1, length))))
    block = raster.read(*place)
    assert np.array_equal(block.numbers, padded[:, *place])
    assert block.valid is not None
    assert np.array_equal(block.valid, padded[:, *place] % 3 > 0)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 12), st.integers(1, 7))
def test_what_is_written_in_parts_comes_back_without_what_was_added(
    height: int, width: int, more: int, side: int
) -> None:
    array = np.arange(height * width, dtype=np.uint8).reshape(1, height, width)
    raster, made = Mirrored(ArrayRaster(array, EIGHT), more), np.full_like(array, 255)
    canvas = Cropped(ArrayCanvas(made), more, height, width)
    for top in range(0, raster.height, side):
        for left in range(0, raster.width, side):
            place = (
                slice(top, min(top + side, raster.height)),
                slice(left, min(left + side, raster.width)),
            )
            canvas.write(*place, Block(raster.read(*place).numbers))
    assert np.array_equal(made, array)
