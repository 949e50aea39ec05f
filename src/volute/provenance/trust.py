"""Whom this computer trusts beside itself: the folder `trusted`, a certificate in each file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from volute.errors import UsageError
from volute.paths import config_dir, write_private

if TYPE_CHECKING:
    from cryptography import x509


def add(certificate: x509.Certificate) -> str:
    """Trust what a certificate vouches for from now on; return its name here.

    Raises:
        VoluteError: if it cannot be written.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    from volute.provenance.certificates import fingerprint

    place = _folder() / f"{fingerprint(certificate)[:16]}.pem"
    write_private(place, certificate.public_bytes(Encoding.PEM))
    return _name(place, certificate)


def import_pem(pem: bytes) -> list[str]:
    """Trust the certificates in `pem`, as `add` does.

    Raises:
        UsageError: if there are none.
    """
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise UsageError("there is no certificate in PEM", "Give a .pem or .crt file.") from error
    return [add(one) for one in found]


def others() -> Iterator[str]:
    """Yield the names of those that are trusted."""
    from cryptography import x509

    for file in _files():
        yield _name(file, x509.load_pem_x509_certificate(file.read_bytes()))


def others_pem() -> bytes:
    """Return their certificates."""
    return b"".join(file.read_bytes() for file in _files())


def _folder() -> Path:
    return config_dir() / "trusted"


def _files() -> list[Path]:
    return sorted(_folder().glob("*.pem"))


def _name(file: Path, certificate: x509.Certificate) -> str:
    from volute.provenance.certificates import organization_of

    return f"{organization_of(certificate)} ({file.stem})"
