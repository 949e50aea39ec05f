"""Enlarging by tiles: exact for any tile, thread and kind of raster; masks, colours, projection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from volute.engine import planes
from volute.engine.enlarge import Enlarger
from volute.engine.faithful import Check, projected, reduced
from volute.media.raster import ArrayCanvas, ArrayRaster, Levels

RADIUS = 2


def network(x_BCHW: np.ndarray) -> np.ndarray:
    """Repeat pixels and add something of their neighbourhood, zeros beyond the border, x 2."""
    padded = np.pad(x_BCHW, ((0, 0), (0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS)))
    rows, columns = x_BCHW.shape[2:]
    summed = np.zeros_like(x_BCHW)
    for y in range(2 * RADIUS + 1):
        for x in range(2 * RADIUS + 1):
            summed += np.float32(0.01 * (y - x)) * padded[:, :, y : y + rows, x : x + columns]
    return (x_BCHW + np.maximum(summed, 0)).repeat(2, 2).repeat(2, 3)


def enlarged(
    array: np.ndarray, pixels: int, valid: np.ndarray | None = None, workers: int = 1, **how: Any
) -> np.ndarray:
    levels = Levels.fixed(
        array.dtype, 0, 1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max
    )
    kinds = {key: how.pop(key) for key in ("rgb", "alpha") if key in how}
    check = how.pop("check", None)
    raster = ArrayRaster(array, levels, valid=valid, **kinds)
    made = np.zeros((len(array), 2 * array.shape[1], 2 * array.shape[2]), array.dtype)
    enlarger = Enlarger(network, how.pop("bands", 1), 2, RADIUS, workers, **how)
    enlarger.run(raster, ArrayCanvas(made), pixels, check=check)
    return made


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 6000),
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.sampled_from([(1, {}), (3, {"rgb": True}), (4, {"rgb": True, "alpha": True}), (5, {})]),
    st.booleans(),
    st.integers(1, 3),
)
def test_tiles_and_threads_leave_no_trace(
    height: int, width: int, pixels: int, dtype: type, kind: Any, masked: bool, workers: int
) -> None:
    bands, flags = kind
    rng = np.random.default_rng(height * 97 + width)
    array = rng.random((bands, height, width))
    array = (
        array.astype(dtype) if dtype is np.float32 else (array * np.iinfo(dtype).max).astype(dtype)
    )
    if bands == 4:  # opaque but for a corner
        array[3, height // 3 :, width // 3 :] = 1 if dtype is np.float32 else np.iinfo(dtype).max
    valid = rng.random((1, height, width)) < 0.7 if masked else None
    whole = enlarged(array, 1 << 30, valid, **flags)
    assert np.array_equal(whole, enlarged(array, pixels, valid, workers, **flags))


@settings(max_examples=15, deadline=None)
@given(st.integers(20, 120), st.integers(20, 120), st.integers(0, 99))
def test_a_faithful_picture_made_small_again_is_the_source(h: int, w: int, seed: int) -> None:
    array = np.random.default_rng(seed).random((1, h, w)).astype(np.float32)
    made = enlarged(array, 3000, faithful=True)
    assert np.abs(reduced(made, 2) - array).max() < 1e-4
    assert np.abs(reduced(enlarged(array, 3000), 2) - array).max() > 1e-2


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_projection_is_the_nearest_and_reduces_as_pillow_does(scale: int) -> None:
    rng = np.random.default_rng(0)
    small = rng.random((1, 40, 50)).astype(np.float32)
    large = rng.random((1, 40 * scale, 50 * scale)).astype(np.float32)
    image = Image.fromarray(large[0]).resize((50, 40), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(reduced(large, scale)[0], np.asarray(image), atol=1e-5)
    made = projected(large, small, scale)
    np.testing.assert_allclose(reduced(made, scale), small, atol=1e-4)
    np.testing.assert_allclose(projected(made, small, scale), made, atol=1e-4)
    nothing = rng.random(large.shape).astype(np.float32)
    nothing -= projected(nothing, np.zeros_like(small), scale)  # what a reduction can see
    assert abs((nothing * (made - large)).sum()) > 10 * abs(
        ((made - large) * projected(large, np.zeros_like(small), scale)).sum()
    )


def test_the_cubic_enlargement_is_pillows() -> None:
    plane = np.random.default_rng(0).random((1, 30, 20)).astype(np.float32)
    for scale in (2, 3, 4):
        size = (20 * scale, 30 * scale)
        theirs = np.asarray(Image.fromarray(plane[0]).resize(size, Image.Resampling.BICUBIC))
        inside = slice(2 * scale, -2 * scale)
        ours = planes.bicubic(plane, scale)[0]
        np.testing.assert_allclose(ours[inside, inside], theirs[inside, inside], atol=1e-5)


def test_what_is_not_valid_does_not_leak() -> None:
    array = np.full((1, 40, 40), 0.5, np.float32)
    valid = np.ones((1, 40, 40), bool)
    array[:, 10:20, 10:20], valid[:, 10:20, 10:20] = np.nan, False
    array[:, 30:, :5], valid[:, 30:, :5] = 1e30, False
    made = enlarged(array, 500, valid)
    wide = valid.repeat(2, 1).repeat(2, 2)
    whole = enlarged(np.full((1, 40, 40), 0.5, np.float32), 500)
    np.testing.assert_allclose(made[wide], whole[wide], atol=1e-6)
    assert (made[~wide] == 0).all()


def test_grey_colours_stay_grey_and_equal_one_plane() -> None:
    plane = np.random.default_rng(1).random((1, 20, 20)).astype(np.float32)
    made = enlarged(np.repeat(plane, 3, 0), 1 << 30, rgb=True)
    for band in made:
        np.testing.assert_allclose(band, enlarged(plane, 1 << 30)[0], atol=1e-5)


def test_the_check_counts_every_pixel_once_and_finds_what_contradicts() -> None:
    array = np.full((1, 64, 48), 0.5, np.float32)
    array[:, 30, 20] = 0.9  # alone: repeated and reduced again, it is not the same
    checks = []
    for pixels in (1 << 30, 600):
        check = Check(64, 48)
        enlarged(array, pixels, check=check)
        checks.append(check)
    whole, tiled = checks
    assert whole.pixels == tiled.pixels == 64 * 48
    assert whole.invented == tiled.invented > 0
    assert whole.psnr == pytest.approx(tiled.psnr)
    np.testing.assert_allclose(whole.map, tiled.map, atol=1e-6)
    assert np.unravel_index(whole.map.argmax(), whole.map.shape) == (30, 20)
    assert whole.heat_map().size == (48, 64)


def test_an_error_in_one_tile_ends_the_work() -> None:
    def broken(x_BCHW: np.ndarray) -> np.ndarray:
        raise MemoryError

    raster = ArrayRaster(np.zeros((1, 50, 50), np.uint8), Levels.fixed(np.uint8, 0, 255))
    canvas = ArrayCanvas(np.zeros((1, 100, 100), np.uint8))
    with pytest.raises(MemoryError):
        Enlarger(broken, 1, 2, 2, workers=2).run(raster, canvas, 500)


@pytest.mark.parametrize("faithful", [False, True])
def test_hidden_colours_count_for_nothing(faithful: bool) -> None:
    array = np.full((4, 40, 40), 100, np.uint8)
    array[3, :, :20], array[3, :, 20:] = 255, 0
    hidden = array.copy()
    hidden[:3, :, 20:] = 255
    checks = [Check(40, 40), Check(40, 40)]
    made = [
        enlarged(a, 900, rgb=True, alpha=True, faithful=faithful, check=check)
        for a, check in zip((array, hidden), checks, strict=True)
    ]
    assert np.array_equal(*made)
    assert checks[0].worst == checks[1].worst < 0.5


@pytest.mark.parametrize("faithful", [False, True])
def test_one_wild_number_spoils_its_own_place_alone(faithful: bool) -> None:
    plain = np.random.default_rng(3).random((1, 60, 60)).astype(np.float32)
    wild = plain.copy()
    wild[0, 30, 30] = 1e20
    a, b = (enlarged(x, 1 << 30, faithful=faithful) for x in (plain, wild))
    near = np.zeros(a.shape, bool)
    near[0, 60:62, 60:62] = True
    assert (b[near] > 1e19).all()
    assert np.abs(a - b)[~near].max() < 20


def test_wide_pictures_are_compared_in_parts() -> None:
    array = np.random.default_rng(0).random((1, 20, 3000)).astype(np.float32)
    check = Check(20, 3000)
    made = enlarged(array, 1 << 30, faithful=True, check=check)
    assert check.pixels == 60_000
    assert check.worst < 1e-4
    np.testing.assert_allclose(
        reduced(made[:, :, :800], 2)[:, :, :380], array[:, :, :380], atol=1e-4
    )
