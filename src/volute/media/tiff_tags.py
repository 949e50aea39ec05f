"""What a TIFF file says about its picture, as EXIF, and the way back.

EXIF is a TIFF file without pixels: the same tags in the same directories. libvips carries it in
every format but TIFF.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

Directory = dict[int, "tuple[int, np.ndarray] | Directory"]
"""By tag: type and values, or a directory of its own."""

WIDTH, HEIGHT = 40962, 40963
SOFTWARE = 305
DIRECTORIES = EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
DESCRIPTIVE = {269, 270, 271, 272, SOFTWARE, 306, 315, 316, 18246, 33432, EXIF, GPS}
DESCRIPTIVE |= set(range(40091, 40096))
TYPES = dict(enumerate(("u1", "u1", "u2", "u4", "u4", "i1", "u1", "i2", "i4", "i4", "f4", "f8"), 1))
TYPES |= {13: "u4", 16: "u8", 17: "i8", 18: "u8"}
PAIRS = (5, 10)
LARGEST = 4 << 20


def exif_of(source: Path) -> bytes | None:
    """Return the descriptive tags of a TIFF file as EXIF; None where it has none or is damaged."""
    try:
        with source.open("rb") as stream:
            found = _parse(stream)
    except (struct.error, ValueError):
        return None
    kept = {tag: value for tag, value in found.items() if tag in DESCRIPTIVE}
    if not kept:
        return None
    body, first = _pack(kept, 8, "<", False)
    return b"II*\0" + struct.pack("<I", first) + body


def describe(target: Path, exif: bytes, width: int, height: int, software: str) -> None:
    """Add the descriptive tags of `exif` to a TIFF file, in which `software` made width x height.

    Raises:
        OSError: it cannot be written.
    """
    try:
        found = _parse(io.BytesIO(exif.removeprefix(b"Exif\0\0")))
    except (struct.error, ValueError):
        found = {}
    if isinstance(inner := found.get(EXIF), dict):
        sizes = {WIDTH: width, HEIGHT: height}
        inner |= {tag: (4, np.array([size])) for tag, size in sizes.items() if tag in inner}
    with target.open("r+b") as stream:
        own: Directory = {SOFTWARE: (2, np.frombuffer(software.encode() + b"\0", np.uint8))}
        own |= {tag: value for tag, value in found.items() if tag in DESCRIPTIVE}
        own |= _parse(stream)
        stream.seek(0)
        order, big = _header(stream)
        end = stream.seek(0, 2)
        stream.write(bytes(end % 2))
        body, first = _pack(own, end + end % 2, order, big)
        stream.write(body)
        stream.seek(8 if big else 4)
        stream.write(struct.pack(order + ("Q" if big else "I"), first))


def _header(stream: BinaryIO) -> tuple[str, bool]:
    """Read the first four bytes; ValueError if this is no TIFF."""
    magic = stream.read(4)
    if magic not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        raise ValueError(magic)
    return "<" if magic[:1] == b"I" else ">", b"+" in magic


def _parse(stream: BinaryIO) -> Directory:
    order, big = _header(stream)
    stream.seek(8 if big else 4)
    (first,) = _unpack(stream, order + ("Q" if big else "I"))
    return _directory(stream, first, order, big, DIRECTORIES)


def _directory(
    stream: BinaryIO, offset: int, order: str, big: bool, inside: tuple[int, ...]
) -> Directory:
    """Read a directory and those under the tags `inside`; what is too large is left out."""
    stream.seek(offset)
    (number,) = _unpack(stream, order + ("Q" if big else "H"))
    entries = [
        _unpack(stream, order + ("HHQ8s" if big else "HHI4s")) for _ in range(min(number, 4096))
    ]
    found: Directory = {}
    spent = 0
    for tag, kind, count, held in entries:
        if kind not in TYPES:
            continue
        dtype = np.dtype(order + TYPES[kind])
        size = count * dtype.itemsize * (2 if kind in PAIRS else 1)
        if not 0 < size <= LARGEST - spent:
            continue
        spent += size
        if size > len(held):
            stream.seek(struct.unpack(order + ("Q" if big else "I"), held)[0])
            held = stream.read(size)
        if len(held) < size:
            continue
        values = np.frombuffer(held[:size], dtype)
        if tag not in DIRECTORIES:
            found[tag] = kind, values
        elif tag in inside:
            found[tag] = _directory(stream, int(values[0]), order, big, (INTEROPERABILITY,))
    return found


def _pack(directory: Directory, start: int, order: str, big: bool) -> tuple[bytes, int]:
    """Return bytes to be put at the offset `start`, and the offset of the directory in them."""
    body, entries = bytearray(), []
    room, count_code, entry_code = (8, "Q", "HHQ8s") if big else (4, "I", "HHI4s")
    for tag in sorted(directory):
        value = directory[tag]
        if isinstance(value, dict):
            inner, offset = _pack(value, start + len(body), order, big)
            body += inner
            kind, values = (18 if big else 4), np.array([offset])
        else:
            kind, values = value
        held = np.asarray(values).astype(order + TYPES[kind]).tobytes()
        count = len(values) // (2 if kind in PAIRS else 1)
        if len(held) > room:
            where = start + len(body)
            body += held + bytes(len(held) % 2)
            held = struct.pack(order + count_code, where)
        entries.append(struct.pack(order + entry_code, tag, kind, count, held))
    at = start + len(body)
    number = struct.pack(order + ("Q" if big else "H"), len(entries))
    return bytes(body + number + b"".join(entries) + bytes(room)), at


def _unpack(stream: BinaryIO, code: str) -> tuple:
    return struct.unpack(code, stream.read(struct.calcsize(code)))
