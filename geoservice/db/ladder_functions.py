"""The ladder for people who write SQL: functions that answer for a zoom level, under the rights of whoever calls them.

They belong to the tables that they read, and go with them. They add no rights: a caller sees through them what the row
policies and column grants of the tables, or the views of his clearance, let him see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from geoservice.db import ddl
from geoservice.db.sync import READERS, NetMode, view_schema
from layers.access import Principal, decide
from layers.crs import WEB_MERCATOR_SRID
from layers.ladder import CELLS, LADDER_SCHEMA, WORLD, rung_attributes, rungs
from layers.model import VectorLayer
from tiles.ladder.tables import cluster_table, mosaic_table, rung_table

ZOOM: sa.ColumnElement[int] = sa.literal_column("$1", sa.Integer())
"""The argument, by its place: a name could be that of an attribute."""
_PLAIN = sa.types.NullType()


@dataclass(frozen=True)
class Answer:
    """A function and what it answers: `<layer>_at`, `<layer>_mosaic_at` or `<layer>_clusters_at`."""

    name: str
    select: sa.Select[Any] | sa.CompoundSelect[Any]


def publish(connection: sa.Connection, layer: VectorLayer, prefix: str, mode: NetMode) -> None:
    """Make the functions of a layer whose tables have just been put in their places.

    Args:
        connection: Of the owner, in the transaction that adopts the tables.
        layer: The layer.
        prefix: Prefix of the role names.
        mode: The access net; where views serve, each clearance has functions of its own beside its views.
    """
    for clearance, reader in READERS.items():
        if not decide(Principal("role", clearance), "read", layer).allowed:
            continue
        schema = LADDER_SCHEMA if mode == "policies" else view_schema(clearance, LADDER_SCHEMA)
        for answer in answers(layer, schema):
            connection.execute(ddl.CreateReadFunction(schema, answer.name, answer.select))
            connection.execute(ddl.RevokeExecute(schema, answer.name))
            connection.execute(ddl.GrantExecute(schema, answer.name, reader.name_in(prefix)))


def answers(layer: VectorLayer, schema: str = LADDER_SCHEMA) -> Iterator[Answer]:
    """The functions of a layer, reading the tables or views of a schema."""
    if rungs(layer):
        yield Answer(f"{layer.name}_at", _features(layer, schema))
    if layer.tiles.mosaic is not None:
        yield Answer(f"{layer.name}_mosaic_at", _cells(layer, schema))
    if layer.tiles.cluster is not None:
        yield Answer(f"{layer.name}_clusters_at", _clusters(layer, schema))


def _features(layer: VectorLayer, schema: str) -> sa.CompoundSelect[Any]:
    """Features of the rung of a zoom level, with the attributes that all rungs have and every reader may see."""
    steps = rungs(layer)
    names = [
        name
        for name in rung_attributes(layer, steps[-1])
        if layer.attributes[name].effective_clearance(layer) <= layer.clearance
    ]
    parts = []
    for rung in steps:
        table = rung_table(layer, rung).to_metadata(sa.MetaData(), schema=schema)
        shape = sa.type_coerce(table.c.geom, _PLAIN).label("geom")
        found = sa.select(table.c.fid, table.c.key, shape, *(table.c[name] for name in names))
        parts.append(found.where(ZOOM.between(rung.from_, rung.to), table.c["_from"] <= ZOOM))
    return sa.union_all(*parts)


def _cells(layer: VectorLayer, schema: str) -> sa.Select[Any]:
    """Cells of a mosaic at a zoom level: the row of the highest clearance that the caller may see, as a square."""
    table = mosaic_table(layer).to_metadata(sa.MetaData(), schema=schema)
    side = WORLD / CELLS / sa.func.power(2.0, ZOOM)
    west, north = table.c.x * side - WORLD / 2, WORLD / 2 - table.c.y * side
    square = sa.func.ST_MakeEnvelope(west, north - side, west + side, north, WEB_MERCATOR_SRID)
    told = (table.c.value, table.c.count, table.c.area, table.c.total)
    return _topmost(table, square, told)


def _clusters(layer: VectorLayer, schema: str) -> sa.Select[Any]:
    """Clusters of a zoom level: the row of the highest clearance that the caller may see, as a point."""
    table = cluster_table(layer).to_metadata(sa.MetaData(), schema=schema)
    point = sa.func.ST_SetSRID(sa.func.ST_MakePoint(table.c.east, table.c.north), WEB_MERCATOR_SRID)
    return _topmost(table, point, (table.c.count, table.c.fid, table.c.value, table.c.most, table.c.classes))


def _topmost(table: sa.Table, shape: sa.ColumnElement[Any], told: tuple[sa.Column[Any], ...]) -> sa.Select[Any]:
    place = (table.c.x, table.c.y)
    columns = (*place, sa.type_coerce(shape, _PLAIN).label("geom"), *told)
    found = sa.select(*columns).where(table.c.z == ZOOM).ext(distinct_on(*place))
    return found.order_by(*place, table.c["_clearance"].desc())
