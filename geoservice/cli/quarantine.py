"""`geoservice ingest quarantine`, `row`, `mend`, `dismiss`, `replay`: the life of rows that could not be loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import shapely
import typer
from rich.table import Table

from geoservice.cli.ingest import commands, print_report, target_of
from geoservice.cli.layers import ensure_tables
from geoservice.cli.tables import show
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.jobs import queue
from geoservice.jobs.model import replay_request
from geoservice.settings import Settings, load_settings
from ingest.exporting import export, is_read_back, mend_from, parse_wkt
from ingest.raw import RawRow
from ingest.replay import replay
from ingest.set_aside import Wanted, as_written, dismiss, mend, row, rows
from layers.catalog import read_catalog
from layers.errors import BadParameter

LayerOption = Annotated[str | None, typer.Option("--layer", help="Only this layer.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only rows of sources of this name.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only rows whose reason holds this text.")]
Numbers = Annotated[list[int] | None, typer.Argument(help="Numbers of the rows; default: all that the options name.")]
_EXPORT = "Write the rows to this new file instead: .csv or .geojson, to be mended there, or .xlsx or .gpkg."


def register(_: typer.Typer) -> None:
    """Add the commands to the group `ingest`."""
    for name, command in (
        ("quarantine", quarantine_command),
        ("row", row_command),
        ("mend", mend_command),
        ("dismiss", dismiss_command),
        ("replay", replay_command),
    ):
        commands.command(name)(command)


def quarantine_command(
    layer: LayerOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    state: Annotated[str, typer.Option(help="open, mended, dismissed, superseded or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Most rows to show or export.")] = 50,
    file: Annotated[Path | None, typer.Option("--export", help=_EXPORT)] = None,
) -> None:
    """List rows that could not be loaded, with place and reason; or export them to be mended."""
    settings = load_settings()
    wanted = _wanted(settings, layer, source, reason, None if state == "all" else state)
    with open_database(settings).transaction(Role.WRITER) as connection:
        found = list(rows(connection, wanted, limit))
    if file is not None:
        export(found, file)
        then = f"; mend them there, then: geoservice ingest mend --file {file.name}" if is_read_back(file) else ""
        typer.echo(f"{len(found)} rows in {file}{then}")
        return
    table = Table("number", "layer", "source", "row", "state", "reason")
    for one in found:
        facts = one.facts
        table.add_row(str(one.id), facts["layer"], facts["source"], str(facts["row"]), facts["state"], _why(facts))
    show(table)


def _why(facts: Mapping[str, Any]) -> str:
    """The reason of today, and the first one when it was another."""
    reason, first = str(facts["reason"]), str(facts["first_reason"])
    return reason if reason == first else f"{reason} (first: {first})"


def row_command(number: Annotated[int, typer.Argument(min=1, help="Number of the row.")]) -> None:
    """Show one row of quarantine: why it is there, its content, and what it was mended to; as JSON."""
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        one = row(connection, number)
    shown = {
        **one.facts,
        "content": {name: as_written(value) for name, value in one.was.fields.items()},
        "geometry": one.was.unread or _wkt(one.was),
        "cells": list(one.was.original) or None,
    }
    if one.mended is not None:
        mended = one.mended
        shown["mended"] = {name: as_written(value) for name, value in mended.fields.items()}
        shown["mended_geometry"] = _wkt(mended)
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2, default=str))


def mend_command(
    number: Annotated[int | None, typer.Argument(min=1, help="Number of the row.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="field=value; an empty value is none.")] = None,
    geometry: Annotated[str | None, typer.Option(help="WKT in the CRS of the source, as x y.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="An exported file that was edited.")] = None,
) -> None:
    """Correct rows of quarantine; `geoservice ingest replay` then loads them. The original content is kept."""
    if (number is None) == (file is None):
        raise BadParameter("Name either one row, with --set or --geometry, or an edited file with --file.")
    settings = load_settings()
    with open_database(settings).transaction(Role.WRITER) as connection:
        if file is not None:
            changed = mend_from(connection, file)
        else:
            fields = dict(_pair(text) for text in set_ or ())
            one = number or 0
            shape = None if geometry is None else parse_wkt(geometry, one)
            changed = int(mend(connection, one, fields, shape))
    typer.echo(f"rows changed: {changed}; load them with: geoservice ingest replay")


def dismiss_command(
    reason: Annotated[str, typer.Option("--because", help="Why; it is kept with the rows.")],
    numbers: Annotated[list[int], typer.Argument(help="Numbers of the rows.")],
) -> None:
    """Give up rows of quarantine that will never be loaded."""
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        given_up = dismiss(connection, Wanted(ids=tuple(numbers)), principal="cli", reason=reason)
    typer.echo(f"{given_up} rows dismissed")


def replay_command(
    numbers: Numbers = None,
    layer: LayerOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    queued: Annotated[bool, typer.Option("--queue", help="Make it a job of --layer and print its number.")] = False,
) -> None:
    """Load open rows of quarantine again, mended or as they are, through the mapping and checks of their source."""
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    wanted = _wanted(settings, layer, source, reason, "open", tuple(numbers) if numbers else None)
    database = open_database(settings)
    if queued:
        typer.echo(_queue(database, wanted))
        return
    ensure_tables(settings, database)
    done = replay(catalog, target_of(settings, database), wanted, principal="cli")
    for report in done.reports:
        print_report(report)
    for left in done.left:
        typer.echo(str(left))
    if not done.reports:
        typer.echo("no open row of quarantine is meant; nothing was loaded")


def _queue(database: Database, wanted: Wanted) -> int:
    if wanted.layer is None:
        raise BadParameter("A job belongs to one layer; name it with --layer.", parameter="layer")
    with database.transaction(Role.WRITER) as connection:
        return queue.submit(connection, replay_request(wanted, "cli", "cli")).id


def _wanted(
    settings: Settings,
    layer: str | None,
    source: str | None,
    reason: str | None,
    state: str | None,
    ids: tuple[int, ...] | None = None,
) -> Wanted:
    name = read_catalog(settings.layers_dir).layer(layer).name if layer else None
    return Wanted(name, source, reason, state, ids)


def _wkt(content: RawRow) -> str | None:
    return None if content.geometry is None else str(shapely.to_wkt(content.geometry, rounding_precision=-1))


def _pair(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadParameter(f"--set takes field=value; {text[:60]!r} is not that.", parameter="set")
    return name, value or None
