"""Settings of what subscribers are told: to which hosts messages may be posted, and through which server mail goes."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo
from pydantic_settings import BaseSettings

from layers.access import Clearance

PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""Usual port by how the way to the server is secured (RFC 6409, RFC 8314)."""


Domain = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", max_length=253, to_lower=True)]
"""A domain as it stands behind the @ of a mail address, in lower case."""


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _guarded(security: str, info: ValidationInfo) -> str:
    host = str(info.data.get("mail_host") or "localhost")
    if security == "none" and host != "localhost" and not _loopback(host):
        raise ValueError("expected starttls or tls: only a server on this machine is spoken to in the clear")
    return security


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class NoticeSettings(BaseSettings):
    """How messages of subscriptions are delivered."""

    webhook_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts to which messages about new editions may be posted, written as those of remote sources. "
        "None by default.",
    )
    webhook_timeout: float = Field(
        default=10.0, gt=0, le=120, description="Seconds in which a receiver of messages must answer."
    )
    webhook_attempts: int = Field(
        default=8, ge=1, le=50, description="Attempts to deliver a message, with growing pauses; then it is given up."
    )
    webhook_failures: int = Field(
        default=5, ge=1, le=1000, description="Messages given up in a row after which a subscription is disabled."
    )
    subscriptions_each: int = Field(default=20, ge=1, le=10_000, description="Most subscriptions of one API key.")
    mail_host: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.:-]{1,253}$",
        description="Mail server (SMTP) that takes the mail of subscriptions; none: no mail is sent.",
    )
    mail_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Its port; default: 587 for starttls, 465 for tls, 25 for none."
    )
    mail_security: Annotated[Literal["starttls", "tls", "none"], AfterValidator(_guarded)] = Field(
        default="starttls",
        description="How the way to it is secured; its certificate is always checked. `none` is for a server on this "
        "machine (localhost or an address of the loopback) alone, and sends no password.",
    )
    mail_ca_file: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        description="File with the certificates (PEM) by which that of the mail server is checked; default: those of "
        "the system.",
    )
    mail_user: str | None = Field(default=None, max_length=254, description="User at the mail server; none: no login.")
    mail_password_file: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None, description="File (mode 0600) whose first line is the password of that user."
    )
    mail_sender: str | None = Field(
        default=None, max_length=254, description="Mail address from which the service writes."
    )
    mail_each_hour: int = Field(
        default=30, ge=1, le=10_000, description="Mails of one subscription in an hour; more of them wait."
    )
    mail_domains: tuple[Domain, ...] = Field(
        default=(),
        description="Domains to which mail may go, each as it stands behind the @; those below it are others. None: to "
        "all.",
    )
    mail_clearance: Literal["public", "internal", "restricted"] = Field(
        default="public",
        description="Up to which clearance mails tell, whatever the key may see. Public, because mail goes on from "
        "server to server as they please and stays in mailboxes that no key guards; raise it for domains of your own "
        "alone.",
    )

    @property
    def mail_ceiling(self) -> Clearance:
        """Up to which clearance mails tell."""
        return Clearance.parse(self.mail_clearance)

    def mails_to(self, address: str) -> bool:
        """Whether mail may go to the domain of an address."""
        return not self.mail_domains or address.rpartition("@")[2].lower() in self.mail_domains
