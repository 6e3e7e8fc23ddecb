"""`geoservice zones`: hazard zones that were kept, and those whose time is over."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.hazards import retention
from geoservice.settings import load_settings

commands = typer.Typer(help="Hazard zones that were kept.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="zones")


@commands.command("prune")
def prune_command(
    days: Annotated[
        float | None, typer.Option(min=0, help="Keep zones for so many days; default: GEOSERVICE_ZONE_DAYS.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Remove them; without it they are only shown.")] = False,
) -> None:
    """Show the kept zones whose time is over and to which nothing refers any more, or remove them."""
    settings = load_settings()
    wanted = settings.zone_days if days is None else days
    with open_database(settings).transaction(Role.WRITER) as connection:
        if apply:
            typer.echo(f"removed {retention.prune(connection, wanted)} zones")
            return
        found = retention.expired(connection, wanted)
    table = Table("zone", "kind", "method", "status", "kept")
    for row in found:
        table.add_row(row["id"], row["kind"], row["method"], row["status"], row["kept"].isoformat())
    Console().print(table)
    typer.echo(f"{len(found)} zones would be removed; --apply removes them")
