"""Vector tiles: the tile statement (pure). Whoever has a connection runs it.

Tiles follow Mapbox Vector Tile 2.1: extent 4096, buffer 64, in the coordinates of their tile matrix set
(`tiles.target`). There is one statement for all sets of one CRS; `tiles.target.tile_values` gives the values of its
bind parameters for a tile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from layers.access import Decision
from layers.crs import STORAGE_SRID, WEB_MERCATOR_SRID
from layers.ladder import CELLS, CLUSTER_CELLS, WORLD, Rung, cluster_by, rung_attributes
from layers.maplibre import label_source_layer
from layers.model import Mosaic, VectorLayer
from layers.table import current_table, row_predicate
from tiles.asked import CHANGE, PRESENT, Question, rows_asked
from tiles.ladder.tables import cluster_table, mosaic_table, rung_table
from tiles.order import by_importance
from tiles.sets.model import MERCATOR_LATITUDE
from tiles.target import TILE_BUFFER, TILE_EXTENT, WEB_MERCATOR, Target, cell_parameters

MERCATOR_LIMIT = MERCATOR_LATITUDE
"""Latitude (degrees) at which Web Mercator ends."""
MOST_FEATURES = 100_000
"""More features are not drawn into a tile, because they would never fit its size; it is capped instead."""

_FOUND = "_found"


def tile_attributes(layer: VectorLayer, decision: Decision) -> tuple[str, ...]:
    """Attributes a tile carries: those the layer file chooses (or all), without what the principal may not see."""
    chosen = layer.tiles.attributes
    return tuple(n for n in decision.attributes if chosen is None or n in chosen)


def tile_statement(
    layer: VectorLayer,
    decision: Decision,
    question: Question = PRESENT,
    *,
    capped: bool = False,
    target: Target = WEB_MERCATOR,
) -> sa.Select[Any]:
    """The statement of a tile that is drawn from the rows themselves: one row, with the columns of an answer.

    `tile` is bytes, empty when nothing meets the tile; `found` is the number of features that do (see `MOST_FEATURES`).

    Areas that have labels come twice: as polygons in the layer of the collection's name, and as one point each in
    its label layer, so that an area of many parts or many tiles is labelled once.

    Bind parameters: `west`, `south`, `east`, `north` in degrees (the tile with its buffer, for the index), `z`, those
    of the target, `most` where the tile is capped, and those of the question.

    Args:
        layer: The layer.
        decision: What the reader may see of it.
        question: What is asked beside the place.
        capped: Draw only the `most` most important features.
        target: Into which coordinates.
    """
    changes = () if question.between is None else (CHANGE,)
    names = tuple(name for name in tile_attributes(layer, decision) if name not in changes)
    sides: list[sa.ColumnElement[Any]] = [
        sa.bindparam(side, type_=sa.Double()) for side in ("west", "south", "east", "north")
    ]
    # Computed once, also by a plan that does not know the tile yet.
    once = sa.select(target.envelope().label("envelope"), target.reach(lines=layer.geometry == "line").label("reach"))
    bounds = once.cte("bounds").prefix_with("MATERIALIZED")
    window = sa.func.ST_MakeEnvelope(*sides, STORAGE_SRID)

    def near(geom: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return geom.op("&&", is_comparison=True)(window)

    rows = _at_most(layer, rows_asked(layer, decision, names, near, question), names, capped=capped)
    drawn = {"geom": _drawn(target, rows.c.geom, bounds, TILE_BUFFER)}
    if label_source_layer(layer) is not None:
        drawn["spot"] = _drawn(target, _label_point(layer, rows.c.geom), bounds, 0)
    # What may overlap is drawn in a stable order. Parts of a coverage never hide one another, and sorting a dense
    # tile takes as long as projecting it.
    ordered = not layer.coverage or capped or not question.plain
    properties = [*_properties(layer, rows, names), *(rows.c[name] for name in changes)]
    return _answer(layer, rows, bounds, drawn, properties, ordered=ordered)


def rung_statement(
    layer: VectorLayer, rung: Rung, decision: Decision, *, capped: bool = False, target: Target = WEB_MERCATOR
) -> sa.Select[Any]:
    """The statement of a tile that is drawn from a rung of the ladder; answers and parameters as `tile_statement`.

    The window in degrees is not needed: geometries of a rung are in Web Mercator.
    """
    table = rung_table(layer, rung)
    carried = set(rung_attributes(layer, rung))
    names = tuple(name for name in tile_attributes(layer, decision) if name in carried)
    bounds = _rung_bounds(target)
    geom, spot = (sa.type_coerce(table.c[name], sa.types.NullType()) for name in ("geom", "_spot"))
    kept = (table.c.fid, table.c.key, geom.label("geom"), spot.label("_spot"), table.c["_plain"])
    found = (
        sa.select(*kept, *(table.c[n] for n in names))
        .select_from(table.join(bounds, sa.true()))
        .where(geom.op("&&")(bounds.c.wide), row_predicate(table, decision.rule))
    )
    if layer.style.appear is not None:
        found = found.where(table.c["_from"] <= sa.bindparam("z", type_=sa.Integer()))
    rows = _at_most(layer, found, names, capped=capped)
    drawn = {"geom": _of_rung(target, rows, bounds)}
    if label_source_layer(layer) is not None:
        spots = target.from_mercator(rows.c["_spot"])
        drawn["spot"] = sa.func.ST_AsMVTGeom(spots, bounds.c.envelope, TILE_EXTENT, 0, True)
    # In any case by feature number, so that the same rows give the same bytes, however they came to be there.
    return _answer(layer, rows, bounds, drawn, _properties(layer, rows, names), ordered=True)


def _of_rung(target: Target, rows: sa.Subquery, bounds: sa.CTE) -> sa.ColumnElement[Any]:
    """Geometries of a rung in units of the tile."""
    near = target.from_mercator(rows.c.geom, bounds.c.wide)
    clipped = sa.func.ST_AsMVTGeom(near, bounds.c.envelope, TILE_EXTENT, TILE_BUFFER, True)
    if target.family != "mercator":
        return clipped
    whole = sa.and_(rows.c["_plain"], rows.c.geom.op("@", is_comparison=True)(bounds.c.wide))
    return sa.case((whole, _in_units(rows.c.geom, bounds)), else_=clipped)


def _rung_bounds(target: Target) -> sa.CTE:
    """Of a tile: its envelope and, in EPSG:3857, the envelope with the buffer.

    In Web Mercator also its north-west corner and the units per metre.
    """
    envelope = target.envelope()
    columns: dict[str, sa.ColumnElement[Any]] = {"envelope": envelope}
    if target.family == "mercator":
        side = WORLD / sa.func.power(2.0, sa.bindparam("z", type_=sa.Integer()))
        columns |= {
            "wide": sa.func.ST_Expand(envelope, side * TILE_BUFFER / TILE_EXTENT),
            "west": sa.func.ST_XMin(envelope),
            "north": sa.func.ST_YMax(envelope),
            "scale": TILE_EXTENT / side,
        }
    else:
        columns["wide"] = target.wide()
    return (
        sa.select(*(column.label(name) for name, column in columns.items())).cte("bounds").prefix_with("MATERIALIZED")
    )


def _run_of_cells(target: Target, marked: sa.CTE) -> sa.ColumnElement[Any]:
    """The rectangle around cells of one row that lie side by side, in units of the tile."""
    first, last, line = sa.func.min(marked.c.x), sa.func.max(marked.c.x) + 1, marked.c.y
    z, x, y = (sa.bindparam(name, type_=sa.Integer()) for name in ("z", "x", "y"))
    if target.family == "mercator":
        west, east = (_cell_units(at, x) for at in (first, last))
        north, south = (_cell_units(at, y) for at in (line, line + 1))
        # From the lower to the upper edge of the screen: clockwise, as a vector tile wants its surfaces.
        return sa.func.ST_MakeEnvelope(west, south, east, north)
    side = WORLD / CELLS / sa.func.power(2.0, z)
    west, east = (at * side - WORLD / 2 for at in (first, last))
    north, south = (WORLD / 2 - at * side for at in (line, line + 1))
    box = sa.func.ST_MakeEnvelope(west, south, east, north, WEB_MERCATOR_SRID)
    return sa.func.ST_AsMVTGeom(target.from_mercator(box), target.envelope(), TILE_EXTENT, TILE_BUFFER, True)


def _cell_units(at: sa.ColumnElement[Any], of_tile: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The near edge of a column or row of cells, in units of a tile of that column or row."""
    return (at - of_tile * CELLS) * (TILE_EXTENT // CELLS)


def _in_units(geom: sa.ColumnElement[Any], bounds: sa.CTE) -> sa.ColumnElement[Any]:
    """A geometry in whole units of the tile, neither clipped nor repaired."""
    scale = bounds.c.scale
    return sa.func.ST_SnapToGrid(sa.func.ST_TransScale(geom, -bounds.c.west, -bounds.c.north, scale, -scale), 1.0)


def mosaic_statement(
    layer: VectorLayer, mosaic: Mosaic, decision: Decision, *, target: Target = WEB_MERCATOR
) -> sa.Select[Any]:
    """The statement of a tile that is drawn from a mosaic; answers and parameters as `tile_statement`.

    Cells of one value that lie side by side become one rectangle. Its attributes are the value, the number of features
    of that value (`count`) and the share of the covered area that they have (`share`).

    Cells are those of WebMercatorQuad in every set, at the zoom level of the same detail: so a cell, and what is
    counted in it, is the same on every map. In another projection a rectangle becomes what it is there.
    """
    table = mosaic_table(layer)
    z, x, y = (sa.bindparam(name, type_=sa.Integer()) for name in ("z", "x", "y"))
    place = (table.c.x, table.c.y)
    # One cell more on each side is the buffer.
    ranges = {name: (at * CELLS - 1, at * CELLS + CELLS) for name, at in (("x", x), ("y", y))}
    if target.family != "mercator":
        ranges = cell_parameters()
    near = [c.between(*ranges[c.name]) for c in place]
    cell = (
        sa.select(*place, table.c.value, table.c.count, table.c.area, table.c.total)
        .where(table.c.z == z, *near, row_predicate(table, decision.rule))
        .ext(distinct_on(*place))
        .order_by(*place, table.c["_clearance"].desc())
        .cte("cell")
    )
    run = cell.c.x - sa.func.row_number().over(partition_by=(cell.c.y, cell.c.value), order_by=cell.c.x)
    marked = sa.select(cell, run.label("run")).cte("marked")
    # PostgreSQL adds whole numbers up in decimal arithmetic; a float tells a thousandth as well, in a fraction of time.
    sums: dict[str, sa.ColumnElement[Any]] = {
        name: sa.func.sum(sa.cast(marked.c[name], sa.Double())) for name in ("count", "area", "total")
    }
    row = (
        sa.select(
            _run_of_cells(target, marked).label("geom"),
            sa.func.nullif(marked.c.value, "").label(mosaic.by),
            sa.cast(sums["count"], sa.BigInteger()).label("count"),
            (sa.func.round(1000 * sums["area"] / sums["total"]) / 1000).label("share"),
        )
        .group_by(marked.c.y, marked.c.value, marked.c.run)
        .order_by(marked.c.y, sa.func.min(marked.c.x))
        .subquery("row")
    )
    encoded = sa.func.ST_AsMVT(row.table_valued(), layer.name, TILE_EXTENT, "geom")
    return sa.select(_bytes(encoded).label("tile"), sa.func.count().label("found")).select_from(row)


def cluster_statement(layer: VectorLayer, decision: Decision, *, target: Target = WEB_MERCATOR) -> sa.Select[Any]:
    """The statement of a tile that is drawn from clusters; answers and parameters as `tile_statement`.

    A cluster has the number of its points (`count`), the most frequent value under the name of the attribute that is
    counted by, its `share`, and `classes`: the most frequent values and their counts as a JSON object. A point that is
    alone in its cell is the feature itself, with what tiles carry of it. Clusters lie inside the tile, never in its
    buffer, so each is in one tile. As those of a mosaic, cells are the same in every set.
    """
    table, rows = cluster_table(layer), current_table(layer)
    z, x, y = (sa.bindparam(name, type_=sa.Integer()) for name in ("z", "x", "y"))
    place = (table.c.x, table.c.y)
    ranges = {name: (at * CLUSTER_CELLS, (at + 1) * CLUSTER_CELLS - 1) for name, at in (("x", x), ("y", y))}
    if target.family != "mercator":
        wider = CELLS // CLUSTER_CELLS
        ranges = {name: (first // wider, last // wider) for name, (first, last) in cell_parameters().items()}
    cell = (
        sa.select(table)
        .where(table.c.z == z, *(c.between(*ranges[c.name]) for c in place), row_predicate(table, decision.rule))
        .ext(distinct_on(*place))
        .order_by(*place, table.c["_clearance"].desc())
        .cte("cell")
    )
    names, by = tile_attributes(layer, decision), cluster_by(layer)
    single = rows.select().with_only_columns(rows.c.fid, rows.c.key, *(rows.c[name] for name in names))
    # A feature that rose above the reader a moment ago is not shown, though it is still counted as one.
    alone = single.where(row_predicate(rows, decision.rule), rows.c.fid == cell.c.fid).lateral("alone")
    many = cell.c.count > 1
    own = {str(column.key): column for column in _properties(layer, alone, names)}
    told: dict[str, sa.ColumnElement[Any]] = {"count": sa.case((many, cell.c.count), else_=None)}
    if by is not None:
        own[by] = sa.case((many, sa.func.nullif(cell.c.value, "")), else_=own.get(by, sa.null()))
        share = sa.func.round(1000.0 * cell.c.most / cell.c.count) / 1000
        told |= {"share": sa.case((many, share), else_=None), "classes": sa.case((many, cell.c.classes), else_=None)}
    columns = {"geom": _middle(target, cell), "fid": alone.c.fid, "key": alone.c.key, **own, **told}
    row = (
        sa.select(*(column.label(name) for name, column in columns.items()))
        .select_from(cell.outerjoin(alone, sa.true()))
        .where(sa.or_(many, alone.c.fid.is_not(None)))
        .order_by(cell.c.y, cell.c.x)
        .subquery("row")
    )
    encoded = sa.func.ST_AsMVT(row.table_valued(), layer.name, TILE_EXTENT, "geom", "fid")
    return sa.select(_bytes(encoded).label("tile"), sa.func.count().label("found")).select_from(row)


def _middle(target: Target, cell: sa.CTE) -> sa.ColumnElement[Any]:
    """Where a cluster stands, in units of the tile."""
    if target.family != "mercator":
        point = sa.func.ST_SetSRID(sa.func.ST_Point(cell.c.east, cell.c.north), WEB_MERCATOR_SRID)
        return sa.func.ST_AsMVTGeom(target.from_mercator(point), target.envelope(), TILE_EXTENT, 0, True)
    z, x, y = (sa.bindparam(name, type_=sa.Integer()) for name in ("z", "x", "y"))
    scale = TILE_EXTENT * sa.func.power(2.0, z) / WORLD
    # Means are rounded: on the edge of a tile they stay inside it.
    units = [
        sa.func.least(sa.func.greatest(sa.func.floor(metres * scale - at * TILE_EXTENT), 0), TILE_EXTENT - 1)
        for metres, at in ((cell.c.east + WORLD / 2, x), (WORLD / 2 - cell.c.north, y))
    ]
    return sa.func.ST_Point(*units)


def _drawn(target: Target, geom: sa.ColumnElement[Any], bounds: sa.CTE, buffer: int) -> sa.ColumnElement[Any]:
    placed = target.from_rows(geom, bounds.c.reach)
    return sa.func.ST_AsMVTGeom(placed, bounds.c.envelope, TILE_EXTENT, buffer, True)


def _label_point(layer: VectorLayer, geom: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """One point inside each feature, from the zoom on at which its label may appear (or the last zoom of tiles)."""
    begins = min(layer.style.label.from_ if layer.style.label else 0, layer.tiles.to)
    zoom = sa.bindparam("z", type_=sa.Integer())
    return sa.case((zoom >= begins, sa.func.ST_PointOnSurface(geom)), else_=None)


def _at_most(layer: VectorLayer, rows: sa.Select[Any], names: tuple[str, ...], *, capped: bool) -> sa.Subquery:
    """The rows of a tile: all, but for those beyond any tile; or the most important, with the number of all.

    A tile of more than `MOST_FEATURES` features never fits the size of a tile, so no more are drawn before it is
    drawn anew, capped.
    """
    if not capped:
        return rows.limit(MOST_FEATURES + 1).subquery("found")
    all_of = rows.subquery("all_of")
    counted = sa.select(all_of, sa.func.count().over().label(_FOUND)).order_by(*by_importance(layer, all_of, names))
    return counted.limit(sa.bindparam("most", type_=sa.BigInteger())).subquery("found")


def _answer(
    layer: VectorLayer,
    rows: sa.Subquery,
    bounds: sa.CTE,
    drawn: Mapping[str, sa.ColumnElement[Any]],
    properties: Sequence[sa.ColumnElement[Any]],
    *,
    ordered: bool,
) -> sa.Select[Any]:
    """The answer made of the layers of a tile, each by the column that is drawn in it, with the same properties."""
    shapes = [column.label(name) for name, column in drawn.items()]
    counts = [rows.c[_FOUND]] if _FOUND in rows.c else []
    columns = (*shapes, rows.c.fid, rows.c.key, *properties, *counts)
    features = sa.select(*columns).select_from(rows.join(bounds, sa.true())).cte("feature")
    names = ("fid", "key", *(str(column.key) for column in properties))
    tile_layers = {"geom": layer.name, "spot": label_source_layer(layer) or layer.name}
    parts = [_encoded(features, name, names, tile_layers[name], ordered=ordered) for name in drawn]
    # Layers of a vector tile are repeated fields: two encoded tiles joined are one tile with the layers of both.
    whole = parts[0].c.tile if len(parts) == 1 else parts[0].c.tile.op("||")(parts[1].c.tile)
    source = parts[0] if len(parts) == 1 else parts[0].join(parts[1], sa.true())
    most = sa.select(sa.func.coalesce(sa.func.max(features.c[_FOUND]), 0)).scalar_subquery() if counts else None
    found = (parts[0].c.found if most is None else most).label("found")
    return sa.select(sa.type_coerce(whole, sa.LargeBinary()).label("tile"), found).select_from(source)


def _encoded(features: sa.CTE, column: str, names: tuple[str, ...], name: str, *, ordered: bool) -> sa.Subquery:
    """One layer of the tile, and how many features were found; ST_AsMVT passes over features without geometry."""
    rows = sa.select(features.c[column].label("geom"), *(features.c[n] for n in names))
    row = (rows.order_by(features.c.fid) if ordered else rows).subquery(f"{column}_row")
    encoded = sa.func.ST_AsMVT(row.table_valued(), name, TILE_EXTENT, "geom", "fid")
    return sa.select(_bytes(encoded).label("tile"), sa.func.count().label("found")).subquery(f"{column}_part")


def _bytes(encoded: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.type_coerce(sa.func.coalesce(encoded, sa.literal(b"", sa.LargeBinary())), sa.LargeBinary())


def _properties(layer: VectorLayer, table: sa.FromClause, names: tuple[str, ...]) -> list[sa.ColumnElement[Any]]:
    """Attributes as MVT can carry them: dates and times become ISO 8601 text."""
    columns: list[sa.ColumnElement[Any]] = []
    for name in names:
        column: sa.ColumnElement[Any] = table.c[name]
        kind = layer.attributes[name].type
        if kind == "date":
            column = sa.cast(column, sa.Text())
        elif kind == "datetime":
            column = sa.func.to_char(sa.func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        columns.append(column.label(name))
    return columns
