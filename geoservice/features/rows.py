"""The one select of the visible rows of a layer: row rule, conditions, past, order, place in the order.

Everything that reads features of a layer builds on `rows_statement` (or on `conditions`, for statements that count or
join), so that no way out forgets the row rule.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sqlalchemy as sa

from geoservice.features.order import ordering, segments
from geoservice.features.query import SIDES, FeatureQuery
from layers.access import Decision
from layers.crs import STORAGE_SRID
from layers.extent import Extent
from layers.filter import coarse, has_relations, predicate, relations
from layers.model import RowLayer, VectorLayer
from layers.table import current_table, held, row_predicate, time_predicate

EDITION = "_edition"
_TURN = "turn"


def rows_statement(layer: RowLayer, decision: Decision, query: FeatureQuery, *, extra: int = 0) -> sa.Select[Any]:
    """The rows a query finds, ordered and limited: `fid`, `key`, `_edition`, `geom` (EPSG:4490), visible attributes.

    Columns that are not asked for are not read, and those above the principal's clearance cannot be.

    Args:
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        query: What is asked; its values are bound under the names of `FeatureQuery.values`.
        extra: So many rows more than the limit, to see whether there are more.
    """
    limit: sa.ColumnElement[int] = sa.bindparam("limit", type_=sa.BigInteger())
    most = limit + extra if extra else limit
    past = query.as_of is not None

    if query.in_turn:
        return _in_turn(layer, decision, query).limit(most)

    def rows_of(table: sa.Table, segment: int) -> sa.Select[Any]:
        chosen = sa.select(*_columns(layer, table, decision, query)).where(*conditions(layer, table, decision, query))
        return chosen.where(segments(layer, table, query)[segment]).order_by(*ordering(table.c, query)).limit(most)

    number = len(segments(layer, current_table(layer), query))
    parts = [held(layer, partial(rows_of, segment=i), past=past) for i in range(number)]
    if number == 1 and not past:
        return parts[0]
    joined = (sa.union_all(*(part.subquery().select() for part in parts)) if number > 1 else parts[0]).subquery("found")
    return sa.select(joined).order_by(*ordering(joined.c, query)).limit(most)


def may_go_in_turn(layer: RowLayer, query: FeatureQuery) -> bool:
    """Whether the rows of a query can be put in order before its relations with shapes are looked at."""
    if not isinstance(layer, VectorLayer) or query.sort or query.as_of is not None:
        return False
    by_filter = query.filter is not None and has_relations(query.filter)
    return query.bbox is not None or query.region is not None or by_filter


def _in_turn(layer: RowLayer, decision: Decision, query: FeatureQuery) -> sa.Select[Any]:
    """The rows in their order: those whose boxes meet are ordered first, since a look at a shape costs more."""
    table = current_table(layer)
    columns = _columns(layer, table, decision, query)
    names = [column.name for column in columns]
    # An index is not to give the order: it would be walked through all of the layer in search of a few rows.
    turn = (table.c.fid + 0).label(_TURN)
    shapes = [] if "geom" in names else [plain(table.c.geom).label("geom")]
    near = sa.select(turn, *columns, *shapes).where(*conditions(layer, table, decision, query, boxes_only=True))
    near = near.where(segments(layer, table, query)[0]).order_by(_directed(turn, query))
    # The offset keeps the order before the looks.
    candidates = near.offset(sa.literal_column("0")).subquery("candidate")
    exact = [*_places(layer, candidates, query), *(relations(query.filter, candidates) if query.filter else ())]
    found = sa.select(*(candidates.c[name] for name in names)).where(*exact)
    return found.order_by(_directed(candidates.c[_TURN], query))


def _directed(column: sa.ColumnElement[Any], query: FeatureQuery) -> sa.ColumnElement[Any]:
    return column.desc() if query.backward else column.asc()


def conditions(
    layer: RowLayer, table: sa.Table, decision: Decision, query: FeatureQuery, *, boxes_only: bool = False
) -> list[sa.ColumnElement[bool]]:
    """The row rule and everything a query asks of single rows, without its place in the order and the past.

    With `boxes_only` shapes are compared by their boxes.
    """
    found = [row_predicate(table, decision.rule), *_places(layer, table, query, boxes_only=boxes_only)]
    if query.interval is not None and (timed := time_predicate(layer, table, query.interval)) is not None:
        found.append(_timed(layer, table, query, timed))
    if query.ids is not None:
        found.append(table.c.key == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Text()))))
    if query.filter is not None:
        found.append((coarse if boxes_only else predicate)(query.filter, table))
    return found


def _places(
    layer: RowLayer, table: sa.FromClause, query: FeatureQuery, *, boxes_only: bool = False
) -> list[sa.ColumnElement[bool]]:
    """Where a query looks, its filter not counted in."""
    found = []
    if query.bbox is not None:
        found.append(_placed(layer, table, query, _boxes(query.bbox), boxes_only=boxes_only))
    if query.region is not None:
        region = sa.func.ST_GeomFromEWKB(sa.bindparam("region", type_=sa.LargeBinary()))
        found.append(_placed(layer, table, query, [region], boxes_only=boxes_only))
    return found


def plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A geometry column as PostGIS has it, without the wrapping that its type would add to a select."""
    return sa.type_coerce(column, sa.types.NullType())


def chosen_attributes(decision: Decision, query: FeatureQuery) -> tuple[str, ...]:
    """Attributes that are written: those asked for among the visible ones."""
    if query.properties is None:
        return decision.attributes
    return tuple(name for name in decision.attributes if name in query.properties)


def _columns(layer: RowLayer, table: sa.Table, decision: Decision, query: FeatureQuery) -> list[sa.ColumnElement[Any]]:
    names = dict.fromkeys((*chosen_attributes(decision, query), *(key.attribute for key in query.sort)))
    geometry = [plain(table.c.geom).label("geom")] if isinstance(layer, VectorLayer) and query.look.geometry else []
    return [table.c.fid, table.c.key, table.c[EDITION], *geometry, *(table.c[name] for name in names)]


def _boxes(extent: Extent) -> list[sa.ColumnElement[Any]]:
    return [
        sa.func.ST_MakeEnvelope(*(sa.bindparam(f"{s}_{i}", type_=sa.Double()) for s in SIDES), STORAGE_SRID)
        for i, _ in enumerate(extent.boxes())
    ]


def _timed(
    layer: RowLayer, table: sa.Table, query: FeatureQuery, timed: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    if layer.time is None or layer.attributes[layer.time].required or not query.placeless:
        return timed
    return sa.or_(timed, table.c[layer.time].is_(None))


def _placed(
    layer: RowLayer,
    table: sa.FromClause,
    query: FeatureQuery,
    shapes: list[sa.ColumnElement[Any]],
    *,
    boxes_only: bool,
) -> sa.ColumnElement[bool]:
    if not isinstance(layer, VectorLayer):
        return sa.true() if query.placeless else sa.false()
    geom = plain(table.c.geom)
    # The bare && may run before row policies and so keeps the index; ST_Intersects alone would not.
    near = [geom.op("&&")(shape) for shape in shapes]
    exact = [sa.and_(box, sa.func.ST_Intersects(geom, shape)) for box, shape in zip(near, shapes, strict=True)]
    found = near if boxes_only else exact
    if query.placeless and not layer.geometry_required:
        found.append(geom.is_(None))
    return sa.or_(*found)
