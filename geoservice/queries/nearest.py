"""The nearest features to points, in the order of their distances on the ellipsoid.

The index of the database finds neighbours in degrees, and a degree of longitude is shorter than one of latitude. So
the index is asked twice: first for some neighbours, whose exact distances say how far the nearest ones are at most;
then for everything in the box of that distance. What is farther by the ellipsoid cannot be in the answer, whatever the
degrees say. Of features at the same distance the one with the lower key comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from geoservice.db.compiled import compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.queries.geodesy import distances, reach
from geoservice.queries.holders import LATITUDES, LONGITUDES, NUMBERS, Holders
from layers.crs import STORAGE_SRID
from layers.errors import TooLarge

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
MOST_NEIGHBOURS = 100
STEP = 128
"""Points that are asked for at a time."""
_MORE = 4
"""How many times the number asked for the index gives first."""
_MOST_CANDIDATES = 60_000
_TURN = 360.0
_SIDES = ("wests", "souths", "easts", "norths")


@dataclass(frozen=True)
class Neighbours:
    """Pairs of a point and a feature, by point and distance: numbers of points, of features, and metres."""

    points: Numbers
    features: Numbers
    metres: Floats


@dataclass(frozen=True)
class Wish:
    """How many neighbours of each point, and how far away at most (metres)."""

    count: int
    within: float | None = None


async def find_nearest(
    connection: RawConnection, reading: Reading, holders: Holders, points: tuple[Floats, Floats], wish: Wish
) -> Neighbours:
    """The nearest features to some points (not a number: none).

    Args:
        connection: A read-only connection of the decision's clearance, in a transaction.
        reading: How rows are read.
        holders: Which features are meant.
        points: Longitudes and latitudes in degrees.
        wish: How many, how far.

    Raises:
        TooLarge: When features lie so densely, or so near a pole, that too many would have to be measured.
    """
    search = _Search(connection, holders, reading, points)
    first = await search.around(wish.count * _MORE)
    bounds = await asyncio.to_thread(_bounds, first, points, wish)
    second = await search.boxed(bounds)
    return await asyncio.to_thread(_best, [first, second], wish)


@dataclass(frozen=True)
class _Measured:
    points: Numbers
    features: Numbers
    keys: npt.NDArray[np.object_]
    metres: Floats


class _Search:
    """The two questions to the index, for the same points."""

    def __init__(
        self, connection: RawConnection, holders: Holders, reading: Reading, points: tuple[Floats, Floats]
    ) -> None:
        self._connection, self._holders, self._points = connection, holders, points
        self._schema = reading.schema(holders.decision.rule.max_clearance)

    async def around(self, count: int) -> _Measured:
        """Neighbours in degrees, also those that are near on the other side of 180 degrees."""
        x, y = self._points
        there = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        values = {
            NUMBERS: np.tile(there, 3).tolist(),
            LONGITUDES: np.concatenate([x[there], x[there] - _TURN, x[there] + _TURN]).tolist(),
            LATITUDES: np.tile(y[there], 3).tolist(),
            "neighbours": count,
        }
        return await self._measured(_around_statement(self._holders), values)

    async def boxed(self, bounds: Floats) -> _Measured:
        """Everything whose box comes within a distance of its point; distances that are no number ask for nothing."""
        x, y = self._points
        numbers, boxes = list[int](), list[tuple[float, float, float, float]]()
        for number in np.flatnonzero(np.isfinite(bounds)).tolist():
            for box in reach(float(x[number]), float(y[number]), float(bounds[number])):
                numbers.append(number)
                boxes.append(box)
        values: dict[str, Any] = {NUMBERS: numbers, "most": _MOST_CANDIDATES + 1}
        values |= {side: [box[at] for box in boxes] for at, side in enumerate(_SIDES)}
        return await self._measured(_boxed_statement(self._holders), values)

    async def _measured(self, statement: sa.Select[Any], values: Mapping[str, Any]) -> _Measured:
        compiled = compile_statement(statement, self._schema)
        arguments = compiled.arguments({**values, **self._holders.values})
        rows = await self._connection.fetch(compiled.sql, *arguments)
        if len(rows) > _MOST_CANDIDATES:
            raise TooLarge(
                "Too many features lie about as near as those that are asked for; ask for fewer, or within a distance.",
                limit=_MOST_CANDIDATES,
            )
        return await asyncio.to_thread(_measure, rows, self._points)


def _measure(rows: Sequence[Mapping[str, Any]], points: tuple[Floats, Floats]) -> _Measured:
    number = np.array([row["_n"] for row in rows], dtype=np.int64)
    shapes = np.atleast_1d(shapely.from_wkb(np.array([row["_shape"] for row in rows], dtype=np.object_)))
    metres = distances(points[0][number], points[1][number], shapes) if len(rows) else np.zeros(0)
    features = np.array([row["_fid"] for row in rows], dtype=np.int64)
    return _Measured(number, features, np.array([row["_key"] for row in rows], dtype=np.object_), metres)


def _bounds(first: _Measured, points: tuple[Floats, Floats], wish: Wish) -> Floats:
    """For each point how far its answer can reach: the distance of the last neighbour found, or the limit."""
    bounds = np.full(len(points[0]), np.nan)
    limit = np.inf if wish.within is None else wish.within
    best = _best([first], wish)
    counts = np.bincount(best.points, minlength=len(bounds))
    farthest = np.full(len(bounds), -np.inf)
    np.maximum.at(farthest, best.points, best.metres)
    enough = counts >= wish.count
    bounds[enough] = farthest[enough]
    # With fewer neighbours than asked for the layer has no others, unless the limit left them out.
    if np.isfinite(limit):
        there = np.isfinite(points[0]) & ~enough
        bounds[there] = limit
    return bounds


def _best(measured: Sequence[_Measured], wish: Wish) -> Neighbours:
    point = np.concatenate([one.points for one in measured])
    feature = np.concatenate([one.features for one in measured])
    key = np.concatenate([one.keys for one in measured])
    metres = np.concatenate([one.metres for one in measured])
    near = np.isfinite(metres) & (metres <= (np.inf if wish.within is None else wish.within))
    point, feature, key, metres = point[near], feature[near], key[near], metres[near]
    ranks = np.zeros(len(key), dtype=np.int64)
    ranks[np.argsort(key, kind="stable")] = np.arange(len(key))
    order = np.lexsort((ranks, metres, point))
    point, feature, metres = point[order], feature[order], metres[order]
    pairs = np.column_stack([point, feature])
    _, first_seen = np.unique(pairs, axis=0, return_index=True)
    kept = np.sort(first_seen)
    point, feature, metres = point[kept], feature[kept], metres[kept]
    begins = np.searchsorted(point, point, side="left")
    chosen = np.arange(len(point)) - begins < wish.count
    return Neighbours(point[chosen], feature[chosen], metres[chosen])


def _columns(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    shape = sa.func.ST_AsBinary(sa.type_coerce(table.c.geom, sa.types.NullType()), type_=BYTEA())
    return [table.c.fid.label("_fid"), table.c.key.label("_key"), shape.label("_shape")]


def _around_statement(holders: Holders) -> sa.Select[Any]:
    arrays = [
        sa.bindparam(NUMBERS, type_=sa.ARRAY(sa.Integer())),
        sa.bindparam(LONGITUDES, type_=sa.ARRAY(sa.Double())),
        sa.bindparam(LATITUDES, type_=sa.ARRAY(sa.Double())),
    ]
    names: tuple[sa.ColumnClause[Any], ...] = (
        sa.column("n", sa.Integer()),
        sa.column("x", sa.Double()),
        sa.column("y", sa.Double()),
    )
    points = sa.func.unnest(*arrays).table_valued(*names, name="points").render_derived()
    place = sa.func.ST_SetSRID(sa.func.ST_MakePoint(points.c.x, points.c.y), STORAGE_SRID)

    def near(table: sa.Table) -> sa.Select[Any]:
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        some = holders.select(table, *_columns(table)).order_by(plain.op("<->")(place))
        some = some.limit(sa.bindparam("neighbours", type_=sa.Integer()))
        lateral = some.correlate(points).lateral("near")
        return sa.select(points.c.n.label("_n"), lateral).select_from(points.join(lateral, sa.true()))

    return holders.rows(near)


def _boxed_statement(holders: Holders) -> sa.Select[Any]:
    arrays = [sa.bindparam(NUMBERS, type_=sa.ARRAY(sa.Integer()))]
    arrays += [sa.bindparam(side, type_=sa.ARRAY(sa.Double())) for side in _SIDES]
    names: list[Any] = [sa.column("n", sa.Integer()), *(sa.column(side, sa.Double()) for side in _SIDES)]
    boxes = sa.func.unnest(*arrays).table_valued(*names, name="boxes").render_derived()
    box = sa.func.ST_MakeEnvelope(*(boxes.c[side] for side in _SIDES), STORAGE_SRID)

    def near(table: sa.Table) -> sa.Select[Any]:
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        met = holders.select(table, boxes.c.n.label("_n"), *_columns(table))
        joined = met.select_from(boxes.join(table, plain.op("&&")(box)))
        return joined.limit(sa.bindparam("most", type_=sa.Integer()))

    return holders.rows(near)
