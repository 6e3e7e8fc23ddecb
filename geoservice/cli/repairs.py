"""`geoservice ingest repairs`: the geometries that a load made valid, before and after."""

from __future__ import annotations

import json
from typing import Annotated, Any

import shapely
import sqlalchemy as sa
import typer
from rich.table import Table

from geoservice.cli.ingest import commands
from geoservice.cli.tables import show
from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.settings import load_settings
from ingest.numbering import row_number
from layers.system import repair

_PAGE = 500


def register(_: typer.Typer) -> None:
    """Add the command to the group `ingest`."""
    commands.command("repairs")(repairs_command)


def repairs_command(
    edition: Annotated[int, typer.Argument(min=1, help="Number of the edition.")],
    geojson: Annotated[
        bool, typer.Option("--geojson", help="Print each geometry before and after as GeoJSON features.")
    ] = False,
) -> None:
    """List the geometries that an edition's load made valid: row of the source (from 1), rule, change of area."""
    statement = sa.select(repair).where(repair.c.edition == edition).order_by(repair.c.position)
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        rows = connection.execution_options(yield_per=_PAGE).execute(statement).mappings()
        if geojson:
            _print_features(rows)
        else:
            _print_table(rows)


def _print_table(rows: Any) -> None:
    table = Table("row", "rule", "change of area (m2)")
    for row in rows:
        change = row["area_change"]
        table.add_row(str(row_number(row["position"])), row["rule"], "-" if change is None else f"{change:+.3f}")
    show(table)


def _print_features(rows: Any) -> None:
    typer.echo('{"type": "FeatureCollection", "features": [', nl=False)
    between = "\n"
    for row in rows:
        for state in ("before", "after"):
            typer.echo(between + json.dumps(_feature(row, state), ensure_ascii=False), nl=False)
            between = ",\n"
    typer.echo("\n]}")


def _feature(row: Any, state: str) -> dict[str, Any]:
    facts = {"row": row_number(row["position"]), "rule": row["rule"], "state": state, "area_change": row["area_change"]}
    shape = shapely.from_wkb(row[state])
    return {"type": "Feature", "properties": facts, "geometry": json.loads(shapely.to_geojson(shape))}
