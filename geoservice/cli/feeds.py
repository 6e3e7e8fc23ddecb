"""`geoservice feeds`: look at the feeds of the watch file, ask them now."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from geoservice.cli.layers import ensure_tables
from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.db.writing import Writer
from geoservice.feeds.reader import Reader
from geoservice.feeds.state import listed
from geoservice.jobs.intake import read_intake
from geoservice.settings import load_settings
from ingest.remote.guard import redacted
from layers.catalog import read_catalog
from layers.errors import BadParameter

commands = typer.Typer(help="Feeds of the watch file: addresses that are asked again and again.", no_args_is_help=True)
_SHOWN = ("name", "address", "checked", "succeeded", "due", "failures", "error", "stamp", "told", "jobs", "states")
EXIT_FAILED = 1


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="feeds")


@commands.command("status")
def status(json_: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False) -> None:
    """Show each feed: when it was asked, when it last answered as it should, what came of that, and what is wrong."""
    settings = load_settings()
    wanted = {feed.name for feed in read_intake(settings.watch).feeds}
    with open_database(settings).transaction(Role.WRITER) as connection:
        known = {row["name"]: _plain(row) for row in listed(connection)}
    rows = [known.get(name, {"name": name}) for name in sorted(wanted | known.keys())]
    if json_:
        for row in rows:
            typer.echo(json.dumps({**row, "configured": row["name"] in wanted}, ensure_ascii=False))
        return
    table = Table("feed", "asked", "answered", "next", "failures", "last answer", "jobs", "error")
    for row in rows:
        states = ", ".join(row.get("states") or ())
        when = [str(row.get(name) or "-") for name in ("checked", "succeeded", "due")]
        if row["name"] not in wanted:
            when[2] = "not in the watch file"
        told = (str(row.get("failures", 0)), row.get("told") or "-", states or "-", row.get("error") or "")
        table.add_row(row["name"], *when, *told)
    Console().print(table)


@commands.command("poll")
def poll(
    names: Annotated[list[str] | None, typer.Argument(help="Feeds to ask now; all that are due when none.")] = None,
) -> None:
    """Ask feeds now; ends with 1 when one failed. What is new becomes jobs, which workers do."""
    settings = load_settings()
    feeds = read_intake(settings.watch).feeds
    unknown = sorted(set(names or ()) - {feed.name for feed in feeds})
    if unknown:
        raise BadParameter(f"The watch file has no feed {unknown[0][:80]!r}; see `geoservice feeds status`.")
    chosen = [feed for feed in feeds if not names or feed.name in names]
    database = open_database(settings)
    ensure_tables(settings, database)
    writer = Writer(database)
    try:
        reader = Reader(settings, writer, read_catalog(settings.layers_dir))
        looks = reader.poll(chosen, dt.datetime.now(dt.UTC), all_=bool(names))
    finally:
        writer.close()
    for one in looks:
        typer.echo(f"{one.feed}: {one.outcome}{f': {one.detail}' if one.detail else ''}")
    if not looks:
        typer.echo("no feed is due")
    if any(one.outcome == "failed" for one in looks):
        raise typer.Exit(EXIT_FAILED)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it is shown: times in UTC to the second, addresses without what may be secret in them."""
    shown = {name: row[name] for name in _SHOWN} | {"address": redacted(row["address"])}
    return {
        name: value.astimezone(dt.UTC).isoformat(timespec="seconds") if isinstance(value, dt.datetime) else value
        for name, value in shown.items()
    }
