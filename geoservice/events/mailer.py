"""Handing mail over to the operator's server: the way is encrypted and its certificate checked, or nothing goes.

The address of the server is the operator's, so that there is nothing to guard against on the way; what a subscriber has
a say in is the address of the receiver alone, and that has agreed (`geoservice.events.consent`).
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from geoservice.events.postman import Receipt
from geoservice.notice_settings import PORTS, NoticeSettings

FOREIGN = "Mail goes to domains that the operator of this service allows, and that of this address is not one of them."
"""What a subscriber is told; which domains are allowed is the operator's own business."""
_PERMANENT = 500
_SHOWN = 200
_log = logging.getLogger(__name__)


class Mailer:
    """Hands mail over, from as many threads as there are; keeps no connection."""

    def __init__(self, settings: NoticeSettings, seconds: float) -> None:
        """Get ready; nothing is connected, and no file read, yet.

        Args:
            settings: Where mail is handed over.
            seconds: In which the server must answer each word.
        """
        self._settings = settings
        self._seconds = seconds

    def send(self, letter: EmailMessage) -> Receipt:
        """Hand a mail over and tell what came of it; never raises for what the other side does."""
        if self._settings.mail_host is None:
            return Receipt(None, "This service sends no mail.", refused=True)
        try:
            with self._connected() as server:
                server.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            code = max((code for code, _ in error.recipients.values()), default=None)
            return Receipt(code, "The mail server does not take mail for the address.", final=_final(code))
        except smtplib.SMTPAuthenticationError as error:
            _log.warning("the mail server does not know the user: %s", error.smtp_code)
            return Receipt(error.smtp_code, "SMTPAuthenticationError")
        except smtplib.SMTPResponseException as error:
            _log.warning("the mail server answered %s", error.smtp_code)
            return Receipt(
                error.smtp_code,
                type(error).__name__,
                final=isinstance(error, smtplib.SMTPDataError) and _final(error.smtp_code),
            )
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # Words of the system may name hosts, which are no business of the subscriber's.
            _log.warning("a mail could not be handed over: %s", str(error)[:_SHOWN])
            return Receipt(None, type(error).__name__)
        return Receipt(250)

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        settings = self._settings
        host, port = str(settings.mail_host), settings.mail_port or PORTS[settings.mail_security]
        if settings.mail_security == "tls":
            with smtplib.SMTP_SSL(host, port, timeout=self._seconds, context=self._trust()) as server:
                self._enter(server)
                yield server
            return
        with smtplib.SMTP(host, port, timeout=self._seconds) as server:
            if settings.mail_security == "starttls":
                # Ends with an error where the server does not offer it: nothing goes in the clear.
                server.starttls(context=self._trust())
                self._enter(server)
            yield server

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.mail_ca_file)

    def _enter(self, server: smtplib.SMTP) -> None:
        user, file = self._settings.mail_user, self._settings.mail_password_file
        if user is not None and file is not None:
            password = file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
            server.login(user, password)


def _final(code: int | None) -> bool:
    """Whether trying again is of no use (RFC 5321, 4.2.1)."""
    return code is not None and code >= _PERMANENT
