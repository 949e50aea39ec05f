"""Tars read in place, and names that strangers gave: nothing is extracted, nothing uses up memory.

Sizes are limited as the archive declares them; links and devices are never followed or opened.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import unicodedata
from collections.abc import Iterator
from typing import IO

from volute.errors import DataError

_JUNK = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin"}
_JOINERS = "\u200c\u200d"
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_BLOCK, _MOST = 512, 1 << 62


class Bounded:
    """A tar stream that refuses to unpack without end, or to give a huge header in one piece.

    Args:
        stream: the tar.
        piece: bytes that are read at once.
        bomb: raised when there are more.
        limit: bytes that it may unpack to.
    """

    def __init__(
        self,
        stream: IO[bytes] | io.BufferedIOBase,
        piece: int,
        bomb: DataError,
        limit: int = _MOST,
    ) -> None:
        self._stream, self._piece, self._bomb, self._limit = stream, piece, bomb, limit

    def read(self, size: int) -> bytes:
        """Read on, within the limits."""
        if size > self._piece or self._stream.tell() + size > self._limit:
            raise self._bomb
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        """Go there, within the limit."""
        if position > self._limit:
            raise self._bomb
        return self._stream.seek(position)

    def tell(self) -> int:
        """Return the place."""
        return self._stream.tell()


@contextlib.contextmanager
def plain_tar(stream: IO[bytes], piece: int, offset: int = 0) -> Iterator[tarfile.TarFile]:
    """Give a plain tar, to be read to its end within the block; then it is seen whether it is one.

    Args:
        stream: the tar.
        piece: bytes that a header, or what is read of a file at once, may have.
        offset: of the header where reading begins.

    Raises:
        DataError: if it is compressed, or damaged where reading ended.
    """
    if not offset and stream.read(6).startswith(_COMPRESSED):
        raise DataError("it is compressed: shards are plain tars")
    stream.seek(offset)
    bomb = DataError("a header in it is larger than any picture may be")
    bounded = Bounded(stream, piece, bomb)
    with tarfile.open(fileobj=bounded, mode="r:") as archive:  # type: ignore[call-overload]
        yield archive
        stream.seek(archive.offset)
        if stream.read(_BLOCK).strip(b"\0"):
            raise DataError(f"damaged at byte {archive.offset:,}")


def headers(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the headers of a tar but those of hidden files, and keep none of them."""
    while (member := archive.next()) is not None:
        vars(archive)["members"].clear()  # it would keep every header
        if not is_junk(member.name):
            yield member


def clean_name(name: str) -> str:
    """Make a name safe to print and to compare: NFC, `/` between parts, nothing unprintable."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    text = unicodedata.normalize("NFC", "/".join(parts))
    return "".join(c if c.isprintable() or c in _JOINERS else "\ufffd" for c in text)


def is_junk(name: str) -> bool:
    """Say whether a path's parts are hidden or left behind by an operating system."""
    parts = name.replace("\\", "/").split("/")
    return any(
        part.lower() in _JUNK or (part.startswith(".") and part not in (".", ".."))
        for part in parts
    )
