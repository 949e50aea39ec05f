"""`volute.verify`: what a file tells of its origin, each finding by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from volute.errors import DataError
from volute.provenance.text_mark import Found, detect

LOOKED_AT = 8192
"""Bytes at the start of a file; a NUL among them says that it is no text."""


@dataclass(frozen=True)
class Verdict:
    """What was found in a file."""

    watermark: Found


def verify(path: str | Path, *, key: bytes | None = None) -> Verdict:
    """Look for the mark of a language model in a text file.

    Args:
        path: a file of UTF-8 text.
        key: what it may have been marked with; None for the public key.

    Raises:
        DataError: if it cannot be read, or is no text.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "Check the name.") from error
    if b"\0" in data[:LOOKED_AT]:
        raise DataError(f"{path}: only texts in UTF-8 are verified as yet")
    return Verdict(detect(data, key))
