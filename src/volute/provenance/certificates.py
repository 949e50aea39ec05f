"""Certificates that C2PA accepts: of a certificate authority, and of a signer that it vouches for.

The profile is that of the C2PA specification 2.2, section 14.5.1: X.509 v3, P-256 and SHA-256; the
signer's has KeyUsage digitalSignature, EKU emailProtection, an AuthorityKeyIdentifier, CA = false
and an Organization.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEAR = timedelta(days=365)
AUTHORITY_YEARS = 30
SIGNER_YEARS = 10
"""A signature without a time-stamp counts no longer than the signer's certificate."""
SLACK = timedelta(days=1)
"""Of clocks that go behind."""
USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
USAGES += ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
PRIVATE = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Credentials:
    """A private key and the certificates that vouch for it, the signer's own first."""

    key: Key
    chain: tuple[x509.Certificate, ...]

    @property
    def expires(self) -> datetime:
        """When the first certificate of the chain runs out."""
        return min(one.not_valid_after_utc for one in self.chain)

    @property
    def algorithm(self) -> str:
        """C2PA's name of the kind of signature."""
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return CURVES[self.key.curve.name]
        return "ED25519" if isinstance(self.key, ed25519.Ed25519PrivateKey) else "PS256"

    @cached_property
    def key_pem(self) -> bytes:
        """The key, PKCS #8 in PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def chain_pem(self) -> bytes:
        """The certificates in PEM."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in self.chain)

    @property
    def pem(self) -> bytes:
        """Both, as they lie in a file."""
        return self.key_pem + self.chain_pem


def parsed(pem: bytes) -> Credentials:
    """Return what `Credentials.pem` wrote, or keys and certificates of another's making.

    Raises:
        ValueError: saying in a few words what is wrong.
    """
    try:
        chain = x509.load_pem_x509_certificates(pem)
        key = load_pem_private_key(_block(pem), None)
    except TypeError as error:
        raise ValueError("the key is encrypted") from error
    except ValueError as error:
        raise ValueError("no private key and certificate in PEM") from error
    if not isinstance(key, Key) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in CURVES
    ):
        raise ValueError(
            "a key that C2PA does not know: it takes P-256, P-384, P-521, Ed25519, RSA"
        )
    if _public(key.public_key()) != _public(chain[0].public_key()):
        raise ValueError("the key is not that of the first certificate")
    return Credentials(key, tuple(chain))


def new_authority(organization: str) -> Credentials:
    """Return a certificate authority of one's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(organization, "volute certificate authority")
    begun = _begun(name, name, key, datetime.now(UTC) + AUTHORITY_YEARS * YEAR)
    made = begun.add_extension(x509.BasicConstraints(True, 0), critical=True).add_extension(
        _usage("key_cert_sign", "crl_sign"), critical=True
    )
    return Credentials(key, (made.sign(key, hashes.SHA256()),))


def new_signer(authority: Credentials, valid: timedelta = SIGNER_YEARS * YEAR) -> Credentials:
    """Return a signer that an authority vouches for, for so long or as long as it can."""
    key = ec.generate_private_key(ec.SECP256R1())
    above = authority.chain[0]
    (organization,) = above.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    until = min(datetime.now(UTC) + valid, authority.expires)
    begun = _begun(_name(str(organization.value), "volute signer"), above.subject, key, until)
    made = (
        begun.add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .add_extension(issuer, critical=False)
    )
    return Credentials(key, (made.sign(authority.key, hashes.SHA256()),))


def organization_of(certificate: x509.Certificate) -> str:
    """Return the Organization of a certificate's subject, or its whole name."""
    found = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(found[0].value) if found else certificate.subject.rfc4514_string()


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate, in hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - SLACK)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )


def _name(organization: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*wanted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in wanted for usage in USAGES})


def _block(pem: bytes) -> bytes:
    """Return the private key in a PEM of several things."""
    found = PRIVATE.search(pem)
    if found is None:
        raise ValueError("no private key")
    return found[0]


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore
