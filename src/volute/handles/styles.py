"""What a style can be given as, and how its picture is brought to what a style encoder reads."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from volute.engine.reduced import grained
from volute.errors import DataError, UsageError
from volute.handles.pictures import Picture, opened, several
from volute.media.modes import to_mode
from volute.media.photo import read_picture

STYLE_SIDE = 256
"""Side in pixels of a square as large as a style picture is read."""
LEAST_SIDE = 16
"""Of a style picture, in pixels."""
READ_SIDE = 32
"""Least side that a style encoder reads, in pixels."""
HEAVIEST = 1e300
"""The largest weight in a mix."""
STYLE_PIXELS = 100_000_000
"""Most of a style picture."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What is measured of a picture."""

    pixels: np.ndarray
    """float32 [3, h, w], about -1 to 1."""
    digest: bytes
    """Of the pixels."""
    plain: bool = False
    """There is so little in them that zeros beyond the border would be seen from afar."""

    @staticmethod
    def of(small: np.ndarray) -> Seen:
        """Return a picture from `engine.reduced`, and its digest: as long as a tenth of a frame."""
        pixels = grained(small)
        digest = hashlib.blake2b(pixels.tobytes()).digest()
        return Seen(pixels, digest, plain=pixels is not small)


@dataclass(frozen=True, eq=False)
class Style:
    """A style as a model knows it."""

    code: np.ndarray
    """float32 [D]."""
    name: str
    sources: tuple[Path, ...] = ()
    """The files of the pictures that it was read from."""
    private: bool = False
    """Its name tells of a picture, not only of styles that the model knows."""
    seen: Seen | None = None
    """What alone is measured; None: each picture that is painted."""

    @property
    def told(self) -> str:
        """Its name, as it may be told to anyone: not that of a file."""
        return "of a picture" if self.private else self.name

    @property
    def there(self) -> tuple[Path, ...]:
        """Those of its files that are there."""
        return tuple(dict.fromkeys(file for file in self.sources if file.is_file()))


StyleLike = Style | Picture | np.ndarray | Mapping[str | Path, float]
"""A style, its stored name, a picture of it, or a mix: `{"wave": 0.7, "monet": 0.3}`, or the same
as a text, `wave:0.7,monet:0.3`."""


def style_pixels(picture: Picture | np.ndarray, near: int = 2 * STYLE_SIDE) -> np.ndarray:
    """Return a picture of a style as uint8 [H, W, 3].

    Grey is repeated, what is transparent laid on white; of an animation the first picture counts.

    Args:
        picture: a path, a PIL picture, or an array [H, W] or [H, W, C].
        near: a file of large pixel count is reduced while it is read, as long as its shorter side
            keeps this many pixels.

    Raises:
        UsageError: for what is no single picture.
        DataError: a file that cannot be read, over 100 megapixels, or under 16 pixels a side.
    """
    if several(picture):
        raise UsageError("a style is one picture, not several", "Mix styles by their names.")
    if isinstance(picture, str | Path):
        found = read_picture(Path(picture), near, reduce=True, limit=STYLE_PIXELS)
        name, size, pixels = f"{picture}", found.size, found.array
    else:
        (pixels,), _ = opened(picture)
        name, size = "the style picture", (pixels.shape[1], pixels.shape[0])
    told = f"{name} has {size[0]} x {size[1]} pixels"
    if math.prod(size) > STYLE_PIXELS:
        raise DataError(f"{told}, over the limit of 100 megapixels", "Make it smaller.")
    if min(size) < LEAST_SIDE:
        what = f"{told}: too few to show a style"
        raise DataError(what, f"Give a picture of {LEAST_SIDE} pixels a side or more.")
    return to_mode(pixels, "RGB")


def style_reduced(pixels_HWC: np.ndarray) -> np.ndarray:
    """Return uint8 [H, W, 3] of about 256 * 256 pixels at most, and at least 32 a side.

    Reduced antialiased, with its proportions kept. Smaller pictures stay as they are, but a side
    under 32 pixels is enlarged to that.
    """
    height, width = pixels_HWC.shape[:2]
    scale = min(1.0, STYLE_SIDE / math.sqrt(height * width))
    size = max(READ_SIDE, round(width * scale)), max(READ_SIDE, round(height * scale))
    return np.asarray(Image.fromarray(pixels_HWC).resize(size, Image.Resampling.BICUBIC))


def plain_name(text: str) -> str:
    """Return a text as a part of a file name: what could be trouble there becomes a hyphen."""
    return re.sub(r"[^\w.+ -]+", "-", text)[:80].strip(" .-") or "style"


def mix_of(text: str) -> list[tuple[str, float]]:
    """Return names and weights of a mix such as `wave:0.7,monet:0.3`; a weight left out is 1."""
    parts = []
    for part in text.split(","):
        name, colon, weight = part.strip().rpartition(":")
        try:
            parts.append((name, float(weight)) if colon else (weight, 1.0))
        except ValueError:  # the colon is one of the name's own
            parts.append((part.strip(), 1.0))
    return parts


def is_mix(text: str) -> bool:
    """Tell whether a text that names no stored style is a mix: no file's name, but of its form."""
    return not os.path.isfile(text) and any(mark in text for mark in ",:")


def _are_weights(given: list[Any]) -> bool:
    numbers = all(isinstance(each, Real) for each in given)
    return numbers and all(0 <= each <= HEAVIEST for each in given) and any(given)


def mixed(parts: list[tuple[Style, float]]) -> Style:
    """Return the mean of styles by weights of any sum above 0; its name tells the percentages.

    Raises:
        UsageError: for weights that cannot be.
    """
    given = [weight for _, weight in parts]
    if not _are_weights(given):
        told = ", ".join(f"{w:g}" if isinstance(w, float) else repr(w) for w in given) or "none"
        raise UsageError(f"a mix cannot have the weights {told}", "Give numbers above 0.")
    weights = np.array(given, np.float64)
    weights /= weights.sum()
    codes = np.stack([style.code for style, _ in parts])
    names = [
        f"{style.name}{weight:.0%}".rstrip("%")
        for (style, _), weight in zip(parts, weights, strict=True)
    ]
    name = "-".join(names) if len(parts) > 1 else parts[0][0].name
    sources = tuple(source for style, _ in parts for source in style.sources)
    private = any(style.private for style, _ in parts)
    return Style((weights @ codes).astype(np.float32), name, sources, private)
