"""What kind of film a file is, and whether its end is there, by its bytes alone.

FFmpeg reads a film that was cut off as one that ends early; the sizes that a file writes down
about itself tell.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

_HEAD = 4096
_LARGE_BOXES = (b"moov", b"mdat", b"moof")
_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_STILLS = (b"avif", b"avis", b"mif1", b"msf1", b"jxl ", b"crx ", b"M4A ", b"M4B ")
_OGG_VIDEO = (b"\x80theora", b"OVP80", b"BBCD\0")


def container_kind(source: Path) -> str:
    """Return FFmpeg's name of the film's format by its first bytes; empty: not a film."""
    try:
        with source.open("rb") as stream:
            head = stream.read(_HEAD)
    except (OSError, ValueError):
        return ""
    return _kind(head)


def _kind(head: bytes) -> str:
    box, brand = head[4:8], head[8:12]
    if box == b"ftyp":
        still = brand in _STILLS or brand[:3] in (b"hei", b"hev")
        return "" if still else "mov"
    if box in _BOXES:
        return "mov"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "webm" if b"webm" in head[:64] else "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == b"FLV\x01":
        return "flv"
    if head[:4] == b"OggS" and any(mark in head for mark in _OGG_VIDEO):
        return "ogg"
    return "mpegts" if _is_transport(head) else ""


def _is_transport(head: bytes) -> bool:
    """Tell whether sync bytes stand every 188 bytes, or 192 with a time before each packet."""
    for first, step in ((0, 188), (4, 192)):
        marks = head[first::step]
        if len(marks) >= 3 and set(marks) == {0x47}:
            return True
    return False


def is_whole(source: Path, kind: str) -> bool:
    """Tell whether a file reaches as far as it says; True where it does not say (MPEG-TS, Ogg).

    Raises:
        OSError: it cannot be read.
    """
    size = source.stat().st_size
    with source.open("rb") as stream:
        if kind == "mov":
            return _boxes_end(stream, size) <= size
        if kind in ("matroska", "webm"):
            return _segment_end(stream.read(_HEAD)) <= size
        if kind == "avi":
            return int.from_bytes(stream.read(8)[4:], "little") + 8 <= size
        if kind == "flv":
            return _last_tag_is_whole(stream, size)
    return True


def _boxes_end(stream: IO[bytes], size: int) -> int:
    """Return where the last box of pictures or their index ends, as written in its head."""
    place = 0
    while place + 8 <= size:
        stream.seek(place)
        head = stream.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            return size
        if place + length > size:
            return place + length if name in _LARGE_BOXES else size
        place += max(length, 8)
    return place if place <= size else size


def _segment_end(head: bytes) -> int:
    """Return where the segment of a Matroska file ends; 0 where it has no size (recorded live)."""
    length, end = _length(head, 4)
    place = end + length
    if head[place : place + 4] != b"\x18\x53\x80\x67":
        return 0
    length, start = _length(head, place + 4)
    return 0 if length < 0 else start + length


def _length(head: bytes, place: int) -> tuple[int, int]:
    """Return an EBML length at `place`, -1 for unknown, and where what follows begins."""
    first = head[place] if place < len(head) else 0
    count = 9 - first.bit_length()
    mask = (1 << 7 * count) - 1
    length = int.from_bytes(head[place : place + count], "big") & mask
    return (-1 if length == mask else length), place + count


def _last_tag_is_whole(stream: IO[bytes], size: int) -> bool:
    """Tell whether an FLV ends with the length of a tag that begins as far before it."""
    stream.seek(max(0, size - 4), os.SEEK_SET)
    length = int.from_bytes(stream.read(4), "big")
    if not 11 <= length <= size - 4:
        return False
    stream.seek(size - 4 - length)
    return int.from_bytes(stream.read(4)[1:], "big") == length - 11
