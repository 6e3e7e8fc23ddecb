"""Keeping the index of names at the current editions of the layers.

One transaction brings a layer up to date: what changed after the edition that the index shows, or everything when it is
made in another way. Writers of the index wait for one another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from geoservice.db import ddl
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.sync import definition_digest
from geoservice.gazetteer.entries import Entry, digest, entries, needed
from layers.access import Clearance
from layers.catalog import Catalog, read_catalog
from layers.crs import STORAGE_SRID
from layers.errors import DatabaseUnavailable
from layers.model import VectorLayer
from layers.system import layer_state, name_tables, term_tables
from layers.table import current_table, history_table

LOOK_SECONDS, AWAY_SECONDS = 0.25, 5.0
BATCH, MANY = 5_000, 20_000
LOCK = "geoservice.names"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Indexed:
    """What was done for a layer: up to which edition, how many names were written, whether all of them."""

    layer: str
    edition: int
    written: int
    anew: bool


@dataclass(frozen=True)
class Expected:
    """A layer with the digest of its definition, and of how its names are made (None without names)."""

    layer: VectorLayer
    definition: str
    made: str | None


def expected(catalog: Catalog) -> dict[str, Expected]:
    """What the index has to follow, by layer; a catalogue does not change, so that once is enough for many looks."""
    return {
        layer.name: Expected(layer, definition_digest(layer), digest(layer) if layer.names is not None else None)
        for layer in catalog
        if isinstance(layer, VectorLayer)
    }


def behind(
    database: Database, catalog: Catalog, wanted: Mapping[str, Expected] | None = None
) -> tuple[VectorLayer, ...]:
    """Layers with names whose index shows another edition than the current one, or is made in another way.

    Args:
        database: The database.
        catalog: The layers.
        wanted: What `expected` says of them, for those who look often.
    """
    wanted = expected(catalog) if wanted is None else wanted
    state = layer_state.c
    with database.transaction(Role.WRITER) as connection:
        rows = connection.execute(
            sa.select(state.layer, state.definition, state.edition, state.named, state.naming)
        ).all()
    found = []
    for row in rows:
        one = wanted.get(row.layer)
        # A layer whose tables follow another definition waits for `geoservice db sync`.
        if one is None or row.definition != one.definition or row.edition is None:
            continue
        if (row.named, row.naming) != (row.edition if one.made else None, one.made):
            found.append(one.layer)
    return tuple(found)


def renew(database: Database, layer: VectorLayer) -> Indexed | None:
    """Bring the names of a layer to its current edition; None when there is nothing to do."""
    with database.sync_engine(Role.WRITER).connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        # The snapshot is taken by the first statement after the lock is held, so that nothing is read twice.
        _lock(connection)
        done = _renewed(connection, layer)
        connection.commit()
    if done is not None and done.written >= MANY:
        _analyse(database)
    return done


def _analyse(database: Database) -> None:
    """Tell the planner how many names there are now; tables belong to the owner."""
    with database.sync_engine(Role.OWNER).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in (*name_tables, *term_tables):
            connection.execute(ddl.Analyse(table))


def _lock(connection: sa.Connection) -> None:
    connection.execute(sa.select(sa.func.pg_advisory_lock(sa.func.hashtextextended(LOCK, 0))))
    connection.commit()


def _renewed(connection: sa.Connection, layer: VectorLayer) -> Indexed | None:
    state = layer_state.c
    mine = state.layer == layer.name
    edition, shown, naming = connection.execute(sa.select(state.edition, state.named, state.naming).where(mine)).one()
    made = digest(layer) if layer.names is not None else None
    if layer.names is None:
        edition = None
    if (edition, made) == (shown, naming):
        return None
    anew = made != naming or shown is None
    changed = None if anew else _changed(connection, layer, shown)
    _forget(connection, layer, changed)
    written = 0
    if layer.names is not None and edition is not None:
        written = _write(connection, layer, changed)
    connection.execute(sa.update(layer_state).where(mine).values(named=edition, naming=made))
    return Indexed(layer.name, edition or 0, written, anew)


def _changed(connection: sa.Connection, layer: VectorLayer, edition: int) -> list[int]:
    """Features that were written or ended after an edition."""
    current, history = current_table(layer), history_table(layer)
    written = sa.select(current.c.fid).where(current.c["_edition"] > edition)
    ended = sa.select(history.c.fid).where(history.c["_ended_by"] > edition)
    return list(connection.execute(sa.union(written, ended)).scalars())


def _forget(connection: sa.Connection, layer: VectorLayer, fids: list[int] | None) -> None:
    """Delete the entries of features, or all of a layer, and their terms by the index of terms."""
    for names, terms in zip(name_tables, term_tables, strict=True):
        mine = names.c.layer == layer.name
        if fids is not None:
            mine = sa.and_(mine, names.c.fid == sa.any_(sa.cast(fids, sa.ARRAY(sa.BigInteger()))))
        gone = sa.delete(names).where(mine).returning(names.c.id, names.c.terms).cte("gone")
        piece = sa.func.unnest(sa.func.string_to_array(sa.func.substr(gone.c.terms, 2), "\n"))
        listed = sa.select(gone.c.id, sa.func.substr(piece, 2).label("term")).cte("listed")
        same = sa.and_(terms.c.term == listed.c.term, terms.c.name == listed.c.id)
        connection.execute(sa.delete(terms).where(same))


def _write(connection: sa.Connection, layer: VectorLayer, fids: list[int] | None) -> int:
    """Add the entries of features, or of all; how many there were."""
    written = 0
    for rows in _batches(connection, layer, fids):
        made = sorted((e for row in rows for e in entries(layer, dict(row))), key=lambda e: e.clearance)
        for clearance, some in groupby(made, key=lambda e: e.clearance):
            written += _copy(connection, layer.name, clearance, list(some))
    return written


def _batches(
    connection: sa.Connection, layer: VectorLayer, fids: list[int] | None
) -> Iterator[Sequence[sa.RowMapping]]:
    """Rows that have a name, some thousand at a time."""
    table = current_table(layer)
    names = [table.c[name] for name in needed(layer)]
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    spot = sa.case((sa.not_(sa.func.ST_IsEmpty(geom)), sa.func.ST_PointOnSurface(geom)))
    place = sa.select(table.c.fid, table.c["_edition"], table.c["_clearance"], *names)
    place = place.add_columns(sa.func.ST_X(spot).label("lon"), sa.func.ST_Y(spot).label("lat"))
    if fids is None:
        found = connection.execute(place, execution_options={"yield_per": BATCH}).mappings()
        yield from found.partitions()
        return
    for start in range(0, len(fids), BATCH):
        some = sa.cast(fids[start : start + BATCH], sa.ARRAY(sa.BigInteger()))
        yield connection.execute(place.where(table.c.fid == sa.any_(some))).mappings().all()


def _copy(connection: sa.Connection, layer: str, clearance: Clearance, some: list[Entry]) -> int:
    names, terms = name_tables[clearance], term_tables[clearance]
    numbers = _numbers(connection, names, len(some))
    columns = ("id", "layer", "fid", "edition", "attribute", "name", "terms", "sound", "importance", "adcode", "geom")
    rows = [
        (
            number, layer, e.fid, e.edition, e.attribute, e.name,
            "".join(f"\n{t.form:d}{t.text}" for t in e.terms), e.sound, e.importance, e.adcode,
            f"SRID={STORAGE_SRID};POINT({e.point[0]!r} {e.point[1]!r})" if e.point else None,
        )
        for number, e in zip(numbers, some, strict=True)
    ]  # fmt: skip
    _send(connection, names, columns, rows)
    lines = [
        (t.text, int(t.form), e.importance, *(e.point or (None, None)), number)
        for number, e in zip(numbers, some, strict=True)
        for t in e.terms
    ]
    _send(connection, terms, ("term", "form", "importance", "lon", "lat", "name"), lines)
    return len(some)


def _numbers(connection: sa.Connection, table: sa.Table, count: int) -> list[int]:
    """So many unused numbers of entries."""
    sequence = sa.func.pg_get_serial_sequence(f"{table.schema}.{table.name}", "id")
    wanted = sa.select(sa.func.nextval(sequence)).select_from(sa.func.generate_series(1, count).alias("n"))
    return list(connection.execute(wanted).scalars())


def _send(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("the sync engine speaks through psycopg")
    place = sql.Identifier(str(table.schema), table.name)
    order = sql.SQL("COPY {} ({}) FROM STDIN").format(place, sql.SQL(", ").join(map(sql.Identifier, columns)))
    with driver.cursor() as cursor, cursor.copy(order) as copy:
        for row in rows:
            copy.write_row(row)


class NameKeeper:
    """Keeps the index of names at the current editions, for as long as a worker runs."""

    def __init__(self, database: Database, stop: threading.Event) -> None:
        """Look after a database until `stop` is set."""
        self._database = database
        self._stop = stop

    def keep(self) -> None:
        """Look several times per second; a layer that fails is tried again after a while, the others go on."""
        catalog = read_catalog(self._database.settings.layers_dir)
        wanted = expected(catalog)
        again: dict[str, float] = {}
        while not self._stop.wait(LOOK_SECONDS):
            try:
                late = behind(self._database, catalog, wanted)
            except (DBAPIError, DatabaseUnavailable) as error:
                _log.warning("the database is away: %s", type(error).__name__)
                self._stop.wait(AWAY_SECONDS)
                continue
            for layer in late:
                if not self._stop.is_set() and time.monotonic() >= again.get(layer.name, 0.0):
                    again[layer.name] = self._renew(layer)

    def _renew(self, layer: VectorLayer) -> float:
        """Renew the names of one layer; from when on (monotonic clock) it may be tried again."""
        try:
            done = renew(self._database, layer)
        except Exception:  # noqa: BLE001 - whatever one layer does to the libraries, the others keep their names
            _log.exception("the names of %s could not be renewed", layer.id)
            return time.monotonic() + AWAY_SECONDS
        if done is not None:
            _log.info("%s names of %s were written for edition %s", done.written, done.layer, done.edition)
        return 0.0
