"""One picture of a source, not decoded yet, and what every kind of source offers."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volute.errors import DataError


@dataclass(frozen=True, eq=False)
class Entry:
    """A file, archive member or row of an array."""

    name: str
    """Shown to people and used for classes: relative, `/` between the parts, any script."""
    content: Path | bytes | np.ndarray | DataError
    """A file to read, its bytes, uint8 [H, W, C], or why there is nothing to read."""
    label: str | int | None = None
    """The class that the source itself states; folder names are looked at later."""


class Source(abc.ABC):
    """Pictures in a fixed order, given one at a time."""

    path: Path
    total: int = 0
    """Number of entries, 0 while it is not known."""
    side: int = 0
    """Side in px at which its pictures are drawn, 0 if they are what they are."""
    share: float = 1.0
    """How much of the whole its entries are, when they have been given."""
    foldered: bool = True
    """Whether folders in the names of its entries may be classes."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        return str(self.path)

    @abc.abstractmethod
    def stamp(self) -> str:
        """Return a text that changes when files do, from names, sizes and times alone."""

    @abc.abstractmethod
    def content(self) -> str:
        """Return the SHA-256 over names and bytes, in order."""

    @abc.abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Yield every entry but hidden files and what systems leave behind.

        Raises:
            DataError: the source as a whole is damaged or refused.
        """

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know about what was taken from the source."""
        return ()


class FileSource(Source):
    """A source that is one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> str:
        """Return size and time of the file."""
        status = self.path.stat()
        return f"{status.st_size} {status.st_mtime_ns}"

    def content(self) -> str:
        """Return the SHA-256 of the file."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def expansion_limit(self) -> int:
        """Return how many bytes it may unpack to: pictures hardly compress, bombs do."""
        return (1 << 30) + 100 * self.path.stat().st_size

    def bomb(self) -> DataError:
        """Return the error for a file that unpacks to more than that."""
        text = f"{self.path.name} unpacks to more than 100 times its size"
        return DataError(text, "It looks like a decompression bomb. Use a folder of the pictures.")

    def damaged(self, reason: object) -> DataError:
        """Return the error for a file that cannot be read on."""
        text = " ".join(str(reason).split()) or type(reason).__name__
        hint = "Copy or download it again, or use a folder of the pictures."
        return DataError(f"{self.path.name} is damaged: {text}", hint)
