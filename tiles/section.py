"""Sections of layers for maps drawn on the server: like tiles, but of any box in any CRS that maps are drawn in.

They carry only what drawing needs. The statements are pure; whoever has a connection runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from layers.access import Decision
from layers.crs import STORAGE_SRID, WEB_MERCATOR_SRID
from layers.ladder import CELLS, CLUSTER_CELLS, WORLD, Rung, cluster_by, rung_attributes
from layers.maplibre import label_source_layer
from layers.model import Cluster, Mosaic, VectorLayer
from layers.table import current_table, row_predicate
from tiles.asked import PRESENT, Question, rows_asked
from tiles.ladder.tables import cluster_table, mosaic_table, rung_table
from tiles.plane import MapCrs

EXTENT, BUFFER = 4096, 64
MOST_FEATURES = 100_000
"""More features of a layer are not drawn into one cell."""
SIDES = ("left", "bottom", "right", "top")
WINDOW = ("west", "south", "east", "north")
COUNT = "count"
"""Attribute of clusters: how many points they stand for."""
LEAST = "least"
"""Degrees on a side: what is smaller is drawn as a square of that size, so that it is seen at all."""
Step = Rung | Mosaic | Cluster | None
"""From what a section is drawn; None means the rows themselves."""
_WGS84 = 4326
_PARTS = 32
"""Edges are cut to this part of the window, where a straight line on the ground is bent in the CRS of the map."""


def section_attributes(layer: VectorLayer, decision: Decision) -> tuple[str, ...]:
    """Attributes that the style and the labels of a layer need, without what the principal may not see."""
    label = () if layer.label is None else (layer.label.zh, layer.label.en)
    needed = {*layer.style.attributes(), *label}
    return tuple(name for name in decision.attributes if name in needed)


def section_statement(
    layer: VectorLayer,
    decision: Decision,
    crs: MapCrs,
    step: Step,
    question: Question = PRESENT,
    coarse: bool = False,
) -> sa.Select[Any]:
    """The statement of one cell of a map: one row with the column `tile` (Mapbox Vector Tile 2.1, bytes).

    Bind parameters: the cell as `left`, `bottom`, `right`, `top` in the CRS of the map; the window around it as `west`,
    `south`, `east`, `north`, in degrees for the rows themselves, in metres of EPSG:3857 for rungs and mosaics; the zoom
    level as `z`; those of the question; and `least` for a coarse one.

    Args:
        layer: The layer.
        decision: What the reader may see of it.
        crs: CRS of the map.
        step: The rung, mosaic or clusters to draw from; None for the rows themselves.
        question: What is asked beside the place; with it rows are drawn, never a ladder.
        coarse: Whether the rows themselves are drawn at a scale at which most of them are too small to be seen.
    """
    srid = STORAGE_SRID if step is None else WEB_MERCATOR_SRID
    window, cell = _envelope(WINDOW, srid), _envelope(SIDES, crs.srid)
    once = sa.select(window.label("window"), cell.label("cell"))
    bounds = once.cte("bounds").prefix_with("MATERIALIZED")
    rows, names = _found(layer, decision, step, window, question)
    found = rows.limit(MOST_FEATURES).subquery("found")
    geom = _visible(found.c.geom) if coarse and layer.geometry != "point" else found.c.geom
    drawn = {"geom": _drawn(geom, bounds, crs, step, BUFFER)}
    if label_source_layer(layer) is not None and not isinstance(step, Mosaic | Cluster):
        spot = found.c["_spot"] if step is not None else _label_point(layer, found.c.geom)
        drawn["spot"] = _drawn(spot, bounds, crs, step, 0)
    columns = [column.label(name) for name, column in drawn.items()]
    values = [_carried(found, name, layer) for name in names]
    features = sa.select(*columns, found.c.fid, *values).select_from(found.join(bounds, sa.true())).cte("feature")
    layers = {"geom": layer.name, "spot": label_source_layer(layer) or layer.name}
    parts = [_encoded(features, name, names, layers[name]) for name in drawn]
    # Layers of a vector tile are repeated fields: two encoded tiles joined are one tile with the layers of both.
    whole = parts[0] if len(parts) == 1 else parts[0].op("||")(parts[1])
    return sa.select(sa.type_coerce(whole, sa.LargeBinary()).label("tile"))


def counted_statement(layer: VectorLayer, decision: Decision, question: Question, most: int) -> sa.Select[Any]:
    """The statement that counts the rows of a question in a window, but no further than one beyond `most`.

    Bind parameters: the window as `west`, `south`, `east`, `north` in degrees, and those of the question.
    """
    window = _envelope(WINDOW, STORAGE_SRID)

    def near(geom: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return geom.op("&&", is_comparison=True)(window)

    found = rows_asked(layer, decision, (), near, question).limit(most + 1).subquery("found")
    return sa.select(sa.func.count()).select_from(found)


def _visible(geom: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A geometry, or a square at its middle where it is smaller than can be seen."""
    least: sa.ColumnElement[Any] = sa.bindparam(LEAST, type_=sa.Double())
    wide, high = sa.func.ST_XMax(geom) - sa.func.ST_XMin(geom), sa.func.ST_YMax(geom) - sa.func.ST_YMin(geom)
    square = sa.func.ST_Expand(sa.func.ST_Centroid(geom), least / 2)
    return sa.case((sa.and_(wide < least, high < least), square), else_=geom)


def _found(
    layer: VectorLayer, decision: Decision, step: Step, window: sa.ColumnElement[Any], question: Question
) -> tuple[sa.Select[Any], list[str]]:
    """What lies in the window, with the names of the attributes that are drawn."""
    names = list(section_attributes(layer, decision))
    if isinstance(step, Mosaic):
        return _patches(layer, step, decision), [step.by]
    if isinstance(step, Cluster):
        return _clusters(layer, decision, names), [*names, COUNT]
    if step is not None:
        names = [name for name in names if name in rung_attributes(layer, step)]
        return _rung_rows(layer, step, decision, names, window), names

    def near(geom: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return geom.op("&&", is_comparison=True)(window)

    return rows_asked(layer, decision, tuple(names), near, question), names


def _envelope(names: Sequence[str], srid: int) -> sa.ColumnElement[Any]:
    return sa.func.ST_MakeEnvelope(*(sa.bindparam(name, type_=sa.Double()) for name in names), srid)


def _rung_rows(
    layer: VectorLayer, rung: Rung, decision: Decision, names: Sequence[str], window: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    table = rung_table(layer, rung)
    geom, spot = (sa.type_coerce(table.c[name], sa.types.NullType()) for name in ("geom", "_spot"))
    kept = (table.c.fid, geom.label("geom"), spot.label("_spot"), *(table.c[name] for name in names))
    found = sa.select(*kept).where(geom.op("&&", is_comparison=True)(window), row_predicate(table, decision.rule))
    return found.where(table.c["_from"] <= sa.bindparam("z", type_=sa.Integer()))


def _patches(layer: VectorLayer, mosaic: Mosaic, decision: Decision) -> sa.Select[Any]:
    """Cells of a mosaic as squares in EPSG:3857."""
    table = mosaic_table(layer)
    side = _cell_side(CELLS)
    place = (table.c.x, table.c.y)
    seen = (*_in_window(table, side), row_predicate(table, decision.rule))
    cell = (
        sa.select(*place, sa.func.nullif(table.c.value, "").label(mosaic.by))
        .where(*seen)
        .ext(distinct_on(*place))
        .order_by(*place, table.c["_clearance"].desc())
        .subquery("cell")
    )
    left, top = cell.c.x * side - WORLD / 2, WORLD / 2 - cell.c.y * side
    box = sa.func.ST_MakeEnvelope(left, top - side, left + side, top, WEB_MERCATOR_SRID)
    return sa.select(sa.literal(0, sa.BigInteger()).label("fid"), box.label("geom"), cell.c[mosaic.by])


def _clusters(layer: VectorLayer, decision: Decision, names: Sequence[str]) -> sa.Select[Any]:
    """Clusters as points in EPSG:3857 with `count`; a point that is alone in its cell is the feature itself."""
    table, features, by = cluster_table(layer), current_table(layer), cluster_by(layer)
    place = (table.c.x, table.c.y)
    cell = (
        sa.select(table)
        .where(*_in_window(table, _cell_side(CLUSTER_CELLS)), row_predicate(table, decision.rule))
        .ext(distinct_on(*place))
        .order_by(*place, table.c["_clearance"].desc())
        .subquery("cell")
    )
    wanted = (features.c.fid, *(features.c[name] for name in names))
    same = (row_predicate(features, decision.rule), features.c.fid == cell.c.fid)
    alone = sa.select(*wanted).where(*same).correlate(cell).lateral("alone")
    many = cell.c.count > 1
    own = {name: sa.case((many, None), else_=alone.c[name]) for name in names}
    if by in own:
        own[by] = sa.case((many, sa.func.nullif(cell.c.value, "")), else_=alone.c[by])
    told = sa.case((many, cell.c.count), else_=None).label(COUNT)
    point = sa.func.ST_SetSRID(sa.func.ST_Point(cell.c.east, cell.c.north), WEB_MERCATOR_SRID)
    fid = sa.func.coalesce(alone.c.fid, 0).label("fid")
    return (
        sa.select(fid, point.label("geom"), *(column.label(name) for name, column in own.items()), told)
        .select_from(cell.outerjoin(alone, sa.true()))
        .where(sa.or_(many, alone.c.fid.is_not(None)))
    )


def _cell_side(per_tile: int) -> sa.ColumnElement[Any]:
    """Metres of a cell of which so many lie along the side of a tile."""
    return WORLD / per_tile / sa.func.power(2.0, sa.bindparam("z", type_=sa.Integer()))


def _in_window(table: sa.Table, side: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[bool], ...]:
    """The cells of the zoom level that meet the window."""
    sides: list[sa.ColumnElement[Any]] = [sa.bindparam(name, type_=sa.Double()) for name in WINDOW]
    west, south, east, north = sides
    across = table.c.x.between(_number((west + WORLD / 2) / side), _number((east + WORLD / 2) / side))
    down = table.c.y.between(_number((WORLD / 2 - north) / side), _number((WORLD / 2 - south) / side))
    return table.c.z == sa.bindparam("z", type_=sa.Integer()), across, down


def _number(place: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(sa.func.floor(place), sa.Integer())


def _label_point(layer: VectorLayer, geom: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """One point inside each feature, from the zoom on at which its label may appear."""
    begins = min(layer.style.label.from_ if layer.style.label else 0, layer.tiles.to)
    return sa.case((sa.bindparam("z", type_=sa.Integer()) >= begins, sa.func.ST_PointOnSurface(geom)), else_=None)


def _drawn(geom: sa.ColumnElement[Any], bounds: sa.CTE, crs: MapCrs, step: Step, buffer: int) -> sa.ColumnElement[Any]:
    """A geometry in units of the cell. What lies beyond the window is cut off before it is brought to another CRS."""
    inside = geom.op("@", is_comparison=True)(bounds.c.window)
    near = sa.case((inside, geom), else_=sa.func.ST_ClipByBox2D(geom, bounds.c.window))
    return sa.func.ST_AsMVTGeom(_brought(near, bounds, crs, step), bounds.c.cell, EXTENT, buffer, True)


def _brought(geom: sa.ColumnElement[Any], bounds: sa.CTE, crs: MapCrs, step: Step) -> sa.ColumnElement[Any]:
    """A geometry in the CRS of the map, through the null link of `layers.crs` between CGCS2000 and WGS 84."""
    if step is None and crs.kind == "mercator":
        return sa.func.ST_Transform(sa.func.ST_SetSRID(geom, _WGS84), WEB_MERCATOR_SRID)
    if step is not None:
        if crs.kind == "mercator":
            return geom
        geom = sa.func.ST_SetSRID(sa.func.ST_Transform(geom, _WGS84), STORAGE_SRID)
    if crs.kind == "degrees":
        return geom
    longest = (sa.func.ST_XMax(bounds.c.window) - sa.func.ST_XMin(bounds.c.window)) / _PARTS
    # The window of a step is in metres.
    degrees = longest if step is None else longest * 360.0 / WORLD
    return sa.func.ST_Transform(sa.func.ST_Segmentize(geom, degrees), crs.srid)


def _carried(found: sa.Subquery, name: str, layer: VectorLayer) -> sa.ColumnElement[Any]:
    """An attribute as a tile can carry it."""
    column: sa.ColumnElement[Any] = found.c[name]
    if name not in layer.attributes:
        return column.label(name)
    return (sa.cast(column, sa.Text()) if layer.attributes[name].type in ("date", "datetime") else column).label(name)


def _encoded(features: sa.CTE, column: str, names: Sequence[str], name: str) -> sa.ScalarSelect[Any]:
    """One layer of the section, in a stable order; ST_AsMVT passes over features without geometry."""
    row = sa.select(features.c[column].label("geom"), *(features.c[n] for n in names)).order_by(features.c.fid)
    encoded = sa.func.ST_AsMVT(row.subquery(f"{column}_row").table_valued(), name, EXTENT, "geom")
    return sa.select(sa.func.coalesce(encoded, sa.literal(b"", sa.LargeBinary()))).scalar_subquery()
