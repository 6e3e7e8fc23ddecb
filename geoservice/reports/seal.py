"""Signing reports and checking signatures: ECDSA with SHA-256 over the canonical manifest, by the installation's key.

The signature is detached (DER): `openssl dgst -sha256 -verify` checks it with the key of the certificate. Imported
where something is signed or checked: the package behind it takes its time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from pydantic import ValidationError

from geoservice.alerts.keys import Identity
from geoservice.reports.errors import ContentChanged, SealBroken
from geoservice.reports.manifest import Json, Manifest, canonical, digest
from layers.errors import BadBody

MEMBERS = ("answer", "certificate", "manifest", "signature")
MOST_SIGNATURE = 72
"""Bytes of the longest signature on P-256 in DER."""


@dataclass(frozen=True)
class Sealed:
    """A signed report: manifest, signature (DER), certificate (PEM) and the answer itself."""

    manifest: Manifest
    signature: bytes
    certificate: bytes
    answer: Json

    def as_json(self) -> bytes:
        """The report as one canonical JSON document."""
        return canonical(
            {
                "answer": self.answer,
                "certificate": self.certificate.decode("ascii"),
                "manifest": self.manifest.model_dump(mode="json"),
                "signature": base64.b64encode(self.signature).decode("ascii"),
            }
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal digits."""
        return fingerprint(self.certificate)


def seal(manifest: Manifest, answer: Json, keys: Identity) -> Sealed:
    """Sign a manifest.

    Args:
        manifest: What is signed; it holds the digest of the answer.
        answer: The answer.
        keys: Key and certificate of this installation.
    """
    return Sealed(manifest, sign(manifest.canonical(), keys), keys.certificate, answer)


def sign(content: bytes, keys: Identity) -> bytes:
    """A detached signature (DER) of some bytes."""
    key = load_pem_private_key(keys.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of this installation is on an elliptic curve")
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def read_sealed(value: Any) -> Sealed:
    """A signed report from its JSON; nothing is checked but its shape.

    Raises:
        BadBody: When it is none.
    """
    if not isinstance(value, dict) or set(value) != set(MEMBERS) or not isinstance(value["answer"], dict):
        raise BadBody(f"This is no report: it has the members {', '.join(MEMBERS)}.")
    try:
        manifest = Manifest.model_validate(value["manifest"])
        signature = base64.b64decode(value["signature"], validate=True)
        certificate = str(value["certificate"]).encode("ascii")
    except (ValidationError, binascii.Error, ValueError, TypeError):
        raise BadBody(
            "This is no report: its manifest, signature or certificate is not of the form they have."
        ) from None
    return Sealed(manifest, signature, certificate, value["answer"])


def check(sealed: Sealed, trusted: Iterable[bytes]) -> None:
    """Check that a trusted key signed the manifest, and that the answer is the one it names.

    Args:
        sealed: The report.
        trusted: Certificates (PEM) that are trusted.

    Raises:
        SealBroken: When the signature does not hold, or is that of another key.
        ContentChanged: When the answer is another one.
    """
    known = {fingerprint(one) for one in trusted}
    if sealed.fingerprint not in known:
        raise SealBroken(
            f"The report was signed with the certificate {sealed.fingerprint}, which is not trusted here; name the "
            "certificate of its makers if you have it from them."
        )
    if not holds(sealed.manifest.canonical(), sealed.signature, sealed.certificate):
        raise SealBroken("The signature does not belong to this manifest: one of the two was changed.")
    if digest(sealed.answer) != sealed.manifest.answer:
        raise ContentChanged("The answer in the report is not the one that was signed: a figure was changed.")


def holds(content: bytes, signature: bytes, certificate: bytes) -> bool:
    """Whether a detached signature of some bytes was made with the key of a certificate (PEM)."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate (PEM), in hexadecimal digits.

    Raises:
        SealBroken: When it is none.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate)
    except ValueError:
        raise SealBroken("The certificate is no X.509 certificate in PEM form.") from None
    return hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()


def own_certificates(home: Path) -> list[bytes]:
    """The certificate of an installation, if it has made one."""
    file = home / "alerts" / "certificate.pem"
    return [file.read_bytes()] if file.exists() else []
