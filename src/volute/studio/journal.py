"""Records of one kind as JSON lines: the newest of each ID counts, and a torn line is left out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import ValidationError

from volute.paths import explained, write_text


class Record(Protocol):
    """A pydantic model with an ID."""

    @property
    def id(self) -> str:
        """What tells it from others."""
        ...

    def model_dump_json(self) -> str:
        """Return it as one line."""
        ...


R = TypeVar("R", bound=Record)


class Journal(Generic[R]):
    """A file of records.

    Args:
        path: the file; made when it is first written to.
        model: the class of the records.
        most: of them that are kept when the file is opened.
    """

    def __init__(self, path: Path, model: type[R], most: int) -> None:
        self._path, self._model, self._lock = path, model, threading.Lock()
        self._torn = False
        self._records = dict(list(self._read().items())[-most:])

    def all(self) -> list[R]:
        """Return all records, the oldest first."""
        with self._lock:
            return list(self._records.values())

    def get(self, ident: str) -> R | None:
        """Return a record by its ID."""
        with self._lock:
            return self._records.get(ident)

    def hold(self, record: R) -> None:
        """Take a record that need not outlive the process: it will be added in the end."""
        with self._lock:
            self._records[record.id] = record

    def add(self, record: R) -> None:
        """Take a record, or what became of it.

        Raises:
            VoluteError: if it cannot be written; it is held all the same.
        """
        with self._lock:
            self._records[record.id] = record
            self._append(record.model_dump_json())

    def remove(self, ident: str) -> None:
        """Forget a record.

        Raises:
            VoluteError: if that cannot be written.
        """
        with self._lock:
            if self._records.pop(ident, None) is not None:
                self._append(f'{{"id":"{ident}","gone":true}}')

    def compact(self) -> None:
        """Write the file anew with what counts."""
        with self._lock:
            self._write(self._records.values())

    def _write(self, records: Iterable[R]) -> None:
        write_text(self._path, "".join(f"{one.model_dump_json()}\n" for one in records))

    def _append(self, line: str) -> None:
        data = f"{line}\n".encode("utf-8", "replace")
        with explained(self._path):
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "ab", buffering=0) as stream:
                whole = b"\n" + data if self._torn else data
                self._torn = True
                if stream.write(whole) == len(whole):
                    self._torn = False

    def _read(self) -> dict[str, R]:
        found: dict[str, R] = {}
        if not self._path.exists():
            return found
        with explained(self._path):
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            try:
                one = self._model.model_validate_json(line)  # type: ignore[attr-defined]
                found.pop(one.id, None)
                found[one.id] = one
            except ValidationError:
                if line.endswith(',"gone":true}'):
                    found.pop(line[7:23], None)
        return found
