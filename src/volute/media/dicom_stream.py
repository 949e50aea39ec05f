"""Coded DICOM bytes: what they claim is checked first, and whatever decoders raise is one line."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from volute.errors import DataError, printable
from volute.media.photo import hushed

HINT = "Export it again from the viewer or archive, or leave it out."
DEFLATED = "1.2.840.10008.1.2.1.99"
"""Transfer syntax of a file that is packed as a whole."""
FRAGILE = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (57, 70, 80, 81))
"""Lossless JPEG and JPEG-LS: their only decoder ends the whole process on damaged bytes."""
INFLATED_LIMIT = 2 << 30
_DECODE = """
import io, sys, numpy, pydicom
from pydicom.pixels import iter_pixels
dataset = pydicom.dcmread(sys.argv[1], force=True)
dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(sys.argv[2])
for index in sys.argv[3:]:
    frame = next(iter_pixels(dataset, indices=[int(index)]))
    packed = io.BytesIO()  # NumPy would ask a file proper for its place, which a pipe has not
    numpy.lib.format.write_array(packed, numpy.ascontiguousarray(frame))
    sys.stdout.buffer.write(packed.getbuffer())
    sys.stdout.buffer.flush()
"""
_META_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_JPEG_START = b"\xff\xd8"
_JPEG2000_START = b"\xff\x4f\xff\x51"
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers before the size in JPEG and JPEG-LS."""


def coded_size(coded: bytes) -> tuple[int, int, int, int] | None:
    """Return rows, columns, samples and bits that a JPEG, JPEG-LS or JPEG 2000 stream claims.

    None: they are not told, or it is none of these.
    """
    try:
        if coded[:2] == _JPEG_START:
            return _jpeg_size(coded)
        start = coded.find(_JPEG2000_START, 0, 4096)
        if start < 0:
            return None
        right, low, left, top = struct.unpack_from(">4I", coded, start + 8)
        samples, bits = struct.unpack_from(">HB", coded, start + 40)
    except struct.error:  # cut
        return None
    return low - top, right - left, samples, (bits & 0x7F) + 1


def decoded_apart(source: Path, syntax: str, indices: list[int]) -> Iterator[np.ndarray]:
    """Yield frames as stored, decoded in a process of its own that may die without harm.

    Raises:
        ValueError: it did.
    """
    command = [sys.executable, "-P", "-W", "ignore", "-c", _DECODE, str(source), syntax]
    with subprocess.Popen(
        command + [str(index) for index in indices],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        pipe: Any = process.stdout
        stream: Any = SimpleNamespace(read=pipe.read)  # a file proper would be asked for its place
        try:
            for _ in indices:
                yield np.lib.format.read_array(stream, allow_pickle=False)
        finally:
            process.kill()


def _jpeg_size(coded: bytes) -> tuple[int, int, int, int] | None:
    place = 2
    while True:
        mark, kind, length = struct.unpack_from(">BBH", coded, place)
        if mark != 0xFF:
            return None
        if kind in _FRAME_MARKERS:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", coded, place + 4)
            return rows, columns, samples, bits
        place += 1 if kind == 0xFF else 2 + length


def refuse_bomb(source: Path) -> None:
    """Refuse a deflated file that would not fit in memory: all of it must be inflated at once.

    Raises:
        DataError: too large, damaged, or not to be read at all.
    """
    try:
        with source.open("rb") as stream:
            head = stream.read(4096)
            if DEFLATED.encode() not in head or head[132:140] != _META_LENGTH:
                return
            stream.seek(144 + struct.unpack("<I", head[140:144])[0])
            inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
            while part := inflater.unconsumed_tail or stream.read(1 << 16):
                size += len(inflater.decompress(part, 1 << 20))
                if size > INFLATED_LIMIT:
                    raise DataError(f"{source}: unpacked it has over 2 GiB, too much", HINT)
    except OSError as error:
        raise DataError(f"{source}: {error.strerror}", HINT) from error
    except zlib.error as error:
        raise DataError(f"{source}: damaged: it cannot be unpacked", HINT) from error


@contextmanager
def decoding(source: Path) -> Iterator[None]:
    """Turn whatever pydicom and its decoders raise into one DataError; keep them off the screen."""
    try:
        with warnings.catch_warnings(), hushed():
            warnings.simplefilter("ignore")
            yield
    except (DataError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # decoders raise anything on broken bytes; a Rust panic, too
        raise DataError(f"{source}: {_reason(error)}", HINT) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = printable(" ".join(str(error).split()))
    if "JPEG Extended" in text and "12-bit" in text:
        return "JPEG with 12 bits (JPEG Extended) is not read"
    if isinstance(error, NotImplementedError) or "missing required dependencies" in text:
        return "its pixels are coded in a way that is not read"
    if "less than expected" in text or "cannot reshape" in text:
        return "damaged: it ends before its last pixel"
    spoken = isinstance(error, ValueError) and "plugins" not in text and "EOF" not in text
    return f"damaged: {text[:120]}" if text and spoken else "damaged: it cannot be decoded"
