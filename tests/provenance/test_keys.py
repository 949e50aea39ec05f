"""Keys: made, kept, refused, renewed, imported, trusted; time-stamps that do not come."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing import SAMPLED, officially, picture
from volute.errors import UsageError, VoluteError
from volute.events import Event
from volute.paths import write_private
from volute.provenance import certificates, keys, sign, trust, verify
from volute.provenance.certificates import Credentials

NONE = serialization.NoEncryption()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def leaf(
    key: certificates.Key, usage: x509.ObjectIdentifier, authority: Credentials
) -> Credentials:
    """Return a signer with a key of any kind, made as `new_signer` makes it."""
    model = certificates.new_signer(authority).chain[0]
    made = x509.CertificateBuilder(
        issuer_name=model.issuer,
        subject_name=model.subject,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=model.not_valid_before_utc,
        not_valid_after=model.not_valid_after_utc,
    )
    for one in model.extensions:
        if one.oid == x509.ExtendedKeyUsage.oid:
            made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        elif one.oid != x509.SubjectKeyIdentifier.oid:
            made = made.add_extension(one.value, one.critical)
    return Credentials(key, (made.sign(authority.key, hashes.SHA256()), *authority.chain))


def test_keys_are_made_on_first_use_and_said_so(config: Path) -> None:
    told: list[Event] = []
    first = keys.credentials(told.append)
    assert len(told) == 1
    assert "made keys to sign with, valid to 20" in told[0].text
    assert mode(config) == mode(config / "keys") == 0o700
    assert sorted(file.name for file in (config / "keys").iterdir()) == [
        "authority.pem",
        "signer.pem",
    ]
    assert {mode(file) for file in (config / "keys").iterdir()} == {0o600}
    again = keys.credentials(told.append)
    assert (again.chain, len(told)) == (first.chain, 1)
    assert first.expires - datetime.now(UTC) > timedelta(days=9 * 365)


def test_the_profile_is_the_one_that_is_accepted(config: Path) -> None:
    (made,) = keys.credentials().chain
    of = made.extensions.get_extension_for_class
    assert made.version == x509.Version.v3
    assert not of(x509.BasicConstraints).value.ca
    assert of(x509.KeyUsage).value.digital_signature
    assert list(of(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    assert of(x509.AuthorityKeyIdentifier).value.key_identifier
    assert certificates.organization_of(made) == "volute user"


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize("bits", [0o604, 0o640, 0o666])
@pytest.mark.parametrize("name", ["signer.pem", "authority.pem"])
def test_a_key_that_others_can_read_is_refused(
    config: Path, tmp_path: Path, name: str, bits: int
) -> None:
    keys.init()
    (config / "keys" / name).chmod(bits)
    file = picture(tmp_path / "a.png")
    before = file.read_bytes()
    with pytest.raises(VoluteError, match=f"{name} can be read by others: its mode is") as caught:
        sign(file, SAMPLED)
    assert "\n" not in caught.value.what
    assert "chmod 600" in caught.value.hint
    assert file.read_bytes() == before
    assert sorted(tmp_path.glob("*")) == [file, config]


@pytest.mark.parametrize("left", [timedelta(days=-1), timedelta(days=4 * 365)])
def test_a_signer_is_renewed_in_good_time_and_said_so(config: Path, left: timedelta) -> None:
    first = keys.init()
    authority = keys._authority()
    assert authority
    old = certificates.new_signer(authority, max(left, timedelta(seconds=-1)))
    write_private(config / "keys" / "signer.pem", old.pem)
    told: list[Event] = []
    made = keys.credentials(told.append)
    assert "renewed the signing certificate" in told[0].text
    assert made.expires - datetime.now(UTC) > keys.LEAST
    assert made.chain != first.chain
    assert keys.credentials(told.append).chain == made.chain
    assert len(told) == 1


def test_what_cannot_be_renewed_lasts_as_long_as_it_does(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.init()
    stranger = certificates.new_authority("Stranger")
    soon = certificates.new_signer(stranger, timedelta(hours=1))
    keys.import_signer(soon.pem)
    assert keys.credentials().chain == soon.chain
    gone = certificates.new_signer(stranger, timedelta(seconds=-1))
    write_private(config / "keys" / "signer.pem", gone.pem)
    with pytest.raises(VoluteError, match="expired on 20"):
        keys.credentials()
    monkeypatch.setattr(certificates, "AUTHORITY_YEARS", -1 / 3650)
    write_private(config / "keys" / "authority.pem", certificates.new_authority("Old").pem)
    with pytest.raises(VoluteError, match=r"the authority in .* expired"):
        keys._renewed(keys._authority(), "", lambda event: None)


def test_new_keys_leave_what_was_signed_trusted(config: Path, tmp_path: Path) -> None:
    file = picture(tmp_path / "a.png")
    sign(file, SAMPLED)
    old = keys.authority_pem()
    with pytest.raises(UsageError, match="there are keys"):
        keys.init()
    keys.init("Our museum", again=True)
    assert keys.authority_pem() != old
    assert verify(file).manifest.state == "trusted"
    assert keys.shown().organization == "Our museum"
    assert len(keys.shown().trusted) == 1
    sign(file, SAMPLED)
    assert officially(file)["validation_state"] == "Trusted"


def test_a_lost_signer_is_made_by_the_same_authority(config: Path) -> None:
    keys.init()
    old = keys.authority_pem()
    (config / "keys" / "signer.pem").unlink()
    keys.credentials()
    assert keys.authority_pem() == old


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff" * 100])
def test_a_damaged_key_says_what_to_do(config: Path, content: bytes) -> None:
    keys.init()
    for name in ("signer.pem", "authority.pem"):
        write_private(config / "keys" / name, content)
    with pytest.raises(VoluteError, match="is damaged: no private key") as caught:
        keys.credentials()
    assert "--overwrite" in caught.value.hint
    keys.init(again=True)
    assert keys.credentials()


def test_only_one_authority_is_made_by_several_at_once(config: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keys.credentials(), range(8)))
    authority = x509.load_pem_x509_certificate(keys.authority_pem())
    for one in made:
        one.chain[0].verify_directly_issued_by(authority)


@pytest.mark.parametrize("kind", ["P-384", "P-521", "Ed25519", "RSA"])
def test_keys_of_all_kinds_can_be_imported(config: Path, tmp_path: Path, kind: str) -> None:
    make = {
        "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
    }
    authority = certificates.new_authority("Museum")
    made = leaf(make[kind](), ExtendedKeyUsageOID.EMAIL_PROTECTION, authority)
    keys.import_signer(made.chain_pem + made.key_pem)  # in any order
    file = picture(tmp_path / "a.png")
    sign(file, SAMPLED)
    assert verify(file).manifest.state == "intact"
    assert "Museum" in verify(file).manifest.basis
    trust.import_pem(authority.chain_pem)
    assert verify(file).manifest.state == "trusted"
    assert not keys.shown().own


def test_what_cannot_sign_is_not_imported(config: Path) -> None:
    mine = keys.init()
    authority = certificates.new_authority("Museum")
    key = ec.generate_private_key(ec.SECP256R1())
    good = leaf(key, ExtendedKeyUsageOID.EMAIL_PROTECTION, authority)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    cases = {
        "no private key and certificate": good.chain_pem,
        "is not that of the first certificate": mine.key_pem + good.chain_pem,
        "the key is encrypted": locked + good.chain_pem,
        "cannot sign": leaf(key, ExtendedKeyUsageOID.CODE_SIGNING, authority).pem,
        "these cannot sign": Credentials(authority.key, authority.chain).pem,
    }
    for said, pem in cases.items():
        with pytest.raises(UsageError, match=said) as caught:
            keys.import_signer(pem)
        assert "\n" not in caught.value.what
    assert keys.credentials().chain == mine.chain
    with pytest.raises(UsageError, match="no certificate"):
        trust.import_pem(b"nothing")


@pytest.mark.parametrize("offline", [True, False])
def test_a_time_stamp_that_does_not_come_is_no_reason_to_fail(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    keys.set_timestamp("http://127.0.0.1:9/stamp")
    if offline:
        monkeypatch.setenv("VOLUTE_OFFLINE", "1")
    told: list[Event] = []
    for name in ("a.png", "b.png"):
        sign(picture(tmp_path / name), SAMPLED, told.append)
        assert verify(tmp_path / name).manifest.state == "trusted"
    said = [event.text for event in told if "no time-stamp, signed without" in event.text]
    assert len(said) == (0 if offline else 1)
    keys.set_timestamp("")
    assert keys.timestamp() == ""
    with pytest.raises(UsageError, match="no address"):
        keys.set_timestamp("tsa.example.org")
