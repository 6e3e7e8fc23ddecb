"""TopoJSON: shared arcs, quantised or not, to geometries.

Source: The TopoJSON Format Specification, sections 2.1 (topology, transform, arcs) and 2.2 (geometry objects).
The format states no CRS, so the mapping must.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from ingest.readers.antimeridian import cut, jumps
from ingest.readers.columns import columns
from ingest.readers.source import Chunk, Request, Source
from layers.errors import SourceMismatch, SourceUnreadable

Coordinates = npt.NDArray[np.float64]
_RING = 4


def open_topojson(request: Request) -> Source:
    """Open one object of a topology.

    Raises:
        SourceUnreadable: When it is not valid JSON or not a topology.
        SourceMismatch: When it has several objects and the mapping names none of them.
    """
    topology = _load(request)
    name, features = _object(request, topology)
    arcs = _Arcs(topology)
    named = dict.fromkeys(key for f in features for key in (f.get("properties") or {}))
    fields = tuple(named) if "id" in named else ("id", *named)
    return Source(
        driver="TopoJSON",
        fields=fields,
        chunks=lambda: _chunks(request, features, arcs, fields),
        encoding="utf-8",
        facts={"object": name, "arcs": len(arcs)},
    )


def _load(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(request.file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SourceUnreadable(f"{request.name} is not UTF-8 (fails at byte {error.start}).") from error
    except json.JSONDecodeError as error:
        raise SourceUnreadable(
            f"{request.name} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise SourceUnreadable(f"{request.name} is nested too deeply to be a topology.") from error
    if not isinstance(found, dict) or not isinstance(found.get("objects"), dict) or "arcs" not in found:
        raise SourceUnreadable(f"{request.name} is not a TopoJSON topology (type, objects, arcs).")
    return found


def _object(request: Request, topology: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    objects = topology["objects"]
    name = request.plan.mapping.sublayer or (next(iter(objects)) if len(objects) == 1 else None)
    if name not in objects:
        raise SourceMismatch(
            f"{request.name} has the objects {', '.join(objects) or 'none'}; the mapping must name one as sublayer.",
            objects=list(objects),
        )
    found = objects[name]
    features = found.get("geometries") if found.get("type") == "GeometryCollection" else [found]
    if not isinstance(features, list) or not all(isinstance(f, dict) for f in features):
        raise SourceUnreadable(f"The object {name!r} of {request.name} holds no geometries.")
    return str(name), features


class _Arcs:
    """Decoded arcs of a topology, in the coordinates of the source."""

    def __init__(self, topology: dict[str, Any]) -> None:
        transform = topology.get("transform")
        try:
            self._scale = np.array(transform["scale"], float) if transform else None
            self._translate = np.array(transform["translate"], float) if transform else None
            self._arcs = [self._decode(arc) for arc in topology["arcs"]]
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise SourceUnreadable("The arcs or the transform of the topology are malformed.") from error

    def __len__(self) -> int:
        return len(self._arcs)

    def _decode(self, arc: list[list[float]]) -> Coordinates:
        points = np.array([p[:2] for p in arc], dtype=float).reshape(-1, 2)
        return self.place(np.cumsum(points, axis=0)) if self._scale is not None else points

    def place(self, points: Coordinates) -> Coordinates:
        """Quantised coordinates in those of the source; others unchanged."""
        if self._scale is None or self._translate is None:
            return points
        placed: Coordinates = points * self._scale + self._translate
        return placed

    def line(self, indexes: list[int]) -> Coordinates:
        """Arcs one after the other (~i = arc i reversed); where two meet, their common point stands once."""
        parts = [self._arcs[~i][::-1] if i < 0 else self._arcs[i] for i in indexes]
        return np.concatenate([parts[0], *(p[1:] for p in parts[1:])])


def _chunks(request: Request, features: list[dict[str, Any]], arcs: _Arcs, fields: tuple[str, ...]) -> Iterator[Chunk]:
    size = request.plan.limits.batch_rows
    for start in range(0, len(features), size):
        yield _chunk(features[start : start + size], arcs, fields, start)


def _chunk(features: list[dict[str, Any]], arcs: _Arcs, fields: tuple[str, ...], start: int) -> Chunk:
    rows = [{"id": f.get("id"), **(f.get("properties") or {})} for f in features]
    chunk = Chunk(np.arange(start, start + len(rows), dtype=np.int64), columns(fields, rows))
    chunk.geometry = np.full(len(rows), None, dtype=object)
    for i, feature in enumerate(features):
        try:
            chunk.geometry[i] = _geometry(feature, arcs)
        except (TypeError, ValueError, KeyError, IndexError, shapely.errors.GEOSException) as error:
            chunk.broken[i] = f"The geometry does not follow the TopoJSON format: {str(error)[:100]}."
            chunk.unread[i] = json.dumps(feature, ensure_ascii=False)
    return chunk


def _geometry(feature: dict[str, Any], arcs: _Arcs) -> shapely.Geometry | None:
    kind = feature.get("type")
    if kind is None:
        return None
    if kind not in _BUILDERS:
        raise ValueError(f"unknown geometry type {kind!r}")
    member = "coordinates" if kind in _POINT_TYPES else "arcs"
    return _BUILDERS[kind](feature[member], arcs)


def _point(position: list[float], arcs: _Arcs) -> shapely.Geometry:
    return shapely.Point(arcs.place(np.array([position[:2]], dtype=float))[0])


def _multipoint(positions: list[list[float]], arcs: _Arcs) -> shapely.Geometry:
    return shapely.MultiPoint(arcs.place(np.array([p[:2] for p in positions], dtype=float)))


def _line(indexes: list[int], arcs: _Arcs) -> shapely.Geometry:
    return shapely.LineString(arcs.line(indexes))


def _multiline(parts: list[list[int]], arcs: _Arcs) -> shapely.Geometry:
    return shapely.MultiLineString([arcs.line(part) for part in parts])


def _multipolygon(parts: list[list[list[int]]], arcs: _Arcs) -> shapely.Geometry:
    found = [p for part in parts if (p := _polygon(part, arcs)) is not None]
    return shapely.MultiPolygon([single for polygon in found for single in shapely.get_parts(polygon)])


def _polygon(rings: list[list[int]], arcs: _Arcs) -> shapely.Geometry | None:
    """A polygon, in parts if it crosses 180 degrees; rings collapsed to less than a triangle enclose nothing and go."""
    found = [_closed(arcs.line(ring)) for ring in rings]
    if not found or len(found[0]) < _RING:
        return None
    kept = [found[0], *(hole for hole in found[1:] if len(hole) >= _RING)]
    if any(jumps(ring) for ring in kept):
        return cut(kept)
    return shapely.Polygon(kept[0], kept[1:])


def _closed(ring: Coordinates) -> Coordinates:
    return ring if (ring[0] == ring[-1]).all() else np.concatenate([ring, ring[:1]])


_POINT_TYPES = frozenset({"Point", "MultiPoint"})
_BUILDERS: dict[str, Callable[[Any, _Arcs], shapely.Geometry | None]] = {
    "Point": _point,
    "MultiPoint": _multipoint,
    "LineString": _line,
    "MultiLineString": _multiline,
    "Polygon": _polygon,
    "MultiPolygon": _multipolygon,
}
