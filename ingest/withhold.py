"""What rose above readers, or was taken back, is gone from the ladder too, in the transaction that changes the rows.

A worker renews the ladder of a layer after each edition. Until it has done so, low zooms show the rows as they were;
that may be for long where no worker runs. Nobody may see there for a moment what he may not see any more, so the
writer itself hides it: rows of rungs get their new clearance, and of the cells of mosaics and clusters that count such
rows the lower readers get none. What is hidden in this way is what the worker then works out anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from layers.access import Clearance
from layers.ladder import LADDER_SCHEMA, TURN_LOCK, cell_name, has_ladder, rung_name, rungs
from layers.model import RowLayer, VectorLayer
from layers.system import layer_state, tile_change
from layers.table import cluster_cell, current_table, history_table, mercator_metres, mosaic_cells

NOBODY = int(Clearance.RESTRICTED) + 1
"""Clearance of what no reader sees."""
MANY = 50_000
"""When more rows are concerned, the ladder is emptied: the layer is drawn from its rows until it is built anew."""
MOST_BOXES = 200
"""When more rows are concerned, one box around all of them tells where tiles changed."""
KEPT_CHANGES = 2_000
SLACK = 1e-6
"""By which share of a cell more is hidden around a surface; whoever renews a mosaic works out as much more."""
_SIDES = ("west", "south", "east", "north")
_CELLS = ("first_x", "first_y", "last_x", "last_y")
_PLAIN = sa.types.NullType()


def raised(layer: RowLayer, number: int) -> sa.ColumnElement[bool]:
    """Joins former rows, in history, with the rows of an edition that have a higher clearance."""
    current, history = current_table(layer), history_table(layer)
    return sa.and_(
        history.c.key == current.c.key,
        current.c["_edition"] == number,
        history.c["_clearance"] < current.c["_clearance"],
    )


def withhold_raised(connection: sa.Connection, layer: RowLayer, number: int) -> bool:
    """Hide from the ladder what an edition raised above its former clearance.

    Args:
        connection: The transaction of the edition, once its rows are written and before history has followed them.
        layer: The layer.
        number: The edition.

    Returns:
        Whether the edition raised anything.
    """
    current, history = current_table(layer), history_table(layer)
    rows = _told(layer, current.c["_clearance"]).select_from(history.join(current, raised(layer, number)))
    return _withhold(connection, layer, rows)


def withhold_ended(connection: sa.Connection, layer: RowLayer, number: int) -> None:
    """Hide from the ladder, before everybody, the rows that an edition ended; for editions that take something back."""
    history = history_table(layer)
    rows = _told(layer, sa.literal(NOBODY)).where(history.c["_ended_by"] == number)
    if isinstance(layer, VectorLayer) and has_ladder(layer):
        _withhold(connection, layer, rows)


def _told(layer: RowLayer, level: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Of former rows: number, the level to which they rose, the edition that ended them, their place."""
    history = history_table(layer)
    known = (history.c.fid, sa.cast(level, sa.SmallInteger()).label("level"), history.c["_ended_by"].label("ended"))
    if not isinstance(layer, VectorLayer):
        return sa.select(*known)
    geom = sa.type_coerce(history.c.geom, _PLAIN)
    box = (f(geom) for f in (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax))
    sides = (side.label(name) for name, side in zip(_SIDES, box, strict=True))
    cells = (cell.label(name) for name, cell in zip(_CELLS, _finest_cells(layer, geom), strict=True))
    return sa.select(*known, *sides, *cells)


def _finest_cells(layer: VectorLayer, geom: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[Any], ...]:
    """The finest cells that count a row: first column, first row, last column, last row."""
    tiles = layer.tiles
    if tiles.mosaic is not None:
        return mosaic_cells(geom, tiles.mosaic.below, SLACK)
    if tiles.cluster is not None:
        middle = sa.func.ST_Centroid(geom)
        cell = cluster_cell(*mercator_metres(sa.func.ST_X(middle), sa.func.ST_Y(middle)), tiles.cluster.below)
        return (*cell, *cell)
    return (sa.cast(sa.null(), sa.Integer()),) * len(_CELLS)


def _withhold(connection: sa.Connection, layer: RowLayer, rows: sa.Select[Any]) -> bool:
    table = sa.Table(
        "risen", sa.MetaData(), *(sa.Column(c.name, c.type) for c in rows.selected_columns), prefixes=["TEMPORARY"]
    )
    table.create(connection)
    names = [column.name for column in table.columns]
    found = connection.execute(
        sa.insert(table).from_select(names, rows), execution_options={"preserve_rowcount": True}
    ).rowcount
    if found and isinstance(layer, VectorLayer) and has_ladder(layer):
        _hide(connection, layer, table)
    table.drop(connection)
    return bool(found)


def _hide(connection: sa.Connection, layer: VectorLayer, risen: sa.Table) -> None:
    # Whoever refreshes the ladder in this moment works from rows of before. After him, it is as he left it.
    turn = sa.func.hashtextextended(TURN_LOCK + layer.name, 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
    state = layer_state.c
    shown = connection.execute(sa.select(state.ladder).where(state.layer == layer.name)).scalar()
    if shown is None:
        return
    # Rows that ended before are not in the ladder; where they lay is no concern of those who renew it.
    connection.execute(sa.delete(risen).where(risen.c.ended <= shown))
    number = connection.execute(sa.select(sa.func.count()).select_from(risen)).scalar_one()
    if number > MANY:
        _empty(connection, layer)
    elif number:
        connection.execute(sa.text("ANALYZE risen"))
        _hide_features(connection, layer, risen)
        for level in connection.execute(sa.select(risen.c.level).distinct().order_by(risen.c.level)).scalars().all():
            _hide_cells(connection, layer, risen, level)
        _note(connection, layer, risen, number)


def _empty(connection: sa.Connection, layer: VectorLayer) -> None:
    for table in (*_rung_tables(layer), *_cell_tables(layer)):
        connection.execute(sa.delete(table))
    connection.execute(sa.update(layer_state).where(layer_state.c.layer == layer.name).values(ladder=None))


def _hide_features(connection: sa.Connection, layer: VectorLayer, risen: sa.Table) -> None:
    for table in _rung_tables(layer):
        higher = sa.and_(table.c.fid == risen.c.fid, table.c["_clearance"] < risen.c.level)
        connection.execute(sa.update(table).where(higher).values(_clearance=risen.c.level))


@dataclass(frozen=True)
class _Aggregate:
    """Rows of cells of one zoom level: `shift` levels coarser than the finest."""

    table: sa.TableClause
    zoom: int | None
    shift: int


def _hide_cells(connection: sa.Connection, layer: VectorLayer, risen: sa.Table, level: int) -> None:
    """Give what is known of cells to readers of a level only.

    A row of a cell counts everything up to its clearance. So of the rows below the level the highest says what a
    reader of the level may see, unless there is one of that level already; the others count too much for theirs.
    """
    for aggregate in _aggregates(layer):
        table, box = aggregate.table, _boxes(risen, level, aggregate.shift)
        inside: list[sa.ColumnElement[bool]] = [
            table.c[name].between(box.c[f"first_{name}"], box.c[f"last_{name}"]) for name in ("x", "y")
        ]
        inside.append(table.c["_clearance"] < level)
        if aggregate.zoom is not None:
            inside.append(table.c.z == aggregate.zoom)
            other = table.alias("other")
            same = [other.c[name] == table.c[name] for name in ("z", "x", "y")]
            higher = other.c["_clearance"].between(table.c["_clearance"] + 1, level)
            connection.execute(sa.delete(table).where(*inside, sa.exists().where(*same, higher)))
        connection.execute(sa.update(table).where(*inside).values(_clearance=level))


def _aggregates(layer: VectorLayer) -> Iterator[_Aggregate]:
    tiles = layer.tiles
    grouped = tiles.mosaic or tiles.cluster
    if grouped is None:
        return
    finest, coarser = _cell_tables(layer)
    yield _Aggregate(finest, None, 0)
    for zoom in range(tiles.from_, grouped.below):
        yield _Aggregate(coarser, zoom, grouped.below - 1 - zoom)


def _boxes(risen: sa.Table, level: int, shift: int) -> sa.Subquery:
    """Boxes of cells of a zoom level that count rows which rose to a level."""
    coarser = (risen.c[name].op(">>")(sa.literal(shift, sa.Integer())).label(name) for name in _CELLS)
    return sa.select(*coarser).where(risen.c.level == level).distinct().subquery("box")


def _note(connection: sa.Connection, layer: VectorLayer, risen: sa.Table, number: int) -> None:
    """Tell those who keep tiles where they changed, as a refresh of the ladder does."""
    state, entry = layer_state.c, tile_change.c
    # Entries are told apart by edition for tiles of rows, which follow later; these are for tiles of the ladder.
    told = sa.select(sa.func.coalesce(state.charted, 0)).where(state.layer == layer.name).scalar_subquery()
    sides = [risen.c[name] for name in _SIDES]
    boxes = sa.select(sa.literal(layer.name), told, *sides).where(risen.c.west.is_not(None)).distinct()
    if number > MOST_BOXES:
        outer = [*map(sa.func.min, sides[:2]), *map(sa.func.max, sides[2:])]
        boxes = sa.select(sa.literal(layer.name), told, *outer)
    connection.execute(sa.insert(tile_change).from_select(["layer", "edition", *_SIDES], boxes))
    own = entry.layer == layer.name
    latest = sa.select(sa.func.max(entry.id)).where(own).scalar_subquery()
    connection.execute(sa.update(layer_state).where(state.layer == layer.name).values(change=latest))
    oldest = sa.select(entry.id).where(own).order_by(entry.id.desc()).offset(KEPT_CHANGES).limit(1)
    connection.execute(sa.delete(tile_change).where(own, entry.id <= oldest.scalar_subquery()))


def _rung_tables(layer: VectorLayer) -> tuple[sa.TableClause, ...]:
    columns = ("fid", "_clearance")
    return tuple(_table(rung_name(layer, rung), *columns) for rung in rungs(layer))


def _cell_tables(layer: VectorLayer) -> tuple[sa.TableClause, ...]:
    """Of a mosaic or of clusters: the finest cells, and what is drawn of them at each zoom level."""
    if layer.tiles.mosaic is None and layer.tiles.cluster is None:
        return ()
    drawn = "mosaic" if layer.tiles.mosaic is not None else "cluster"
    columns = ("x", "y", "_clearance")
    return _table(cell_name(layer), *columns), _table(f"{layer.name}_{drawn}", "z", *columns)


def _table(name: str, *columns: str) -> sa.TableClause:
    kinds = {"_clearance": sa.SmallInteger(), "fid": sa.BigInteger()}
    return sa.table(name, *(sa.column(c, kinds.get(c, sa.Integer())) for c in columns), schema=LADDER_SCHEMA)
