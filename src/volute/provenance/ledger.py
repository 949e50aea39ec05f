"""What was signed on this computer: a file of JSON lines, for its owner's eyes only.

A picture that has lost its manifest is found here by its SHA-256, or by the ID in its watermark.
"""

from __future__ import annotations

import contextlib
import os
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
    line = record.model_dump_json().encode() + b"\n"
    with explained(file):
        handle = _opened(file)
        if os.fstat(handle).st_size >= FULL:
            os.close(handle)
            with contextlib.suppress(FileNotFoundError):  # another process was there first
                file.replace(_older(file))
            handle = _opened(file)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


def _opened(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def find(*, sha256: str = "", manifest: str = "", watermark: int | None = None) -> Record | None:
    """Return the newest record with one of these, or None: ask for one at a time."""
    if sha256:
        return _newest(f'"sha256":"{sha256}"')
    if manifest:
        return _newest(f'"manifest":"{manifest}"')
    return None if watermark is None else _newest(f'"watermark":{watermark}}}')


def _newest(wanted: str) -> Record | None:
    """Return the newest record whose line holds a text; lines that make no sense are left out."""
    for file in (path(), _older(path())):
        if not file.exists():
            continue
        with explained(file):
            text = file.read_text(encoding="utf-8", errors="replace")
        for line in reversed(text.splitlines() if wanted in text else []):
            with contextlib.suppress(ValidationError):
                if wanted in line:
                    return Record.model_validate_json(line)
    return None


def _older(file: Path) -> Path:
    return file.with_name("signed.1.jsonl")
