"""`geoservice subscriptions`: how those of all keys fare, and whether mail arrives."""

from __future__ import annotations

import datetime as dt
import json
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.events.ledger import overview
from geoservice.events.mailer import Mailer
from geoservice.events.wishes import is_mail_address
from geoservice.settings import Settings, load_settings
from layers.errors import BadParameter, ConfigurationError, RemoteUnavailable

commands = typer.Typer(help="Subscriptions of all keys, and the mail server.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="subscriptions")


@commands.command("status")
def status(json_: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False) -> None:
    """Show each subscription: whose it is, its state, what waits, what was given up, and the last error."""
    settings = load_settings()
    with open_database(settings).transaction(Role.WRITER) as connection:
        rows = overview(connection)
    if json_:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    names = ("id", "key", "kind", "receiver", "state", "waiting", "failed", "delivered", "error")
    table = Table(*names)
    for row in rows:
        table.add_row(*(str(row[name] or "") for name in names))
    Console().print(table)


@commands.command("mail")
def mail(address: Annotated[str, typer.Argument(help="Mail address that gets a mail of one line.")]) -> None:
    """Send a mail by way of the mail server of the settings, to see whether it arrives."""
    settings = load_settings()
    if not is_mail_address(address):
        raise BadParameter("The address is one plain mail address such as duty.officer@example.cn.")
    receipt = Mailer(settings, settings.webhook_timeout).send(_probe(settings, address))
    if not receipt.arrived:
        code = "" if receipt.status is None else f" ({receipt.status})"
        raise RemoteUnavailable(f"The mail was not handed over: {receipt.error}{code}. The log says more.")
    typer.echo(f"The mail server took the mail for {address}.")


def _probe(settings: Settings, address: str) -> EmailMessage:
    sender = settings.mail_sender
    if sender is None or settings.mail_host is None:
        raise ConfigurationError("Set GEOSERVICE_MAIL_HOST and GEOSERVICE_MAIL_SENDER first.")
    letter = EmailMessage(policy=SMTP)
    letter["Subject"] = "geoservice: 邮件测试 / a mail to see whether mail arrives"
    letter["From"] = f"geoservice <{sender}>"
    letter["To"] = address
    letter["Date"] = dt.datetime.now(dt.UTC)
    letter["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content("geoservice 能够发送邮件。\ngeoservice can send mail.\n")
    return letter
