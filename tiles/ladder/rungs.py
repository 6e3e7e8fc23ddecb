"""Rows of the rungs: written for the core of a part, taken away for features that changed."""

from __future__ import annotations

from collections.abc import Mapping

import shapely
import sqlalchemy as sa

from layers.crs import WEB_MERCATOR_SRID
from layers.ladder import Rung, rung_attributes
from layers.model import VectorLayer
from layers.table import current_table
from tiles.ladder.copying import send_rows
from tiles.ladder.generalise import Drawn, generalised
from tiles.ladder.parts import Rows
from tiles.ladder.read import Part, bound_fids

_SENT = {"fid": "int8", "geom": "bytea", "_spot": "bytea", "_from": "int2", "_plain": "bool"}
_SHAPES = ("geom", "_spot")


def write(connection: sa.Connection, layer: VectorLayer, tables: Mapping[Rung, sa.Table], part: Part) -> None:
    """Generalise a part for every rung and insert what is drawn."""
    for rung, table in tables.items():
        drawn = generalised(layer, rung, part.geometries, part.core, part.begins)
        connection.execute(_insert(layer, rung, table, _sent(connection, part.fids[drawn.kept], drawn)))


def remove(connection: sa.Connection, tables: Mapping[Rung, sa.Table], fids: Rows) -> None:
    """Take features out of every rung."""
    for table in tables.values():
        connection.execute(sa.delete(table).where(table.c.fid == sa.any_(bound_fids(fids.tolist()))))


def _sent(connection: sa.Connection, fids: Rows, drawn: Drawn) -> sa.TableClause:
    geometries, spots = (shapely.to_wkb(some, output_dimension=2) for some in (drawn.geometry, drawn.spot))
    rows = zip(fids.tolist(), geometries, spots, drawn.begins.tolist(), drawn.plain.tolist(), strict=True)
    return send_rows(connection, "fresh_rung", _SENT, rows)


def _insert(layer: VectorLayer, rung: Rung, table: sa.Table, fresh: sa.TableClause) -> sa.Insert:
    """Join what was sent with key, attributes and clearance of its rows."""
    rows = current_table(layer)
    kept = ("key", *rung_attributes(layer, rung), "_clearance")
    sent = [
        sa.func.ST_GeomFromWKB(fresh.c[name], WEB_MERCATOR_SRID) if name in _SHAPES else fresh.c[name] for name in _SENT
    ]
    chosen = sa.select(*sent, *(rows.c[name] for name in kept))
    joined = chosen.select_from(fresh.join(rows, rows.c.fid == fresh.c.fid)).order_by(fresh.c.fid)
    return sa.insert(table).from_select([*_SENT, *kept], joined)
