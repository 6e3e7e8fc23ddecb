"""Ladders of layers: built after loads, refreshed after edits, each by whoever holds its lock."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from geoservice.db import ddl
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.ladder_functions import publish
from geoservice.db.sync import definition_digest, protect, require_mode
from geoservice.tiles.changes import LADDER_LOCK, chart, is_overtaken, uncharted, write_changes
from layers.catalog import Catalog, read_catalog
from layers.errors import DatabaseUnavailable
from layers.ladder import LADDER_SCHEMA, TURN_LOCK, has_ladder, rungs
from layers.model import VectorLayer
from layers.system import layer_state
from tiles.ladder import build
from tiles.ladder.parts import Boxes
from tiles.ladder.tables import cell_table, cluster_table, mosaic_table, point_table, rung_table

FRESH = "_new"
LOOK_SECONDS, AWAY_SECONDS = 0.25, 5.0
_log = logging.getLogger(__name__)


class Overtaken(Exception):
    """The definition of a layer changed while its ladder was built."""


@dataclass(frozen=True)
class Renewal:
    """What was done for a layer: `built` from all rows or `refreshed` after edits, up to which edition."""

    layer: str
    edition: int
    built: bool


def lagging(database: Database, catalog: Catalog) -> tuple[VectorLayer, ...]:
    """Layers with rows whose ladder is missing or shows an earlier edition than the current one."""
    behind = layer_state.c.edition.is_not(None) & layer_state.c.ladder.is_distinct_from(layer_state.c.edition)
    with database.transaction(Role.WRITER) as connection:
        found = connection.execute(sa.select(layer_state.c.layer, layer_state.c.definition).where(behind)).all()
    known = {layer.name: layer for layer in catalog if isinstance(layer, VectorLayer) and has_ladder(layer)}
    # A layer whose tables follow another definition waits for `geoservice db sync`.
    return tuple(known[n] for n, made in found if n in known and made == definition_digest(known[n]))


def renew(database: Database, layer: VectorLayer, *, anew: bool = False) -> Renewal | None:
    """Bring the ladder of a layer to its current edition.

    Killed at any step, it leaves the former ladder in place.

    Args:
        database: The database; tables are made by the owner.
        layer: The layer.
        anew: Build from all rows also where a refresh would do.

    Returns:
        What was done; None when somebody else is at it or there is nothing to do.
    """
    engine = database.sync_engine(Role.OWNER)
    with _locked(engine, layer) as held:
        try:
            return _renewed(database, engine, layer, anew=anew) if held else None
        except Overtaken:
            return None
        except DBAPIError as error:
            # A load was committed meanwhile. What it changed is still to be done, with the rest.
            if is_overtaken(error):
                return None
            raise


def _renewed(database: Database, engine: sa.Engine, layer: VectorLayer, *, anew: bool) -> Renewal | None:
    if not anew:
        done = _refreshed(engine, layer)
        if done is not None:
            return done
    with _reading(engine) as connection:
        edition, shown = _state(connection, layer)
        if edition is None or (edition == shown and not anew):
            return None
        _build(engine, layer, connection)
    with _turn(engine, layer):
        edition = _caught_up(engine, layer, edition)
        with engine.begin() as connection:
            _adopt(database, connection, layer)
            _remember(connection, layer, edition, None)
    return Renewal(layer.name, edition, built=True)


def _refreshed(engine: sa.Engine, layer: VectorLayer) -> Renewal | None:
    """Refresh the ladder that stands; None when there is none, nothing to do, or too much."""
    with _turn(engine, layer), _reading(engine) as connection:
        edition, shown = _state(connection, layer)
        if edition is None or shown is None or edition == shown:
            return None
        boxes = build.refresh(connection, layer, _tables(layer), shown)
        if boxes is None:
            return None
        _remember(connection, layer, edition, boxes)
        connection.commit()
        return Renewal(layer.name, edition, built=False)


def _caught_up(engine: sa.Engine, layer: VectorLayer, edition: int) -> int:
    """Bring the fresh tables to the edition of now: rows may have risen above readers while they were filled.

    Raises:
        Overtaken: When so much has changed meanwhile that they are to be filled anew.
    """
    with _reading(engine) as connection:
        latest, _ = _state(connection, layer)
        if latest is None or latest == edition:
            return edition
        if build.refresh(connection, layer, _tables(layer, FRESH), edition) is None:
            raise Overtaken
        connection.commit()
        return latest


def _reading(engine: sa.Engine) -> sa.Connection:
    """A connection whose transaction sees one state of the rows from its first statement on."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")


def _state(connection: sa.Connection, layer: VectorLayer) -> tuple[int | None, int | None]:
    """Edition of the rows and edition that the ladder shows."""
    state = layer_state.c
    edition, shown = connection.execute(sa.select(state.edition, state.ladder).where(state.layer == layer.name)).one()
    return edition, shown


def _build(engine: sa.Engine, layer: VectorLayer, connection: sa.Connection) -> None:
    """Fill fresh tables with what the transaction of a connection sees, and index them."""
    fresh = _tables(layer, FRESH)
    with engine.begin() as maker:
        for table in fresh.all():
            maker.execute(ddl.DropDependent(table))
            maker.execute(CreateTable(table))
    snapshot = connection.execute(sa.select(sa.func.pg_export_snapshot())).scalar_one()
    workers = max(1, os.cpu_count() or 1)
    build.build(engine, layer, fresh, snapshot, workers)
    with engine.begin() as maker:
        build.prevail(maker, layer, fresh)

    def index(one: sa.Index) -> None:
        with engine.begin() as maker:
            one.create(maker)

    with ThreadPoolExecutor(workers, "ladder-index") as pool:
        list(pool.map(index, [one for table in fresh.all() for one in table.indexes]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as maker:
        for table in fresh.all():
            maker.execute(ddl.Analyse(table))


def _adopt(database: Database, connection: sa.Connection, layer: VectorLayer) -> None:
    """Put the fresh tables in the place of the former ones, behind the access net."""
    mode = require_mode(connection)
    for table, standing in zip(_tables(layer, FRESH).all(), _tables(layer).all(), strict=True):
        connection.execute(ddl.DropDependent(standing))
        connection.execute(ddl.RenameTable(table, standing.name))
        for one, other in zip(_by_name(table), _by_name(standing), strict=True):
            connection.execute(ddl.RenameIndex(LADDER_SCHEMA, one, other))
        protect(connection, layer, standing, database.prefix, mode)
    publish(connection, layer, database.prefix, mode)


def _by_name(table: sa.Table) -> list[str]:
    return sorted(str(index.name) for index in table.indexes)


def _tables(layer: VectorLayer, suffix: str = "") -> build.Tables:
    made = {rung: rung_table(layer, rung, suffix) for rung in rungs(layer)}
    if layer.tiles.cluster is not None:
        return build.Tables(made, points=point_table(layer, suffix), clusters=cluster_table(layer, suffix))
    if layer.tiles.mosaic is None:
        return build.Tables(made)
    return build.Tables(made, cell_table(layer, suffix), mosaic_table(layer, suffix))


def _remember(connection: sa.Connection, layer: VectorLayer, edition: int, boxes: Boxes | None) -> None:
    """Say which edition the ladder shows and where it differs, unless the layer has another definition by now.

    Raises:
        Overtaken: When it has: what was made was made for the former one.
    """
    same = sa.and_(layer_state.c.layer == layer.name, layer_state.c.definition == definition_digest(layer))
    statement = sa.update(layer_state).where(same).values(ladder=edition, charted=edition)
    if connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount != 1:
        raise Overtaken
    write_changes(connection, layer, edition, boxes)


@contextmanager
def _locked(engine: sa.Engine, layer: VectorLayer) -> Iterator[bool]:
    """Try for the lock of a layer's ladder; it goes with the session that holds it."""
    key = sa.func.hashtextextended(LADDER_LOCK + layer.name, 0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = bool(connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar())
        try:
            yield held
        finally:
            if held:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))


@contextmanager
def _turn(engine: sa.Engine, layer: VectorLayer) -> Iterator[None]:
    """Hold off editions that raise rows above readers (`ingest.withhold`) while rows of the ladder are replaced.

    Such an edition would hide what is there now and not what takes its place.
    """
    key = sa.func.hashtextextended(TURN_LOCK + layer.name, 0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))


class LadderKeeper:
    """Keeps the ladders of all layers at their current editions, for as long as a worker runs."""

    def __init__(
        self, database: Database, stop: threading.Event, after_building: Callable[[VectorLayer], None] | None = None
    ) -> None:
        """Look after a database until `stop` is set; `after_building` hears of each ladder that was built anew."""
        self._database = database
        self._stop = stop
        self._after_building = after_building

    def keep(self) -> None:
        """Look several times per second; a layer whose ladder fails is tried again after a while, the others go on."""
        catalog = read_catalog(self._database.settings.layers_dir)
        again: dict[str, float] = {}
        while not self._stop.wait(LOOK_SECONDS):
            try:
                behind = lagging(self._database, catalog)
                for layer in uncharted(self._database, catalog):
                    chart(self._database, layer)
            except (DBAPIError, DatabaseUnavailable) as error:
                _log.warning("the database is away: %s", type(error).__name__)
                self._stop.wait(AWAY_SECONDS)
                continue
            for layer in behind:
                if not self._stop.is_set() and time.monotonic() >= again.get(layer.name, 0.0):
                    again[layer.name] = self._renew(layer)

    def _renew(self, layer: VectorLayer) -> float:
        """Renew one ladder; from when on (monotonic clock) it may be tried again."""
        try:
            done = renew(self._database, layer)
        except Exception:  # noqa: BLE001 - whatever a geometry does to the libraries, other layers keep their ladders
            _log.exception("the ladder of %s could not be renewed", layer.id)
            return time.monotonic() + AWAY_SECONDS
        if done is not None:
            how = "built" if done.built else "refreshed"
            _log.info("the ladder of %s was %s for edition %s", done.layer, how, done.edition)
            if done.built and self._after_building is not None:
                self._after_building(layer)
        return 0.0
