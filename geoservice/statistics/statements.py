"""Statements of statistics, pure: groups of the visible rows with what adds up in each, and the ends of a histogram.

They read the rows that the items of the collection show for the same parameters: the row rule and every condition come
from `geoservice.features.rows.conditions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from geoservice.analysis.statements import ellipsoidal_area, geodesic_length
from geoservice.features.query import FeatureQuery
from geoservice.features.rows import conditions, plain
from geoservice.statistics.wish import Grouping, Measure, Wish
from layers.access import Decision
from layers.model import RowLayer
from layers.table import held, row_predicate

CODE = "adcode"
"""The attribute of rows without geometry that tells their division."""
DIGITS = {"province": 2, "city": 4, "county": 6, "township": 9}
"""Digits of the code of a division by its level (GB/T 2260, GB/T 10114)."""
_FORMATS = {"day": "YYYY-MM-DD", "month": "YYYY-MM", "year": "YYYY"}
_NUMBERS = ("integer", "number")
_BLOCK_BITS = 15
"""Feature numbers of 2^15 follow one another in a block: no array becomes large."""
_Expression = sa.ColumnElement[Any]


def grouped_statement(layer: RowLayer, decision: Decision, query: FeatureQuery, wish: Wish) -> sa.Select[Any]:
    """The groups in their order, and what is left beyond the limit as one last row.

    Columns are `place` (from 1; above the limit: what is left), `groups` (how many it stands for), `k_0`, `k_1` (keys
    as text), `features`, `area` (m2), `length` (m), and per attribute `n_`, `s_`, `low_`, `high_` with its number.
    """
    names = [f"k_{i}" for i in range(len(wish.groups))]
    rows = _rows(layer, decision, query, wish).subquery("one")
    summed = [
        sa.func.count().label("features"),
        *(_exact_sum(rows.c[size]).label(size) for size in ("area", "length")),
        *(column for i, name in enumerate(wish.attributes) for column in _of_attribute(layer, rows, i, name)),
    ]
    keys = [rows.c[name] for name in names]
    # Without a key there is one group, also of no rows.
    grouped = sa.select(*keys, *summed).group_by(*keys) if keys else sa.select(*summed)
    found = grouped.subquery("grouped")
    number = sa.func.row_number().over(order_by=_order(found, wish, names)).label("number")
    ranked = sa.select(found, number).subquery("ranked")
    limit = sa.bindparam("limit", type_=sa.BigInteger())
    place = sa.func.least(ranked.c.number, limit + 1).label("place")
    told = [
        place,
        sa.func.count().label("groups"),
        *(sa.func.min(sa.cast(ranked.c[name], sa.Text())).label(name) for name in names),
        *(_joined(ranked, column.name) for column in summed),
    ]
    return sa.select(*told).group_by(place).order_by(place)


def _joined(ranked: sa.Subquery, name: str) -> sa.Label[Any]:
    column = ranked.c[name]
    if name.startswith(("low_", "high_")):
        end: sa.ColumnElement[Any] = sa.func.min(column) if name.startswith("low_") else sa.func.max(column)
        return end.label(name)
    return sa.func.sum(column).label(name)


def range_statement(layer: RowLayer, decision: Decision, query: FeatureQuery, attribute: str) -> sa.Select[Any]:
    """The lowest and the highest finite value of a number, how many there are, and how many rows have none."""
    value = _values(layer, decision, query, attribute).subquery("one").c.value
    columns: list[_Expression] = [
        sa.func.min(value).label("low"),
        sa.func.max(value).label("high"),
        sa.func.count(value).label("number"),
        sa.func.count().filter(value.is_(None)).label("missing"),
    ]
    return sa.select(*columns)


def bins_statement(layer: RowLayer, decision: Decision, query: FeatureQuery, attribute: str) -> sa.Select[Any]:
    """How many rows lie between the edges bound as `edges`: `bin` counts from 1, each has its lower edge."""
    value = _values(layer, decision, query, attribute).subquery("one").c.value
    edges: sa.BindParameter[Any] = sa.bindparam("edges", type_=sa.ARRAY(sa.Double()))
    bin_ = sa.func.width_bucket(value, edges, type_=sa.Integer()).label("bin")
    columns: list[_Expression] = [bin_, sa.func.count().label("number")]
    return sa.select(*columns).where(value.is_not(None)).group_by(bin_)


def placed_statement(
    layer: RowLayer, decision: Decision, query: FeatureQuery, wish: Wish, near: Callable[[sa.Table], Sequence[Any]]
) -> sa.Select[Any]:
    """Single rows with their shapes (`wkb`), keys and values, to be put into divisions.

    Args:
        layer: The layer.
        decision: Rows and attributes the principal may see.
        query: Which rows.
        wish: What is asked.
        near: Further conditions on a table: where the divisions lie.
    """

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        wkb = sa.type_coerce(sa.func.ST_AsBinary(plain(table.c.geom)), sa.LargeBinary()).label("wkb")
        keys = [_key(layer, table, group, wish).label(f"k_{i}") for i, group in _attributes(wish)]
        values = [table.c[name].label(f"v_{i}") for i, name in enumerate(wish.attributes)]
        columns: list[sa.ColumnElement[Any]] = [wkb, *keys, *values]
        return sa.select(*columns).where(*conditions(layer, table, decision, query), *near(table))

    return held(layer, rows_of, past=query.as_of is not None)


def shapes_statement(layer: RowLayer, decision: Decision) -> sa.Select[Any]:
    """All rows of a reader with their shapes: `fid` and `wkb`, which is null for what has no place.

    They come in PostGIS's own order of geometries, along a curve that fills the plane: neighbours follow one another,
    and few divisions have to be made ready at a time.
    """

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        wkb = sa.type_coerce(sa.func.ST_AsBinary(plain(table.c.geom)), sa.LargeBinary()).label("wkb")
        shape = plain(table.c.geom)
        return sa.select(table.c.fid, wkb).where(row_predicate(table, decision.rule)).order_by(shape, table.c.fid)

    return held(layer, rows_of, past=False)


def listed_statement(layer: RowLayer, decision: Decision, query: FeatureQuery, wish: Wish) -> sa.Select[Any]:
    """Which rows count, without their shapes, by their keys and in blocks of feature numbers.

    Columns are the keys, `fids` (feature numbers) and `v_` (values of attributes as doubles, NaN for none; of what is
    no number 1 where there is a value): arrays as `array_send` writes them, so that a million rows cost no object each.
    """

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        keys = [_key(layer, table, group, wish).label(f"k_{i}") for i, group in _attributes(wish)]
        values = [_double(layer, table, name).label(f"v_{i}") for i, name in enumerate(wish.attributes)]
        return sa.select(table.c.fid, *keys, *values).where(*conditions(layer, table, decision, query))

    rows = held(layer, rows_of, past=False).subquery("one")
    keys = [rows.c[f"k_{i}"] for i, _ in _attributes(wish)]
    columns = [_sent(rows.c.fid).label("fids")]
    columns += [_sent(rows.c[f"v_{i}"]).label(f"v_{i}") for i in range(len(wish.attributes))]
    return sa.select(*keys, *columns).group_by(*keys, rows.c.fid.op(">>")(sa.literal_column(str(_BLOCK_BITS))))


def _sent(column: _Expression) -> _Expression:
    return sa.func.array_send(sa.func.array_agg(column), type_=sa.LargeBinary())


def _double(layer: RowLayer, table: sa.Table, name: str) -> _Expression:
    column: _Expression = table.c[name]
    none: _Expression = sa.literal_column("'NaN'::double precision", sa.Double())
    if layer.attributes[name].type in _NUMBERS:
        return sa.func.coalesce(sa.cast(column, sa.Double()), none)
    return sa.case((column.is_not(None), sa.literal_column("1::double precision", sa.Double())), else_=none)


def listed(layer: RowLayer, wish: Wish) -> bool:
    """Whether `listed_statement` tells what is asked: the first and the last of dates it does not."""
    kinds = (layer.attributes[one.attribute].type for one in wish.measures if one.attribute is not None)
    return not any(kind in ("date", "datetime") for kind in kinds)


def _attributes(wish: Wish) -> list[tuple[int, Grouping]]:
    return [(i, group) for i, group in enumerate(wish.groups) if group.attribute is not None]


def _rows(layer: RowLayer, decision: Decision, query: FeatureQuery, wish: Wish) -> sa.Select[Any]:
    def rows_of(table: sa.Table) -> sa.Select[Any]:
        keys = [_key(layer, table, group, wish).label(f"k_{i}") for i, group in enumerate(wish.groups)]
        sizes = {"area": ellipsoidal_area, "length": geodesic_length}
        measured = [
            (made(plain(table.c.geom)) if size in wish.sizes else sa.cast(sa.null(), sa.Double())).label(size)
            for size, made in sizes.items()
        ]
        values = [table.c[name].label(f"v_{i}") for i, name in enumerate(wish.attributes)]
        found = sa.select(table.c.fid, *keys, *measured, *values).where(*conditions(layer, table, decision, query))
        if wish.within is not None:
            found = found.where(
                sa.func.left(table.c[CODE], len(wish.within)) == sa.bindparam("within", type_=sa.Text())
            )
        return found

    return held(layer, rows_of, past=query.as_of is not None)


def _values(layer: RowLayer, decision: Decision, query: FeatureQuery, attribute: str) -> sa.Select[Any]:
    """One number of each row; what is not finite counts as none."""

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        value: _Expression = sa.cast(table.c[attribute], sa.Double())
        # PostgreSQL orders what is not a number above the infinite.
        finite = sa.case((sa.func.abs(value) < sa.literal(math.inf, sa.Double()), value))
        return sa.select(finite.label("value")).where(*conditions(layer, table, decision, query))

    return held(layer, rows_of, past=query.as_of is not None)


def _key(layer: RowLayer, table: sa.Table, group: Grouping, wish: Wish) -> _Expression:
    """What a row is grouped by: numbers as numbers, so that they can be put in order, all else as text."""
    if group.attribute is None:
        return sa.func.left(table.c[CODE], DIGITS[wish.level or "county"], type_=sa.Text())
    column, kind = table.c[group.attribute], layer.attributes[group.attribute].type
    if group.period is not None:
        moment = sa.func.timezone("UTC", column) if kind == "datetime" else column
        return sa.func.to_char(moment, _FORMATS[group.period], type_=sa.Text())
    if kind == "integer":
        return column
    return sa.cast(column, sa.Text()) if kind == "boolean" else sa.func.nullif(column, "", type_=sa.Text())


def _of_attribute(layer: RowLayer, rows: sa.Subquery, i: int, name: str) -> list[sa.Label[Any]]:
    value, number = rows.c[f"v_{i}"], layer.attributes[name].type in _NUMBERS
    ends = layer.attributes[name].type not in ("text", "code", "boolean")
    nothing = sa.cast(sa.null(), sa.Text())
    return [
        sa.func.count(value).label(f"n_{i}"),
        (_exact_sum(value) if number else sa.cast(sa.null(), sa.Numeric())).label(f"s_{i}"),
        (sa.func.min(value) if ends else nothing).label(f"low_{i}"),
        (sa.func.max(value) if ends else nothing).label(f"high_{i}"),
    ]


def _exact_sum(value: _Expression) -> _Expression:
    # In decimal, so that the order in which rows are met changes nothing.
    return sa.func.sum(sa.cast(value, sa.Numeric()))


def _order(found: sa.Subquery, wish: Wish, names: Sequence[str]) -> list[_Expression]:
    keys = [(sa.collate(column, "C") if isinstance(column.type, sa.Text) else column) for column in _of(found, names)]
    rising: list[_Expression] = [key.asc().nulls_last() for key in keys]
    if wish.order == "key" or not names:
        return rising
    return [_ranking(found, wish).desc().nulls_last(), *rising]


def _of(found: sa.Subquery, names: Sequence[str]) -> list[_Expression]:
    return [found.c[name] for name in names]


def _ranking(found: sa.Subquery, wish: Wish) -> _Expression:
    measure = wish.measures[0]
    one: Measure = wish.shared if measure.kind == "share" else measure
    if one.attribute is None:
        return found.c["features" if one.kind == "count" else one.kind]
    i = wish.attributes.index(one.attribute)
    number = found.c[f"n_{i}"]
    return {
        "sum": found.c[f"s_{i}"],
        "mean": found.c[f"s_{i}"] / sa.func.nullif(number, 0),
        "min": found.c[f"low_{i}"],
        "max": found.c[f"high_{i}"],
        "missing": found.c.features - number,
    }[one.kind]
