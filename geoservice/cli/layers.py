"""`geoservice layers` and `geoservice db sync`: the catalogue, and its tables in the database."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geoservice.cli import db
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.db.sync import SyncReport, require_mode, stands, sync
from geoservice.settings import Settings, load_settings
from layers.catalog import read_catalog
from layers.transformation import Grid

commands = typer.Typer(help="List and check layer definitions.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the group to the root application and `sync` to the database group."""
    root.add_typer(commands, name="layers")
    db.commands.command("sync")(sync_command)


@commands.command("list")
def list_layers() -> None:
    """List the layers with theme, kind, clearance and title."""
    table = Table("name", "theme", "kind", "clearance", "title")
    for layer in read_catalog(load_settings().layers_dir):
        table.add_row(layer.name, layer.theme, layer.kind, layer.clearance.label, f"{layer.title.zh} {layer.title.en}")
    Console().print(table)


@commands.command("check")
def check() -> None:
    """Read all layer files and code lists; exit code 2 with the place of the first mistake."""
    catalog = read_catalog(load_settings().layers_dir)
    for registered in catalog.transformations.values():
        if isinstance(registered, Grid) and registered.path is not None:
            registered.verify(registered.path)
    typer.echo(f"{len(catalog.layers)} layers and {len(catalog.codelists)} code lists are in order.")
    if catalog.transformations:
        typer.echo(f"{len(catalog.transformations)} sets of transformation parameters are in order.")


@commands.command("transformations")
def transformations() -> None:
    """List the registered transformation parameters: between which systems, where, how well, whose; no parameter."""
    table = Table("name", "from", "to", "method", "region", "residual", "owner", "secrecy", "valid", "digest")
    for name, t in sorted(read_catalog(load_settings().layers_dir).transformations.items()):
        valid = f"{t.valid.from_ or ''}..{t.valid.to or ''}"
        residual = f"{t.residual.rmse:g} m, {t.residual.points} points"
        ends = (t.target, t.source) if t.backwards else (t.source, t.target)
        row = (name, *ends, t.method, t.region.shown(), residual, t.owner, t.secrecy.label, valid, t.digest())
        table.add_row(*row)
    Console(width=200 if not Console().is_terminal else None).print(table)


def sync_command(
    destructive: Annotated[
        bool, typer.Option("--destructive", help="Also drop columns that no definition knows and change types.")
    ] = False,
) -> None:
    """Make or extend the tables of all layers and renew the rights on them."""
    settings = load_settings()
    report = synchronise(settings, open_database(settings), destructive=destructive)
    typer.echo(f"{len(report.created)} tables made, {len(report.added)} columns added, {len(report.dropped)} dropped.")
    for line in report.pending:
        typer.echo(f"pending (needs --destructive): {line}")


def synchronise(settings: Settings, database: Database, *, destructive: bool = False) -> SyncReport:
    """Reconcile the database with the catalogue of the settings, in one transaction."""
    catalog = read_catalog(settings.layers_dir)
    with database.transaction(Role.OWNER) as connection:
        mode = require_mode(connection)
        return sync(connection, catalog, settings.role_prefix, mode, destructive=destructive)


def ensure_tables(settings: Settings, database: Database) -> None:
    """Reconcile the database where a definition changed since; else no table is locked, and others go on undisturbed.

    Renewing rights locks every table for a moment, and behind a long load this moment is as long as the load.
    """
    with database.transaction(Role.WRITER) as connection:
        if stands(connection, read_catalog(settings.layers_dir)):
            return
    synchronise(settings, database)
