"""The pixels of a GeoTIFF, window by window: what counts as a number, and how large numbers are."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from volute.errors import DataError
from volute.media.geotiff_told import Told
from volute.media.raster import Block, Levels

_SAMPLED = 1 << 21
"""Most numbers, of all bands together, by which black and white are measured."""
_FILLED = 1e30
"""Floats as large measure nothing: such as -3.4e38, they stand for no number, told or not."""


@contextlib.contextmanager
def decoding(source: Path, what: str) -> Iterator[None]:
    """Turn whatever the decoder raises into a DataError with `what` as its reason."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:  # the decoder raises many types on broken bytes
        hint = "Copy the file again from where it came, or cut out the part that is whole."
        raise DataError(f"{source}: {what}", hint) from error


class GeoRaster:
    """An open dataset as a `Raster`.

    Not valid are numbers that are the nodata number, NaN, floats from 1e30 on, and what the file's
    mask, or an opacity band that is not the last one, leaves out.
    """

    def __init__(self, source: Path, dataset: Any) -> None:
        self.source, self.dataset = source, dataset
        self.bands, self.height, self.width = dataset.count, dataset.height, dataset.width
        self.dtype = np.dtype(dataset.dtypes[0])
        told = dataset.nodata
        if told is not None and self.dtype.kind != "f":
            told = int(told) if float(told).is_integer() else None  # no number can equal it
        self.nodata = told
        self.told = Told.of(dataset)
        meaning = [band.name for band in dataset.colorinterp]
        self.opacity = _opacity(dataset, meaning)
        self.alpha = self.opacity is not None and 0 < self.opacity == self.bands - 1
        self.rgb = (
            meaning[:3] == ["red", "green", "blue"]
            and self.bands - self.alpha == 3
            and self.dtype in (np.uint8, np.uint16)
        )
        flags = [flag.name for flag in dataset.mask_flag_enums[0]]
        self.has_mask = flags == ["per_dataset"]
        self.together: np.ndarray | None = None
        """[C, 1, 1]: a pixel is not valid if each band has its number of these."""
        if "per_dataset" in flags and "nodata" in flags:
            numbers = dataset.tags()["NODATA_VALUES"].split()
            self.together = np.array(numbers, np.float64)[:, None, None].astype(self.dtype)
        aside = self.opacity is not None and not self.alpha
        self._cut = self.has_mask or aside or self.together is not None
        self.masked = self._cut or self.nodata is not None or self.dtype.kind == "f"
        self.levels = self._levels()

    def read(self, rows: slice, columns: slice) -> Block:
        """Return a part; what is not valid in it is black.

        Raises:
            DataError: the part cannot be decoded.
        """
        numbers, valid = self._read(rows, columns)
        if valid.all():
            return Block(numbers)
        black = self.levels.black.astype(self.dtype)
        return Block(np.where(valid, numbers, black), valid)

    def _read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers as they are and where they are valid, both [C, H, W]."""
        window = ((rows.start, rows.stop), (columns.start, columns.stop))
        where = f"rows {rows.start} to {rows.stop}, columns {columns.start} to {columns.stop}"
        with decoding(self.source, f"damaged: its pixels cannot be read in {where}"):
            numbers = self.dataset.read(window=window)
            valid = np.ones(numbers.shape, bool)
            if self._cut:
                band = 2 if self.opacity == 0 < self.bands - 1 else 1
                valid &= self.dataset.read_masks(band, window=window) > 0
        if self.nodata is not None:
            valid &= ~near(numbers, self.nodata)
        if self.dtype.kind == "f":
            valid &= abs(numbers) < _FILLED
        if self.opacity is not None:
            valid[self.opacity] = True
        return numbers, valid

    def _levels(self) -> Levels:
        lowest, highest = _held(self.dtype, nbits(self.dataset))
        if self.dtype == np.uint8:
            return replace(Levels.fixed(self.dtype, 0, highest), highest=highest)
        levels = Levels.measured(self.dtype, self._samples(), lowest, highest)
        black, white = levels.black, levels.white
        if self.alpha:
            black[-1], white[-1] = 0, 1 if self.dtype.kind == "f" else highest
        return replace(levels, black=black, white=white)

    def _samples(self) -> np.ndarray:
        """Return numbers from all over the picture, float64 [C, N], NaN where not valid.

        A band in which even the finer grid found no valid number is all 0: black 0, white 1.
        """
        samples = np.concatenate([*self._places(8)], axis=1)
        if np.isnan(samples).all(axis=1).any():
            samples = np.concatenate([*self._places(32)], axis=1)
        samples[np.isnan(samples).all(axis=1)] = 0
        return samples

    def _places(self, grid: int) -> Iterator[np.ndarray]:
        side = max(1, math.isqrt(_SAMPLED // (grid * grid * self.bands)))
        for top in _starts(self.height, grid, side):
            for left in _starts(self.width, grid, side):
                rows = slice(top, min(top + side, self.height))
                columns = slice(left, min(left + side, self.width))
                numbers, valid = self._read(rows, columns)
                yield np.where(valid, numbers.astype(np.float64), np.nan).reshape(self.bands, -1)


class GeoCanvas:
    """A dataset open for writing as a `Canvas`; what is not valid becomes the nodata number.

    Without a nodata number it becomes NaN, or 0 for integers and under the file's mask.
    """

    def __init__(self, dataset: Any, raster: GeoRaster) -> None:
        self.dataset, self.raster = dataset, raster
        fill = raster.nodata if raster.together is None else raster.together
        if fill is None:
            fill = np.nan if raster.dtype.kind == "f" else 0
        self.fill = np.asarray(fill).astype(raster.dtype)

    def write(self, rows: slice, columns: slice, block: Block) -> None:
        """Take a part.

        Raises:
            OSError: it cannot be written.
        """
        window = ((rows.start, rows.stop), (columns.start, columns.stop))
        mask = np.full(block.numbers.shape[1:], True)
        numbers = block.numbers.copy()
        plain = [band for band in range(len(numbers)) if band != self.raster.opacity]
        if self.raster.nodata is not None:
            numbers[plain] = spared(numbers[plain], self.raster.nodata)
        if (lost := self.raster.together) is not None:
            hit = (numbers == lost).all(axis=0)
            numbers[0] = np.where(hit, spared(numbers[0], lost.flat[0]), numbers[0])
        if block.valid is not None:
            valid = np.broadcast_to(block.valid, numbers.shape)
            numbers = np.where(valid, numbers, self.fill)
            mask = valid[plain].any(axis=0)
            if self.raster.has_mask and self.raster.nodata is None:
                numbers[:, ~mask] = 0
        with writing():
            self.dataset.write(numbers, window=window)
            if self.raster.has_mask:
                self.dataset.write_mask(mask, window=window)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn the library's own errors into an OSError with a reason in plain words."""
    from rasterio.errors import RasterioError

    try:
        yield
    except (RasterioError, import_module("rasterio._err").CPLE_BaseError) as error:
        raise OSError("it could not be written whole; the disk may be full") from error


def near(numbers: np.ndarray, nodata: float) -> np.ndarray:
    """Return where numbers are `nodata`, bool; floats within the few last bits, as readers do."""
    if numbers.dtype.kind != "f" or not np.isfinite(nodata):
        return np.isnan(numbers) if np.isnan(nodata) else numbers == numbers.dtype.type(nodata)
    margin = abs(nodata) * (8 * float(np.finfo(numbers.dtype).eps))
    return abs(numbers.astype(np.float64) - nodata) <= margin


def spared(numbers: np.ndarray, nodata: float) -> np.ndarray:
    """Return numbers of which none is `nodata`: those that were are moved to the next one."""
    hit = near(numbers, nodata)
    if not hit.any() or not np.isfinite(nodata):
        return numbers
    if numbers.dtype.kind == "f":
        kind = np.finfo(numbers.dtype)
        beside = nodata * (1 - 32 * float(kind.eps)) if nodata else float(kind.tiny)
    else:
        beside = nodata - 1 if nodata == np.iinfo(numbers.dtype).max else nodata + 1
    return np.where(hit, numbers.dtype.type(beside), numbers)


def nbits(dataset: Any) -> int | None:
    """Return the bits of each number where they are fewer than its type has."""
    told = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", "")
    return int(told) if told.isdigit() else None


def _held(dtype: np.dtype, bits: int | None) -> tuple[float, float]:
    """Return the least and the greatest number that the file can hold and float64 can name."""
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if bits:
        high = (1 << bits) - 1
    return float(low), float(high) if high < 1 << 53 else float(np.nextafter(float(high), 0))


def _opacity(dataset: Any, meaning: list[str]) -> int | None:
    """Return the index of the opacity band; colours premultiplied by theirs are plain bands."""
    if "alpha" not in meaning:
        return None
    band = meaning.index("alpha")
    told = dataset.tags(band + 1, ns="IMAGE_STRUCTURE").get("ALPHA")
    return None if told == "PREMULTIPLIED" else band


def _starts(length: int, grid: int, side: int) -> list[int]:
    """Return where parts of `side` start: they cover `length`, or `grid` are spread over it."""
    if length <= grid * side:
        return list(range(0, length, side))
    return [int((place + 0.5) * length / grid - side / 2) for place in range(grid)]
