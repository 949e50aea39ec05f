"""Where the signing keys lie, how they are made and renewed.

In the config folder, for its owner's eyes only: `keys/authority.pem` and `keys/signer.pem`, each a
private key with its certificates, made on first use; `timestamp`, the address of a time-stamping
service, if one was chosen.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from volute.errors import UsageError, VoluteError
from volute.events import Emit, Note, silent
from volute.paths import config_dir, explained, write_private
from volute.provenance import library, trust

if TYPE_CHECKING:
    from volute.provenance.certificates import Credentials

ORGANIZATION = "volute user"
"""In certificates, unless a person says otherwise: a name would be on every picture."""
LEAST = timedelta(days=5 * 365)
"""A signer whose certificate is valid for less gets a new one: what it signs counts so long."""
OTHERS = 0o077
RENEW = "volute keys init --overwrite"
ANEW = f"Make new ones: {RENEW}"


@dataclass(frozen=True)
class Shown:
    """What `volute keys show` tells."""

    folder: Path
    organization: str
    expires: datetime
    own: bool
    """Signed by the authority of this computer, not imported."""
    authority: str
    """SHA-256 of its certificate; empty if there is none."""
    trusted: tuple[str, ...]
    """Names of the certificates of others that are trusted."""
    timestamp: str


def folder() -> Path:
    """Return the folder of the keys."""
    return config_dir() / "keys"


def credentials(emit: Emit = silent) -> Credentials:
    """Return what to sign with; made on first use, renewed in good time, both told to `emit`.

    Raises:
        VoluteError: if others can read a key, it is damaged, expired and imported, or cannot be
            written.
    """
    path = folder() / "signer.pem"
    if not path.exists():
        return _made(ORGANIZATION, emit)
    signer = _read(path)
    left = signer.expires - datetime.now(UTC)
    if left >= LEAST:
        return signer
    authority = _authority()
    if authority is None or not _vouches(authority, signer):
        return _while_it_lasts(signer, path)
    if authority.expires <= signer.expires and left > timedelta(0):
        return signer
    return _renewed(authority, "renewed the signing certificate", emit)


def init(organization: str = ORGANIZATION, again: bool = False, emit: Emit = silent) -> Credentials:
    """Make keys: an authority, if there is none, and a signer.

    Args:
        organization: stands in the certificates, and so in everything that is signed.
        again: make all anew; the old authority stays trusted.
        emit: is told.

    Raises:
        UsageError: if there are keys, and not `again`.
        VoluteError: if they cannot be written.
    """
    if (folder() / "signer.pem").exists() and not again:
        raise UsageError(f"there are keys in {folder()}", "Add --overwrite to make new ones.")
    if again:
        _retired(folder() / "authority.pem")
    return _made(organization, emit)


def import_signer(pem: bytes) -> Credentials:
    """Sign from now on with a key and certificates of another's making.

    Args:
        pem: a private key, and its certificate with those above it, in this order.

    Raises:
        UsageError: if they do not fit together, or are not of the kind that C2PA accepts.
    """
    from volute.provenance import certificates

    try:
        signer = certificates.parsed(pem)
        library.check(signer)
    except ValueError as error:
        hint = (
            "Give the key and the certificates in PEM, the signer's first; see docs/provenance.md"
        )
        raise UsageError(f"these cannot sign: {error}", hint) from error
    write_private(folder() / "signer.pem", signer.pem)
    return signer


def anchors() -> bytes:
    """Return the certificates that are trusted, in PEM: of this computer's authority and others."""
    own = _authority()
    return (b"" if own is None else own.chain_pem) + trust.others_pem()


def authority_pem() -> bytes:
    """Return the certificate of this computer's authority, for others to trust."""
    own = _authority()
    if own is None:
        raise VoluteError(f"there is no authority in {folder()}", "Make one: volute keys init")
    return own.chain_pem


def timestamp() -> str:
    """Return the address of the time-stamping service; empty: none, or VOLUTE_OFFLINE is set."""
    file = config_dir() / "timestamp"
    if os.environ.get("VOLUTE_OFFLINE") or not file.exists():
        return ""
    return file.read_text(encoding="utf-8").strip()


def set_timestamp(url: str) -> None:
    """Have signatures time-stamped by a service (RFC 3161); an empty address ends that.

    Raises:
        UsageError: if it is no address.
    """
    if url and not url.startswith(("http://", "https://")):
        raise UsageError(f"{url} is no address of a time-stamping service", "Begin with https://")
    write_private(config_dir() / "timestamp", url.encode())


def shown() -> Shown:
    """Return what there is.

    Raises:
        VoluteError: if there are no keys yet, or others can read them.
    """
    from volute.provenance import certificates

    path = folder() / "signer.pem"
    if not path.exists():
        raise VoluteError(f"there are no keys in {folder()} yet", "Make them: volute keys init")
    signer, authority = _read(path), _authority()
    own = authority is not None and _vouches(authority, signer)
    print_of = certificates.fingerprint(authority.chain[0]) if authority else ""
    organization = certificates.organization_of(signer.chain[0])
    others, stamp = tuple(trust.others()), timestamp()
    return Shown(folder(), organization, signer.expires, own, print_of, others, stamp)


def _made(organization: str, emit: Emit) -> Credentials:
    """Make a signer, and an authority if there is none; others may do so at the same time."""
    from volute.provenance.certificates import new_authority

    authority = _authority() or _first(folder() / "authority.pem", new_authority(organization))
    return _renewed(authority, "made keys to sign with", emit)


def _authority() -> Credentials | None:
    path = folder() / "authority.pem"
    return _read(path) if path.exists() else None


def _vouches(authority: Credentials, signer: Credentials) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        signer.chain[0].verify_directly_issued_by(authority.chain[0])
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _retired(path: Path) -> None:
    """Remove an authority, but go on to trust it; one that cannot be read is only removed."""
    with contextlib.suppress(VoluteError):
        if old := _authority():
            trust.add(old.chain[0])
    path.unlink(missing_ok=True)


def _while_it_lasts(signer: Credentials, path: Path) -> Credentials:
    """Return a signer that cannot be renewed here, while it is valid."""
    if signer.expires <= datetime.now(UTC):
        what = f"the certificate in {path} expired on {signer.expires:%Y-%m-%d}"
        raise VoluteError(what, f"Import a new one: volute keys import. {ANEW}")
    return signer


def _renewed(authority: Credentials, done: str, emit: Emit) -> Credentials:
    from volute.provenance.certificates import new_signer

    if authority.expires <= datetime.now(UTC):
        what = f"the authority in {folder()} expired on {authority.expires:%Y-%m-%d}"
        raise VoluteError(what, ANEW)
    signer = new_signer(authority)
    write_private(folder() / "signer.pem", signer.pem)
    emit(Note("keys", f"{done}, valid to {signer.expires:%Y-%m-%d}: {folder()}"))
    return signer


def _read(path: Path) -> Credentials:
    try:
        about = path.stat()
        if os.name == "posix" and about.st_mode & OTHERS:
            what = f"{path} can be read by others: its mode is {about.st_mode & 0o777:04o}"
            raise VoluteError(what, f"If nobody has copied it: chmod 600 {path}. Else: {RENEW}")
        return _parsed(path, about.st_ino, about.st_mtime_ns, about.st_size)
    except OSError as error:
        what = f"cannot read the key in {path}: {error.strerror}"
        raise VoluteError(what, "VOLUTE_CONFIG names another folder for keys.") from error
    except ValueError as error:
        raise VoluteError(f"{path} is damaged: {error}", ANEW) from error


@lru_cache(maxsize=8)
def _parsed(path: Path, *stamp: int) -> Credentials:
    """Return what lies in a file, read once for each of its states."""
    from volute.provenance.certificates import parsed

    return parsed(path.read_bytes())


def _first(path: Path, made: Credentials) -> Credentials:
    """Write `made` to `path`, unless another process was there first; return what is there."""
    with explained(path):
        for place in (config_dir(), path.parent):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(made.pem)
        try:
            os.link(name, path)
        except FileExistsError:
            return _read(path)
        finally:
            os.unlink(name)
    return made
