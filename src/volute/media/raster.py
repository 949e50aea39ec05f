"""What every format is to a network that works in parts: numbers on a grid, read and written.

A format module turns its file into a `Raster`, hands it with an empty `Canvas` to `Work.run`, and
writes what then lies on the canvas, with everything else that the file said, to the new file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

TINY = 1e-30
"""The least difference between black and white."""


@dataclass(frozen=True)
class Levels:
    """How a file's numbers become those of a network, where 0 to 1 is black to white, and back.

    Nothing is cut off on the way in: numbers under `black` are under 0.
    """

    dtype: np.dtype
    black: np.ndarray
    """The number for 0, float64: one, or [C, 1, 1] for one each band."""
    white: np.ndarray
    """The number for 1, likewise; never equal to `black`."""
    lowest: float
    """The least number that the file can hold."""
    highest: float

    @staticmethod
    def fixed(dtype: np.dtype, black: float, white: float) -> Levels:
        """Return levels that are known; an integer type holds no more than its range."""
        low, high = _held(dtype)
        return Levels(
            np.dtype(dtype), np.asarray(black, float), np.asarray(white, float), low, high
        )

    @staticmethod
    def measured(
        dtype: np.dtype, samples_CN: np.ndarray, lowest: float = -np.inf, highest: float = np.inf
    ) -> Levels:
        """Return black and white of each band from numbers of the picture, [C, N], NaN ignored.

        For uint8 they are 0 and 255; else the 0.1 and 99.9 percentiles, or the extremes where these
        are the same. Of a picture of one number, white is so near to black that nothing changes.

        Args:
            dtype: the file's type.
            samples_CN: valid numbers, at least one; all of them or a fair share.
            lowest: what the file can hold if that is less than the type's range.
            highest: likewise.
        """
        low, high = _held(dtype)
        held = max(low, lowest), min(high, highest)
        if dtype == np.uint8:
            return Levels(np.dtype(dtype), np.asarray(0.0), np.asarray(255.0), *held)
        wide = samples_CN.astype(np.float64)
        black, white = np.nanpercentile(wide, (0.1, 99.9), axis=1)
        flat = white <= black
        black = np.where(flat, np.nanmin(wide, axis=1), black)
        white = np.where(flat, np.nanmax(wide, axis=1), white)
        step = 8 * np.finfo(dtype if np.dtype(dtype).kind == "f" else float).eps
        white = np.maximum(white, black + np.maximum(abs(black) * step, TINY))
        return Levels(np.dtype(dtype), black[:, None, None], white[:, None, None], *held)

    def unit(self, numbers: np.ndarray) -> np.ndarray:
        """Return float32 in which 0 to 1 is black to white."""
        if self._plain:
            return np.multiply(numbers, np.float32(1 / self.white), order="C")
        return ((numbers - self.black) / (self.white - self.black)).astype(np.float32)

    def numbers(self, unit: np.ndarray) -> np.ndarray:
        """Return the file's numbers for `unit`: rounded for integers, kept to what it can hold."""
        if self._plain:
            made = unit * np.float32(self.white)
        else:
            made = unit * (self.white - self.black) + self.black
        if self.dtype.kind != "f":
            np.rint(made, out=made)
        elif self._plain:
            return made.astype(self.dtype, copy=False)
        return np.clip(made, self.lowest, self.highest, out=made).astype(self.dtype)

    @property
    def _plain(self) -> bool:
        """Whether float32 holds all that there is: from 0 to one white, of 16 bits or floats."""
        narrow = self.dtype.itemsize <= 2 or self.dtype == np.float32
        return narrow and self.black.ndim == 0 and float(self.black) == 0


@dataclass(frozen=True)
class Block:
    """A part of a raster."""

    numbers: np.ndarray
    """[C, H, W] in the file's type."""
    valid: np.ndarray | None = None
    """bool [C, H, W] or [1, H, W]: where there is a number at all. None: everywhere."""


class Raster(Protocol):
    """Numbers on a grid."""

    bands: int
    height: int
    width: int
    levels: Levels
    rgb: bool
    """The first three bands are red, green and blue, and go together."""
    alpha: bool
    """The last band is opacity; black and white of `levels` are none and full."""
    masked: bool
    """Some of its numbers may be none: blocks can say what is valid."""

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part; called by one thread at a time, in any order, parts may overlap."""
        ...


class Canvas(Protocol):
    """Where the new picture goes."""

    def write(self, rows: slice, columns: slice, block: Block) -> None:
        """Take a part; called by one thread at a time, in any order, each pixel once."""
        ...


class Kept(Canvas, Protocol):
    """A canvas that keeps what is written: it can be read, and written over."""

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part, as it was written."""
        ...


class ArrayRaster:
    """An array [C, H, W] as a raster."""

    def __init__(
        self,
        array_CHW: np.ndarray,
        levels: Levels,
        *,
        rgb: bool = False,
        alpha: bool = False,
        valid: np.ndarray | None = None,
    ) -> None:
        self.array, self.levels, self.rgb, self.alpha = array_CHW, levels, rgb, alpha
        self.valid, self.masked = valid, valid is not None
        self.bands, self.height, self.width = array_CHW.shape

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part."""
        valid = None if self.valid is None else self.valid[:, rows, columns]
        return Block(self.array[:, rows, columns], valid)


class ArrayCanvas:
    """An array [C, H, W] as a canvas; what is not valid keeps the number that was there."""

    def __init__(self, array_CHW: np.ndarray) -> None:
        self.array = array_CHW

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part."""
        return Block(self.array[:, rows, columns])

    def write(self, rows: slice, columns: slice, block: Block) -> None:
        """Take a part."""
        for band, plane in enumerate(self.array):  # by planes: those of a view may lie inside
            seen = True if block.valid is None else block.valid[band % len(block.valid)]
            np.copyto(plane[rows, columns], block.numbers[band], where=seen)


class Run(Protocol):
    """Works one raster into one canvas, `Work.scale` times as high and wide."""

    def __call__(self, raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
        """Do it; `part` of `parts` says which frame or slice this is, for the progress shown."""
        ...


@dataclass(frozen=True)
class Work:
    """What a format module is asked to do with its file."""

    scale: int
    run: Run
    model: str
    """What does it, as told in the new file: name and version."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of the format, such as `plane` for NIfTI; each module refuses those that it does not know."""
    done: str = "enlarged"
    """What becomes of the picture, as a word."""

    @property
    def told(self) -> str:
        """What was done, as told in the new file."""
        times = f" {self.scale} times" if self.scale > 1 else ""
        return f"{self.done}{times} with {self.model}"


def _held(dtype: np.dtype) -> tuple[float, float]:
    if np.dtype(dtype).kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
