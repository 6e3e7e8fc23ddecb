"""Reading features: the page statement, the item statement, and how they run.

PostgreSQL writes the GeoJSON (RFC 7946: longitude, latitude in CRS84); Python passes the text on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.reading import Reading
from geoservice.features.past import edition_then, is_final
from layers.access import Decision
from layers.crs import STORAGE_SRID
from layers.extent import Extent
from layers.interval import Interval
from layers.model import RowLayer, VectorLayer
from layers.system import layer_figures, layer_state
from layers.table import AS_OF, held, row_predicate, time_predicate, time_values

COORDINATE_DIGITS = 9
"""Decimals of degrees in GeoJSON: 0.1 mm."""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What is asked of a collection: a box, an interval, how many, after which feature number, as of which instant."""

    limit: int
    bbox: Extent | None = None
    interval: Interval | None = None
    after: int | None = None
    as_of: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page: GeoJSON texts of the features joined by commas, their number, where the next page begins.

    `matched` is the exact number of all features when that is known for free (no filter), else None. `final` says of
    an answer about the past that no later change can touch it.
    """

    features: str
    returned: int
    next_after: int | None
    matched: int | None
    edition: int | None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One feature: its GeoJSON text and the edition that wrote it; `final` as of a page."""

    feature: str
    edition: int
    final: bool = False


async def read_page(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    reading: Reading,
    layer: RowLayer,
    decision: Decision,
    query: PageQuery,
) -> Page:
    """Read one page of a collection in the order of feature numbers.

    Args:
        connection: A read-only connection of the decision's clearance.
        reading: Compiled statements of this process.
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        query: What is asked.
    """
    compiled = _page_statement(reading, layer, decision, query)
    row = await connection.fetchrow(compiled.sql, *compiled.arguments(_values(query)))
    if row is None:
        raise LookupError("the page statement always returns one row")
    more = row["found"] > query.limit
    filtered = query.bbox is not None or (query.interval is not None and layer.time is not None)
    filtered = filtered or query.as_of is not None
    return Page(
        features=row["features"],
        returned=min(row["found"], query.limit),
        next_after=row["last"] if more else None,
        matched=None if filtered else row["rows"],
        edition=row["edition"],
        final=row["final"],
    )


async def read_item(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    reading: Reading,
    layer: RowLayer,
    decision: Decision,
    key: str,
    as_of: dt.datetime | None = None,
) -> Item | None:
    """Read one feature by its public key, as of an instant or as it is now.

    Returns:
        None when there is, or was then, none that the principal may see.
    """
    shape = ("item", layer.name, decision.rule.max_clearance, decision.attributes, as_of is not None)
    compiled = reading.statements.get(shape)
    if compiled is None:
        statement = item_statement(layer, decision, past=as_of is not None)
        compiled = compile_statement(statement, reading.schema(decision.rule.max_clearance))
        reading.statements[shape] = compiled
    row = await connection.fetchrow(compiled.sql, *compiled.arguments({"key": key, AS_OF: as_of}))
    return None if row is None else Item(row["feature"], row["edition"], row["final"])


def page_statement(layer: RowLayer, decision: Decision, query: PageQuery) -> sa.Select[Any]:
    """The statement of a page: one row with the joined features, the count (up to limit + 1) and the state."""
    limit = sa.bindparam("limit", type_=sa.BigInteger())
    past = query.as_of is not None

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        found = _visible_columns(layer, table, decision).where(*_conditions(layer, table, decision, query))
        return found.order_by(table.c.fid).limit(limit + 1)

    rows = held(layer, rows_of, past=past)
    # Two tables give a page each; their union is cut again.
    chosen = (rows.order_by(sa.column("fid")).limit(limit + 1) if past else rows).subquery("chosen")
    number = sa.func.row_number().over(order_by=chosen.c.fid).label("number")
    page = _features(layer, chosen, decision.attributes).add_columns(chosen.c.fid, number).subquery("page")
    inside = page.c.number <= limit
    joined = sa.func.string_agg(sa.cast(page.c.feature, sa.Text()), sa.text("',' ORDER BY page.fid")).filter(inside)
    rank = int(decision.rule.max_clearance)
    figures = layer_figures
    total = sa.select(figures.c.rows).where(figures.c.layer == layer.name, figures.c.clearance == rank)
    latest = sa.select(layer_state.c.edition).where(layer_state.c.layer == layer.name).scalar_subquery()
    return sa.select(
        sa.func.coalesce(joined, "").label("features"),
        sa.func.count().label("found"),
        sa.func.max(page.c.fid).filter(inside).label("last"),
        sa.func.coalesce(total.scalar_subquery(), 0).label("rows"),
        (edition_then(layer) if past else latest).label("edition"),
        (is_final(layer) if past else sa.false()).label("final"),
    ).select_from(page)


def item_statement(layer: RowLayer, decision: Decision, *, past: bool = False) -> sa.Select[Any]:
    """The statement of one feature by key, as it is now or as of the bound instant."""
    key = sa.bindparam("key", type_=sa.Text())

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        return _visible_columns(layer, table, decision).where(table.c.key == key, row_predicate(table, decision.rule))

    rows = held(layer, rows_of, past=past).limit(1).subquery("chosen")
    page = _features(layer, rows, decision.attributes).subquery("page")
    final = (is_final(layer) if past else sa.false()).label("final")
    return sa.select(sa.cast(page.c.feature, sa.Text()).label("feature"), page.c.edition, final)


def _conditions(layer: RowLayer, table: sa.Table, decision: Decision, query: PageQuery) -> list[sa.ColumnElement[bool]]:
    clauses = [row_predicate(table, decision.rule)]
    if query.bbox is not None:
        clauses.append(_box_predicate(layer, table, query.bbox))
    if query.interval is not None and (timed := time_predicate(layer, table, query.interval)) is not None:
        clauses.append(timed)
    if query.after is not None:
        clauses.append(table.c.fid > sa.bindparam("after", type_=sa.BigInteger()))
    return clauses


def _visible_columns(layer: RowLayer, table: sa.Table, decision: Decision) -> sa.Select[Any]:
    """The columns a feature is made of; columns above the principal's clearance are not even read."""
    geometry = (
        [sa.type_coerce(table.c.geom, sa.types.NullType()).label("geom")] if isinstance(layer, VectorLayer) else []
    )
    attributes = [table.c[name] for name in decision.attributes]
    return sa.select(table.c.fid, table.c.key, table.c["_edition"], *geometry, *attributes)


def _features(layer: RowLayer, rows: sa.Subquery, attributes: Sequence[str]) -> sa.Select[Any]:
    """GeoJSON features as json, and their editions (`edition` tells which load wrote a feature)."""
    geometry: sa.ColumnElement[Any] = sa.null()
    if isinstance(layer, VectorLayer):
        plain = sa.type_coerce(rows.c.geom, sa.types.NullType())
        geometry = sa.cast(sa.func.ST_AsGeoJSON(plain, COORDINATE_DIGITS, 0), sa.JSON())
    properties = sa.select(*(rows.c[n].label(n) for n in attributes)).correlate(rows).lateral("properties")
    members: tuple[Any, ...] = ("type", "Feature", "id", rows.c.key, "geometry", geometry, "properties")
    whole = sa.func.row_to_json(properties.table_valued()) if attributes else sa.func.json_build_object()
    feature = sa.func.json_build_object(*members, whole, "edition", rows.c["_edition"]).label("feature")
    source = rows.join(properties, sa.true()) if attributes else rows
    return sa.select(feature, rows.c["_edition"].label("edition")).select_from(source)


def _box_predicate(layer: RowLayer, table: sa.Table, extent: Extent) -> sa.ColumnElement[bool]:
    if not isinstance(layer, VectorLayer):
        return sa.false()
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    found = []
    for number, _ in enumerate(extent.boxes()):
        sides: list[sa.ColumnElement[Any]] = [
            sa.bindparam(f"{side}_{number}", type_=sa.Double()) for side in ("west", "south", "east", "north")
        ]
        envelope = sa.func.ST_MakeEnvelope(*sides, STORAGE_SRID)
        # The bare && may run before row policies and so keeps the index; ST_Intersects alone would not.
        found.append(sa.and_(geom.op("&&")(envelope), sa.func.ST_Intersects(geom, envelope)))
    return sa.or_(*found)


def _values(query: PageQuery) -> dict[str, Any]:
    values: dict[str, Any] = {"limit": query.limit, "after": query.after, AS_OF: query.as_of}
    if query.bbox is not None:
        for number, box in enumerate(query.bbox.boxes()):
            values |= {f"{s}_{number}": v for s, v in zip(("west", "south", "east", "north"), box, strict=True)}
    return values


def _page_statement(reading: Reading, layer: RowLayer, decision: Decision, query: PageQuery) -> Compiled:
    clearance = decision.rule.max_clearance
    boxes = len(query.bbox.boxes()) if query.bbox else 0
    open_sides = tuple(v is None for v in time_values(layer, query.interval).values())
    absent = (query.after is None, query.as_of is None)
    shape = ("page", layer.name, clearance, decision.attributes, boxes, open_sides, absent)
    compiled = reading.statements.get(shape)
    if compiled is None:
        compiled = compile_statement(page_statement(layer, decision, query), reading.schema(clearance))
        reading.statements[shape] = compiled
    fixed = {**compiled.fixed, **time_values(layer, query.interval)}
    return Compiled(compiled.sql, compiled.names, fixed)
