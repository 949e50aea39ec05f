"""Repainting by tiles: exact for any tile, thread and kind of raster; masks, opacity, colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volute.engine import planes
from volute.engine.stylize import SMALL, Restyler, untouched
from volute.errors import UsageError
from volute.media.raster import ArrayCanvas, ArrayRaster, Levels

RADIUS = MULTIPLE = 8


def network(x_BCHW: np.ndarray) -> np.ndarray:
    """Mix bands, add neighbours up to `RADIUS` with zeros beyond the border, and what depends on
    the place within squares of `MULTIPLE`."""
    assert x_BCHW.dtype == np.float32
    rows, columns = x_BCHW.shape[2:]
    assert rows % MULTIPLE == columns % MULTIPLE == 0
    padded = np.pad(x_BCHW, ((0, 0), (0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS)))
    made = np.zeros_like(x_BCHW)
    for y, x, weight in ((0, 3, 0.3), (16, 8, -0.6), (5, 16, 0.5), (8, 8, 0.9)):
        made += np.float32(weight) * padded[:, [1, 2, 0], y : y + rows, x : x + columns]
    square = np.arange(MULTIPLE, dtype=np.float32) / 20
    place = np.add.outer(np.tile(square, rows // MULTIPLE), np.tile(square, columns // MULTIPLE))
    return np.maximum(made, -1.2) + place


def levels(dtype: Any) -> Levels:
    return Levels.fixed(dtype, 0, 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max)


def raster(array: np.ndarray, valid: np.ndarray | None = None) -> ArrayRaster:
    bands = len(array)
    kinds = {"rgb": bands in (3, 4), "alpha": bands in (2, 4)}
    return ArrayRaster(array, levels(array.dtype), valid=valid, **kinds)


def restyled(
    array: np.ndarray,
    pixels: int = SMALL,
    valid: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    workers: int = 1,
    keep_colour: bool = False,
) -> np.ndarray:
    made = array.copy()
    restyler = Restyler(network, network, RADIUS, MULTIPLE, workers, keep_colour)
    over = None if mask is None else raster(mask)
    restyler.run(raster(array, valid), ArrayCanvas(made), pixels, mask=over)
    return made


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    values = rng.random(shape)
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (values * top).astype(dtype)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 6000),
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
)
def test_tiles_and_threads_leave_no_trace(
    height: int,
    width: int,
    pixels: int,
    dtype: type,
    bands: int,
    gaps: bool,
    masked: bool,
    keep_colour: bool,
    workers: int,
) -> None:
    rng = np.random.default_rng(height * 97 + width)
    array = numbers(rng, (bands, height, width), dtype)
    if bands in (2, 4):  # see-through but for a corner
        array[-1, : height // 2, : width // 3] = 0
    valid = rng.random((1, height, width)) < 0.7 if gaps else None
    mask = numbers(rng, (3, height, width), np.uint16) if masked else None
    whole = restyled(array, SMALL, valid, mask, keep_colour=keep_colour)
    tiled = restyled(array, pixels, valid, mask, workers, keep_colour)
    assert whole.dtype == dtype
    assert np.array_equal(whole, tiled)
    if bands in (2, 4):
        assert np.array_equal(whole[-1], array[-1])
    if valid is not None:
        assert np.array_equal(whole[:, ~valid[0]], array[:, ~valid[0]])


def test_the_whole_picture_is_continued_and_not_its_tiles() -> None:
    array = numbers(np.random.default_rng(0), (3, 21, 30), np.float32)
    padded = np.pad(array, ((0, 0), (0, 3), (0, 2)), mode="edge")
    expected = ((network(padded[None] * 2 - 1)[0] + 1) / 2).clip(0, 1)[:, :21, :30]
    np.testing.assert_allclose(restyled(array, 300, workers=2), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_is_the_luma_of_three_equal_bands(dtype: type) -> None:
    array = numbers(np.random.default_rng(1), (1, 24, 24), dtype)
    colour = restyled(array.repeat(3, 0)).astype(float)
    luma = np.einsum("c,chw->hw", planes.LUMA.astype(float), colour)
    assert np.abs(restyled(array)[0] - luma).max() <= 1


def test_sixteen_bits_stay_sixteen() -> None:
    array = numbers(np.random.default_rng(2), (3, 24, 24), np.uint16)
    made = restyled(array)
    assert len(np.unique(made % 257)) > 100
    coarse = restyled((array // 257).astype(np.uint8)).astype(float) * 257
    assert np.abs(made - coarse).max() < 3 * 257


def test_opaque_pictures_are_as_without_opacity() -> None:
    array = numbers(np.random.default_rng(3), (3, 40, 50), np.uint8)
    opaque = np.concatenate([array, np.full_like(array[:1], 255)])
    assert np.array_equal(restyled(opaque, 900)[:3], restyled(array))


def test_hidden_colours_count_for_nothing_and_leave_no_rim() -> None:
    array = np.full((4, 40, 40), 100, np.uint8)
    array[3, :, 20:] = 0
    hidden = array.copy()
    hidden[:3, :, 20:] = 255
    made = [restyled(x, 900) for x in (array, hidden)]
    assert np.array_equal(made[0][:, :, :20], made[1][:, :, :20])
    plain = restyled(np.full((3, 40, 40), 100, np.uint8))
    near = slice(0, 20 - RADIUS + planes.FILL_RADIUS)  # all that reaches here is seen or continued
    assert np.array_equal(made[0][:3, :, near], plain[:, :, near])


def test_the_colour_of_the_picture_can_be_kept() -> None:
    array = (numbers(np.random.default_rng(4), (3, 32, 32), np.float32) + 2) / 5
    made, kept = restyled(array), restyled(array, keep_colour=True)
    inside = ((kept > 0) & (kept < 1)).all(0)
    assert inside.mean() > 0.3
    for one, other, same in ((kept, made, 0), (kept, array, 1)):
        a, b = planes.to_luma(one)[same], planes.to_luma(other)[same]
        np.testing.assert_allclose(a[:, inside], b[:, inside], atol=1e-5)
    assert np.abs(kept - made).max() > 0.05


def test_a_kept_colour_stays_between_black_and_white() -> None:
    array = np.zeros((3, 16, 16), np.float32)
    array[0] = 1
    kept = restyled(array, keep_colour=True)
    assert kept.min() >= 0
    assert kept.max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_mask_keeps_what_is_black_to_the_bit(dtype: type) -> None:
    array = numbers(np.random.default_rng(5), (3, 40, 40), dtype)
    if dtype is np.float32:
        array[0, 30, 30] = 7.5  # beyond white
    full = restyled(array).astype(float)
    mask = np.zeros((1, 40, 40), np.uint8)
    mask[0, :20], mask[0, 18:22] = 255, 51
    made = restyled(array, 700, mask=mask)
    assert np.array_equal(made[:, 22:], array[:, 22:])
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    np.testing.assert_allclose(made[:, :18] / top, full[:, :18] / top, atol=1e-6)
    mixed = array[:, 18:22] * 0.8 + full[:, 18:22] * 0.2
    np.testing.assert_allclose(made[:, 18:22] / top, mixed / top, atol=0.003)
    clear = np.concatenate([np.full_like(mask, 255), mask])  # what is transparent is black
    assert np.array_equal(made, restyled(array, 700, mask=clear))


def test_numbers_beyond_black_and_white_count_as_these() -> None:
    array = numbers(np.random.default_rng(6), (3, 24, 24), np.float32)
    wild = array.copy()
    array[0, 5, 5], wild[0, 5, 5] = 1, 1e20
    assert np.array_equal(restyled(array), restyled(wild))


def test_what_is_not_valid_does_not_leak() -> None:
    array = np.full((1, 40, 40), 0.5, np.float32)
    valid = np.ones((1, 40, 40), bool)
    valid[:, 10:20, 10:20] = False
    wild = np.where(valid, array, np.float32(np.nan))
    made = restyled(wild, 500, valid)
    np.testing.assert_array_equal(made[valid], restyled(array, 500)[valid])
    assert np.isnan(made[~valid]).all()


@pytest.mark.parametrize("strength", [0, 1])
def test_what_is_not_valid_is_written_as_it_was(strength: int) -> None:
    array = np.full((1, 24, 24), 0.5, np.float32)
    array[0, 3:6, 2] = np.inf, -np.inf, np.nan
    made, source = np.zeros_like(array), raster(array, np.isfinite(array))
    if strength:
        Restyler(network, network, RADIUS, MULTIPLE, 1).run(source, ArrayCanvas(made), SMALL)
    else:
        untouched(source, ArrayCanvas(made), 100)
    np.testing.assert_array_equal(made[0, 3:6, 2], array[0, 3:6, 2])


@pytest.mark.parametrize(("bands", "rgb", "alpha"), [(5, True, False), (3, False, False)])
def test_other_bands_are_refused(bands: int, rgb: bool, alpha: bool) -> None:
    array = np.zeros((bands, 8, 8), np.uint8)
    odd = ArrayRaster(array, levels(np.uint8), rgb=rgb, alpha=alpha)
    with pytest.raises(UsageError, match=f"{bands} bands"):
        Restyler(network, network, 8, 8, 1).run(odd, ArrayCanvas(array), SMALL)


def test_a_mask_of_another_size_is_refused() -> None:
    array, mask = np.zeros((1, 20, 30), np.uint8), np.zeros((1, 30, 20), np.uint8)
    with pytest.raises(UsageError, match="mask has 20 x 30 pixels, the picture 30 x 20"):
        restyled(array, mask=mask)


def test_an_error_in_one_tile_ends_the_work() -> None:
    def broken(x_BCHW: np.ndarray) -> np.ndarray:
        raise MemoryError

    array = np.zeros((1, 200, 50), np.uint8)
    with pytest.raises(MemoryError):
        Restyler(broken, broken, 8, 8, 2).run(raster(array), ArrayCanvas(array.copy()), 500)
