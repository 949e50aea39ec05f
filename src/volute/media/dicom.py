"""DICOM: a medical picture becomes a new instance, enlarged, with its place in space kept.

The numbers are those that the file stores (before rescale slope, palette aside). Each frame is
read, enlarged and written before the next, so that memory holds one; the new file is uncompressed.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np

from volute.errors import DataError, UsageError
from volute.media.dicom_header import derived
from volute.media.dicom_pixels import Pixels, open_pixels
from volute.media.dicom_stream import decoding
from volute.media.raster import ArrayCanvas, ArrayRaster, Work

NOTICE = "not for diagnosis: a network enlarged it, and its details are likely, not measured"
_SUFFIXES = (".dcm", ".dicom", ".ima")
_LENGTH_LIMIT = 2**32 - 2
_SIDE_LIMIT = 2**16 - 1
_ELEMENTS = {
    "PixelData": (0x0010, b"OW"),
    "FloatPixelData": (0x0008, b"OF"),
    "DoubleFloatPixelData": (0x0009, b"OD"),
}
_TYPES = b"AE AS AT CS DA DS DT FL FD IS LO LT OB OW PN SH SL SQ SS ST TM UI UL UN US UT".split()


def is_dicom(source: Path) -> bool:
    """Return whether a file is DICOM: by its mark, its ending, or how it starts without a mark."""
    try:
        with source.open("rb") as stream:
            head = stream.read(512)
    except OSError:
        return False
    return head[128:132] == b"DICM" or source.suffix.lower() in _SUFFIXES or _starts_bare(head)


def suffix(source: Path) -> str:
    """Return the ending of the enlarged file."""
    return source.suffix if source.suffix.lower() in _SUFFIXES else ".dcm"


def enlarge(source: Path, target: Path, work: Work) -> list[str]:
    """Write the enlarged picture to `target` as a new, uncompressed DICOM instance.

    Returns:
        Notes for the terminal, one line each.

    Raises:
        DataError: `source` cannot be read or holds no picture.
        MissingExtraError: pydicom is not installed.
        UsageError: an option was given; DICOM has none.
    """
    if work.options:
        raise UsageError(f"DICOM has no option {', '.join(work.options)}", "It has no options.")
    pixels = open_pixels(source)
    length = _length(pixels, work.scale)
    head, notes = _head(pixels, work)
    levels = pixels.levels()
    with target.open("wb") as stream:
        stream.write(head)
        element, kind = _ELEMENTS[pixels.keyword]
        kind = b"OB" if pixels.dtype.itemsize == 1 else kind
        stream.write(struct.pack("<HH2sHI", 0x7FE0, element, kind, 0, length + length % 2))
        for index, frame in enumerate(pixels.read(range(pixels.frames))):
            large = _repeated(frame, work.scale)
            valid = pixels.valid(frame)
            raster = ArrayRaster(frame, levels, rgb=pixels.rgb, valid=valid)
            work.run(raster, ArrayCanvas(np.moveaxis(large, -1, 0)), index, pixels.frames)
            if not pixels.rgb:
                padded = np.zeros(frame.shape, bool) if valid is None else ~valid
                pixels.spare(large, _repeated(padded, work.scale))
            stream.write(large.data)
        stream.write(b"\0" * (length % 2))
    return notes


def _head(pixels: Pixels, work: Work) -> tuple[bytes, list[str]]:
    """Return all bytes of the new file before its pixels, and notes."""
    from pydicom import dcmwrite

    notes = [NOTICE]
    if pixels.palette:
        notes.append("the colour table was applied: the new file holds RGB, 8 bits")
    if pixels.frames > 1:
        notes.append(f"{pixels.frames} frames, enlarged one by one and written uncompressed")
    buffer = io.BytesIO()
    with decoding(pixels.source):
        header, more = derived(pixels, work.scale, work.model)
        dcmwrite(buffer, header, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue(), notes + more


def _length(pixels: Pixels, scale: int) -> int:
    """Return the bytes of all enlarged frames.

    Raises:
        DataError: more than the format can hold.
    """
    rows, columns = pixels.rows * scale, pixels.columns * scale
    length = rows * columns * pixels.bands * pixels.dtype.itemsize * pixels.frames
    if max(rows, columns) > _SIDE_LIMIT or length > _LENGTH_LIMIT:
        size = f"{columns} x {rows}" + (f" x {pixels.frames}" if pixels.frames > 1 else "")
        reason = f"enlarged to {size} it would be over what DICOM can hold"
        raise DataError(f"{pixels.source}: {reason}", "Choose a smaller factor.")
    return length


def _repeated(frame_CHW: np.ndarray, scale: int) -> np.ndarray:
    """Return [H, W, C]: padding keeps its number, all else will be written over."""
    return np.moveaxis(frame_CHW, 0, -1).repeat(scale, 0).repeat(scale, 1)


def _starts_bare(head: bytes) -> bool:
    """Return whether two elements of group 2 or 8 follow each other, in any of three encodings."""
    for order in "<>":
        place, last = 0, (0, 0)
        for _ in range(2):
            if len(head) < place + 8:
                return False
            group, element = struct.unpack_from(f"{order}HH", head, place)
            if group not in (2, 8) or (group, element) <= last:
                break
            if head[place + 4 : place + 6] in _TYPES:
                length = struct.unpack_from(f"{order}H", head, place + 6)[0]
            else:
                length = struct.unpack_from(f"{order}I", head, place + 4)[0]
            place, last = place + 8 + length, (group, element)
        else:
            return True
    return False
