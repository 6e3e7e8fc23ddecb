"""Filling the rungs of a layer: all features in parallel parts, or those that an edit concerns.

The caller holds the layer's ladder lock, has made the tables, and says by a snapshot or by its transaction which rows
count. Parts that are filled at the same time see the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import shapely
import sqlalchemy as sa
from psycopg import sql

from layers.crs import STORAGE_SRID, WEB_MERCATOR_SRID
from layers.ladder import Rung, rung_attributes
from layers.model import VectorLayer
from layers.table import current_table, history_table
from tiles.ladder.generalise import Drawn, Geometries, Mask, generalised, mercator
from tiles.ladder.parts import Boxes, Rows, parts_of, window_of

Tables = Mapping[Rung, sa.Table]
_ALWAYS = 0
_FRESH = "fresh_rung"
MOST_SHARE = 0.3
"""When an edit concerns more than this share of a layer, it is built anew."""


@dataclass(frozen=True)
class Part:
    """Rows of one part and its surroundings.

    Attributes:
        fids: Feature numbers, ascending.
        geometries: In EPSG:3857.
        begins: From which zoom each feature is drawn.
        core: The rows that the part answers for.
    """

    fids: Rows
    geometries: Geometries
    begins: Rows
    core: Mask


def build(engine: sa.Engine, layer: VectorLayer, tables: Tables, snapshot: str, workers: int) -> int:
    """Fill empty rungs with all features that a snapshot shows; returns how many features were looked at.

    Args:
        engine: Of the owner.
        layer: The layer.
        tables: An empty table for each rung.
        snapshot: From `pg_export_snapshot()`, of a transaction that stays open meanwhile.
        workers: Parts that are worked on at a time.
    """
    with _seeing(engine, snapshot) as connection:
        fids, boxes = _boxes(connection, layer)

    def fill(rows: Rows) -> None:
        with _seeing(engine, snapshot) as connection:
            write(connection, layer, tables, read_part(connection, layer, fids[rows], window_of(boxes, rows)))
            connection.commit()

    with ThreadPoolExecutor(workers, "ladder") as pool:
        for done in [pool.submit(fill, rows) for rows in parts_of(boxes)]:
            done.result()
    return len(fids)


def refresh(connection: sa.Connection, layer: VectorLayer, tables: Tables, since: int) -> bool:
    """Bring the rungs to the rows as they are now, in the caller's transaction.

    Concerned are features that were written or ended after an edition, and those that touch them as they were or are:
    what a feature looks like depends on what it touches.

    Returns:
        False, and nothing was done, when so much has changed that building anew is quicker.
    """
    changed, touched = _changed(connection, layer, since), _touched(connection, layer, since)
    total = connection.execute(sa.select(sa.func.count()).select_from(current_table(layer))).scalar_one()
    if len(touched) > MOST_SHARE * total and total > 0:
        return False
    gone = np.union1d(changed, touched).tolist()
    for table in tables.values():
        connection.execute(sa.delete(table).where(table.c.fid == sa.any_(_numbers(gone))))
    fids, boxes = _boxes(connection, layer, touched.tolist())
    for rows in parts_of(boxes):
        write(connection, layer, tables, read_part(connection, layer, fids[rows], window_of(boxes, rows)))
    return True


def read_part(
    connection: sa.Connection, layer: VectorLayer, core: Rows, window: tuple[float, float, float, float]
) -> Part:
    """Some features with all that lies in a window (degrees) around them."""
    table = current_table(layer)
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    appear = layer.style.appear
    value = sa.cast(table.c[appear.by], sa.Text()) if appear is not None else sa.null()
    statement = sa.select(table.c.fid, sa.func.ST_AsBinary(geom), value).order_by(table.c.fid)
    near = geom.op("&&", is_comparison=True)(sa.func.ST_MakeEnvelope(*window, STORAGE_SRID))
    rows = connection.execute(statement.where(near)).all()
    fids = np.array([row[0] for row in rows], dtype=np.int64)
    shapes = shapely.from_wkb(np.array([row[1] for row in rows], dtype=object))
    begins = np.full(len(rows), _ALWAYS, dtype=np.int64)
    if appear is not None:
        begins = np.array([appear.zooms.get(row[2], appear.default) for row in rows], dtype=np.int64)
    return Part(fids, mercator(np.asarray(shapes, dtype=object)), begins, np.isin(fids, core))


def write(connection: sa.Connection, layer: VectorLayer, tables: Tables, part: Part) -> None:
    """Generalise a part for every rung and insert what is drawn."""
    for rung, table in tables.items():
        drawn = generalised(layer, rung, part.geometries, part.core, part.begins)
        _copy(connection, part.fids[drawn.kept], drawn)
        connection.execute(_insert(layer, rung, table))


def _copy(connection: sa.Connection, fids: Rows, drawn: Drawn) -> None:
    """Send geometries into a temporary table of the session, emptied before."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    geometries, spots = (shapely.to_wkb(some, output_dimension=2) for some in (drawn.geometry, drawn.spot))
    with driver.cursor() as cursor:
        cursor.execute(_TEMPORARY)
        cursor.execute(_EMPTY)
        with cursor.copy(_COPY) as copy:
            copy.set_types(("int8", "bytea", "bytea", "float8"))
            for row in zip(fids.tolist(), geometries, spots, drawn.size.tolist(), strict=True):
                copy.write_row(row)


_NAME = sql.Identifier(_FRESH)
_TEMPORARY = sql.SQL(
    "CREATE TEMPORARY TABLE IF NOT EXISTS {} (fid bigint, geom bytea, spot bytea, size double precision)"
).format(_NAME)
_EMPTY = sql.SQL("TRUNCATE {}").format(_NAME)
_COPY = sql.SQL("COPY {} (fid, geom, spot, size) FROM STDIN (FORMAT binary)").format(_NAME)


def _insert(layer: VectorLayer, rung: Rung, table: sa.Table) -> sa.Insert:
    """Join what was sent with key, attributes and clearance of its rows."""
    names = ("fid", "geom", "spot", "size")
    fresh = sa.table(_FRESH, *(sa.column(name) for name in names))
    rows = current_table(layer)
    kept = ("key", *rung_attributes(layer, rung), "_clearance")
    shapes = [sa.func.ST_GeomFromWKB(fresh.c[name], WEB_MERCATOR_SRID) for name in ("geom", "spot")]
    chosen = sa.select(fresh.c.fid, *shapes, fresh.c.size, *(rows.c[name] for name in kept))
    joined = chosen.select_from(fresh.join(rows, rows.c.fid == fresh.c.fid)).order_by(fresh.c.fid)
    return sa.insert(table).from_select([*names, *kept], joined)


def _seeing(engine: sa.Engine, snapshot: str) -> sa.Connection:
    """A connection whose transaction sees what a snapshot shows."""
    connection = engine.connect().execution_options(isolation_level="REPEATABLE READ")
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    connection.begin()
    driver.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
    return connection


def _boxes(connection: sa.Connection, layer: VectorLayer, fids: Sequence[int] | None = None) -> tuple[Rows, Boxes]:
    """Feature numbers and boxes (degrees) of all features that have a geometry, or of some."""
    table = current_table(layer)
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    sides = (f(geom) for f in (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax))
    statement = sa.select(table.c.fid, *sides).where(geom.is_not(None), ~sa.func.ST_IsEmpty(geom))
    if fids is not None:
        statement = statement.where(table.c.fid == sa.any_(_numbers(fids)))
    found = np.array([tuple(row) for row in connection.execute(statement)], dtype=np.float64).reshape(-1, 5)
    return found[:, 0].astype(np.int64), found[:, 1:]


def _changed(connection: sa.Connection, layer: VectorLayer, since: int) -> Rows:
    """Features that were written or ended after an edition."""
    current, history = current_table(layer), history_table(layer)
    written = sa.select(current.c.fid).where(current.c["_edition"] > since)
    ended = sa.select(history.c.fid).where(history.c["_ended_by"] > since)
    return _fids(connection.execute(sa.union(written, ended)).scalars())


def _touched(connection: sa.Connection, layer: VectorLayer, since: int) -> Rows:
    """Features that meet one of those, as it was or as it is; they themselves among them."""
    current, history = current_table(layer), history_table(layer)
    plain = sa.types.NullType()
    written = sa.select(sa.type_coerce(current.c.geom, plain).label("geom")).where(current.c["_edition"] > since)
    ended = sa.select(sa.type_coerce(history.c.geom, plain).label("geom")).where(history.c["_ended_by"] > since)
    moved = sa.union_all(written, ended).subquery("moved")
    geom = sa.type_coerce(current.c.geom, plain)
    meets = sa.and_(geom.op("&&", is_comparison=True)(moved.c.geom), sa.func.ST_Intersects(geom, moved.c.geom))
    return _fids(connection.execute(sa.select(current.c.fid).join_from(current, moved, meets).distinct()).scalars())


def _fids(numbers: Iterable[int]) -> Rows:
    return np.array(sorted(numbers), dtype=np.int64)


def _numbers(fids: Sequence[int]) -> sa.BindParameter[Any]:
    return sa.bindparam("fids", list(fids), sa.ARRAY(sa.BigInteger()))
