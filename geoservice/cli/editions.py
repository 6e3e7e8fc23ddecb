"""`geoservice ingest editions` and `withdraw`: what was committed to a layer, and taking it back."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from geoservice.cli.ingest import commands, print_report, target_of
from geoservice.cli.layers import ensure_tables
from geoservice.cli.tables import show
from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.settings import load_settings
from ingest.editions import edition_of, editions_statement, withdraw
from layers.catalog import read_catalog

_COLUMNS = ("edition", "committed", "kind", "by", "owner", "source", "inserted", "updated", "deleted", "remark")


def register(_: typer.Typer) -> None:
    """Add the commands to the group `ingest`."""
    commands.command("editions")(editions_command)
    commands.command("withdraw")(withdraw_command)


def editions_command(
    layer: Annotated[str, typer.Argument(help="Layer, as name or theme/name.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most editions to show.")] = 50,
    json_: Annotated[bool, typer.Option("--json", help="Print them with their whole lineage as JSON.")] = False,
) -> None:
    """List the editions of a layer, the newest first."""
    settings = load_settings()
    name = read_catalog(settings.layers_dir).layer(layer).name
    with open_database(settings).transaction(Role.WRITER) as connection:
        found = connection.execute(editions_statement(name, limit)).mappings().all()
    if json_:
        typer.echo(json.dumps([dict(row) for row in found], ensure_ascii=False, indent=2, default=str))
        return
    table = Table(*_COLUMNS)
    for row in found:
        table.add_row(*_cells(row))
    show(table)


def withdraw_command(
    edition: Annotated[int, typer.Argument(min=1, help="Number of the edition.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the withdrawal.")],
) -> None:
    """Take back an edition: the former state of its rows stands again, as a new edition. History keeps everything."""
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    database = open_database(settings)
    ensure_tables(settings, database)
    with database.transaction(Role.WRITER) as connection:
        layer = catalog.layer(edition_of(connection, edition)["layer"])
    print_report(withdraw(layer, target_of(settings, database), edition, principal="cli", reason=reason))


def _cells(row: Any) -> list[str]:
    remark = "" if row["undone_by"] is None else f"withdrawn by {row['undone_by']}"
    if row["undoes"] is not None:
        remark = " ".join(filter(None, (f"withdraws {row['undoes']}: {row['reason']}", remark)))
    times = row["committed"].isoformat(timespec="seconds")
    who = (row["kind"], row["principal"], row["owner"] or "", row["source"])
    counts = (str(row[name]) for name in ("inserted", "updated", "deleted"))
    return [str(row["id"]), times, *who, *counts, remark]
