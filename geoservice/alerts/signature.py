"""XML signatures of alerts: checking those of others against registered certificates, and signing our own.

Source: CAP 1.2, 3.3.4.1 (enveloped signatures by XML-Signature Syntax and Processing). A signature counts when it
covers the whole message, was made with a certificate that is registered for the message's sender, and rests on SHA-256
or better. Whoever needs this module imports it when the first alert comes: the packages that it uses take their time.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from geoservice.alerts.signers import ANY_SENDER, Seal, Signer, State
from geoservice.alerts.xml import DSIG, Element, digest_of
from layers.errors import BadBody

_RANK: tuple[State, ...] = ("valid", "weak", "unknown", "invalid", "unsigned")
_MOST_SIGNATURES = 8
_SIGNATURE = f"{{{DSIG}}}Signature"
_CERTIFICATE = f".//{{{DSIG}}}X509Certificate"
_WEAK = "sha1"


def examine(element: Element, sender: str, sent: dt.datetime, signers: Iterable[Signer]) -> Seal:
    """Check the signatures of an alert; the best one counts.

    Args:
        element: The alert, alone in its tree.
        sender: Its sender.
        sent: When it was sent; a certificate must have been valid then.
        signers: Registered certificates.
    """
    number = len(element.findall(_SIGNATURE))
    if number == 0:
        return Seal("unsigned")
    known = {one.fingerprint: one for one in signers if one.sender in (sender, ANY_SENDER)}
    seals = [_examined(_with_one(element, i), sent, known) for i in range(min(number, _MOST_SIGNATURES))]
    return min(seals, key=lambda seal: _RANK.index(seal.state))


def signed(element: Element, key: bytes, certificate: bytes) -> Element:
    """An alert with an enveloped signature of ours.

    Args:
        element: The alert.
        key: Private key (PEM, elliptic curve).
        certificate: Certificate (PEM).
    """
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(element, key=key, cert=certificate.decode())


def read_certificate(content: bytes, sender: str, name: str) -> Signer:
    """A certificate (PEM) as one that can be registered.

    Raises:
        BadBody: When it is none.
    """
    try:
        found = x509.load_pem_x509_certificate(content)
    except ValueError:
        raise BadBody("The file holds no X.509 certificate in PEM form (-----BEGIN CERTIFICATE-----).") from None
    fingerprint = hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()
    return Signer(fingerprint, sender, name, found.public_bytes(Encoding.PEM).decode())


def _with_one(element: Element, number: int) -> Element:
    """A copy with one of the signatures: each was made as if the others were not there."""
    alone = deepcopy(element)
    for i, signature in enumerate(alone.findall(_SIGNATURE)):
        if i != number:
            _drop(signature)
    return alone


def _drop(signature: Element) -> None:
    """Take an element out and leave the text behind it where it is."""
    parent, before, tail = signature.getparent(), signature.getprevious(), signature.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(signature)


def _examined(element: Element, sent: dt.datetime, known: dict[str, Signer]) -> Seal:

    stated = _stated(element)
    if stated is not None:
        fingerprint = hashlib.sha256(stated).hexdigest()
        signer = known.get(fingerprint)
        try:
            certificate = x509.load_der_x509_certificate(stated)
            subject = certificate.subject.rfc4514_string()[:200]
        except ValueError:
            return Seal("invalid")
        return _judged(element, sent, certificate, signer) or Seal("invalid", signer.name if signer else subject)
    # Without a certificate of its own, a signature may be of any registered one.
    for signer in known.values():
        certificate = x509.load_pem_x509_certificate(signer.certificate.encode())
        if (seal := _judged(element, sent, certificate, signer)) is not None:
            return seal
    return Seal("invalid")


def _stated(element: Element) -> bytes | None:
    """The certificate that a signature brings along (DER)."""
    found = element.find(f"{_SIGNATURE}/{_CERTIFICATE.removeprefix('./')}")
    if found is None or not found.text:
        found = element.find(_CERTIFICATE)
    if found is None or not found.text:
        return None
    try:
        return base64.b64decode("".join(found.text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _judged(element: Element, sent: dt.datetime, certificate: x509.Certificate, signer: Signer | None) -> Seal | None:
    """What a signature is worth that was made with a certificate; None when it does not hold."""
    name = signer.name if signer is not None else certificate.subject.rfc4514_string()[:200]
    for weak in (False, True):
        if _holds(element, certificate, _configuration(sent, weak=weak)):
            if signer is None:
                return Seal("unknown", name)
            return Seal("weak" if weak else "valid", name)
    return None


def _holds(element: Element, certificate: x509.Certificate, configuration: SignatureConfiguration) -> bool:

    try:
        found = XMLVerifier().verify(
            deepcopy(element), x509_cert=certificate, validate_schema=False, expect_config=configuration
        )
    # The library lets through what Python raises for values that are no numbers, no Base64, no known names.
    except (SignXMLException, InvalidSignature, UnsupportedAlgorithm, ValueError, KeyError, TypeError, AttributeError):
        return False
    if isinstance(found, list) or found.signed_xml is None:
        return False
    # What was signed must be the message that is read, not some part of the document.
    return digest_of(found.signed_xml) == digest_of(element)


@cache
def _methods(*, weak: bool) -> tuple[frozenset[object], frozenset[object]]:

    return frozenset(_strong(SignatureMethod, weak=weak)), frozenset(_strong(DigestAlgorithm, weak=weak))


def _strong(methods: Iterable[object], *, weak: bool) -> Iterator[object]:
    """The methods that need no shared secret; those of SHA-1 only where weak ones are let through."""
    for method in methods:
        name = str(getattr(method, "name", "")).lower().replace("_", "")
        if "hmac" not in name and (weak or _WEAK not in name):
            yield method


def _configuration(sent: dt.datetime, *, weak: bool) -> SignatureConfiguration:

    methods, digests = _methods(weak=weak)
    return SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=methods,  # type: ignore[arg-type]
        digest_algorithms=digests,  # type: ignore[arg-type]
        ignore_ambiguous_key_info=False,
        verification_time=sent,
    )
