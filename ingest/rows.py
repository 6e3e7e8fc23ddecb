"""Rows on their way into a layer: typed columns, and for each row the reasons why it cannot be loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.notes import FIRST_SAMPLES, Notes
from ingest.readers.source import Geometries, Positions

_SHOWN = 60


@dataclass(frozen=True)
class Breach:
    """Rows that break a rule, until their places are known.

    Attributes:
        rule: Name of the rule.
        severity: `warning` or `error`.
        message: A sentence, the same for all rows concerned.
        rows: The rows concerned, as numbers in the chunk.
        attribute: The attribute judged, if the rule is about one.
        samples: Values concerned.
    """

    rule: str
    severity: str
    message: str
    rows: npt.NDArray[np.int64]
    attribute: str | None = None
    samples: tuple[object, ...] = ()


class Rows:
    """A chunk after mapping.

    Attributes:
        position: Number of each row in the source.
        columns: Attribute -> values in the Arrow type of the attribute.
        geometry: Shapely geometries, or None for a layer without.
        breaches: Rules that rows break, in the order in which they were found.
    """

    def __init__(self, position: Positions, geometry: Geometries | None, tolerate: Iterable[str], notes: Notes) -> None:
        """Start without columns and without complaints."""
        self.position = position
        self.geometry = geometry
        self.columns: dict[str, pa.Array] = {}
        self.notes = notes
        self._tolerate = frozenset(tolerate)
        self._reasons: dict[int, str] = {}
        self.breaches: list[Breach] = []

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

    def reject(self, breach: Breach, say: Callable[[int], str]) -> None:
        """A value of an attribute is unreadable or implausible: refuse the row, or leave the value empty.

        Args:
            breach: What is wrong with which rows; it names the attribute.
            say: The sentence for a row.
        """
        rows, name = breach.rows, breach.attribute or ""
        if not len(rows):
            return
        if name not in self._tolerate:
            self.breaches.append(breach)
            for row in rows:
                self.refuse(int(row), say(int(row)))
            return
        message = f"Values of {name} that cannot be read or are implausible were left empty."
        self.notes.add("tolerated", "warning", message, self.position[rows])
        if name in self.columns:
            self.columns[name] = blank(self.columns[name], rows)


def breach(
    rule: str, message: str, rows: npt.NDArray[np.int64], attribute: str, values: pa.Array, severity: str = "error"
) -> Breach:
    """A breach of a rule about an attribute, with the first values concerned."""
    samples = values.take(pa.array(rows[:FIRST_SAMPLES])).to_pylist() if len(rows) else []
    return Breach(rule, severity, message, rows, attribute, tuple(v for v in samples if v is not None))


def blank(column: pa.Array, rows: npt.NDArray[np.int64]) -> pa.Array:
    """The column with null in some rows."""
    mask = np.zeros(len(column), dtype=bool)
    mask[rows] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, column.type), column)


def shown(value: object) -> str:
    """A value for a sentence, cut to a decent length."""
    text = str(value)
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
