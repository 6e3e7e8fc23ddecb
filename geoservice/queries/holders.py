"""Polygons that may hold points: the statements that find them, with keys, visible attributes and geometries.

Bookkeeping columns of the answers begin with an underscore, which attribute names cannot.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from layers.access import Decision
from layers.crs import STORAGE_SRID
from layers.filter import Filter, predicate
from layers.model import VectorLayer
from layers.table import AS_OF, at_instant, current_table, history_table, row_predicate

WANTED, NUMBERS, LONGITUDES, LATITUDES = "wanted", "numbers", "longitudes", "latitudes"


@dataclass(frozen=True)
class Holders:
    """Which polygons are meant.

    Attributes:
        layer: The layer.
        decision: Rows and attributes that the asker may see.
        attributes: The attributes that are asked for, all of them visible.
        filter: A condition on them; `filtered` is how it was written, by which it is told from others.
        as_of: Those that held then; None for now.
    """

    layer: VectorLayer
    decision: Decision
    attributes: tuple[str, ...]
    filtered: str | None = None
    filter: Filter | None = field(default=None, compare=False)
    as_of: dt.datetime | None = None

    def select(self, table: sa.Table, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Columns of the visible rows of one of the layer's tables that have a geometry."""
        clauses = [row_predicate(table, self.decision.rule), table.c.geom.is_not(None)]
        if self.filter is not None:
            clauses.append(predicate(self.filter, table))
        if self.as_of is not None:
            clauses.append(table.c["_valid_from"] <= at_instant())
            if "_valid_to" in table.c:
                clauses.append(table.c["_valid_to"] > at_instant())
        return sa.select(*columns).where(*clauses)

    def rows(self, rows_of: Callable[[sa.Table], sa.Select[Any]]) -> sa.Select[Any]:
        """Rows that hold now, or held at the instant: from current rows and from history.

        Args:
            rows_of: Makes the select over one of the tables by `select`, which says what holds.
        """
        current = rows_of(current_table(self.layer))
        if self.as_of is None:
            return current
        parts = (current.subquery(), rows_of(history_table(self.layer)).subquery())
        return sa.select(sa.union_all(*(part.select() for part in parts)).subquery("held"))

    @property
    def values(self) -> dict[str, Any]:
        """Values of what `select` and the instant bind."""
        return {**(self.filter.values if self.filter is not None else {}), AS_OF: self.as_of}


def _geometry(table: sa.FromClause) -> sa.ColumnElement[Any]:
    return sa.type_coerce(table.c.geom, sa.types.NullType())


def _content(holders: Holders, table: sa.Table) -> list[sa.ColumnElement[Any]]:
    shape = sa.func.ST_AsBinary(_geometry(table), type_=BYTEA()).label("_shape")
    return [table.c.key.label("_key"), shape, *(table.c[name] for name in holders.attributes)]


def all_statement(holders: Holders) -> sa.Select[Any]:
    """Every polygon, in the order of public keys (by code point): key, geometry as WKB, attributes."""
    rows = holders.rows(lambda table: holders.select(table, *_content(holders, table))).subquery("polygons")
    return sa.select(rows).order_by(sa.collate(rows.c["_key"], "C"))


def pairs_statement(holders: Holders) -> sa.Select[Any]:
    """Pairs of the number of a point and the number of a polygon whose box holds it.

    The bind parameters are three arrays: `numbers`, `longitudes`, `latitudes`.
    """
    arrays = [
        sa.bindparam(NUMBERS, type_=sa.ARRAY(sa.Integer())),
        sa.bindparam(LONGITUDES, type_=sa.ARRAY(sa.Double())),
        sa.bindparam(LATITUDES, type_=sa.ARRAY(sa.Double())),
    ]
    points = (
        sa.func.unnest(*arrays)
        .table_valued(
            sa.column("n", sa.Integer()), sa.column("x", sa.Double()), sa.column("y", sa.Double()), name="points"
        )
        .render_derived()
    )
    place = sa.func.ST_SetSRID(sa.func.ST_MakePoint(points.c.x, points.c.y), STORAGE_SRID)

    def near(table: sa.Table) -> sa.Select[Any]:
        # The operator may run before row policies and keeps the index; which polygon really holds a point is found
        # outside the database, by the same exact predicate wherever the polygons come from.
        met = holders.select(table, points.c.n.label("_n"), table.c.fid.label("_fid"))
        return met.select_from(points.join(table, _geometry(table).op("&&")(place)))

    return holders.rows(near)


def numbered_statement(holders: Holders, *, geometry: bool = True) -> sa.Select[Any]:
    """The features whose numbers are bound as the array `wanted`, in the order of public keys."""
    wanted = sa.bindparam(WANTED, type_=sa.ARRAY(sa.BigInteger()))

    def chosen(table: sa.Table) -> sa.Select[Any]:
        content = [column for column in _content(holders, table) if geometry or column.name != "_shape"]
        columns = [table.c.fid.label("_fid"), *content]
        return holders.select(table, *columns).where(table.c.fid == sa.any_(wanted))

    rows = holders.rows(chosen).subquery("polygons")
    return sa.select(rows).order_by(sa.collate(rows.c["_key"], "C"))
