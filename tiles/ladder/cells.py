"""Rows of a mosaic: what lies in its finest cells, and what prevails in the cells of each zoom level."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from layers.model import Mosaic, VectorLayer
from tiles.ladder.coarser import summed_cells, unnested, whole
from tiles.ladder.copying import send_rows
from tiles.ladder.mosaic import Places, cell_size, cells_of, shares
from tiles.ladder.read import Part

_COLUMNS = {"x": "int4", "y": "int4", "value": "text", "_clearance": "int2", "count": "int8", "area": "int8"}
Sums = dict[tuple[int, int, str, int], list[int]]


def write(
    connection: sa.Connection, mosaic: Mosaic, table: sa.Table, part: Part, only: set[tuple[int, int]] | None = None
) -> None:
    """Add what the core of a part has in each cell, or in some cells only."""
    sums = summed(part, cell_size(mosaic.below))
    rows = ((*place, *both) for place, both in sums.items() if only is None or place[:2] in only)
    fresh = send_rows(connection, "fresh_cell", _COLUMNS, rows)
    connection.execute(sa.insert(table).from_select(list(_COLUMNS), sa.select(*fresh.columns)))


def summed(part: Part, size: float) -> Sums:
    """Count of features (by centroid) and area (square decimetres) by column, row, value and clearance."""
    found: Sums = defaultdict(lambda: [0, 0])
    geometries, values, levels = part.geometries[part.core], part.values[part.core], part.clearances[part.core]
    owner, column, row, area = shares(geometries, size)
    for number, x, y, amount in zip(owner.tolist(), column.tolist(), row.tolist(), area.tolist(), strict=True):
        found[x, y, values[number], int(levels[number])][1] += amount
    solid = np.flatnonzero(shapely.area(geometries) > 0)
    middles = cells_of(shapely.bounds(shapely.centroid(geometries[solid])), size)
    for number, (x, y, _, _) in zip(solid.tolist(), middles.tolist(), strict=True):
        found[x, y, values[number], int(levels[number])][0] += 1
    return found


def remove(connection: sa.Connection, table: sa.Table, places: Places) -> None:
    """Take out what is known of some cells (columns x and y)."""
    some = unnested(places)
    connection.execute(sa.delete(table).where(table.c.x == some.c.x, table.c.y == some.c.y))


def prevail(
    connection: sa.Connection, layer: VectorLayer, table: sa.Table, mosaic: sa.Table, places: Places | None = None
) -> None:
    """Work out what prevails in the cells of every zoom level, or in those that hold some of the finest cells."""
    wanted = layer.tiles.mosaic
    if wanted is None:
        return
    finest = wanted.below - 1
    for zoom in range(layer.tiles.from_, finest + 1):
        shift = finest - zoom
        some = None if places is None else np.unique(places >> shift, axis=0)
        if some is not None:
            gone = unnested(some)
            connection.execute(
                sa.delete(mosaic).where(mosaic.c.z == zoom, mosaic.c.x == gone.c.x, mosaic.c.y == gone.c.y)
            )
        names = [column.name for column in mosaic.columns]
        connection.execute(sa.insert(mosaic).from_select(names, _prevailing(table, zoom, shift, some)))


def _prevailing(table: sa.Table, zoom: int, shift: int, places: Places | None) -> sa.Select[Any]:
    """For each cell and each clearance that rows in it have: the value with the largest area up to that clearance."""
    part = summed_cells(table, shift, places, ("count", "area")).cte("part")
    level = sa.select(part.c.x, part.c.y, part.c["_clearance"]).distinct().cte("level")
    same = sa.and_(part.c.x == level.c.x, part.c.y == level.c.y, part.c["_clearance"] <= level.c["_clearance"])
    place = (level.c.x, level.c.y, level.c["_clearance"])
    area = sa.func.sum(part.c.area)
    seen = (
        sa.select(
            *place,
            part.c.value,
            whole(sa.func.sum(part.c.count)).label("count"),
            whole(area).label("area"),
            whole(sa.func.sum(area).over(partition_by=place)).label("total"),
        )
        .join_from(level, part, same)
        .group_by(*place, part.c.value)
        .cte("seen")
    )
    where = (seen.c.x, seen.c.y, seen.c["_clearance"])
    columns = (seen.c.x, seen.c.y, seen.c.value, seen.c["_clearance"], seen.c.count, seen.c.area, seen.c.total)
    # Ties go to the value that comes first; the order of bytes is the same on every server.
    value = sa.collate(seen.c.value, "C")
    return (
        sa.select(sa.literal(zoom, sa.SmallInteger()), *columns)
        .ext(distinct_on(*where))
        .order_by(*where, seen.c.area.desc(), value)
    )
