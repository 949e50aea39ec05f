"""One picture to squares of the trained size, each in the fewest colour channels that keep it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from volute.errors import DataError
from volute.media.photo import Picture, PictureError, read_picture

Crop = Literal["centre", "tiles"]


@dataclass(frozen=True, eq=False)
class Cut:
    """The squares of one picture and what was done to get them."""

    squares: list[np.ndarray]
    """uint8 [size, size, C] each; C is 1, 2, 3 or 4, alpha only where it is not all 255."""
    size: tuple[int, int]
    """Width and height of the picture as stored."""
    changes: tuple[str, ...]
    """In words, each to be read after a number of pictures."""


def cut(content: Path | bytes | np.ndarray | DataError, crop: Crop, size: int) -> Cut | DataError:
    """Decode and cut one picture; a picture that cannot be used gives the error, not raised.

    centre: the centre square, resized by antialiased Lanczos. tiles: squares of `size` px as they
    are, spread evenly over the picture; to lose no margin they may overlap, all together by at most
    a quarter of a tile a side.
    """
    if isinstance(content, DataError):
        return content
    if isinstance(content, np.ndarray):
        picture = Picture(content, "array", "array", (content.shape[1], content.shape[0]))
    else:
        try:
            picture = read_picture(content, near=2 * size if crop == "centre" else 0)
        except PictureError as error:
            return error
    if crop == "tiles":
        squares = [narrow(tile) for tile in _tiles(picture.array, size)]
    else:
        squares = [narrow(_centre(picture.array, size))]
    enlarged = crop == "centre" and min(picture.size) < size
    return Cut(squares, picture.size, tuple(_changes(picture, enlarged)))


def _centre(array: np.ndarray, size: int) -> np.ndarray:
    height, width = array.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square = array[top : top + side, left : left + side]
    if side == size:
        return square
    image = Image.fromarray(square[:, :, 0] if square.shape[2] == 1 else square)
    small = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))
    return small.reshape(size, size, -1)


def _tiles(array: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for top in _starts(array.shape[0], size):
        for left in _starts(array.shape[1], size):
            yield array[top : top + size, left : left + size]


def _starts(side: int, size: int) -> list[int]:
    if side < size:
        return []
    number = (side + size // 4) // size
    return [round(start) for start in np.linspace(0, side - size, number)]


def narrow(square: np.ndarray) -> np.ndarray:
    """Drop alpha that is 255 everywhere, and colour whose channels are equal everywhere."""
    if square.shape[2] in (2, 4) and square[..., -1].min() == 255:
        square = square[..., :-1]
    if square.shape[2] < 3:
        return square
    red, green, blue = square[..., 0], square[..., 1], square[..., 2]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return square[..., 2:] if square.shape[2] == 4 else square[..., :1]
    return square


def _changes(picture: Picture, enlarged: bool) -> Iterator[str]:
    if picture.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        yield f"{picture.mode} converted to RGB"
    if picture.bits in (12, 16):
        yield f"{picture.bits}-bit reduced to 8-bit"
    if picture.stretched:
        yield "stretched from their own range to 0..255"
    if picture.rotated:
        yield "rotated by EXIF"
    if picture.animated:
        yield "animated, first frame taken"
    if enlarged:
        yield "smaller than the training size, enlarged"
