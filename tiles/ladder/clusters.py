"""Clusters of points: what lies in each cell of a fixed grid, counted by value and clearance.

The finest cells are sums over rows, the coarser ones sums over those, all of whole numbers: so refreshes and whole
builds come to the same. A cluster stands at the mean of its points, which lies inside its cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from layers.crs import STORAGE_SRID
from layers.ladder import CLUSTER_CELLS, LIMIT, WORLD, cluster_by
from layers.model import VectorLayer
from layers.table import cluster_cell, current_table, history_table, mercator_metres
from tiles.ladder.coarser import summed_cells, unnested, whole
from tiles.ladder.generalise import degrees
from tiles.ladder.mosaic import Places, rectangles

CLASSES = 8
"""Values of a cluster that are told with their counts, the most frequent first."""
PER_METRE = 10
"""Positions are added up in whole decimetres of EPSG:3857."""
_MARGIN = 1e-6
"""Degrees by which the window of a cell is wider, because a point on its edge may be rounded to either side."""
_SUMS = ("count", "sum_x", "sum_y")


def count_points(connection: sa.Connection, layer: VectorLayer, table: sa.Table, places: Places | None = None) -> None:
    """Fill the finest cells from the rows: all of an empty table, or some cells anew."""
    located = _located(layer, current_table(layer), places).subquery("located")
    place = (located.c.x, located.c.y, located.c.value, located.c["_clearance"])
    sums = (sa.func.count(), *(whole(sa.func.sum(located.c[name])) for name in ("east", "north")))
    rows = sa.select(*place, *sums, sa.func.min(located.c.fid)).group_by(*place)
    if places is not None:
        some = unnested(places)
        connection.execute(sa.delete(table).where(table.c.x == some.c.x, table.c.y == some.c.y))
        rows = rows.join_from(located, some, sa.and_(located.c.x == some.c.x, located.c.y == some.c.y))
    names = [column.name for column in table.columns]
    connection.execute(sa.insert(table).from_select(names, rows))


def gather(
    connection: sa.Connection, layer: VectorLayer, table: sa.Table, clusters: sa.Table, places: Places | None = None
) -> None:
    """Work out the clusters of every zoom level, or those whose cells hold some of the finest cells."""
    wanted = layer.tiles.cluster
    if wanted is None:
        return
    finest = wanted.below - 1
    for zoom in range(layer.tiles.from_, finest + 1):
        shift = finest - zoom
        some = None if places is None else np.unique(places >> shift, axis=0)
        if some is not None:
            gone = unnested(some)
            at = (clusters.c.z == zoom, clusters.c.x == gone.c.x, clusters.c.y == gone.c.y)
            connection.execute(sa.delete(clusters).where(*at))
        names = [column.name for column in clusters.columns]
        connection.execute(sa.insert(clusters).from_select(names, _gathered(table, zoom, shift, some)))


def places_since(connection: sa.Connection, layer: VectorLayer, edition: int) -> Places:
    """The finest cells in which a point was written or ended after an edition."""
    current, history = current_table(layer), history_table(layer)
    written = _located(layer, current).where(current.c["_edition"] > edition).subquery("written")
    ended = _located(layer, history).where(history.c["_ended_by"] > edition).subquery("ended")
    found = connection.execute(sa.union(*(sa.select(rows.c.x, rows.c.y) for rows in (written, ended))))
    return np.array(sorted(tuple(row) for row in found), dtype=np.int64).reshape(-1, 2)


def _located(layer: VectorLayer, table: sa.Table, places: Places | None = None) -> sa.Select[Any]:
    """Number, finest cell, position (decimetres), value and clearance of each point that Web Mercator shows.

    Several points of one feature count as one, in their middle.
    """
    wanted = layer.tiles.cluster
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    middle = sa.func.ST_Centroid(geom)
    east, north = mercator_metres(sa.func.ST_X(middle), sa.func.ST_Y(middle))
    x, y = cluster_cell(east, north, wanted.below if wanted else 1)
    by = cluster_by(layer)
    value = sa.func.coalesce(table.c[by], "") if by is not None else sa.literal("")
    positions = (sa.cast(sa.func.round(metres * PER_METRE), sa.BigInteger()) for metres in (east, north))
    names = ("east", "north")
    columns = [position.label(name) for name, position in zip(names, positions, strict=True)]
    found = sa.select(table.c.fid, x.label("x"), y.label("y"), value.label("value"), table.c["_clearance"], *columns)
    found = found.where(~sa.func.ST_IsEmpty(geom), sa.func.abs(sa.func.ST_Y(middle)) <= LIMIT)
    return found if places is None else found.where(_near(layer, geom, places))


def _near(layer: VectorLayer, geom: sa.ColumnElement[Any], places: Places) -> sa.ColumnElement[bool]:
    """Geometries that may lie in some cells, found by the spatial index."""
    boxes = shapely.bounds(degrees(rectangles(np.column_stack([places, places]), _cell_size(layer))))
    west, south = boxes[:, :2].min(axis=0) - _MARGIN
    east, north = boxes[:, 2:].max(axis=0) + _MARGIN
    sides = (float(west), float(south), float(east), float(north))
    return geom.op("&&", is_comparison=True)(sa.func.ST_MakeEnvelope(*sides, STORAGE_SRID))


def _cell_size(layer: VectorLayer) -> float:
    """Metres of EPSG:3857 of the side of the finest cells."""
    below = layer.tiles.cluster.below if layer.tiles.cluster is not None else 1
    return float(WORLD / CLUSTER_CELLS / 2 ** (below - 1))


def _gathered(table: sa.Table, zoom: int, shift: int, places: Places | None) -> sa.Select[Any]:
    """For each cell and each clearance that points in it have: how many points there are up to that clearance.

    No reader of a row learns of points above its clearance: nothing of them is counted in it.
    """
    part = summed_cells(table, shift, places, _SUMS, sa.func.min(table.c.fid).label("fid")).cte("part")
    level = sa.select(part.c.x, part.c.y, part.c["_clearance"]).distinct().cte("level")
    same = sa.and_(part.c.x == level.c.x, part.c.y == level.c.y, part.c["_clearance"] <= level.c["_clearance"])
    place = (level.c.x, level.c.y, level.c["_clearance"])
    sums = [whole(sa.func.sum(part.c[name])).label(name) for name in _SUMS]
    first = sa.func.min(part.c.fid).label("fid")
    by_value = (
        sa.select(*place, part.c.value, *sums, first)
        .join_from(level, part, same)
        .group_by(*place, part.c.value)
        .cte("by_value")
    )
    where = (by_value.c.x, by_value.c.y, by_value.c["_clearance"])
    # Ties go to the value that comes first; the order of bytes is the same on every server.
    order = (by_value.c.count.desc(), sa.collate(by_value.c.value, "C"))
    rank = sa.func.row_number().over(partition_by=where, order_by=order).label("rank")
    ranked = sa.select(by_value, rank).cte("ranked")
    at = (ranked.c.x, ranked.c.y, ranked.c["_clearance"])
    count = whole(sa.func.sum(ranked.c.count))
    told = sa.func.json_object_agg(ranked.c.value, aggregate_order_by(ranked.c.count, ranked.c.rank))
    means = (sa.func.sum(ranked.c[name]) / (count * float(PER_METRE)) for name in ("sum_x", "sum_y"))
    return sa.select(
        sa.literal(zoom, sa.SmallInteger()),
        *at,
        count,
        *(sa.cast(mean, sa.Double()) for mean in means),
        sa.case((count == 1, sa.func.min(ranked.c.fid)), else_=None),
        sa.func.max(ranked.c.value).filter(ranked.c.rank == 1),
        whole(sa.func.max(ranked.c.count)),
        sa.cast(told.filter(ranked.c.rank <= CLASSES), sa.Text()),
    ).group_by(*at)
