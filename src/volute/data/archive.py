"""Zip and tar read in place: nothing is extracted, and nothing in them can use up the memory.

Sizes are limited twice, as the archive declares them and as they come out; links, devices and
encrypted members are never followed or opened.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from volute.archives import Bounded, clean_name, headers, is_junk
from volute.data.entry import Entry, FileSource
from volute.errors import DataError
from volute.media.photo import FILE_LIMIT, PictureError


class Zip(FileSource):
    """A zip file."""

    def entries(self) -> Iterator[Entry]:
        """Yield the members in the order of the archive."""
        try:
            archive = zipfile.ZipFile(self.path)
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise self.damaged(error) from error
        with archive:
            members = [m for m in archive.infolist() if not m.is_dir() and not is_junk(m.filename)]
            if sum(member.file_size for member in members) > self.expansion_limit():
                raise self.bomb()
            self.total = len(members)
            for member in members:
                name = clean_name(member.filename)
                yield Entry(name, _member(archive, member, name))


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes | DataError:
    if member.flag_bits & 1:
        return PictureError(name, "it is encrypted")
    if member.file_size > FILE_LIMIT:
        return _too_large(name, member.file_size)
    try:
        with archive.open(member) as stream:
            return stream.read(FILE_LIMIT)
    except Exception as error:  # damaged deflate, LZMA or header data raises anything
        return PictureError(name, f"damaged in the archive: {error}")


def _too_large(name: str, size: int) -> PictureError:
    return PictureError(name, f"the file has {size >> 20} MiB; at most {FILE_LIMIT >> 20}")


_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_BROKEN = (tarfile.TarError, OSError, EOFError, ValueError, lzma.LZMAError, zlib.error)


class Tar(FileSource):
    """A tar file, plain or compressed with gzip, bzip2 or xz."""

    @staticmethod
    def recognised(path: Path) -> bool:
        """Say whether the file begins as a tar, or as a compressed one."""
        try:
            with _unpacked(path) as stream:
                tarfile.TarInfo.frombuf(stream.read(512), "utf-8", "surrogateescape")
        except _BROKEN:
            return False
        return True

    def entries(self) -> Iterator[Entry]:
        """Yield the regular files in the order of the archive."""
        try:
            with _unpacked(self.path) as stream:
                bounded = Bounded(stream, FILE_LIMIT, self.bomb(), self.expansion_limit())
                with tarfile.open(fileobj=bounded, mode="r:") as archive:  # type: ignore[call-overload]
                    yield from self._members(archive)
        except DataError:
            raise
        except Exception as error:  # damaged headers or data raise anything
            raise self.damaged(error) from error

    def _members(self, archive: tarfile.TarFile) -> Iterator[Entry]:
        for member in headers(archive):
            if member.isreg():
                yield Entry(clean_name(member.name), content_of(archive, member))


def content_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | DataError:
    """Return the bytes of a tar's file, or the error that they are too many."""
    if member.size > FILE_LIMIT:
        return _too_large(clean_name(member.name), member.size)
    stream = archive.extractfile(member)
    assert stream is not None
    return stream.read()


def _unpacked(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as stream:
        head = stream.read(6)
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            return opener(path, "rb")
    return path.open("rb")
