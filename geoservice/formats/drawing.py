"""Drawings (DXF, AutoCAD R12): outlines on a layer that bears the name of the collection.

R12 is the oldest form that all programs read, and can be written entity by entity, so that memory does not grow. A
drawing has no attributes and no CRS: coordinates are x, y in the CRS that was asked for, which a comment names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from geoservice.formats.shapes import shapes_of
from geoservice.formats.subject import Batches, Subject
from layers.crs import describe

_CLOSED, _SOLID = 1, 8
"""Flags of a polyline (group 70): closed; with heights."""
_POINT = 0


def write_dxf(subject: Subject, batches: Batches, file: Path) -> None:
    """A drawing in DXF; rows without a geometry are left out."""
    with file.open("x", encoding="ascii", errors="backslashreplace", newline="\r\n") as handle:
        handle.writelines(_groups(_head(subject)))
        for batch in batches:
            for shape in shapely.get_parts(shapes_of(batch)):
                handle.writelines(_groups(_entity(subject, shape)))
        handle.writelines(_groups([(0, "ENDSEC"), (0, "EOF")]))


Groups = Iterator[tuple[int, Any]]


def _groups(pairs: Iterable[tuple[int, Any]]) -> Iterator[str]:
    for code, value in pairs:
        yield f"{code:>3}\n{value}\n"


def _head(subject: Subject) -> list[tuple[int, Any]]:
    facts = {**subject.about.facts(), "crs": describe(subject.crs)}
    comments = [(999, f"{name}: {value}".replace("\n", " ").replace("\r", " ")) for name, value in facts.items()]
    header = [(0, "SECTION"), (2, "HEADER"), (9, "$ACADVER"), (1, "AC1009"), (0, "ENDSEC")]
    table = [(0, "SECTION"), (2, "TABLES"), (0, "TABLE"), (2, "LAYER"), (70, 1)]
    layer = [(0, "LAYER"), (2, subject.layer.name), (70, 0), (62, 7), (6, "CONTINUOUS")]
    return [*comments, *header, *table, *layer, (0, "ENDTAB"), (0, "ENDSEC"), (0, "SECTION"), (2, "ENTITIES")]


def _entity(subject: Subject, shape: shapely.Geometry) -> Groups:
    """The entities of one simple geometry: a point, or a polyline for each line and ring."""
    kind = shapely.get_type_id(shape)
    if shapely.is_empty(shape):
        return
    if kind == _POINT:
        yield from ((0, "POINT"), (8, subject.layer.name), *_place(subject, _coordinates(shape)[0]))
        return
    if shapely.get_num_geometries(shape) > 1 or hasattr(shape, "geoms"):
        for part in shapely.get_parts(shape):
            yield from _entity(subject, part)
        return
    rings = shapely.get_rings(shape)
    for line in rings if len(rings) else [shape]:
        yield from _polyline(subject, line, closed=bool(len(rings)))


def _polyline(subject: Subject, line: shapely.Geometry, *, closed: bool) -> Groups:
    places = _coordinates(line)[: -1 if closed else None]
    flags = (_CLOSED if closed else 0) | (_SOLID if shapely.has_z(line) else 0)
    yield from ((0, "POLYLINE"), (8, subject.layer.name), (66, 1), (10, 0.0), (20, 0.0), (30, 0.0), (70, flags))
    for place in places:
        yield from ((0, "VERTEX"), (8, subject.layer.name), *_place(subject, place))
    yield (0, "SEQEND")


def _coordinates(shape: shapely.Geometry) -> list[list[float]]:
    found: list[list[float]] = shapely.get_coordinates(shape, include_z=bool(shapely.has_z(shape))).tolist()
    return found


def _place(subject: Subject, place: list[float]) -> Iterator[tuple[int, Any]]:
    for code, value in zip((10, 20, 30), [*place, 0.0][:3], strict=True):
        number = 0.0 if np.isnan(value) else value
        yield code, f"{number:.{subject.decimals}f}"
