"""Tiles partition the picture, and what is made of them is what is made of the whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from volute.engine.tiles import run_tiled, side_for, tiles

SIDES = st.integers(1, 40)


@given(SIDES, SIDES, st.integers(1, 50), st.integers(0, 9))
def test_every_pixel_belongs_to_one_tile_and_is_read_with_its_halo(
    height: int, width: int, side: int, radius: int
) -> None:
    owned = np.zeros((height, width), int)
    for tile in tiles(height, width, side, radius):
        rows, columns = tile.target(1)
        owned[rows, columns] += 1
        for outer, own, length in ((tile.rows, rows, height), (tile.columns, columns, width)):
            assert outer.start == max(0, own.start - radius)
            assert outer.stop == min(length, own.stop + radius)
    assert (owned == 1).all()


@given(
    SIDES, SIDES, st.integers(1, 50), st.integers(0, 4), st.sampled_from([1, 2, 3]), st.integers(0)
)
def test_tiled_equals_whole(
    height: int, width: int, side: int, radius: int, scale: int, seed: int
) -> None:
    picture = np.random.default_rng(seed % 2**32).random((2, height, width)).astype(np.float32)

    def network(x_BCHW: np.ndarray) -> np.ndarray:
        """Sum the neighbours up to `radius`, zeros beyond the border, and repeat pixels."""
        padded = np.pad(x_BCHW, ((0, 0), (0, 0), (radius, radius), (radius, radius)))
        rows, columns = x_BCHW.shape[2:]
        reach = range(2 * radius + 1)
        summed = sum(padded[:, :, y : y + rows, x : x + columns] for y in reach for x in reach)
        return np.asarray(summed).repeat(scale, 2).repeat(scale, 3)

    made = run_tiled(network, picture, scale, side, radius)
    np.testing.assert_array_equal(made, network(picture[None])[0])


@given(st.integers(1 << 20, 1 << 34), st.floats(4, 10_000), st.integers(0, 40))
def test_a_tile_takes_no_more_than_its_memory_unless_it_is_the_smallest(
    memory: int, each: float, radius: int
) -> None:
    side = side_for(memory, each, radius)
    assert side == 16 or (side + 2 * radius) ** 2 * each <= memory
