"""Tiles on disk, shared by the processes of one machine and there again after a restart: one SQLite file.

SQLite in write-ahead mode lets any number of processes read while one writes, survives being killed, and tells when its
file is damaged. What cannot be read counts as not there; whoever finds the file damaged takes it away and begins a new
one, and the others, who would go on with a file that has no name any more, look at each use whether it is theirs.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

FILE = "tiles.sqlite"
LOCK = "tiles.lock"
BUSY_SECONDS = 10.0
ROOM = 0.9
"""When the limit is reached, the oldest entries go until this share of it is taken."""
_AT_ONCE = 200
_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tile (
    id INTEGER PRIMARY KEY,
    place TEXT NOT NULL UNIQUE,
    house TEXT NOT NULL,
    layer TEXT NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS tile_layer ON tile (layer);
CREATE TABLE IF NOT EXISTS total (bytes INTEGER NOT NULL, purges INTEGER NOT NULL);
-- Purges are counted from anywhere, so that a new file is noticed as a purge.
INSERT INTO total SELECT 0, abs(random() >> 16) WHERE NOT EXISTS (SELECT 1 FROM total);
CREATE TRIGGER IF NOT EXISTS tile_came AFTER INSERT ON tile BEGIN
    UPDATE total SET bytes = bytes + length(new.record) + 200;
END;
CREATE TRIGGER IF NOT EXISTS tile_went AFTER DELETE ON tile BEGIN
    UPDATE total SET bytes = bytes - length(old.record) - 200;
END;
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a layer: how many tiles, and how many bytes they take."""

    layer: str
    tiles: int
    bytes: int


class Store:
    """The tiles on disk, through one connection that threads use in turn."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Remember where and how much (bytes); the file is opened on first use."""
        self.folder = folder
        self.limit = limit
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """Device and inode of the open file."""

    def get(self, place: str) -> bytes | None:
        """The record of a place; None also when the file cannot be read."""
        with self._safely() as connection:
            if connection is not None:
                row = connection.execute("SELECT record FROM tile WHERE place = ?", (place,)).fetchone()
                return None if row is None else bytes(row[0])
        return None

    def put(self, records: Iterable[tuple[str, str, str, bytes, int | None]]) -> None:
        """Keep records (place, house, layer, record, purges); the oldest ones go when the limit is reached.

        A record is left out when `purges` is given and tiles were purged since that was read.
        """
        with self._safely() as connection:
            if connection is None:
                return
            with connection:
                # A new number each time: what is written again is young again.
                connection.executemany(
                    "INSERT OR REPLACE INTO tile (place, house, layer, record) "
                    "SELECT ?1, ?2, ?3, ?4 WHERE coalesce(?5, (SELECT purges FROM total)) = (SELECT purges FROM total)",
                    records,
                )
            self._make_room(connection)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        if _taken(connection) <= self.limit:
            return
        while _taken(connection) > self.limit * ROOM:
            with connection:
                connection.execute(
                    "DELETE FROM tile WHERE id IN (SELECT id FROM tile ORDER BY id LIMIT ?)", (_AT_ONCE,)
                )
            connection.execute("PRAGMA incremental_vacuum").fetchall()

    def kept(self) -> list[Kept]:
        """What is kept, by layer."""
        with self._safely() as connection:
            if connection is not None:
                rows = connection.execute(
                    "SELECT layer, count(*), sum(length(record)) FROM tile GROUP BY layer ORDER BY layer"
                )
                return [Kept(*row) for row in rows]
        return []

    def places(self, house: str, layer: str) -> list[str]:
        """The places of a layer that are kept for one database."""
        with self._safely() as connection:
            if connection is not None:
                query = "SELECT place FROM tile WHERE house = ? AND layer = ? ORDER BY id"
                return [row[0] for row in connection.execute(query, (house, layer))]
        return []

    def purge(self, layers: Iterable[str] | None = None) -> int:
        """Give up the tiles of some layers, or all; running services notice. Returns how many there were."""
        gone = 0
        with self._safely() as connection:
            if connection is None:
                return 0
            with connection:
                if layers is None:
                    gone = connection.execute("DELETE FROM tile").rowcount
                for layer in layers or ():
                    gone += connection.execute("DELETE FROM tile WHERE layer = ?", (layer,)).rowcount
                connection.execute("UPDATE total SET purges = purges + 1")
            connection.execute("PRAGMA incremental_vacuum").fetchall()
        return gone

    def purges(self) -> int:
        """A number that is another one after tiles were purged, or when a new file has been begun."""
        with self._safely() as connection:
            if connection is not None:
                return int(connection.execute("SELECT purges FROM total").fetchone()[0])
        return 0

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _safely(self) -> Iterator[sqlite3.Connection | None]:
        """The open file, or None; whatever goes wrong with it is told to the log and to nobody else."""
        with self._lock:
            connection = self._ready()
            try:
                yield connection
            except sqlite3.DatabaseError as error:
                self._put_aside(error)

    def _ready(self) -> sqlite3.Connection | None:
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            self._put_aside(error)
        except OSError as error:
            _log.warning("tiles cannot be kept on disk: %s", error.strerror)
        return None

    def _opened(self) -> sqlite3.Connection | None:
        if self.limit <= 0:
            return None
        if self._connection is not None and self._file != _identity(self.folder / FILE):
            self._leave()
        if self._connection is None:
            # Tiles of every clearance lie here.
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                self._open(self.folder / FILE)
        return self._connection

    def _open(self, file: Path) -> None:
        # A file that is there is not touched: closing it would give up the locks that other connections of this process
        # have on it (POSIX), and with them the certainty that nobody clears the log away under their feet.
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self._file = _identity(file)
        connection = self._connection = sqlite3.connect(file, timeout=BUSY_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        # The sums are kept by triggers, also where a record takes the place of another.
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.executescript(_SCHEMA)

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        """After an error: close the file, and take it away where it is damaged, unless somebody else has."""
        _log.warning("tiles on disk: %s", error)
        # A file that is locked or cannot be grown is none that is damaged; SQLite has no class for the latter.
        if type(error) is sqlite3.DatabaseError:
            # As long as it is open here, no other file can have its inode.
            with suppress(OSError), self._alone():
                if self._file == _identity(self.folder / FILE):
                    for suffix in ("", "-wal", "-shm"):
                        (self.folder / f"{FILE}{suffix}").unlink(missing_ok=True)
        self._leave()

    def _leave(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else opens the file or takes it away: its companions go by name, and are not to meet another file."""
        with os.fdopen(os.open(self.folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _taken(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT bytes FROM total").fetchone()[0])
