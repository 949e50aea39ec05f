"""Where the files of a batch lie: here, under a URL, or in a tar. Each is at hand while it is
worked on, and no longer.
"""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from volute.errors import DataError, MissingExtraError, VoluteError
from volute.named import told_of
from volute.remote import Told, copied, in_words

SIDECAR = ".c2pa"
"""Ending of the manifest of a file that cannot carry it; it lies beside that file."""
LONGEST = 60
"""Characters of a name that a file keeps when it is brought here."""
AGAIN = "Give the same command again: what is done is not done twice."
ROOM = "It is copied to the temporary folder first: TMPDIR can name another."


_ABSENT = (FileNotFoundError, PermissionError)
"""What is raised where there is none: S3 tells only who may list."""


class Source(Protocol):
    """A file to be worked on, wherever it lies; as text, what it is called. It goes to workers."""

    def seen(self) -> tuple[int, int]:
        """Return its size, and a number that is another when it has changed."""
        ...

    def at_hand(self) -> AbstractContextManager[Path]:
        """Give its path on this computer, for the time of a block.

        Raises:
            DataError: if it cannot be read.
            MissingExtraError: if its protocol needs what is not installed.
        """
        ...


@dataclass(frozen=True)
class Local:
    """A file of this computer."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def seen(self) -> tuple[int, int]:
        """Return size and time of change, in ns; zeros if it is not there."""
        return seen(self.path)

    @contextmanager
    def at_hand(self) -> Iterator[Path]:
        """See `Source`."""
        yield self.path


@dataclass(frozen=True)
class Brought:
    """A file under a URL, or in a tar: copied to a temporary folder for as long as it is needed."""

    called: str
    file: str
    """The path or URL that holds it."""
    told: Told
    """Of that."""
    offset: int = 0
    """Of its first byte in that."""
    size: int | None = None
    """Its bytes; None: all."""
    manifest: Brought | None = None
    """What lies beside it; without a size it is not known whether there is one."""

    def __str__(self) -> str:
        return self.called

    def seen(self) -> tuple[int, int]:
        """Return its size, and a number that stands for size and mark of what holds it."""
        mark = zlib.crc32(f"{self.told.size} {self.told.mark}".encode())
        return self.told.size if self.size is None else self.size, mark

    @contextmanager
    def at_hand(self) -> Iterator[Path]:
        """See `Source`; what is told of the copy names the source."""
        with TemporaryDirectory(prefix="volute-") as folder:
            file = Path(folder) / self.called.rpartition("/")[2][-LONGEST:]
            self._bring(file)
            if self.manifest is not None:
                self.manifest._bring_if_there(file.with_name(file.name + SIDECAR))
            try:
                yield file
            except VoluteError as error:
                error.what = error.what.replace(str(file), self.called)
                error.hint = error.hint.replace(str(file), self.called)
                raise

    def _bring(self, file: Path) -> None:
        try:
            if self.size is not None and told_of(self.file) != self.told:
                raise DataError("it has changed since it was listed")
            copied(self.file, file, self.offset, self.size or self.told.size or None)
        except MissingExtraError:
            raise
        except Exception as error:  # libraries of file systems raise anything
            full = isinstance(error, OSError) and error.errno == errno.ENOSPC
            what = f"{self.called}: {in_words(error)}"
            raise DataError(what, ROOM if full else AGAIN) from error

    def _bring_if_there(self, file: Path) -> None:
        try:
            self._bring(file)
        except DataError as error:
            if self.told.size or not isinstance(error.__cause__, _ABSENT):
                raise


@dataclass(frozen=True)
class Refused:
    """What is named, and cannot be a file to be worked on."""

    called: str
    reason: str

    def __str__(self) -> str:
        return self.called

    def seen(self) -> tuple[int, int]:
        """Return zeros."""
        return 0, 0

    @contextmanager
    def at_hand(self) -> Iterator[Path]:
        """Raise the reason."""
        raise DataError(f"{self.called}: {self.reason}")
        yield


def seen(path: Path) -> tuple[int, int]:
    """Return size and time of change, in ns, of a file of this computer; zeros without one."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns
