"""The key with which this installation signs its alerts: made when it is first needed, kept in the state directory.

Imported where something is to be signed: the package behind it takes its time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from geoservice.db.files import exclusive, write_private

_FOLDER, _KEY, _CERTIFICATE, _LOCK = "alerts", "key.pem", "certificate.pem", ".lock"
_LOCK_SECONDS = 30.0
_YEARS = 10
_DAYS = 365
_SKEW = dt.timedelta(hours=1)
"""The certificate begins to hold a little earlier, for clocks that go after ours."""
_MOST_NAME = 64
_FOLDER_MODE = 0o700


@dataclass(frozen=True)
class Identity:
    """Private key and certificate, both PEM."""

    key: bytes
    certificate: bytes


def identity(home: Path, sender: str) -> Identity:
    """The key of this installation and its certificate, which others register.

    Args:
        home: The state directory.
        sender: What it writes as the sender of its alerts; the certificate names it.
    """
    folder = home / _FOLDER
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    with exclusive(folder / _LOCK, _LOCK_SECONDS):
        if not (folder / _CERTIFICATE).exists():
            made = _make(sender)
            write_private(folder / _KEY, made.key.decode())
            # The certificate comes last: where it is there is a key.
            write_private(folder / _CERTIFICATE, made.certificate.decode())
    return Identity((folder / _KEY).read_bytes(), (folder / _CERTIFICATE).read_bytes())


def _make(sender: str) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, sender[:_MOST_NAME])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + dt.timedelta(days=_DAYS * _YEARS))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return Identity(secret, certificate.public_bytes(pem))
