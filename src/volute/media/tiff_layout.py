"""What a TIFF says of itself, without decoding: its directories' tags, and where its blocks lie.

Classic TIFF and BigTIFF, both byte orders. Everything wrong with the bytes is a ValueError.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

KIND, BITS, SAMPLES, SAMPLE_FORMAT = 254, 258, 277, 339
_REDUCED = 1
_BLOCKS = ((324, 325), (273, 279))
_KINDS = {1: "u1", 2: "S1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 11: "f4"}
_KINDS |= {12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_MOST_TAGS, _MOST_DIRECTORIES = 4096, 4096


class _Form(NamedTuple):
    order: str
    """Byte order as NumPy and struct write it."""
    count: str
    """Struct's letters of the number of tags, of a tag, and of an offset."""
    tag: str
    offset: str


_CLASSIC, _BIG = ("H", "HHI4s", "I"), ("Q", "HHQ8s", "Q")


@dataclass(frozen=True)
class Directory:
    """One picture, mask or overview of a file."""

    path: Path
    form: _Form
    tags: dict[int, tuple[int, int, bytes]]
    """Type, count, and the bytes that are the value or where it lies."""

    def numbers(self, tag: int, default: int = 0) -> np.ndarray:
        """Return a tag's numbers, [N]; `default` where the tag is absent."""
        if tag not in self.tags:
            return np.array([default])
        kind, count, held = self.tags[tag]
        if kind not in _KINDS:
            raise ValueError(f"tag {tag} is of an unknown type")
        dtype = np.dtype(self.form.order + _KINDS[kind])
        size = count * dtype.itemsize
        if size > len(held):
            (start,) = struct.unpack(self.form.order + self.form.offset, held)
            with self.path.open("rb") as stream:
                held = _exactly(stream, start, size)
        return np.frombuffer(held, dtype, count)

    def blocks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return offset and bytes of each strip or tile, uint64 [N]; 0 is one that is not there."""
        for offsets, sizes in _BLOCKS:
            if offsets in self.tags and sizes in self.tags:
                start, size = (self.numbers(tag).astype(np.uint64) for tag in (offsets, sizes))
                if len(start) != len(size):
                    raise ValueError("the table of its blocks is damaged")
                return start, size
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64)


def directories(path: Path) -> Iterator[Directory]:
    """Give the file's directories one after the other.

    Raises:
        ValueError: not a TIFF, or the directory that is next is damaged.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as stream:
        form, start = _head(stream)
        seen: set[int] = set()
        while start and start not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(start)
            tags, start = _directory(stream, form, start)
            yield Directory(path, form, tags)


def bytes_stored(path: Path, *, complete: int = 0) -> int:
    """Return how many bytes of pixels the file holds: pictures and masks.

    Args:
        path: the file.
        complete: if above 0, refuse a file with fewer directories than that, overviews' too, or
            with blocks that were never written.

    Raises:
        ValueError: the file is damaged, or ends before its pixels do.
        OSError: the file cannot be opened.
    """
    total, size = 0, path.stat().st_size
    found = list(directories(path))
    if len(found) < complete:
        raise ValueError("some of its pictures are missing")
    for directory in found:
        if not complete and directory.numbers(KIND)[0] & _REDUCED:
            continue
        offsets, sizes = directory.blocks()
        there = (offsets > 0) & (sizes > 0)
        if complete and not (len(there) and there.all()):
            raise ValueError("some of its pixels are missing")
        offsets, sizes = offsets[there], sizes[there]
        if np.any(offsets > size) or np.any(sizes > size - np.minimum(offsets, size)):
            raise ValueError(f"cut off or damaged: not all its pixels are in its {size} bytes")
        total += int(sizes.sum())
    return total


def _head(stream: IO[bytes]) -> tuple[_Form, int]:
    head = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    if order and len(head) >= 8:
        (magic,) = struct.unpack(order + "H", head[2:4])
        if magic == 42:
            return _Form(order, *_CLASSIC), struct.unpack(order + "I", head[4:8])[0]
        if magic == 43 and len(head) == 16:
            return _Form(order, *_BIG), struct.unpack(order + "Q", head[8:])[0]
    raise ValueError("not a TIFF")


def _directory(
    stream: IO[bytes], form: _Form, start: int
) -> tuple[dict[int, tuple[int, int, bytes]], int]:
    """Return the tags of the directory at `start`, and where the next one is (0: nowhere)."""
    width = struct.calcsize(form.order + form.count)
    (count,) = struct.unpack(form.order + form.count, _exactly(stream, start, width))
    if count > _MOST_TAGS:
        raise ValueError("a directory of the file is damaged")
    each = struct.calcsize(form.order + form.tag)
    listed = _exactly(stream, start + width, count * each)
    tags = {
        tag: (kind, number, held)
        for tag, kind, number, held in struct.iter_unpack(form.order + form.tag, listed)
    }
    following = _exactly(
        stream, start + width + len(listed), struct.calcsize(form.order + form.offset)
    )
    return tags, struct.unpack(form.order + form.offset, following)[0]


def _exactly(stream: IO[bytes], start: int, size: int) -> bytes:
    if start + size > os.fstat(stream.fileno()).st_size:
        raise ValueError("the file is cut off, or a directory of it is damaged")
    stream.seek(start)
    return stream.read(size)
