"""Which files can carry a manifest inside, and where it lies for those that cannot."""

from __future__ import annotations

from pathlib import Path

from volute.engine.sources import SIDECAR
from volute.media.geotiff import is_geotiff
from volute.media.magic import form_by_magic
from volute.media.video_kinds import container_kind

LARGE = 128 << 20
"""Bytes of a file beside which its manifest lies, not inside."""
MOST = 64 << 20
"""Bytes of a sidecar that is read; the largest known have a few hundred kB."""
TEXT = "text/plain"
OCTETS = "application/octet-stream"
PICTURES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "GIF": "image/gif",
}
PNG_HEADER = 33
"""Bytes of a PNG up to the end of its first chunk."""
JPEG_FIRST = (b"\xff\xe0", b"\xff\xe1")
"""Segments that come first in a JPEG: JFIF, and Exif or XMP."""
SIGNED = (b"jumb", b"dcterms:provenance")
"""What a file with a manifest holds, or one that says where it is."""
_LOOKED_AT = 8192
"""Bytes at the start of a file; a NUL among them says that it is no text."""
_PREAMBLE = 128
"""Bytes before the mark of a DICOM file."""


def mime_of(path: Path) -> str:
    """Return the type of a file by what it holds; octets for all that has none of its own here."""
    kind = container_kind(path)
    if kind in ("mov", "avi"):
        return "video/mp4" if kind == "mov" else "video/x-msvideo"
    if not kind and (form := form_by_magic(path)) in PICTURES:
        return PICTURES[form]
    if is_text(path):
        return TEXT
    return "application/dicom" if _head(path)[_PREAMBLE:].startswith(b"DICM") else OCTETS


def carries(path: Path, mime: str) -> bool:
    """Tell whether a manifest goes into a file.

    Not into maps, whose parts lie in an order; nor into large files, but for films: it would take
    as much memory as the file has bytes.
    """
    if mime in (OCTETS, TEXT, "application/dicom"):
        return False
    if mime != "video/mp4" and path.stat().st_size > LARGE:
        return False
    return not (mime == "image/tiff" and is_geotiff(path))


def room(data: bytes, mime: str) -> int | None:
    """Return at which byte of a PNG or JPEG a manifest may go in, if it has none."""
    if mime not in ("image/png", "image/jpeg") or any(mark in data for mark in SIGNED):
        return None
    if mime == "image/png":
        return PNG_HEADER if data[12:16] == b"IHDR" else None
    place = 2
    while data[place : place + 2] in JPEG_FIRST:
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return place


def is_text(path: Path) -> bool:
    """Tell whether a file is a text, by its beginning."""
    return b"\0" not in _head(path) and not form_by_magic(path)


def beside(path: Path) -> Path:
    """Return where the manifest of a file lies that cannot carry it."""
    return path.with_name(path.name + SIDECAR)


def sidecar_of(path: Path) -> bytes | None:
    """Return the manifest that lies beside a file: NAME.END.c2pa, or NAME.c2pa, or None."""
    for place in (beside(path), path.with_suffix(SIDECAR)):
        if place != path and place.is_file() and place.stat().st_size <= MOST:
            return place.read_bytes()
    return None


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_LOOKED_AT)
