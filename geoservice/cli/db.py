"""`geoservice db`: the database's life."""

from __future__ import annotations

from typing import Annotated

import typer

from geoservice.db import migrate
from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster, State
from geoservice.db.engine import Database
from geoservice.db.provision import open_database, prepare_embedded, prepare_foreign, repair_embedded, require_prepared
from geoservice.settings import Settings, load_settings, parse_dsn
from layers.errors import ConfigurationError

EXIT_NOT_RUNNING = 1

commands = typer.Typer(help="Start, stop, prepare, upgrade and mend the database.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="db")


def _embedded() -> Settings:
    settings = load_settings()
    if settings.database_url is not None:
        raise ConfigurationError(
            "GEOSERVICE_DATABASE_URL names a server of its own; its life is not ours. "
            "Unset the variable to use the embedded database."
        )
    return settings


@commands.command()
def start() -> None:
    """Start the embedded database, making it first if there is none."""
    settings = _embedded()
    started = EmbeddedCluster(settings).start()
    prepare_embedded(settings)
    status_now = EmbeddedCluster(settings).status()
    typer.echo(f"{'Started' if started else 'Already running'}: PostgreSQL {status_now.major}, {status_now.socket_dir}")


@commands.command()
def stop() -> None:
    """Stop the embedded database, breaking off its clients."""
    stopped = EmbeddedCluster(_embedded()).stop()
    typer.echo("Stopped." if stopped else "It was not running.")


@commands.command()
def status() -> None:
    """Say what the database is doing; exit code 1 when it does not run."""
    settings = load_settings()
    if settings.database_url is not None:
        database = open_database(settings)
        typer.echo(f"Server {database.parameters.get('host', 'local')}, database {database.name}: ready.")
        return
    found = EmbeddedCluster(settings).status()
    typer.echo(f"state   {found.state}")
    typer.echo(f"data    {found.data_dir}")
    typer.echo(f"socket  {found.socket_dir}")
    typer.echo(f"version {found.major or '-'}")
    typer.echo(f"process {found.pid or '-'}")
    if found.state is not State.RUNNING:
        raise typer.Exit(EXIT_NOT_RUNNING)


@commands.command()
def init(
    admin_url: Annotated[
        str | None,
        typer.Option(
            help="Address with an administrator's login, naming the database: postgresql://admin@host:5432/geodb. "
            "Default: GEOSERVICE_DATABASE_URL, else the embedded database."
        ),
    ] = None,
) -> None:
    """Create roles, schemas, rights and system tables; may be repeated."""
    settings = load_settings()
    admin = parse_dsn(admin_url) if admin_url else settings.database_url
    if admin is None:
        EmbeddedCluster(settings).start()
        database = prepare_embedded(settings, force=True)
    else:
        database = prepare_foreign(settings, admin)
    typer.echo(f"Database {database.name} is prepared; passwords are in {settings.credentials_path}.")
    if admin is not None and settings.database_url is None:
        host, port = database.parameters.get("host", "localhost"), database.parameters.get("port", "5432")
        # The folder of a Unix socket cannot stand where an address has its host.
        socket = host.startswith("/")
        place = f"/{database.name}?host={host}&port={port}" if socket else f"{host}:{port}/{database.name}"
        typer.echo(f"Now set GEOSERVICE_DATABASE_URL='postgresql://{place}'")


@commands.command()
def upgrade() -> None:
    """Bring the system tables to the revision this version needs."""
    settings = load_settings()
    if settings.database_url is None:
        EmbeddedCluster(settings).start()
        database = prepare_embedded(settings, migrating=False)
    else:
        database = Database.from_settings(settings)
        require_prepared(database)
    before, after = migrate.upgrade(database)
    typer.echo(f"Upgraded from {before or 'nothing'} to {after}." if before != after else f"Already at {after}.")


@commands.command()
def repair() -> None:
    """Mend the embedded database: stale traces, lost configuration, wrong permissions; then start it."""
    done = repair_embedded(_embedded())
    for line in done or ["Nothing was broken."]:
        typer.echo(line)
    typer.echo("Roles and rights were set again; `geoservice doctor` checks the rest.")


@commands.command()
def url(
    role: Annotated[Role, typer.Option(help="Who connects.")] = Role.READER_PUBLIC,
    password: Annotated[bool, typer.Option("--password", help="Show the password too.")] = False,
) -> None:
    """Print the address for another program, such as QGIS or psql; without the password unless asked for."""
    database = Database.from_settings(load_settings())
    address = database.url(role).set(drivername="postgresql")
    typer.echo(address.render_as_string(hide_password=not password))
