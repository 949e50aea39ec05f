"""c2pa-python, the one module that calls it: how it is set, what it signs, what it reads.

It never fetches anything but a time-stamp, and that only where an address is given: remote
manifests and the status of certificates (OCSP) are not asked for. No thumbnails are made.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from c2pa import Context

    from volute.provenance.certificates import Credentials

HELD = 16
"""Megabytes of a file up to which it is worked on in memory, not on disk."""
LARGE = 64 << 20
"""Bytes of a film above which its parts are hashed one by one."""
PART = 4096
"""Of such a film, in kB."""
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
UNKNOWN = "application/octet-stream"


class SigningError(Exception):
    """The library could not sign; the text says why."""


class NetworkError(SigningError):
    """It could not, as no time-stamp came."""


class UnreadableError(Exception):
    """There is a manifest, or may be, but it cannot be read; the text says why."""


class RemoteError(Exception):
    """The manifest lies elsewhere; the text is where."""


@dataclass(frozen=True)
class Ingredient:
    """Something that a file was made from."""

    file: Path
    mime: str
    about: Mapping[str, str]
    """Relationship, label and title."""
    sidecar: bytes | None = None
    """Its manifest, where that does not lie inside it."""


@dataclass(frozen=True)
class Job:
    """What is to be signed."""

    manifest: Mapping[str, Any]
    mime: str
    inside: bool
    """The manifest goes into the file."""
    ingredients: Sequence[Ingredient] = field(default=())
    timestamp: str = ""


def sign(job: Job, file: Path, signer: Credentials, anchors: bytes) -> bytes:
    """Put a manifest into `file`, or leave it as it is, as the job says; return the manifest.

    Raises:
        NetworkError: if the time-stamp is missing.
        SigningError: if the file cannot carry one, or the certificate is not accepted.
    """
    if not job.inside:
        with file.open("rb") as stream:
            return _signed(job, stream, _Nowhere(), signer, anchors)
    if file.stat().st_size <= HELD << 20:
        made = io.BytesIO()
        data = _signed(job, io.BytesIO(file.read_bytes()), made, signer, anchors)
        file.write_bytes(made.getbuffer())
        return data
    handle, name = tempfile.mkstemp(file.suffix, ".signed.", file.parent)
    try:
        with os.fdopen(handle, "w+b") as out, file.open("rb") as stream:
            data = _signed(job, stream, out, signer, anchors)
        file.unlink()  # a rename over a file that is there waits for the disk, on ext4
        os.rename(name, file)
        return data
    finally:
        Path(name).unlink(missing_ok=True)


def _signed(job: Job, stream: Any, out: Any, signer: Credentials, anchors: bytes) -> bytes:
    from c2pa import Builder, C2paError, C2paSignerInfo, C2paSigningAlg, Signer

    info = C2paSignerInfo(
        alg=C2paSigningAlg[signer.algorithm],
        sign_cert=signer.chain_pem,
        private_key=signer.key_pem,
        ta_url=job.timestamp.encode() or None,
    )
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    settings = _context(anchors, parts=size > LARGE)
    try:
        with Builder(dict(job.manifest), settings) as builder, Signer.from_info(info) as one:
            if not job.inside:
                builder.set_no_embed()
            for ingredient in job.ingredients:
                _add(builder, ingredient, settings)
            return builder.sign(one, job.mime, stream, out)
    except C2paError as error:
        kind = NetworkError if job.timestamp and "http" in str(error) else SigningError
        raise kind(_words(error)) from error


def check(signer: Credentials) -> None:
    """Sign a little something, and read it.

    Raises:
        ValueError: if what it signs is not accepted, saying why.
    """
    drawn = {"action": "c2pa.created", "digitalSourceType": f"{IPTC}digitalCreation"}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [drawn]}}
    job = Job({"assertions": [actions]}, "text/plain", inside=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.txt")
        file.write_text("volute")
        try:
            sign(job, file, signer, b"")
        except SigningError as error:
            raise ValueError(str(error)) from error


def read(file: Path, mime: str, sidecar: bytes | None, anchors: bytes) -> dict[str, Any] | None:
    """Return what the library tells of a file's manifest; None if there is none.

    Args:
        file: what to read.
        mime: its type; octets for what is not known.
        sidecar: the manifest, where it lies beside the file.
        anchors: certificates that are trusted, in PEM.

    Raises:
        UnreadableError: if there may be one, but it makes no sense, or the file does not.
        RemoteError: if it lies elsewhere.
        OSError: if the file cannot be read.
    """
    from c2pa import C2paError, Reader

    with file.open("rb") as stream:
        known = mime if mime != UNKNOWN or sidecar else None
        try:
            with Reader(known, stream, sidecar, context=_context(anchors)) as reader:
                return json.loads(reader.json())
        except C2paError as error:
            words, kind = _words(error), str(error).partition(":")[0]
            if sidecar is None and kind in ("ManifestNotFound", "NotSupported"):
                return None
            if "must fetch remote manifests from url" in words:
                raise RemoteError(words.rpartition(" ")[2]) from error
            raise UnreadableError(words) from error
        except (ValueError, RecursionError) as error:
            raise UnreadableError("the manifest holds no JSON") from error


def _add(builder: Any, ingredient: Ingredient, settings: Context) -> None:
    """Add an ingredient with its history; of a file that the library cannot read, its mere name."""
    from c2pa import C2paError, Reader

    about: dict[str, Any] = dict(ingredient.about)
    with ingredient.file.open("rb") as stream:
        try:
            if ingredient.sidecar is not None:
                with Reader(
                    ingredient.mime, stream, ingredient.sidecar, context=settings
                ) as reader:
                    told = json.loads(reader.json())
                about["active_manifest"] = told["active_manifest"]
                about["validation_results"] = told["validation_results"]
                about["manifest_data"] = {"format": "application/c2pa", "identifier": "beside"}
                builder.add_resource("beside", io.BytesIO(ingredient.sidecar))
                stream.seek(0)
            builder.add_ingredient(about, ingredient.mime, stream)
        except C2paError:
            stream.seek(0)
            builder.add_ingredient(dict(ingredient.about), UNKNOWN, stream)


def _context(anchors: bytes, parts: bool = False) -> Context:
    from c2pa import Context

    core: dict[str, int] = {"backing_store_memory_threshold_in_mb": HELD}
    if parts:
        core["merkle_tree_chunk_size_in_kb"] = PART
    settings: dict[str, Any] = {
        "core": core,
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if anchors:
        settings["trust"] = {"user_anchors": anchors.decode("ascii")}
    return Context.from_dict(settings)


def _words(error: Exception) -> str:
    """Return what the library says, without the names of its own parts."""
    text = " ".join(str(error).split())
    return text.partition(": ")[2] or text


class _Nowhere(io.RawIOBase):
    """A file that keeps nothing: where the manifest stays outside, the library copies the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._place = self._size = 0

    def write(self, data: Any) -> int:
        self._place += len(data)
        self._size = max(self._size, self._place)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = (0, self._place, self._size)[whence] + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        return b""

    def flush(self) -> None:
        return None
