"""Features of many layers that meet a place or lie within it: one statement, and so one round trip, for all of them.

Each layer is a branch of a UNION ALL with its own row rule, columns and limit. Geometries of requests are bound. The
bare `&&` on the boxes of the place may run before row policies and keeps the index.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from geoservice.analysis.place import Box
from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.geojson import COORDINATE_DIGITS
from geoservice.queries.where import Where
from layers.access import Decision
from layers.codelist import CodeList
from layers.crs import STORAGE_SRID
from layers.model import VectorLayer
from layers.system import layer_state
from layers.table import AS_OF, held, row_predicate

Relation = Literal["intersects", "within"]
Json = dict[str, Any]
PLACE = "place"
SMALL_DEGREES = 0.1
"""Sides of the box of a place up to which it counts as small."""
_SIDES = ("west", "south", "east", "north")


@dataclass(frozen=True)
class Opened:
    """A layer that the asker may see, and what of it."""

    layer: VectorLayer
    decision: Decision


@dataclass(frozen=True)
class Related:
    """What is asked of the layers.

    Attributes:
        relation: `intersects`: they share a point, borders included; `within`: no point of the feature lies outside.
        limit: Most features of each layer.
        geometry: Whether geometries are wanted.
        as_of: Features as they were then; None for now.
    """

    relation: Relation
    limit: int
    geometry: bool = False
    as_of: dt.datetime | None = None


async def find_related(
    connection: RawConnection, reading: Reading, opened: Sequence[Opened], asked: Related, where: Where
) -> dict[str, list[Json]]:
    """Features by the name of their layer, in the order of their numbers; one more than the limit where there are more.

    Args:
        connection: A read-only connection of the decisions' clearance.
        reading: Compiled statements of this process.
        opened: The layers, all decided for the same principal.
        asked: What is asked.
        where: The place.
    """
    if not opened:
        return {}
    boxes = where.boxes()
    compiled = _compiled(reading, opened, asked, len(boxes))
    values: Json = {PLACE: where.ewkb, AS_OF: asked.as_of, "most": asked.limit + 1}
    for number, box in enumerate(boxes):
        values |= {f"{side}_{number}": value for side, value in zip(_SIDES, box, strict=True)}
    found: dict[str, list[Json]] = {one.layer.name: [] for one in opened}
    for row in await _rows(connection, compiled, values, small=_is_small(boxes)):
        geometry = {} if row["geometry"] is None else {"geometry": json.loads(row["geometry"])}
        feature = {"id": row["key"], **geometry, "properties": json.loads(row["properties"]), "edition": row["edition"]}
        found[row["layer"]].append(feature)
    return found


async def _rows(
    connection: RawConnection, compiled: Compiled, values: Mapping[str, Any], *, small: bool
) -> list[asyncpg.Record]:
    """Run the statement. About a small place it is planned once, and not anew for each question.

    Whatever the place, the index of geometries is the way to a small one, and planning for thirty layers takes ten
    times as long as looking. For a large one the planner may know a better way, once it knows the place.
    """
    arguments = compiled.arguments(values)
    rows: list[asyncpg.Record]
    if small:
        async with connection.transaction():
            await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            rows = await connection.fetch(compiled.sql, *arguments)
    else:
        rows = await connection.fetch(compiled.sql, *arguments)
    return rows


def _is_small(boxes: Sequence[Box]) -> bool:
    return all(max(east - west, north - south) <= SMALL_DEGREES for west, south, east, north in boxes)


def _compiled(reading: Reading, opened: Sequence[Opened], asked: Related, boxes: int) -> Compiled:
    clearance = opened[0].decision.rule.max_clearance
    what = tuple((one.layer.name, one.decision.attributes) for one in opened)
    shape = ("related", what, clearance, asked.relation, asked.geometry, asked.as_of is None, boxes)
    compiled = reading.statements.get(shape)
    if compiled is None:
        statement = related_statement(opened, asked, boxes)
        compiled = reading.statements[shape] = compile_statement(statement, reading.schema(clearance))
    return compiled


def related_statement(opened: Sequence[Opened], asked: Related, boxes: int) -> sa.Select[Any]:
    """The statement: `layer`, `key`, `edition`, `properties` and `geometry` as JSON texts."""
    branches = [_branch(one, asked, boxes).select() for one in opened]
    return sa.select(sa.union_all(*branches).subquery("found"))


def _branch(one: Opened, asked: Related, boxes: int) -> sa.Subquery:
    layer, attributes = one.layer, one.decision.attributes
    most = sa.bindparam("most", type_=sa.Integer())

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        columns = [table.c.fid, table.c.key, plain.label("_geom"), *(table.c[name] for name in attributes)]
        met = sa.and_(row_predicate(table, one.decision.rule), *_conditions(plain, asked.relation, boxes))
        return sa.select(*columns).where(met).order_by(table.c.fid).limit(most)

    rows = held(layer, rows_of, past=asked.as_of is not None).subquery("rows")
    # The edition is asked for by a layer that has rows to show, and by no other.
    edition = sa.select(layer_state.c.edition).where(layer_state.c.layer == layer.name).scalar_subquery()
    geometry = sa.func.ST_AsGeoJSON(sa.type_coerce(rows.c["_geom"], sa.types.NullType()), COORDINATE_DIGITS, 0)
    chosen = sa.select(
        sa.literal(layer.name, sa.Text()).label("layer"),
        rows.c.key,
        edition.label("edition"),
        _properties(rows, attributes).label("properties"),
        (sa.cast(geometry, sa.Text()) if asked.geometry else sa.cast(sa.null(), sa.Text())).label("geometry"),
    )
    return chosen.order_by(rows.c.fid).limit(most).subquery()


def _properties(rows: sa.Subquery, attributes: Sequence[str]) -> sa.ColumnElement[Any]:
    if not attributes:
        return sa.literal("{}", sa.Text())
    # Pairs in an array and not a row type, so that a name may be as long as it likes.
    pairs: list[Any] = [part for name in attributes for part in (sa.literal(name, sa.Text()), rows.c[name])]
    half = 2 * _MOST_PAIRS
    objects = [
        sa.func.jsonb_build_object(*pairs[start : start + half], type_=sa.Text())
        for start in range(0, len(pairs), half)
    ]
    whole: sa.ColumnElement[Any] = objects[0]
    for more in objects[1:]:
        whole = whole.op("||")(more)
    return sa.cast(whole, sa.Text())


_MOST_PAIRS = 40
"""A function of PostgreSQL takes at most 100 arguments."""


def _conditions(plain: sa.ColumnElement[Any], relation: Relation, boxes: int) -> list[sa.ColumnElement[bool]]:
    place = sa.func.ST_GeomFromEWKB(sa.bindparam(PLACE, type_=BYTEA()))
    near = [
        plain.op("&&")(
            sa.func.ST_MakeEnvelope(
                *(sa.bindparam(f"{side}_{number}", type_=sa.Double()) for side in _SIDES), STORAGE_SRID
            )
        )
        for number in range(boxes)
    ]
    exact = sa.func.ST_Intersects(plain, place) if relation == "intersects" else sa.func.ST_CoveredBy(plain, place)
    return [sa.or_(*near), exact]


def spelt_out(layer: VectorLayer, properties: Mapping[str, Any], lists: Mapping[str, CodeList]) -> Json:
    """What the codes among some properties mean, in both languages."""
    found = Json()
    for name, value in properties.items():
        attribute = layer.attributes.get(name)
        codes = lists.get(attribute.list) if attribute is not None and attribute.list else None
        if codes is not None and value is not None:
            found[name] = {language: codes.label(str(value), language) for language in ("zh", "en")}
    return found
