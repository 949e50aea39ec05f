"""Tiles partition the picture, and each is read with its halo."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from volute.engine.tiles import ALIGNED, shape_for, tiles

SIDES = st.integers(1, 40)


@given(SIDES, SIDES, st.integers(1, 50), st.integers(1, 50), st.integers(0, 9))
def test_every_pixel_belongs_to_one_tile_and_is_read_with_its_halo(
    height: int, width: int, rows_each: int, columns_each: int, radius: int
) -> None:
    owned = np.zeros((height, width), int)
    for tile in tiles(height, width, (rows_each, columns_each), radius):
        rows, columns = tile.target(1)
        owned[rows, columns] += 1
        for outer, own, length in ((tile.rows, rows, height), (tile.columns, columns, width)):
            assert outer.start == max(0, own.start - radius)
            assert outer.stop == min(length, own.stop + radius)
    assert (owned == 1).all()


@given(
    st.integers(1, 30_000),
    st.integers(1, 30_000),
    st.integers(1, 1 << 24),
    st.integers(0, 40),
    st.integers(1, 16),
)
def test_a_tile_takes_no_more_than_its_memory_unless_it_is_the_smallest(
    height: int, width: int, pixels: int, radius: int, workers: int
) -> None:
    rows, columns = shape_for(height, width, pixels, radius, workers)
    read = (rows + 2 * radius) * min(width, columns + 2 * radius)
    assert read <= pixels or (rows == 16 and columns in (16, width))
    assert columns == width or rows == columns
    assert columns == width or columns < ALIGNED or columns % ALIGNED == 0
