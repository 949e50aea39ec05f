"""`volute.verify`: what a file tells of its origin, each finding by itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from volute.errors import DataError, VoluteError
from volute.media.photo import PictureError
from volute.media.video_colours import frames_of
from volute.media.video_kinds import container_kind
from volute.provenance import carriers, detector, ledger, text_mark, watermark
from volute.provenance.added import LARGEST, SMALLEST
from volute.provenance.history import Manifest, look

CERTAIN = 1e-6
"""p-value up to which an ID in pixels counts as read."""
STEP, FRAMES = 6, 24
"""Every so many of a film's frames are looked at, and how many: those of about six seconds."""


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

    @property
    def agrees(self) -> bool | None:
        """Whether the manifest names the ID in the pixels; None: one of them has none."""
        mark, history = self.watermark, self.manifest.history
        if not isinstance(mark, watermark.Found) or mark.p_value > CERTAIN:
            return None
        return f"{mark.ident:04x}" == history.watermark if history and history.watermark else None


def verify(path: str | Path, *, key: bytes | None = None) -> Verdict:
    """Look for what a file tells of its origin. Nothing is fetched, and no model is needed.

    Args:
        path: any file; marks are looked for in texts in UTF-8, and in stills and films
            of 64 px a side or more, traces in all stills.
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
    if container_kind(path):
        return _film_mark(path, key)
    if mime not in carriers.PICTURES.values():
        return None
    from volute.media.photo_reduced import read_reduced  # libvips takes a while

    try:
        picture = read_reduced(path, LARGEST)
    except (PictureError, DataError):
        return None
    if picture is None or min(picture.shape[:2]) < SMALLEST:
        return None
    return watermark.read(picture, key)


def _film_mark(path: Path, key: bytes | None) -> watermark.Found | None:
    try:
        frames = frames_of(path, STEP, FRAMES)
        first = next(frames, None)
        if first is None or min(first.shape[:2]) < SMALLEST:
            return None
        return watermark.shipped().read_film(chain([first], frames), key)
    except VoluteError:
        return None


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
