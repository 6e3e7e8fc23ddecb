"""Filling the ladder of a layer: all features in parallel parts, or those that an edit concerns.

The caller holds the layer's ladder lock, has made the tables, and says by a snapshot or by its transaction which rows
count. Parts that are filled at the same time see the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import shapely
import sqlalchemy as sa
from psycopg import sql

from layers.ladder import Rung
from layers.model import VectorLayer
from tiles.ladder import cells, clusters, rungs
from tiles.ladder.copying import driver_of
from tiles.ladder.generalise import degrees, mercator
from tiles.ladder.mosaic import Places, cell_size, cells_of, rectangles
from tiles.ladder.parts import Boxes, Rows, parts_of, window_of
from tiles.ladder.read import (
    boxes_since,
    changed_since,
    count_rows,
    read_boxes,
    read_part,
    touched_since,
)

MOST_SHARE = 0.3
"""When an edit concerns more than this share of a layer, it is built anew."""
FEW = 50
"""So few features are refreshed in any case."""
MOST_CELLS = 100_000
"""Cells of a mosaic that a refresh works out again; beyond, building anew is quicker."""
_CELLS_AT_ONCE = 4_000
_SLACK = 2e-6
"""By which share of a cell boxes are wider, so that all cells are worked out again that the writer hid (`ingest`)."""


@dataclass(frozen=True)
class Tables:
    """Tables of one ladder.

    Attributes:
        rungs: The table of each rung.
        cells: What lies in the cells of the mosaic; None for a layer without one.
        mosaic: What prevails there; None for a layer without one.
        points: Points counted in the finest cells of clusters; None for a layer without them.
        clusters: The clusters; None for a layer without them.
    """

    rungs: Mapping[Rung, sa.Table]
    cells: sa.Table | None = None
    mosaic: sa.Table | None = None
    points: sa.Table | None = None
    clusters: sa.Table | None = None

    def all(self) -> tuple[sa.Table, ...]:
        """All tables."""
        aggregates = (self.cells, self.mosaic, self.points, self.clusters)
        return (*self.rungs.values(), *(table for table in aggregates if table is not None))


def build(engine: sa.Engine, layer: VectorLayer, tables: Tables, snapshot: str, workers: int) -> int:
    """Fill an empty ladder with all features that a snapshot shows; returns how many features were looked at.

    The mosaic is left to `prevail`, which wants the cells indexed.

    Args:
        engine: Of the owner.
        layer: The layer.
        tables: Empty tables.
        snapshot: From `pg_export_snapshot()`, of a transaction that stays open meanwhile.
        workers: Parts that are worked on at a time.
    """
    if tables.points is not None:
        with _seeing(engine, snapshot) as connection:
            clusters.count_points(connection, layer, tables.points)
            connection.commit()
            return count_rows(connection, layer)
    with _seeing(engine, snapshot) as connection:
        fids, boxes = read_boxes(connection, layer)

    def fill(rows: Rows) -> None:
        with _seeing(engine, snapshot) as connection:
            part = read_part(connection, layer, fids[rows], window_of(boxes, rows))
            rungs.write(connection, layer, tables.rungs, part)
            if tables.cells is not None and layer.tiles.mosaic is not None:
                cells.write(connection, layer.tiles.mosaic, tables.cells, part)
            connection.commit()

    with ThreadPoolExecutor(workers, "ladder") as pool:
        for done in [pool.submit(fill, rows) for rows in parts_of(boxes)]:
            done.result()
    return len(fids)


def prevail(connection: sa.Connection, layer: VectorLayer, tables: Tables) -> None:
    """Fill the mosaic or the clusters from the finest cells, for a layer that has them."""
    if tables.cells is not None and tables.mosaic is not None:
        cells.prevail(connection, layer, tables.cells, tables.mosaic)
    if tables.points is not None and tables.clusters is not None:
        clusters.gather(connection, layer, tables.points, tables.clusters)


def refresh(connection: sa.Connection, layer: VectorLayer, tables: Tables, since: int) -> Boxes | None:
    """Bring a ladder to the rows as they are now, in the caller's transaction.

    Concerned are features that were written or ended after an edition, and those that touch them as they were or are:
    what a feature looks like depends on what it touches. In a mosaic, cells are concerned that they reach into.

    Returns:
        Boxes (degrees) in which the ladder or the rows may differ now; None, and nothing was done, when so much has
        changed that building anew is quicker.
    """
    if tables.points is not None and tables.clusters is not None:
        return _refresh_clusters(connection, layer, (tables.points, tables.clusters), since)
    changed, touched = changed_since(connection, layer, since), touched_since(connection, layer, since)
    # Counting a million rows takes longer than refreshing a few.
    if len(touched) > FEW and len(touched) > MOST_SHARE * count_rows(connection, layer):
        return None
    moved = boxes_since(connection, layer, since)
    places = _places(layer, moved)
    if len(places) > MOST_CELLS:
        return None
    rungs.remove(connection, tables.rungs, np.union1d(changed, touched))
    fids, boxes = read_boxes(connection, layer, touched.tolist())
    for rows in parts_of(boxes, scattered=True):
        part = read_part(connection, layer, fids[rows], window_of(boxes, rows))
        rungs.write(connection, layer, tables.rungs, part)
    if len(places):
        _refresh_mosaic(connection, layer, tables, places)
    return np.concatenate([moved, boxes])


def _refresh_clusters(
    connection: sa.Connection, layer: VectorLayer, tables: tuple[sa.Table, sa.Table], since: int
) -> Boxes | None:
    """Count anew the cells in which points were written or ended, near each other ones at a time."""
    points, made = tables
    moved = boxes_since(connection, layer, since)
    if len(moved) > FEW and len(moved) > MOST_SHARE * count_rows(connection, layer):
        return None
    places = clusters.places_since(connection, layer, since)
    if len(places) > MOST_CELLS:
        return None
    for rows in parts_of(np.column_stack([places, places + 1]).astype(np.float64), _CELLS_AT_ONCE, scattered=True):
        clusters.count_points(connection, layer, points, places[rows])
    if len(places):
        clusters.gather(connection, layer, points, made, places)
    return moved


def _refresh_mosaic(connection: sa.Connection, layer: VectorLayer, tables: Tables, places: Places) -> None:
    mosaic = layer.tiles.mosaic
    if mosaic is None or tables.cells is None or tables.mosaic is None:
        return
    size = cell_size(mosaic.below)
    cells.remove(connection, tables.cells, places)
    boxes = shapely.bounds(degrees(rectangles(np.column_stack([places, places]), size)))
    for rows in parts_of(boxes, _CELLS_AT_ONCE, scattered=True):
        part = read_part(connection, layer, None, window_of(boxes, rows))
        some = {(int(x), int(y)) for x, y in places[rows]}
        cells.write(connection, mosaic, tables.cells, part, some)
    cells.prevail(connection, layer, tables.cells, tables.mosaic, places)


def _places(layer: VectorLayer, boxes: Boxes) -> Places:
    """The finest cells (column, row) of a layer's mosaic that boxes (degrees) reach into; at most a few too many."""
    mosaic = layer.tiles.mosaic
    if mosaic is None or not len(boxes):
        return np.zeros((0, 2), dtype=np.int64)
    size = cell_size(mosaic.below)
    bounds = shapely.bounds(mercator(np.asarray(shapely.box(*boxes.T), dtype=object)))
    ranges = cells_of(bounds + np.array([-1, -1, 1, 1]) * size * _SLACK, size)
    found = []
    left = MOST_CELLS + 1
    for west, north, east, south in ranges:
        if left <= 0:
            break
        columns, rows = np.meshgrid(np.arange(west, east + 1), np.arange(north, south + 1))
        found.append(np.column_stack([columns.ravel(), rows.ravel()]))
        left -= columns.size
    return np.unique(np.concatenate(found), axis=0)


def _seeing(engine: sa.Engine, snapshot: str) -> sa.Connection:
    """A connection whose transaction sees what a snapshot shows."""
    connection = engine.connect().execution_options(isolation_level="REPEATABLE READ")
    connection.begin()
    driver_of(connection).execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
    return connection
