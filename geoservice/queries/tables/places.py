"""From columns to places: numbers that are none, geometries that are broken, each with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from geoservice.queries.tables.model import Columns, Floats, Places, Shapes, shown

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def places_of(batch: pa.RecordBatch, columns: Columns, most_vertices: int) -> Places:
    """Where the rows of a batch lie, as its columns say."""
    if columns.geometry is not None:
        return _shaped(batch.column(columns.geometry), most_vertices)
    faults = dict[int, str]()
    x = _numbers(batch.column(columns.x or ""), columns.x or "", faults)
    y = _numbers(batch.column(columns.y or ""), columns.y or "", faults)
    return Places(x, y, None, faults)


def places_of_shapes(shapes: Shapes, faults: dict[int, str], most_vertices: int) -> Places:
    """Where rows lie that have geometries; what is broken or too large becomes a fault."""
    vertices = shapely.get_num_coordinates(shapes)
    for row in np.flatnonzero(vertices > most_vertices):
        faults.setdefault(int(row), f"The geometry has {vertices[row]} vertices; {most_vertices} are allowed.")
        shapes[row] = None
    there = ~shapely.is_missing(shapes)
    for row in np.flatnonzero(there & shapely.is_empty(shapes)):
        faults.setdefault(int(row), "The geometry is empty.")
    for row in np.flatnonzero(~there):
        faults.setdefault(int(row), "The row has no geometry.")
    wrong = there & ~shapely.is_valid(shapes)
    for row in np.flatnonzero(wrong):
        faults.setdefault(int(row), f"The geometry is not valid: {shapely.is_valid_reason(shapes[row])}.")
    shapes[list(faults)] = None
    points = shapely.get_type_id(shapes) == shapely.GeometryType.POINT.value
    x = np.where(points, shapely.get_x(shapes), np.nan)
    y = np.where(points, shapely.get_y(shapes), np.nan)
    only_points = bool((points | shapely.is_missing(shapes)).all())
    return Places(x, y, None if only_points else shapes, faults)


def _numbers(column: pa.Array, name: str, faults: dict[int, str]) -> Floats:
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return _filled(column, pc.cast(column, pa.float64(), safe=False), name, faults)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = pc.utf8_trim_whitespace(column)
        plain = pc.match_substring_regex(text, _NUMBER)
        values = pc.cast(pc.if_else(plain, text, pa.scalar(None, text.type)), pa.float64())
        return _filled(column, values, name, faults)
    empty = pa.nulls(len(column), pa.float64())
    return _filled(column, empty, name, faults)


def _filled(column: pa.Array, values: pa.Array, name: str, faults: dict[int, str]) -> Floats:
    found = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    for row in np.flatnonzero(~np.isfinite(found)):
        value = column[int(row)].as_py()
        missing = value is None or value == ""
        said = f"{name} is empty." if missing else f"{name} is not a number: {shown(value)}."
        faults.setdefault(int(row), said)
    return found


def _shaped(column: pa.Array, most_vertices: int) -> Places:
    values = column.to_numpy(zero_copy_only=False)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    faults = dict[int, str]()
    shapes = np.full(len(values), None, dtype=np.object_)
    # A row of its own each: text that is no geometry must not take the others with it.
    for row, value in enumerate(values):
        if value is None or value == "":
            continue
        shapes[row] = _read(value, is_text=is_text)
        if shapes[row] is None:
            form = "WKT" if is_text else "WKB"
            faults[row] = f"The geometry is no {form}: {shown(value)}."
    return places_of_shapes(shapes, faults, most_vertices)


def _read(value: Any, *, is_text: bool) -> shapely.Geometry | None:
    try:
        found: shapely.Geometry = shapely.force_2d(shapely.from_wkt(value) if is_text else shapely.from_wkb(value))
    except (shapely.errors.ShapelyError, ValueError, TypeError):
        return None
    return found
