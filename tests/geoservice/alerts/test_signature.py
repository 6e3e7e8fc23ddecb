"""Signatures of alerts: made here and by others' tools, spoiled in every way that matters."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geoservice.alerts.keys import Identity, identity
from geoservice.alerts.signature import examine, read_certificate, signed
from geoservice.alerts.signers import Signer
from geoservice.alerts.xml import DSIG, parcels
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.errors import BadBody
from tests.support.alerts import cap, keeping_watch, moment

SENDER = "eoc@test.example"
NOW = dt.datetime.now(dt.UTC)
BODY = cap("signed", sent=moment())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return identity(tmp_path_factory.mktemp("keys"), SENDER)


@pytest.fixture(scope="module")
def signer(keys: Identity) -> Signer:
    return read_certificate(keys.certificate, SENDER, "EOC")


@pytest.fixture(scope="module")
def xml(keys: Identity) -> bytes:
    return etree.tostring(signed(parcels(BODY)[0].element, keys.key, keys.certificate))


def state(xml: bytes, *known: Signer, sent: dt.datetime = NOW) -> str:
    return examine(parcels(xml)[0].element, SENDER, sent, known).state


def test_a_signature_of_a_registered_sender_is_valid(xml: bytes, signer: Signer) -> None:
    assert state(xml, signer) == "valid"
    assert state(xml, replace(signer, sender="*")) == "valid"
    assert state(BODY, signer) == "unsigned"


def test_inside_an_envelope_it_holds_as_well(xml: bytes, signer: Signer) -> None:
    assert state(b'<box xmlns:o="urn:other" o:a="1">' + xml + b"</box>", signer) == "valid"


def test_a_certificate_that_nobody_registered_for_the_sender_proves_nothing(xml: bytes, signer: Signer) -> None:
    assert state(xml) == "unknown"
    assert state(xml, replace(signer, sender="other@test.example")) == "unknown"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Severe", b"Minor"),
        (b"<identifier>signed", b"<identifier>other"),
        (b"SignatureValue>", b"SignatureValue>AAAA"),
        (b"40.02,80.02 40.02,80.08", b"40.02,80.02 40.03,80.08"),
    ],
)
def test_what_was_changed_afterwards_is_seen(xml: bytes, signer: Signer, before: bytes, after: bytes) -> None:
    assert before in xml
    assert state(xml.replace(before, after, 1), signer) == "invalid"


def test_a_signature_of_another_part_does_not_count_for_the_whole(keys: Identity, signer: Signer) -> None:
    """Wrapping: the signed message is carried along, and something else stands around it."""
    inner = signed(parcels(BODY)[0].element, keys.key, keys.certificate)
    signature = inner.find(f"{{{DSIG}}}Signature")
    outer = parcels(cap("forged"))[0].element
    holder = etree.SubElement(signature, f"{{{DSIG}}}Object")
    holder.append(parcels(BODY)[0].element)
    outer.append(signature)
    assert state(etree.tostring(outer), signer) == "invalid"


def test_a_certificate_must_have_been_valid_when_the_message_was_sent(xml: bytes, signer: Signer) -> None:
    for sent in (NOW - dt.timedelta(days=30), NOW + dt.timedelta(days=365 * 11)):
        assert state(xml, signer, sent=sent) == "invalid"


def test_sha1_is_not_trusted(signer: Signer, keys: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    from signxml.algorithms import DigestAlgorithm, SignatureMethod  # noqa: PLC0415
    from signxml.signer import XMLSigner  # noqa: PLC0415

    monkeypatch.setattr(XMLSigner, "check_deprecated_methods", lambda _: None)
    old = XMLSigner(signature_algorithm=SignatureMethod.ECDSA_SHA1, digest_algorithm=DigestAlgorithm.SHA1)
    made: Any = old.sign(parcels(BODY)[0].element, key=keys.key, cert=keys.certificate.decode())
    assert state(etree.tostring(made), signer) == "weak"


def test_xmlsec_agrees(xml: bytes, keys: Identity, tmp_path: Path) -> None:
    """The XML Security Library takes our signature for good, and not when the message was changed."""
    tool = shutil.which("xmlsec1")
    assert tool is not None, "scripts/install --tests installs xmlsec1"
    (tmp_path / "certificate.pem").write_bytes(keys.certificate)
    command = [tool, "--verify", "--trusted-pem", "certificate.pem", "alert.xml"]
    for message, good in ((xml, True), (xml.replace(b"Severe", b"Minor", 1), False)):
        (tmp_path / "alert.xml").write_bytes(message)
        assert (subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0) == good


def test_the_key_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    first, second = identity(tmp_path, SENDER), identity(tmp_path, SENDER)
    assert first == second
    assert (tmp_path / "alerts" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(BadBody):
        read_certificate(b"no certificate", SENDER, "x")


def test_a_sender_with_a_certificate_must_sign(database: Database, xml: bytes, signer: Signer) -> None:
    with keeping_watch(database) as watch:
        with database.transaction(Role.WRITER) as connection:
            from geoservice.alerts import ledger  # noqa: PLC0415

            ledger.register(connection, signer)
        assert watch.hand_in(cap("unsigned")).status_code == 422
        assert watch.hand_in(cap("unsigned", sender="other@test.example")).status_code == 201
        assert watch.taken(xml)["signature"] == "valid"


def test_where_only_signed_alerts_are_taken_others_are_refused(database: Database, xml: bytes) -> None:
    with keeping_watch(database, alert_signed_only=True) as watch:
        for message in (BODY, xml):
            assert watch.hand_in(message).status_code == 422
        assert watch.listed("?state=all") == []
