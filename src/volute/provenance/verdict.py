"""`volute.verify`: what a file tells of its origin, each finding by itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from volute.errors import DataError
from volute.media.photo import PictureError, read_picture
from volute.provenance import carriers, detector, ledger, text_mark, watermark
from volute.provenance.added import LARGEST, SMALLEST
from volute.provenance.history import Manifest, look

CERTAIN = 1e-6
"""p-value up to which an ID in pixels counts as read."""


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
    watermark: text_mark.Found | watermark.Found | None
    """The mark in a text, or the ID in the pixels of a picture; None: not looked for."""
    detector: detector.Traces | None = None
    """Traces of a network in the pixels of a picture; None: not looked for."""
    known: Known | None = None
    """Whether it was signed on this computer, as far as the ledger reaches."""


def verify(path: str | Path, *, key: bytes | None = None) -> Verdict:
    """Look for what a file tells of its origin. Nothing is fetched, and no model is needed.

    Args:
        path: any file; marks are looked for in texts in UTF-8, and in stills of 64 px a side or
            more. Traces are looked for in all stills.
        key: what it may have been marked with; None for the public key.

    Raises:
        DataError: if it cannot be read.
        VoluteError: if the keys of this computer cannot be read.
    """
    path = Path(path)
    try:
        mime = carriers.mime_of(path)
        manifest = look(path, mime)
        mark = _mark(path, mime, key)
        return Verdict(manifest, mark, _traces(path, mime), _known(path, manifest, mark))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "Check the name.") from error


def _mark(path: Path, mime: str, key: bytes | None) -> text_mark.Found | watermark.Found | None:
    if mime == carriers.TEXT:
        return text_mark.detect(path.read_bytes(), key)
    if mime not in carriers.PICTURES.values():
        return None
    try:
        picture = read_picture(path, LARGEST, reduce=True).array
    except PictureError:
        return None
    return watermark.read(picture, key) if min(picture.shape[:2]) >= SMALLEST else None


def _traces(path: Path, mime: str) -> detector.Traces | None:
    if mime not in carriers.PICTURES.values():
        return None
    try:
        return detector.look_at(path)
    except PictureError:
        return None


def _known(
    path: Path, manifest: Manifest, mark: text_mark.Found | watermark.Found | None
) -> Known | None:
    if not ledger.path().exists():
        return None
    if manifest.history and (found := ledger.find(manifest=manifest.history.manifest)):
        return Known(found, "manifest")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if found := ledger.find(sha256=digest):
        return Known(found, "bytes")
    if not isinstance(mark, watermark.Found) or mark.p_value > CERTAIN:
        return None
    found = ledger.find(watermark=mark.ident)
    return None if found is None else Known(found, "watermark")
