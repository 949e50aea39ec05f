"""Records of one kind as JSON lines: the newest of each ID counts, and a torn line is left out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from volute.config import Config
from volute.paths import explained, write_text

GONE = ',"gone":true}'
"""Ends the line of a record that was removed."""


class Record(Config):
    """Base of what a journal keeps."""

    id: str


R = TypeVar("R", bound=Record)


class Journal(Generic[R]):
    """A file of records, held in memory as their lines; for several threads.

    Args:
        path: the file; made when it is first written to.
        model: the class of the records.
        most: of them that are kept: the oldest go.
    """

    def __init__(self, path: Path, model: type[R], most: int) -> None:
        self._path, self._model, self._most = path, model, most
        self._lock = threading.Lock()
        self._torn = False
        self._held: dict[str, R] = {}
        self._lines = self._read()

    def newest(self) -> Iterator[R]:
        """Yield all records, the newest first."""
        with self._lock:
            names = list(self._lines)[::-1]
        for name in names:
            record = self.get(name)
            if record is not None:
                yield record

    def get(self, ident: str) -> R | None:
        """Return a record by its ID."""
        with self._lock:
            held, line = self._held.get(ident), self._lines.get(ident, "")
        return held or (self._model.model_validate_json(line) if line else None)

    def hold(self, record: R) -> None:
        """Take what became of a record in memory alone, until it is added."""
        with self._lock:
            self._held[record.id] = record
            self._lines.setdefault(record.id, "")

    def add(self, record: R) -> None:
        """Take a record, or what became of it.

        Raises:
            VoluteError: if it cannot be written; it counts all the same.
        """
        line = record.model_dump_json()
        with self._lock:
            self._held.pop(record.id, None)
            self._lines[record.id] = line
            while len(self._lines) > self._most:
                del self._lines[next(iter(self._lines))]
            self._append(line)

    def forget(self, ident: str) -> None:
        """Drop a record that could not be added."""
        with self._lock:
            self._held.pop(ident, None)
            self._lines.pop(ident, None)

    def remove(self, ident: str) -> None:
        """Remove a record.

        Raises:
            VoluteError: if that cannot be written.
        """
        with self._lock:
            self._held.pop(ident, None)
            if self._lines.pop(ident, None) is not None:
                self._append(f'{{"id":"{ident}"{GONE}')

    def compact(self) -> None:
        """Write the file anew with what counts.

        Raises:
            VoluteError: if it cannot be written; it is as it was then.
        """
        with self._lock:
            for ident, record in self._held.items():
                self._lines[ident] = record.model_dump_json()
            write_text(self._path, "".join(f"{line}\n" for line in self._lines.values() if line))

    def _append(self, line: str) -> None:
        data = (f"\n{line}\n" if self._torn else f"{line}\n").encode("utf-8", "replace")
        self._torn = True
        with explained(self._path):
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                self._torn = os.write(handle, data) != len(data)
            finally:
                os.close(handle)

    def _read(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if not self._path.exists():
            return found
        with explained(self._path):
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            if line.endswith(GONE):
                found.pop(line[7:23], None)
                continue
            try:
                ident = self._model.model_validate_json(line).id
            except ValidationError:
                continue
            found[ident] = line  # where it was first: the order is that of their beginning
        return dict(list(found.items())[-self._most :])
