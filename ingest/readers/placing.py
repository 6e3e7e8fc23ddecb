"""Where a table keeps its geometry: two columns of coordinates, a column of WKT, or nowhere. For every table format."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.casting import as_text
from ingest.names import match
from ingest.readers.source import Chunk, Geometries, Request, decoded
from layers.errors import SourceMismatch
from layers.model import VectorLayer
from layers.sources import SourceMapping

Numbers = npt.NDArray[np.float64]


def headings(request: Request, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The headings of a table, with those of the geometry as the mapping spells them."""
    new = match(fields, _wanted(request.plan.mapping), request.notes)
    return tuple(new.get(f, f) for f in fields)


def _wanted(mapping: SourceMapping) -> list[str]:
    return [mapping.point.x, mapping.point.y] if mapping.point else [mapping.wkt] if mapping.wkt else []


def geometry_columns(request: Request, fields: tuple[str, ...]) -> bool:
    """Whether the mapping places rows by columns of the table.

    Raises:
        SourceMismatch: When such a column does not exist, or the layer needs geometries and the mapping names none.
    """
    mapping = request.plan.mapping
    wanted = _wanted(mapping)
    missing = [c for c in wanted if c not in fields]
    if missing:
        raise SourceMismatch(
            f"{request.name} has no column {missing[0]!r} for the geometry; it has {', '.join(fields)}.",
            fields=list(fields),
        )
    placed = bool(wanted) or mapping.address is not None
    if not placed and isinstance(request.plan.layer, VectorLayer) and request.plan.layer.geometry_required:
        raise SourceMismatch(
            f"The mapping {request.plan.mapping_name!r} does not say where {request.name} keeps its geometry "
            "(point, wkt or address).",
        )
    return bool(wanted)


def place(chunk: Chunk, mapping: SourceMapping) -> None:
    """Give the rows of a table the geometries that its columns describe, in the CRS of the source as x, y."""
    if mapping.point is not None:
        chunk.geometry = _points(chunk, mapping.point.x, mapping.point.y, mapping.null)
    elif mapping.wkt is not None:
        chunk.geometry = _wkt(chunk, mapping.wkt)


def _points(chunk: Chunk, x: str, y: str, null: tuple[str, ...]) -> Geometries:
    xs, ys = _numbers(chunk, x, null), _numbers(chunk, y, null)
    given = ~(np.isnan(xs) | np.isnan(ys))
    for i in np.flatnonzero(np.isnan(xs) != np.isnan(ys)):
        chunk.broken.setdefault(int(i), f"Only one of the coordinates {x!r} and {y!r} is given.")
    points: Geometries = np.full(len(chunk), None, dtype=object)
    points[given] = shapely.points(xs[given], ys[given])
    return points


def _numbers(chunk: Chunk, name: str, null: tuple[str, ...]) -> Numbers:
    text = pc.utf8_trim_whitespace(as_text(chunk.fields[name]))
    empty = pc.is_in(text, value_set=pa.array(["", *null], pa.string()))
    text = pc.if_else(empty, pa.scalar(None, pa.string()), text)
    try:
        return np.asarray(pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowInvalid:
        return _numbers_one_by_one(chunk, name, text)


def _numbers_one_by_one(chunk: Chunk, name: str, text: pa.Array) -> Numbers:
    values = np.full(len(text), np.nan)
    for i, value in enumerate(text.to_pylist()):
        try:
            values[i] = np.nan if value is None else float(value)
        except ValueError:
            chunk.broken.setdefault(i, f"The coordinate {name!r} is {value[:40]!r}, where a number was expected.")
            chunk.unread[i] = value[:200]
    return values


def _wkt(chunk: Chunk, name: str) -> Geometries:
    text = [(value or "").strip() or None for value in as_text(chunk.fields[name]).to_pylist()]
    found = decoded(np.array(text, dtype=object), shapely.from_wkt)
    for i, value in enumerate(text):
        if value is not None and found[i] is None:
            chunk.broken.setdefault(i, f"The column {name!r} holds no readable WKT geometry.")
            chunk.unread[i] = value[:2000]
    return found
