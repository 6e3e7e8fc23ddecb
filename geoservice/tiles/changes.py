"""Noting where tiles of a layer have changed: with the refresh of its ladder or, without one, after an edition."""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.sync import definition_digest
from layers.catalog import Catalog
from layers.ladder import has_ladder
from layers.model import VectorLayer
from layers.system import layer_state, tile_change
from tiles.ladder.parts import Boxes, parts_of, window_of
from tiles.ladder.read import boxes_since, count_changes

KEPT = 2_000
"""Entries of a layer that are kept; a tile drawn before the oldest is drawn anew."""
MOST_BOXES = 200
"""Boxes that an edition writes at most; what lies side by side shares one."""
MOST_ROWS = 50_000
"""When more rows were written or ended, everything counts as changed."""
LADDER_LOCK = "geoservice.ladder."
_SIDES = ("west", "south", "east", "north")
_SERIALISATION = "40001"


def uncharted(database: Database, catalog: Catalog) -> tuple[VectorLayer, ...]:
    """Layers without a ladder whose latest edition has not told yet where it changed tiles."""
    state = layer_state.c
    behind = state.edition.is_not(None) & state.charted.is_distinct_from(state.edition)
    with database.transaction(Role.WRITER) as connection:
        found = connection.execute(sa.select(state.layer, state.definition).where(behind)).all()
    known = {layer.name: layer for layer in catalog if isinstance(layer, VectorLayer) and not has_ladder(layer)}
    return tuple(known[name] for name, made in found if name in known and made == definition_digest(known[name]))


def chart(database: Database, layer: VectorLayer) -> bool:
    """Note where the latest editions of a layer without a ladder changed tiles; False when somebody else is at it.

    A layer with a ladder is charted by its refresh.
    """
    engine = database.sync_engine(Role.WRITER).execution_options(isolation_level="REPEATABLE READ")
    try:
        with engine.begin() as connection:
            return _charted(connection, layer)
    except DBAPIError as error:
        if is_overtaken(error):
            return False
        raise


def _charted(connection: sa.Connection, layer: VectorLayer) -> bool:
    key = sa.func.hashtextextended(LADDER_LOCK + layer.name, 0)
    if not connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(key))).scalar():
        return False
    state = layer_state.c
    both = sa.select(state.edition, state.charted).where(state.layer == layer.name)
    edition, charted = connection.execute(both).one()
    if edition is None or edition == charted:
        return False
    boxes = None if charted is None else changed_boxes(connection, layer, charted)
    connection.execute(sa.update(layer_state).where(state.layer == layer.name).values(charted=edition))
    write_changes(connection, layer, edition, boxes)
    return True


def changed_boxes(connection: sa.Connection, layer: VectorLayer, since: int) -> Boxes | None:
    """Boxes (degrees) of what was written or ended after an edition; None when that is too much to be told apart."""
    if count_changes(connection, layer, since, MOST_ROWS + 1) > MOST_ROWS:
        return None
    return boxes_since(connection, layer, since)


def write_changes(connection: sa.Connection, layer: VectorLayer, edition: int, boxes: Boxes | None) -> None:
    """Add entries in the caller's transaction, which holds the lock of the layer's ladder.

    Args:
        connection: The transaction that makes the change visible, or one after it.
        layer: The layer.
        edition: Up to which edition the layer's entries then tell of all changes.
        boxes: West, south, east, north of the changes (degrees); None means everywhere.
    """
    rows: list[dict[str, Any]] = [{"layer": layer.name, "edition": edition}]
    if boxes is not None:
        rows = [rows[0] | dict(zip(_SIDES, box, strict=True)) for box in gathered(boxes)]
    if not rows:
        return
    connection.execute(sa.insert(tile_change), rows)
    own = tile_change.c.layer == layer.name
    latest = sa.select(sa.func.max(tile_change.c.id)).where(own).scalar_subquery()
    connection.execute(sa.update(layer_state).where(layer_state.c.layer == layer.name).values(change=latest))
    oldest = sa.select(tile_change.c.id).where(own).order_by(tile_change.c.id.desc()).offset(KEPT).limit(1)
    connection.execute(sa.delete(tile_change).where(own, tile_change.c.id <= oldest.scalar_subquery()))


def gathered(boxes: Boxes) -> list[tuple[float, float, float, float]]:
    """At most about `MOST_BOXES` boxes that hold all the given ones, each of such that lie side by side."""
    if not len(boxes):
        return []
    most = max(1, -(-len(boxes) // (MOST_BOXES // 2)))
    single = np.unique(boxes, axis=0)
    return [window_of(single, rows) for rows in parts_of(single, most)]


def is_overtaken(error: DBAPIError) -> bool:
    """Whether a transaction failed because another one changed the same row: it may be tried again at once."""
    return getattr(error.orig, "sqlstate", None) == _SERIALISATION
