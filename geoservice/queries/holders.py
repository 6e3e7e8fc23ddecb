"""Polygons that may hold points: the statements that find them, with keys, visible attributes and geometries.

Bookkeeping columns of the answers begin with an underscore, which attribute names cannot.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from layers.access import Decision
from layers.crs import STORAGE_SRID
from layers.model import VectorLayer
from layers.table import held, row_predicate

WANTED, NUMBERS, LONGITUDES, LATITUDES = "wanted", "numbers", "longitudes", "latitudes"


@dataclass(frozen=True)
class Holders:
    """Which polygons are meant.

    Attributes:
        layer: The layer.
        decision: Rows and attributes that the asker may see.
        attributes: The attributes that are asked for, all of them visible.
        where: Text attributes and the value each must have, all of them visible.
        as_of: Those that held then; None for now.
    """

    layer: VectorLayer
    decision: Decision
    attributes: tuple[str, ...]
    where: tuple[tuple[str, str], ...] = ()
    as_of: dt.datetime | None = None

    def select(self, table: sa.Table, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Columns of the visible rows of one of the layer's tables that have a geometry."""
        clauses = [row_predicate(table, self.decision.rule), table.c.geom.is_not(None)]
        # Compared as they are stored; the values are bound, under names of their own.
        for number, (name, value) in enumerate(self.where):
            clauses.append(table.c[name] == sa.bindparam(f"where_{number}", value, sa.Text()))
        return sa.select(*columns).where(*clauses)

    @property
    def values(self) -> dict[str, Any]:
        """Values of what `select` and the instant bind."""
        return {f"where_{number}": value for number, (_, value) in enumerate(self.where)} | {"as_of": self.as_of}


def _geometry(table: sa.FromClause) -> sa.ColumnElement[Any]:
    return sa.type_coerce(table.c.geom, sa.types.NullType())


def _content(holders: Holders, table: sa.Table) -> list[sa.ColumnElement[Any]]:
    shape = sa.func.ST_AsBinary(_geometry(table), type_=BYTEA()).label("_shape")
    return [table.c.key.label("_key"), shape, *(table.c[name] for name in holders.attributes)]


def all_statement(holders: Holders) -> sa.Select[Any]:
    """Every polygon, in the order of public keys (by code point): key, geometry as WKB, attributes."""
    rows = held(
        holders.layer, lambda table: holders.select(table, *_content(holders, table)), past=holders.as_of is not None
    ).subquery("polygons")
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

    return held(holders.layer, near, past=holders.as_of is not None)


def numbered_statement(holders: Holders) -> sa.Select[Any]:
    """The polygons whose numbers are bound as the array `wanted`, in the order of public keys."""
    wanted = sa.bindparam(WANTED, type_=sa.ARRAY(sa.BigInteger()))

    def chosen(table: sa.Table) -> sa.Select[Any]:
        columns = [table.c.fid.label("_fid"), *_content(holders, table)]
        return holders.select(table, *columns).where(table.c.fid == sa.any_(wanted))

    rows = held(holders.layer, chosen, past=holders.as_of is not None).subquery("polygons")
    return sa.select(rows).order_by(sa.collate(rows.c["_key"], "C"))
