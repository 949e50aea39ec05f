"""c2pa-python: how it is set, what it signs, what it reads. Only `native` calls it beside this.

It never fetches anything but a time-stamp, and that only where an address is given: remote
manifests and the status of certificates (OCSP) are not asked for. No thumbnails are made.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from volute.provenance import carriers
from volute.provenance.native import by_hash

if TYPE_CHECKING:
    from c2pa import Builder, Context, Signer

    from volute.provenance.certificates import Credentials

HELD = 16
"""Megabytes of a file up to which it is worked on in memory, not on disk."""
LARGE = 64 << 20
"""Bytes of a film above which its parts are hashed one by one."""
PART = 4096
"""Of such a film, in kB."""
PLAIN = ("image/png", "image/jpeg", "image/webp", "image/gif")
"""Formats with one way to carry a manifest, so that it need not be read again after signing."""
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
UNKNOWN = "application/octet-stream"
SIDECAR = "application/c2pa"


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


def sign(job: Job, file: Path, signer: Credentials, anchors: bytes) -> bytes | None:
    """Put a manifest into `file`, or leave it as it is and return the manifest, as the job says.

    Raises:
        NetworkError: if the time-stamp is missing.
        SigningError: if the file cannot carry one, or the certificate is not accepted.
    """
    with _begun(job, file.stat().st_size, signer, anchors) as (builder, one):
        if not job.inside:
            return _beside(builder, one, file)
        _inside(builder, one, job.mime, file)
        return None


def sign_png(job: Job, png: bytes, signer: Credentials, anchors: bytes) -> bytes:
    """Return a PNG that has no manifest with one in it.

    Raises:
        NetworkError, SigningError: as `sign`.
    """
    with _begun(job, len(png), signer, anchors) as (builder, one):
        return _inserted(builder, one, job.mime, png, carriers.PNG_HEADER)


@contextlib.contextmanager
def _begun(
    job: Job, size: int, signer: Credentials, anchors: bytes
) -> Iterator[tuple[Builder, Signer]]:
    """Give what signs a file of so many bytes, and explain what it refuses."""
    from c2pa import Builder, C2paError

    settings = _context(anchors, size > LARGE, job.mime not in PLAIN)
    try:
        one = _signer(signer.algorithm, signer.chain_pem, signer.key_pem, job.timestamp)
        with Builder(dict(job.manifest), settings) as builder:
            for ingredient in job.ingredients:
                _add(builder, ingredient, settings)
            yield builder, one
    except C2paError as error:
        kind = NetworkError if job.timestamp and "http" in str(error) else SigningError
        raise kind(_words(error)) from error


@lru_cache(maxsize=2)
def _signer(algorithm: str, chain: bytes, key: bytes, timestamp: str) -> Signer:
    """Return c2pa's own, which takes as long to make as a signature; threads may share it."""
    from c2pa import C2paSignerInfo, C2paSigningAlg, Signer

    info = C2paSignerInfo(
        alg=C2paSigningAlg[algorithm],
        sign_cert=chain,
        private_key=key,
        ta_url=timestamp.encode() or None,
    )
    return Signer.from_info(info)


def _inside(builder: Builder, signer: Signer, mime: str, file: Path) -> None:
    if file.stat().st_size <= HELD << 20:
        before = file.read_bytes()
        place = carriers.room(before, mime)
        if place is not None:
            file.write_bytes(_inserted(builder, signer, mime, before, place))
            return
        made = io.BytesIO()
        builder.sign(signer, mime, io.BytesIO(before), made)
        file.write_bytes(made.getbuffer())
        return
    handle, name = tempfile.mkstemp(file.suffix, ".signed.", file.parent)
    try:
        with os.fdopen(handle, "w+b") as out, file.open("rb") as stream:
            builder.sign(signer, mime, stream, out)
        file.unlink()  # a rename over a file that is there waits for the disk, on ext4
        os.rename(name, file)
    finally:
        Path(name).unlink(missing_ok=True)


def _inserted(builder: Builder, signer: Signer, mime: str, data: bytes, place: int) -> bytes:
    """Return a PNG or JPEG with a manifest at a place.

    c2pa would read and write it by some hundred calls into Python: that takes twice as long, and
    threads that sign at the same time would wait for each other.
    """
    head, rest = data[:place], data[place:]

    def told(count: int) -> dict[str, Any]:
        digest = hashlib.sha256(head)
        digest.update(rest)
        hashed = {"name": "jumbf manifest", "alg": "sha256", "hash": list(digest.digest())}
        return {"exclusions": [{"start": place, "length": count}], **hashed, "pad": []}

    return head + by_hash(builder, signer, mime, told) + rest


def _beside(builder: Builder, signer: Signer, file: Path) -> bytes:
    """Return the manifest of a file by its hash: c2pa would hold all of it in memory to hash it."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    whole = {"exclusions": [], "name": "whole file", "alg": "sha256", "hash": list(digest)}
    return by_hash(builder, signer, SIDECAR, lambda count: {**whole, "pad": []})


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
            told = read(file, job.mime, sign(job, file, signer, b""), b"")
        except (SigningError, UnreadableError) as error:
            raise ValueError(str(error)) from error
    if told is None or told["validation_state"] == "Invalid":
        raise ValueError("what they sign is not valid")


def read(file: Path, mime: str, sidecar: bytes | None, anchors: bytes) -> dict[str, Any] | None:
    """Return what the library tells of a file's manifest; None if there is none.

    Args:
        file: what to read.
        mime: its type; of octets and texts, the ending of their name says more.
        sidecar: the manifest, where it lies beside the file.
        anchors: certificates that are trusted, in PEM.

    Raises:
        UnreadableError: if there may be one, but it makes no sense, or the file does not.
        RemoteError: if it lies elsewhere.
        OSError: if the file cannot be read.
    """
    from c2pa import C2paError, Reader

    with file.open("rb") as stream:
        try:
            with Reader(
                mime if sidecar else _known(file, mime), stream, sidecar, context=_context(anchors)
            ) as reader:
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


def _known(file: Path, mime: str) -> str | None:
    """Return what c2pa takes a file for; None: it looks by itself."""
    from c2pa import Reader

    if mime not in (UNKNOWN, "text/plain"):
        return mime
    ending = file.suffix[1:].lower()
    return ending if ending != "c2pa" and ending in Reader.get_supported_mime_types() else None


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
                about["manifest_data"] = {"format": SIDECAR, "identifier": "beside"}
                builder.add_resource("beside", io.BytesIO(ingredient.sidecar))
                stream.seek(0)
            builder.add_ingredient(about, ingredient.mime, stream)
        except C2paError:
            stream.seek(0)
            builder.add_ingredient(dict(ingredient.about), UNKNOWN, stream)


@lru_cache(maxsize=8)
def _context(anchors: bytes, parts: bool = False, checked: bool = True) -> Context:
    """Return c2pa's settings: `parts` are hashed one by one, what is signed is read again."""
    from c2pa import Context

    core: dict[str, int] = {"backing_store_memory_threshold_in_mb": HELD}
    if parts:
        core["merkle_tree_chunk_size_in_kb"] = PART
    settings: dict[str, Any] = {
        "core": core,
        "verify": {
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            "verify_after_sign": checked,
        },
        "builder": {"thumbnail": {"enabled": False}},
    }
    if anchors:
        settings["trust"] = {"user_anchors": anchors.decode("ascii")}
    return Context.from_dict(settings)


def _words(error: Exception) -> str:
    """Return what the library says, without the names of its own parts."""
    text = " ".join(str(error).split())
    return text.partition(": ")[2] or text
