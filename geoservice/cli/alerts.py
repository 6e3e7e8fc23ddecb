"""`geoservice alert`: take in alerts from files, look at feeds now, register certificates of senders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geoservice.alerts import ledger
from geoservice.alerts.desk import AlertDesk, Bearer, Taken
from geoservice.alerts.feed import FeedReader
from geoservice.alerts.signers import ANY_SENDER
from geoservice.cli.layers import ensure_tables
from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.db.writing import Writer
from geoservice.edits.desk import EditDesk
from geoservice.settings import load_settings
from layers.catalog import read_catalog
from layers.errors import BadParameter, SourceMissing

commands = typer.Typer(help="Take in alerts and register certificates of senders.", no_args_is_help=True)
BEARER = Bearer("command line", "file")


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="alert")


@commands.command("take")
def take(
    files: Annotated[list[Path], typer.Argument(help="Documents of CAP, Atom or EDXL-DE.")],
) -> None:
    """Take alerts in as if they had been handed in; ends with 2 when all messages of a file are refused."""
    with _desk() as (desk, _):
        for file in files:
            if not file.is_file():
                raise SourceMissing(f"There is no file {file}.")
            taken = desk.take(file.read_bytes(), BEARER)
            _tell(file.name, taken)
            errors = [one.error for one in taken if one.error is not None]
            if len(errors) == len(taken):
                raise errors[0]


@commands.command("poll")
def poll() -> None:
    """Look at the feeds that are due, now; workers do so by themselves."""
    with _desk() as (_, reader):
        _tell("feeds", reader.poll(dt.datetime.now(dt.UTC)))


@commands.command("trust")
def trust(
    certificate: Annotated[Path, typer.Argument(help="X.509 certificate (PEM).")],
    sender: Annotated[str, typer.Option(help="Sender whose messages it signs, as they write it; `*` for any.")],
    name: Annotated[str, typer.Option(help="Who holds it.")],
) -> None:
    """Register a certificate; from then on messages of this sender are taken with its signature only."""
    from geoservice.alerts.signature import read_certificate  # noqa: PLC0415

    if not certificate.is_file():
        raise SourceMissing(f"There is no file {certificate}.")
    made = read_certificate(certificate.read_bytes(), sender, name)
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        ledger.register(connection, made)
    whose = "any sender" if sender == ANY_SENDER else sender
    typer.echo(f"Certificate {made.fingerprint} of {name} signs for {whose}.")


@commands.command("distrust")
def distrust(fingerprint: Annotated[str, typer.Argument(help="SHA-256 of the certificate.")]) -> None:
    """Strike a certificate off; messages that were taken stay as they are."""
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        if not ledger.strike(connection, fingerprint.lower()):
            raise BadParameter(f"No certificate {fingerprint[:80]!r} is registered; `geoservice alert signers`.")
    typer.echo(f"Certificate {fingerprint.lower()} signs no more.")


@commands.command("signers")
def signers() -> None:
    """List the registered certificates."""
    table = Table("sender", "name", "certificate (SHA-256)")
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        for one in ledger.registered(connection):
            table.add_row(one.sender, one.name, one.fingerprint)
    Console().print(table)


@contextmanager
def _desk() -> Iterator[tuple[AlertDesk, FeedReader]]:
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    database = open_database(settings)
    ensure_tables(settings, database)
    writer = Writer(database)
    edits = EditDesk(settings, writer, catalog)
    desk = AlertDesk(settings, writer, edits, catalog)
    try:
        yield desk, FeedReader(settings, writer, desk)
    finally:
        edits.close()
        writer.close()


def _tell(what: str, taken: list[Taken]) -> None:
    if not taken:
        typer.echo(f"{what}: nothing new")
    for one in taken:
        said = "; ".join(one.findings) if one.error is None else one.error.detail
        state = f" ({one.phase}, {one.signature})" if one.signature else ""
        typer.echo(f"{what}: {one.identifier or '?'}: {one.outcome}{state}{f': {said}' if said else ''}")
