"""The volumes of a NIfTI file, one after another, as the numbers that it stores."""

from __future__ import annotations

import gzip
import logging
import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np

from volute.errors import DataError, MissingExtraError
from volute.media.raster import Levels

HINT = "Save it again as .nii or .nii.gz, or leave it out."
_GZIP = b"\x1f\x8b"
_SQUEEZED = 1100
"""More than the number of bytes that one byte of a gzip file can stand for."""
_EXACT = 2.0**53
_SAMPLES = 1 << 21
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
_TABLES = range(3000, 3100)
"""Intent codes of CIFTI: tables of numbers on a surface, not volumes."""


@dataclass(frozen=True, eq=False)
class Volume:
    """The stored numbers of one volume, what they are to the network, and its place in the run."""

    array: np.ndarray
    """[C, X, Y, Z], in the order of the file."""
    levels: Levels
    part: int
    parts: int


def mark_of(source: Path) -> bytes:
    """Return the four bytes that say NIfTI, and which; empty for all else."""
    try:
        with _opened(source) as file:
            head = file.read(348)
    except (OSError, EOFError, zlib.error):
        return b""
    mark = head[4:8] if head[4:7] in (b"n+2", b"ni2") else head[344:348]
    return mark if mark in (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0") else b""


def open_header(source: Path) -> tuple[Any, tuple[int, ...], int]:
    """Return nibabel's header, the file's shape and its bands (3 for RGB), all checked.

    Raises:
        DataError: not a NIfTI volume, or one that is not read.
    """
    mark = mark_of(source)
    if mark[:2] == b"ni":
        raise DataError(f"{source}: header and numbers lie in two files, which is not read", HINT)
    if not mark:
        raise DataError(f"{source}: not a NIfTI volume", HINT)
    try:
        nibabel = import_module("nibabel")
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading NIfTI needs nibabel", "medical") from error
    kind = nibabel.Nifti1Header if mark == b"n+1\0" else nibabel.Nifti2Header
    with reading(source), _opened(source) as file:
        header = kind.from_fileobj(file)
        shape = tuple(int(n) for n in header.get_data_shape())
        dtype = header.get_data_dtype()
        _refuse_promises(source, header, shape)
    bands = 3 if dtype.newbyteorder("=") == _RGB else 1
    if bands == 1 and (dtype.kind not in "iuf" or dtype.itemsize > 8):
        held = {"c": "complex numbers", "V": "colours with opacity"}.get(dtype.kind, str(dtype))
        raise DataError(f"{source}: it holds {held}, which is not read", HINT)
    if int(header["intent_code"]) in _TABLES:
        raise DataError(f"{source}: it holds a table (CIFTI), not a volume", "Leave it out.")
    if len(shape) < 2 or min(shape) < 1:
        told = " x ".join(map(str, shape)) or "no"
        raise DataError(f"{source}: it holds {told} numbers, not a volume", "Leave it out.")
    return header, shape, bands


def _refuse_promises(source: Path, header: Any, shape: tuple[int, ...]) -> None:
    """Refuse a header that promises more than the file can hold."""
    need = header.get_data_offset() + math.prod(shape) * header.get_data_dtype().itemsize
    held = source.stat().st_size * (_SQUEEZED if _is_packed(source) else 1)
    if need > held:
        reason = "damaged: it ends before the last number that its header promises"
        raise DataError(f"{source}: {reason}", HINT)


def volumes(
    source: Path, header: Any, shape: tuple[int, ...], bands: int, across: list[int]
) -> Iterator[Volume]:
    """Yield volumes; black and white are measured on the first, for all."""
    single = (*shape[:3], 1)[:3]
    count, slices = math.prod(shape[3:]), sum(single[axis] for axis in across)
    dtype = np.dtype(np.uint8) if bands == 3 else header.get_data_dtype()
    offset, levels = header.get_data_offset(), None
    with reading(source):
        file = _opened(source)
    with file:
        for index in range(count):
            with reading(source):
                file.seek(offset + index * bands * math.prod(single) * dtype.itemsize)
                array = _read(file, bands * math.prod(single), dtype)
            array = array.reshape((bands, *single), order="F")
            levels = levels or _levels(source, array, bands)
            yield Volume(array, levels, index * slices, count * slices)
        with reading(source):
            while file.read(1 << 20):  # only at its end does gzip compare its sums
                pass


def _read(file: IO[bytes], count: int, dtype: np.dtype) -> np.ndarray:
    """Return `count` numbers; memory grows with what is there, not with what is promised."""
    array = np.empty(count, dtype)
    rest = array.view(np.uint8).data
    while rest.nbytes:
        part = file.read(min(rest.nbytes, 1 << 22))
        if not part:
            raise EOFError
        rest[: len(part)] = part
        rest = rest[len(part) :]
    return array.astype(dtype.newbyteorder("="), copy=False)


def _levels(source: Path, array: np.ndarray, bands: int) -> Levels:
    dtype = array.dtype
    if bands == 3:
        return Levels.fixed(dtype, 0, 255)
    numbers = array.ravel(order="K")
    numbers = numbers[:: max(1, numbers.size // _SAMPLES)]
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        return Levels.fixed(dtype, 0, 1)
    if dtype.kind != "f" and dtype.itemsize == 8:  # the network works in floats
        if max(abs(int(array.min())), abs(int(array.max()))) > _EXACT:
            reason = "its numbers are over 2^53, more than the network can work with"
            raise DataError(f"{source}: {reason}", "Save it with numbers of 32 bits or floats.")
        return Levels.measured(dtype, numbers[None], -_EXACT, _EXACT)
    return Levels.measured(dtype, numbers[None])


def _is_packed(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(2) == _GZIP


def _opened(source: Path) -> IO[bytes]:
    file: Any = gzip.GzipFile(source, "rb") if _is_packed(source) else source.open("rb")
    return file


@contextmanager
def reading(source: Path) -> Iterator[None]:
    """Turn what nibabel and gzip raise on broken bytes into one DataError; hush their warnings."""
    log = logging.getLogger("nibabel.global")
    was, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{source}: damaged: it ends too early or is cut", HINT) from error
    except OSError as error:
        reason = error.strerror or "damaged: it cannot be read"
        raise DataError(f"{source}: {reason}", HINT) from error
    except Exception as error:  # the header parser raises anything on broken bytes
        raise DataError(f"{source}: damaged: its header cannot be read", HINT) from error
    finally:
        log.disabled = was
