"""What format the first bytes of a picture file tell, for words about files that are broken."""

from __future__ import annotations

from pathlib import Path

_MAGIC = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "WEBP",
    b"\0\0\0\x0cjP": "JPEG2000",
}


def form_by_magic(source: Path | bytes) -> str:
    """Name the format by its first bytes; HEIC, which is not read, too. Empty: unknown."""
    head = source[:16] if isinstance(source, bytes) else _head(source)
    if head[4:8] == b"ftyp":
        return "AVIF" if head[8:11] == b"avi" else "HEIC"
    return next((form for magic, form in _MAGIC.items() if head.startswith(magic)), "")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(16)
    except OSError:
        return b""
