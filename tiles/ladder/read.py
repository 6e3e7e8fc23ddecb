"""What a ladder is made from: rows of parts with their surroundings, and what has changed since an edition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from layers.crs import STORAGE_SRID
from layers.model import VectorLayer
from layers.table import current_table, history_table
from tiles.ladder.generalise import Geometries, Mask, mercator
from tiles.ladder.parts import Boxes, Rows

_ALWAYS = 0
_PLAIN = sa.types.NullType()
Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class Part:
    """Rows of one part and its surroundings.

    Attributes:
        fids: Feature numbers, ascending.
        geometries: In EPSG:3857.
        begins: From which zoom each feature is drawn.
        core: The rows that the part answers for.
        values: Values of the attribute by which a mosaic is made; empty text for none.
        clearances: Clearance of each row.
    """

    fids: Rows
    geometries: Geometries
    begins: Rows
    core: Mask
    values: npt.NDArray[np.object_]
    clearances: Rows


def read_part(connection: sa.Connection, layer: VectorLayer, core: Rows | None, window: Window) -> Part:
    """Some features with all that lies in a window (west, south, east, north in degrees); None asks for all there."""
    table = current_table(layer)
    geom = sa.type_coerce(table.c.geom, _PLAIN)
    appear, mosaic = layer.style.appear, layer.tiles.mosaic
    appears = sa.cast(table.c[appear.by], sa.Text()) if appear is not None else sa.null()
    value = sa.func.coalesce(table.c[mosaic.by], "") if mosaic is not None else sa.literal("")
    columns = (table.c.fid, sa.func.ST_AsBinary(geom), appears, value, table.c["_clearance"])
    near = geom.op("&&", is_comparison=True)(sa.func.ST_MakeEnvelope(*window, STORAGE_SRID))
    rows = connection.execute(sa.select(*columns).where(near, ~sa.func.ST_IsEmpty(geom)).order_by(table.c.fid)).all()
    fids = np.array([row[0] for row in rows], dtype=np.int64)
    shapes = np.asarray(shapely.from_wkb(np.array([row[1] for row in rows], dtype=object)), dtype=object)
    begins = np.full(len(rows), _ALWAYS, dtype=np.int64)
    if appear is not None:
        begins = np.array([appear.zooms.get(row[2], appear.default) for row in rows], dtype=np.int64)
    return Part(
        fids,
        mercator(shapes),
        begins,
        np.ones(len(rows), dtype=bool) if core is None else np.isin(fids, core),
        np.array([row[3] for row in rows], dtype=object),
        np.array([row[4] for row in rows], dtype=np.int64),
    )


def read_boxes(connection: sa.Connection, layer: VectorLayer, fids: Sequence[int] | None = None) -> tuple[Rows, Boxes]:
    """Feature numbers and boxes (degrees) of all features that have a geometry, or of some."""
    table = current_table(layer)
    geom = sa.type_coerce(table.c.geom, _PLAIN)
    statement = sa.select(table.c.fid, *_sides(geom)).where(geom.is_not(None), ~sa.func.ST_IsEmpty(geom))
    if fids is not None:
        statement = statement.where(table.c.fid == sa.any_(bound_fids(fids)))
    found = np.array([tuple(row) for row in connection.execute(statement)], dtype=np.float64).reshape(-1, 5)
    return found[:, 0].astype(np.int64), found[:, 1:]


def count_rows(connection: sa.Connection, layer: VectorLayer) -> int:
    """How many current rows there are."""
    return connection.execute(sa.select(sa.func.count()).select_from(current_table(layer))).scalar_one()


def changed_since(connection: sa.Connection, layer: VectorLayer, edition: int) -> Rows:
    """Features that were written or ended after an edition."""
    current, history = current_table(layer), history_table(layer)
    written = sa.select(current.c.fid).where(current.c["_edition"] > edition)
    ended = sa.select(history.c.fid).where(history.c["_ended_by"] > edition)
    return _fids(connection.execute(sa.union(written, ended)).scalars())


def touched_since(connection: sa.Connection, layer: VectorLayer, edition: int) -> Rows:
    """Current features that meet one of those, as it was or as it is; they themselves among them."""
    current, moved = current_table(layer), _moved(layer, edition).subquery("moved")
    geom = sa.type_coerce(current.c.geom, _PLAIN)
    meets = sa.and_(geom.op("&&", is_comparison=True)(moved.c.geom), sa.func.ST_Intersects(geom, moved.c.geom))
    return _fids(connection.execute(sa.select(current.c.fid).join_from(current, moved, meets).distinct()).scalars())


def count_changes(connection: sa.Connection, layer: VectorLayer, edition: int, most: int) -> int:
    """How many rows were written or ended after an edition; counting stops at `most`."""
    some = sa.select(sa.literal(1)).select_from(_moved(layer, edition).subquery("moved")).limit(most).subquery("some")
    return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()


def boxes_since(connection: sa.Connection, layer: VectorLayer, edition: int) -> Boxes:
    """Boxes (degrees) of the geometries that were written or ended after an edition."""
    moved = _moved(layer, edition).subquery("moved")
    found = connection.execute(sa.select(*_sides(moved.c.geom)).where(~sa.func.ST_IsEmpty(moved.c.geom)))
    return np.array([tuple(row) for row in found], dtype=np.float64).reshape(-1, 4)


def _moved(layer: VectorLayer, edition: int) -> sa.CompoundSelect[Any]:
    current, history = current_table(layer), history_table(layer)
    written = sa.select(sa.type_coerce(current.c.geom, _PLAIN).label("geom")).where(current.c["_edition"] > edition)
    ended = sa.select(sa.type_coerce(history.c.geom, _PLAIN).label("geom")).where(history.c["_ended_by"] > edition)
    return sa.union_all(written, ended)


def _sides(geom: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
    return [f(geom) for f in (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax)]


def _fids(found: Iterable[int]) -> Rows:
    return np.array(sorted(found), dtype=np.int64)


def bound_fids(fids: Sequence[int]) -> sa.BindParameter[Any]:
    """Feature numbers as a bound array."""
    return sa.bindparam("fids", list(fids), sa.ARRAY(sa.BigInteger()))
