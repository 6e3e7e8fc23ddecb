"""Handing mail over to a real server: encrypted, with a certificate that is checked, and what becomes of it."""

from __future__ import annotations

import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from geoservice.events.mailer import Mailer
from geoservice.events.postman import Receipt
from geoservice.settings import Settings
from tests.support.postoffice import PASSWORD, USER, PostOffice, open_post_office


def letter() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "geo@agency.example", "duty@agency.example", "洪水"
    mail.set_content("水位上涨\n.\n")
    return mail


def settings(office: PostOffice, folder: Path, **more: Any) -> Settings:
    chosen = {"mail_host": "127.0.0.1", "mail_port": office.port, "mail_sender": "geo@agency.example"}
    return Settings(home=folder, **{**chosen, "mail_ca_file": office.authority, **more})


def sent(office: PostOffice, folder: Path, **more: Any) -> Receipt:
    return Mailer(settings(office, folder, **more), 5.0).send(letter())


def test_mail_goes_over_an_encrypted_way_to_a_server_that_is_known(tmp_path: Path) -> None:
    with open_post_office(tmp_path) as office:
        assert sent(office, tmp_path).arrived
        assert office.secured == [True]
        assert office.mails[0]["Subject"] == "洪水"
        assert office.mails[0].get_content().splitlines() == ["水位上涨", "."]


def test_a_server_that_nobody_vouches_for_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_post_office(tmp_path) as office:
        receipt = sent(office, tmp_path, mail_ca_file=None)
        assert (receipt.status, receipt.error, receipt.final) == (None, "SSLCertVerificationError", False)
        assert office.raw == []
        # Negative control: without the check the same server gets it.
        careless = ssl._create_unverified_context
        monkeypatch.setattr(ssl, "create_default_context", lambda **_: careless())
        assert sent(office, tmp_path, mail_ca_file=None).arrived


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    with open_post_office(tmp_path) as office:
        assert sent(office, tmp_path, mail_host="localhost").error == "SSLCertVerificationError"
        assert office.raw == []


def test_a_server_without_starttls_gets_nothing_in_the_clear(tmp_path: Path) -> None:
    with open_post_office(tmp_path, tls="none") as office:
        assert sent(office, tmp_path).error == "SMTPNotSupportedError"
        assert office.raw == []
        # Negative control: the operator may say that this server is asked in the clear.
        assert sent(office, tmp_path, mail_security="none").arrived
        assert office.secured == [False]


def test_the_password_comes_from_its_file_over_tls(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    known = {"mail_user": USER, "mail_password_file": file}
    with open_post_office(tmp_path, login=True) as office:
        assert sent(office, tmp_path, **known).arrived
        assert office.users == [USER]
        file.write_text("wrong\n")
        refused = sent(office, tmp_path, **known)
        assert (refused.status, refused.final) == (535, False)
        file.unlink()
        assert sent(office, tmp_path, **known).error == "FileNotFoundError"


def test_what_the_server_answers_decides_whether_it_is_tried_again(tmp_path: Path) -> None:
    with open_post_office(tmp_path) as office:
        office.receivers[:] = ["450 later"]
        assert sent(office, tmp_path) == Receipt(450, "The mail server does not take mail for the address.")
        office.receivers[:] = ["550 nobody"]
        assert sent(office, tmp_path).final
    assert sent(office, tmp_path).error == "ConnectionRefusedError"


def test_a_way_that_is_encrypted_from_the_first_byte(tmp_path: Path) -> None:
    with open_post_office(tmp_path, tls="tls") as office:
        assert sent(office, tmp_path, mail_security="tls").arrived
        assert sent(office, tmp_path, mail_security="tls", mail_ca_file=None).error == "SSLCertVerificationError"
        assert len(office.raw) == 1


def test_without_a_server_nothing_is_sent(tmp_path: Path) -> None:
    assert Mailer(Settings(home=tmp_path), 1.0).send(letter()).refused


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        (None, True),
        ("mail.example", False),
        ("10.0.0.5", False),
    ],
)
def test_only_a_server_on_this_machine_is_spoken_to_in_the_clear(tmp_path: Path, host: str | None, good: bool) -> None:
    assert Settings(home=tmp_path, mail_host=host).mail_security == "starttls"
    if good:
        assert Settings(home=tmp_path, mail_host=host, mail_security="none").mail_security == "none"
    else:
        with pytest.raises(ValidationError, match="in the clear"):
            Settings(home=tmp_path, mail_host=host, mail_security="none")
