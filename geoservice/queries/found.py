"""What was found for points: a table of polygons, and for each point the row of the one that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Found:
    """For each point the row of `table` that answers for it, -1 where there is none."""

    rows: Ranks
    table: pa.Table

    def columns(self) -> list[pa.Array]:
        """The columns of the table, a value per point; null where there is no answer."""
        indices = pa.array(self.rows, mask=self.rows < 0)
        return [_whole(column.take(indices)) for column in self.table.columns]


def _whole(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


class Finder(Protocol):
    """Finds for each point the polygon of a layer that holds it: in memory, or through the database."""

    @property
    def schema(self) -> pa.Schema:
        """The key and the attributes of what is found."""

    async def find(self, x: Floats, y: Floats) -> Found:
        """Find for longitudes and latitudes in degrees (not a number: nowhere)."""
