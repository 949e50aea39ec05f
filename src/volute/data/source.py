"""Where pictures come from: a folder, zip, tar or npz, opened by what it is, not its name.

Only `scenes` is a name: of procedural pictures, where there is no file or folder called so.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from volute.archives import clean_name, is_junk
from volute.data.archive import Tar, Zip
from volute.data.arrays import Npz
from volute.data.entry import Entry, Source
from volute.data.scenes import SIDE, Scenes, is_scenes
from volute.errors import DataError
from volute.media.photo import FILE_LIMIT, PictureError, picture_size


def open_source(path: Path, labels: bool = True, side: int | None = None) -> Source:
    """Return the source at `path`.

    Args:
        path: a folder, zip, tar (plain, gz, bz2, xz) or npz, or the word `scenes`.
        labels: read the labels of an npz.
        side: of procedural scenes, px; by default 256.

    Raises:
        DataError: nothing is there, or it is none of these.
    """
    try:
        if path.is_dir():
            return Folder(path)
        if is_scenes(path):
            return Scenes(side or SIDE)
        if not path.exists():
            hint = "Give a folder of pictures, zip, tar or npz, or the word: scenes"
            raise DataError(f"{path} does not exist", hint)
        if not path.is_file():
            raise DataError(f"{path} is neither a folder nor a file")
        if zipfile.is_zipfile(path):
            return Npz(path, labels) if _holds_arrays(path) else Zip(path)
        if Tar.recognised(path):
            return Tar(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    raise DataError(f"{path} is not a folder, zip, tar or npz", _what_it_is(path))


def _holds_arrays(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _what_it_is(path: Path) -> str:
    try:
        picture_size(path)
    except PictureError:
        return "Other archives: unpack them and give the folder."
    return "It is one picture: give the folder that holds it and many more."


@dataclass(frozen=True)
class _File:
    name: str
    path: Path
    status: os.stat_result | None
    reason: str = ""


class Folder(Source):
    """A folder and everything under it, in the order of the names' bytes; links are followed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> str:
        """Return a digest of all names, sizes and times."""
        digest = hashlib.sha256()
        self.total = 0
        for file in self._files():
            self.total += 1
            size, time = (file.status.st_size, file.status.st_mtime_ns) if file.status else (0, 0)
            digest.update(f"{file.path!r} {size} {time}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def content(self) -> str:
        """Return the SHA-256 over names and bytes; a file too large to be used counts by size."""
        digest = hashlib.sha256()
        for file in self._files():
            digest.update(f"{file.name}\n{_file_digest(file)}\n".encode())
        return digest.hexdigest()

    def entries(self) -> Iterator[Entry]:
        """Yield the files; those that cannot be opened carry the reason."""
        for file in self._files():
            readable = file.status is not None
            yield Entry(file.name, file.path if readable else PictureError(file.name, file.reason))

    def _files(self) -> Iterator[_File]:
        try:
            yield from self._under(self.path, "", frozenset())
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror}") from error

    def _under(
        self, folder: Path, prefix: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[_File]:
        here = folder.stat()
        if (here.st_dev, here.st_ino) in above:
            return  # a link to a folder that holds it
        above = above | {(here.st_dev, here.st_ino)}
        for name in sorted(os.listdir(folder), key=os.fsencode):
            if is_junk(name):
                continue
            path, shown = folder / name, prefix + clean_name(name)
            try:
                status = path.stat()
                if stat.S_ISDIR(status.st_mode):
                    yield from self._under(path, f"{shown}/", above)
                elif stat.S_ISREG(status.st_mode):
                    yield _File(shown, path, status)
                else:
                    yield _File(shown, path, None, "a device, pipe or socket")
            except OSError as error:
                yield _File(shown, path, None, error.strerror or str(error))


def _file_digest(file: _File) -> str:
    if file.status is None:
        return file.reason
    if file.status.st_size > FILE_LIMIT:
        return str(file.status.st_size)
    try:
        with file.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return error.strerror or str(error)
