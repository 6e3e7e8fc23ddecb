"""A real mail server on loopback that keeps what it gets and answers as it is told, with a certificate of its own."""

from __future__ import annotations

import datetime as dt
import email
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "geo", "correct horse"


@dataclass
class PostOffice:
    """What arrived, and how the server answers.

    Attributes:
        port: Where it listens on 127.0.0.1.
        authority: File with the certificate that vouches for it.
        mails: What arrived, as parsed by the standard library; `raw` the same as bytes.
        secured: Whether the way was encrypted, mail by mail.
        users: Who had logged in, mail by mail.
        receivers: Answer to each receiver (`250 OK`, `550 ...`), the last one for ever.
    """

    port: int
    authority: Path
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)
    receivers: list[str] = field(default_factory=lambda: ["250 OK"])

    async def handle_RCPT(self, _server: Any, _session: Session, envelope: Envelope, address: str, _: Any) -> str:
        """Take a receiver, or not."""
        answer = self.receivers.pop(0) if len(self.receivers) > 1 else self.receivers[0]
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:
        """Keep a mail."""
        content = cast("bytes", envelope.original_content)
        self.raw.append(content)
        self.mails.append(cast("EmailMessage", email.message_from_bytes(content, policy=default)))
        self.secured.append(session.ssl is not None)
        data = session.auth_data
        self.users.append(data.login.decode() if isinstance(data, LoginPassword) else None)
        return "250 kept"


def _known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right, auth_data=data)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Files of a certificate for 127.0.0.1 that vouches for itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "post office of a test")])
    now = dt.datetime.now(dt.UTC)
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "post.pem", folder / "post.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return public, private


@contextmanager
def open_post_office(folder: Path, *, tls: str = "starttls", login: bool = False) -> Iterator[PostOffice]:
    """A mail server at work; `tls` is starttls (and nothing without it), tls (from the first byte on) or none."""
    public, private = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    office = PostOffice(0, public)
    secured: dict[str, dict[str, Any]] = {
        "starttls": {"tls_context": context, "require_starttls": True},
        "tls": {"ssl_context": context},
        "none": {},
    }
    known = {"authenticator": _known, "auth_required": True} if login else {}
    controller = Controller(office, "127.0.0.1", _free_port(), **secured[tls], **known)
    controller.start()
    office.port = controller.port
    try:
        yield office
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
