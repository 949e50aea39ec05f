"""`volute.verify`: what a file tells of its origin, each finding by itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from volute.errors import DataError
from volute.provenance import carriers, ledger
from volute.provenance.history import Manifest, look
from volute.provenance.text_mark import Found, detect


@dataclass(frozen=True)
class Known:
    """What this computer's own ledger knows of a file."""

    record: ledger.Record
    by: Literal["manifest", "bytes", "watermark"]
    """What was found again: the ID of its manifest, each byte, or the ID in its pixels."""


@dataclass(frozen=True)
class Verdict:
    """What was found in a file: three findings that say nothing of each other."""

    manifest: Manifest
    """What was signed."""
    watermark: Found | None
    """The mark of a language model in a text; None: not looked for, as in pictures."""
    detector: None = None
    """Traces of a network in a picture; None: not looked for."""
    known: Known | None = None
    """Whether it was signed on this computer, as far as the ledger reaches."""


def verify(path: str | Path, *, key: bytes | None = None) -> Verdict:
    """Look for what a file tells of its origin. Nothing is fetched, and no model is needed.

    Args:
        path: any file; the mark of a language model is looked for in texts in UTF-8.
        key: what a text may have been marked with; None for the public key.

    Raises:
        DataError: if it cannot be read.
        VoluteError: if the keys of this computer cannot be read.
    """
    path = Path(path)
    try:
        mime = carriers.mime_of(path)
        manifest = look(path, mime)
        mark = detect(path.read_bytes(), key) if mime == carriers.TEXT else None
        return Verdict(manifest, mark, known=_known(path, manifest))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "Check the name.") from error


def _known(path: Path, manifest: Manifest) -> Known | None:
    if not ledger.path().exists():
        return None
    if manifest.history and (found := ledger.find(manifest=manifest.history.manifest)):
        return Known(found, "manifest")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    found = ledger.find(sha256=digest)
    return None if found is None else Known(found, "bytes")
