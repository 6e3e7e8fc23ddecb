"""What must be looked up while objects stream by: lines of areas, and rows of attributes. It lies on disk.

Attributes stand behind the objects that they belong to, and areas refer to lines anywhere in the file. Both are kept
in a scratch SQLite file, so that memory does not grow with the source.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FORGET = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -65536")
_LARGEST = 2**63 - 1


class Store:
    """A scratch database of one source."""

    def __init__(self, file: Path) -> None:
        """Create the file."""
        self._database = sqlite3.connect(file)
        for pragma in _FORGET:
            self._database.execute(pragma)
        self._database.execute("CREATE TABLE line (number INTEGER PRIMARY KEY, points BLOB)")
        self._database.execute(
            "CREATE TABLE attribute (number INTEGER PRIMARY KEY, line INTEGER, text TEXT, used INTEGER)"
        )
        self._database.execute("CREATE TABLE object (number INTEGER PRIMARY KEY)")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add_line(self, number: int, points: npt.NDArray[np.float64]) -> None:
        """Keep the points of a line; the first of its number counts."""
        self._database.execute("INSERT OR IGNORE INTO line VALUES (?, ?)", (number, points.tobytes()))

    def line(self, number: int) -> npt.NDArray[np.float64] | None:
        """The points of a line."""
        row = self._database.execute("SELECT points FROM line WHERE number = ?", (number,)).fetchone()
        return None if row is None else np.frombuffer(row[0], dtype=np.float64).reshape(-1, 2)

    def add_attributes(self, number: int, line: int, text: str) -> bool:
        """Keep a row of attributes; False when there is one of this number already."""
        if abs(number) > _LARGEST:
            return False
        statement = "INSERT OR IGNORE INTO attribute VALUES (?, ?, ?, 0)"
        return self._database.execute(statement, (number, line, text)).rowcount == 1

    def attributes(self, number: int) -> tuple[int, str] | None:
        """Line number and text of the attributes of an object, which from now on have an owner."""
        self._database.execute("UPDATE attribute SET used = 1 WHERE number = ?", (number,))
        row: tuple[int, str] | None = self._database.execute(
            "SELECT line, text FROM attribute WHERE number = ?", (number,)
        ).fetchone()
        return row

    def is_new(self, number: int) -> bool:
        """Whether an object of this number comes for the first time."""
        return self._database.execute("INSERT OR IGNORE INTO object VALUES (?)", (number,)).rowcount == 1

    def ownerless(self) -> Iterator[tuple[int, int, str]]:
        """Number, line and text of attributes that no object owns, in the order of the file."""
        yield from self._database.execute("SELECT number, line, text FROM attribute WHERE used = 0 ORDER BY line")
