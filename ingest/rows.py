"""Rows on their way into a layer: typed columns, and for each row the reasons why it cannot be loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.notes import Notes
from ingest.readers.source import Geometries, Positions

_SHOWN = 60


class Rows:
    """A chunk after mapping.

    Attributes:
        position: Number of each row in the source.
        columns: Attribute -> values in the Arrow type of the attribute.
        geometry: Shapely geometries, or None for a layer without.
    """

    def __init__(self, position: Positions, geometry: Geometries | None, tolerate: Iterable[str], notes: Notes) -> None:
        """Start without columns and without complaints."""
        self.position = position
        self.geometry = geometry
        self.columns: dict[str, pa.Array] = {}
        self.notes = notes
        self._tolerate = frozenset(tolerate)
        self._reasons: dict[int, str] = {}

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.position)

    @property
    def bad(self) -> dict[int, str]:
        """Row -> why it cannot be loaded, for the rows that cannot."""
        return self._reasons

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """Mask of the rows without a complaint."""
        mask = np.ones(len(self), dtype=bool)
        mask[list(self._reasons)] = False
        return mask

    def refuse(self, row: int, sentence: str) -> None:
        """Say why a row cannot be loaded; several reasons stand one after the other."""
        before = self._reasons.get(row)
        self._reasons[row] = sentence if before is None else f"{before} {sentence}"

    def refuse_all(self, rows: Iterable[int], sentence: str) -> None:
        """Say the same of several rows."""
        for row in rows:
            self.refuse(int(row), sentence)

    def reject(self, name: str, rows: npt.NDArray[np.int64], say: Callable[[int], str]) -> None:
        """A value of an attribute is unreadable or implausible: refuse the row, or leave the value empty.

        Args:
            name: The attribute.
            rows: Rows concerned.
            say: The sentence for a row.
        """
        if not len(rows):
            return
        if name not in self._tolerate:
            for row in rows:
                self.refuse(int(row), say(int(row)))
            return
        message = f"Values of {name} that cannot be read or are implausible were left empty."
        self.notes.add("tolerated", "warning", message, self.position[rows])
        if name in self.columns:
            self.columns[name] = blank(self.columns[name], rows)


def blank(column: pa.Array, rows: npt.NDArray[np.int64]) -> pa.Array:
    """The column with null in some rows."""
    mask = np.zeros(len(column), dtype=bool)
    mask[rows] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, column.type), column)


def shown(value: object) -> str:
    """A value for a sentence, cut to a decent length."""
    text = str(value)
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
