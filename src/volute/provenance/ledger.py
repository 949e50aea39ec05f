"""What was signed on this computer: a file of JSON lines, for its owner's eyes only.

A picture that has lost its manifest is found here by its SHA-256, or by the ID in its watermark.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from volute.config import Config
from volute.paths import config_dir, explained

FULL = 16 << 20
"""Bytes after which a new file is begun; one old file is kept. About 50,000 records each."""


class Record(Config):
    """One file that was signed."""

    time: str
    """ISO 8601, UTC."""
    file: str
    """Its name, without the folder."""
    sha256: str
    """Of the file as it was written."""
    manifest: str
    """The ID of its manifest."""
    deed: str
    """What was done, such as `upscale`."""
    model: str
    watermark: int | None = None
    """The ID in its pixels."""


def path() -> Path:
    """Return where the ledger lies."""
    return config_dir() / "signed.jsonl"


def add(record: Record) -> None:
    """Append a record.

    Raises:
        VoluteError: if it cannot be written.
    """
    file = path()
    with explained(file):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if file.exists() and file.stat().st_size >= FULL:
            file.replace(_older(file))
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab") as stream:
            stream.write(record.model_dump_json().encode() + b"\n")


def find(*, sha256: str = "", manifest: str = "", watermark: int | None = None) -> Record | None:
    """Return the newest record with one of these, or None; of two files with one ID, the newer."""
    for record in records():
        same = sha256 and record.sha256 == sha256 or manifest and record.manifest == manifest
        if same or (watermark is not None and record.watermark == watermark):
            return record
    return None


def records() -> Iterator[Record]:
    """Yield all that is known, the newest first; lines that make no sense are left out."""
    for file in (path(), _older(path())):
        if not file.exists():
            continue
        with explained(file):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in reversed(lines):
            with contextlib.suppress(ValidationError):
                yield Record.model_validate_json(line)


def _older(file: Path) -> Path:
    return file.with_name("signed.1.jsonl")
