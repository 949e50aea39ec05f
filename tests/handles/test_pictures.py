from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from volute.errors import DataError, UsageError
from volute.handles.pictures import enlarged, grid, opened, squared, to_bytes, to_floats, to_images


@given(hnp.arrays(np.uint8, (2, 3, 4, 3)))
def test_bytes_and_floats_are_inverse(pixels: np.ndarray) -> None:
    floats = to_floats(pixels)
    assert floats.shape == (2, 3, 3, 4)
    assert floats.min() >= -1
    assert floats.max() <= 1
    np.testing.assert_array_equal(to_bytes(floats), pixels)


def test_values_outside_are_clipped() -> None:
    values = np.array([-7, -1, 0, 1, 9], np.float32).reshape(1, 1, 1, 5)
    assert to_bytes(values).ravel().tolist() == [0, 0, 128, 255, 255]


def pixels_of(shape: tuple[int, ...], top: int, dtype: Any) -> np.ndarray:
    return np.random.default_rng(0).integers(0, top, shape, endpoint=True).astype(dtype)


@pytest.mark.parametrize(
    "shape", [(5, 6), (5, 6, 1), (5, 6, 3), (5, 6, 4), (5, 6, 2), (3, 5, 6, 3)]
)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float64", "signed"])
def test_arrays_come_back_as_they_were(shape: tuple[int, ...], kind: str) -> None:
    eight = pixels_of(shape, 255, np.int64)
    given_ = {
        "uint8": lambda: eight.astype(np.uint8),
        "uint16": lambda: (eight * 257).astype(np.uint16),
        "float32": lambda: (eight / 255).astype(np.float32),
        "float64": lambda: eight / 255,
        "signed": lambda: (eight / 127.5 - 1).astype(np.float32),
    }[kind]()
    pixels, restore = opened(given_)
    result = restore(np.stack(pixels))
    assert result.dtype == given_.dtype
    assert result.shape == given_.shape
    np.testing.assert_allclose(result, given_, atol=1e-6 if given_.dtype.kind == "f" else 0)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "HSV"])
def test_pil_modes_are_kept(mode: str) -> None:
    plain = "L" if mode == "I;16" else "RGB" if mode in ("CMYK", "YCbCr", "HSV") else mode
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[plain]
    image = to_images(pixels_of((1, 8, 8, channels), 255, np.uint8))[0]
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    given_ = image.convert(mode)
    pixels, restore = opened(given_)
    result = restore(np.stack(pixels))
    assert result.mode == mode
    if mode == plain or mode == "I;16":
        np.testing.assert_array_equal(np.asarray(result), np.asarray(given_))


def test_palettes_become_colours() -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    pixels, restore = opened(palette)
    assert pixels[0][0, 0].tolist() == [200, 100, 50]
    assert restore(np.stack(pixels)).mode == "RGB"
    palette.info["transparency"] = 1
    assert opened(palette)[0][0][0, 0].tolist() == [200, 100, 50, 0]


def test_a_grey_result_takes_the_channels_of_what_was_given() -> None:
    _, restore = opened(np.zeros((9, 9, 3), np.uint8))
    grey = pixels_of((1, 4, 4, 1), 255, np.uint8)
    np.testing.assert_array_equal(restore(grey), np.repeat(grey[0], 3, -1))
    assert opened(Image.new("LA", (3, 3)))[1](grey).getchannel("A").getextrema() == (255, 255)


def test_lists_mix_kinds(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), "red").save(tmp_path / "red.png")
    mixed = [
        tmp_path / "red.png",
        str(tmp_path / "red.png"),
        np.zeros((4, 4)),
        Image.new("L", (4, 4)),
    ]
    pixels, restore = opened(mixed)
    assert [array.shape for array in pixels] == [(4, 4, 3)] * 2 + [(4, 4, 1)] * 2
    result = restore(np.full((4, 6, 6, 1), 255, np.uint8))
    assert [type(made).__name__ for made in result] == ["Image", "Image", "ndarray", "Image"]
    assert result[2].tolist() == np.ones((6, 6)).tolist()


@pytest.mark.parametrize(
    "bad",
    [
        [],
        None,
        7,
        np.zeros(5),
        np.zeros((0, 4)),
        np.zeros((4, 4, 5)),
        np.zeros((1, 1, 1, 1, 1)),
        np.zeros((4, 4), np.int32),
        np.zeros((4, 4), bool),
        np.full((4, 4), 255.0),
        np.full((4, 4), -2.0),
        np.full((4, 4), np.nan),
        np.full((4, 4), np.inf),
        Image.new("F", (2, 2)),
        [np.zeros((2, 4, 4, 3))],
    ],
    ids=lambda bad: str(getattr(bad, "shape", bad))[:20],
)
def test_what_is_no_picture(bad: Any) -> None:
    with pytest.raises(UsageError):
        opened(bad)


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.png"):
        opened(tmp_path / "absent.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"text\.png"):
        opened(tmp_path / "text.png")


@settings(deadline=None)
@given(
    height=st.integers(1, 50),
    width=st.integers(1, 50),
    channels=st.sampled_from([1, 2, 3, 4]),
    wanted=st.sampled_from([1, 3, 4]),
)
def test_squares_of_any_size(height: int, width: int, channels: int, wanted: int) -> None:
    flat = np.full((height, width, channels), 255, np.uint8)
    result = squared(flat, 16, wanted)
    assert result.shape == (16, 16, wanted)
    assert (result == 255).all()


def test_the_square_is_the_centre_one() -> None:
    wide = np.zeros((4, 10, 1), np.uint8)
    wide[:, 3:7] = 200
    assert (squared(wide, 4, 1) == 200).all()


def test_a_grid_holds_every_picture_apart() -> None:
    images = to_images(np.stack([np.full((4, 6, 1), i, np.uint8) for i in range(5)]))
    sheet = grid(images)
    assert sheet.size == (3 * 8 - 2, 2 * 6 - 2)
    assert [sheet.getpixel((x * 8, y * 6)) for y in range(2) for x in range(3)] == [
        0,
        1,
        2,
        3,
        4,
        255,
    ]
    assert grid(images, columns=5).size == (5 * 8 - 2, 4)


def test_only_small_pictures_are_enlarged_and_by_a_whole_factor() -> None:
    assert enlarged(Image.new("L", (28, 28))).size == (140, 140)
    assert enlarged(Image.new("L", (64, 64))).size == (64, 64)
    assert enlarged(Image.new("RGB", (16, 16), "red")).getcolors() == [(128 * 128, (255, 0, 0))]
