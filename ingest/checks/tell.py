"""Breaches become findings: with their places and values, but nothing above the clearance of the layer itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from ingest.notes import FIRST, Notes, Place
from ingest.rows import Breach, Rows
from layers.access import Clearance
from layers.model import RowLayer


def tell(rows: Rows, layer: RowLayer) -> None:
    """Note the breaches of a chunk of rows, each once, so that no row is refused without a finding."""
    told = {int(row) for breach in rows.breaches for row in breach.rows}
    others = np.array(sorted(set(rows.bad) - told), dtype=np.int64)
    if len(others):
        rows.breaches.append(
            Breach("unreadable", "error", "Rows cannot be read, or have no place in the world.", others)
        )
    for breach in rows.breaches:
        _tell(rows, breach, layer, rows.notes)
    rows.breaches.clear()


def _tell(rows: Rows, breach: Breach, layer: RowLayer, notes: Notes) -> None:
    shown = breach.rows[open_rows(layer, rows.columns, len(rows))[breach.rows]]
    hidden = breach.attribute is not None and layer.attributes[breach.attribute].effective_clearance(layer) > (
        layer.clearance
    )
    # Samples are not tied to single rows: one hidden row among them silences all.
    silent = hidden or len(shown) < len(breach.rows)
    notes.add(
        breach.rule,
        breach.severity,
        breach.message,
        rows.position[breach.rows],
        places=places_of(rows.geometry, shown),
        samples=() if silent else breach.samples,
    )


def open_rows(layer: RowLayer, columns: dict[str, pa.Array], length: int) -> npt.NDArray[np.bool_]:
    """Mask of the rows whose own clearance does not exceed the layer's.

    What states a clearance that is none counts as the highest, as it does where rows are written.
    """
    column = columns.get(layer.row_clearance or "")
    if column is None:
        return np.ones(length, dtype=bool)
    low = {None, *(level.label for level in Clearance if level <= layer.clearance)}
    return np.array([value in low for value in column.to_pylist()], dtype=bool)


def places_of(geometries: npt.NDArray[np.object_] | None, rows: npt.NDArray[np.int64]) -> list[Place]:
    """Longitude and latitude of the first vertex of rows that have one; it lies on the feature, whatever its shape."""
    if geometries is None:
        return []
    chosen = geometries[rows[:FIRST]]
    coordinates, owner = shapely.get_coordinates(chosen, return_index=True)
    _, firsts = np.unique(owner, return_index=True)
    points = coordinates[firsts]
    points = points[(np.abs(points) <= [180.0, 90.0]).all(axis=1)]
    return [(round(float(x), 9), round(float(y), 9)) for x, y in points]
