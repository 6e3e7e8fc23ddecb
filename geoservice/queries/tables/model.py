"""What a table is to a batch: rows in order, each with a place or with the reason why it has none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from geoservice.queries.errors import TableUnreadable

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]
Indices = npt.NDArray[np.int64]

ERROR = "error"
"""Column that says why a row has no answer."""
BLOCK_ROWS = 65_536
MOST_COLUMNS = 2_000
MOST_SHOWN = 60
"""Characters of a value that an error repeats."""
_PAIRS = (
    ("lon", "lat"),
    ("longitude", "latitude"),
    ("lng", "lat"),
    ("x", "y"),
    ("经度", "纬度"),
)
_GEOMETRIES = ("geometry", "geom", "wkt", "wkb")


@dataclass(frozen=True)
class Columns:
    """Which columns say where a row lies: x (east) and y (north), or a geometry."""

    x: str | None = None
    y: str | None = None
    geometry: str | None = None
    shapes: bool = False
    """Whether rows are to have geometries, so that columns of coordinates are none of the customary ones."""

    def among(self, names: Sequence[str]) -> Columns:
        """These columns, or the customary ones where none are named.

        Raises:
            TableUnreadable: When the table has no such columns.
        """
        if self.x is not None or self.y is not None or self.geometry is not None:
            missing = [n for n in (self.x, self.y, self.geometry) if n is not None and n not in names]
            if missing or (self.geometry is None and (self.x is None or self.y is None)):
                raise self._none(names)
            return self
        by_name = {name.lower(): name for name in reversed(names)}
        for x, y in () if self.shapes else _PAIRS:
            if x in by_name and y in by_name:
                return Columns(by_name[x], by_name[y])
        for geometry in _GEOMETRIES:
            if geometry in by_name:
                return Columns(geometry=by_name[geometry])
        raise self._none(names)

    def _none(self, names: Sequence[str]) -> TableUnreadable:
        listed = ", ".join(name[:MOST_SHOWN] for name in names[:20])
        wanted = (
            "The parameter geometry names the column with the geometry of a row (or it is called geometry, geom, wkt "
            "or wkb)"
            if self.shapes
            else "The parameters x and y, or geometry, name the columns that say where a row lies (or these are called "
            "lon and lat, x and y, or geometry)"
        )
        return TableUnreadable(
            f"{wanted}; the table has the columns {listed or 'none'}.",
            columns=[name[:MOST_SHOWN] for name in names[:20]],
        )


@dataclass(frozen=True)
class Places:
    """Where the rows of a batch lie.

    Attributes:
        x: East or longitude, as written; not a number where a row has none.
        y: North or latitude, likewise.
        shapes: Geometries, in tables that have these instead; None where a row has none.
        faults: Why a row has no place, by its number in the batch.
    """

    x: Floats
    y: Floats
    shapes: Shapes | None = None
    faults: Mapping[int, str] = field(default_factory=dict)

    def part(self, start: int, stop: int) -> Places:
        """Those of some rows that follow one another."""
        shapes = None if self.shapes is None else self.shapes[start:stop]
        faults = {row - start: said for row, said in self.faults.items() if start <= row < stop}
        return Places(self.x[start:stop], self.y[start:stop], shapes, faults)


@dataclass(frozen=True)
class Batch:
    """Rows that came together; `content` is what the form of the table makes of them."""

    content: Any
    count: int
    places: Places

    def parts(self, most: int | None) -> Iterator[Batch]:
        """The rows in order, at most so many at a time; all together when there is no limit."""
        if most is None or self.count <= most:
            yield self
            return
        for start in range(0, self.count, most):
            stop = min(start + most, self.count)
            content = self.content[start:stop]
            yield Batch(content, stop - start, self.places.part(start, stop))

    def repeated(self, rows: Indices) -> Batch:
        """Rows by their numbers, some of them more than once; only what `Table.encode` needs of them."""
        if isinstance(self.content, pa.RecordBatch):
            return Batch(self.content.take(pa.array(rows)), len(rows), self.places)
        return Batch([self.content[row] for row in rows.tolist()], len(rows), self.places)

    def sizes(self) -> Indices:
        """Bytes that each row takes, roughly."""
        if isinstance(self.content, pa.RecordBatch):
            return np.array([self.content.slice(row, 1).nbytes for row in range(self.count)], dtype=np.int64)
        return np.array([len(json.dumps(one, default=str)) for one in self.content], dtype=np.int64)


class Table(Protocol):
    """A table that came in; its answer has the same form."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns; empty where each row has its own."""

    def batches(self) -> Iterator[Batch]:
        """The rows in order. What cannot be read any further ends with a row that says so."""

    def encode(self, batch: Batch, added: pa.RecordBatch) -> bytes:
        """Rows with the columns that were added to them."""

    def ending(self) -> bytes:
        """What closes the answer."""


def beginning(schema: pa.Schema) -> pa.RecordBatch:
    """A batch without rows."""
    return pa.RecordBatch.from_arrays([pa.array([], type=one.type) for one in schema], schema=schema)


def shown(value: object) -> str:
    """A value as an error repeats it."""
    text = str(value)
    return repr(text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…")
