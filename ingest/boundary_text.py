"""Writing boundary-point files (界址点 TXT): the counterpart of `ingest.readers.boundary`.

Coordinates are planar, x = east and y = north in metres, in the zone that the attributes of the file state; the
template says in which order they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely

from layers.boundary import SQUARE_METRES, BoundaryTemplate
from layers.errors import BadGeometry

_HEAD = "[属性描述]"
_BODY = "[地块坐标]"
_END_OF_LINE = "\r\n"


@dataclass(frozen=True)
class BoundaryRecord:
    """One parcel to write: a polygon or multipolygon, and texts for the header columns.

    Point count, area and shape are computed; what `values` says of them is not used, apart from the area.
    """

    geometry: shapely.Geometry
    values: Mapping[str, str] = field(default_factory=dict)


def write(
    records: Iterable[BoundaryRecord], template: BoundaryTemplate, attributes: Mapping[str, str], decimals: int = 3
) -> Iterator[str]:
    """The lines of a boundary-point file, each with its end of line.

    Args:
        records: The parcels.
        template: The variant to write.
        attributes: Entries of the attribute section, such as `坐标系`, `几度分带` and `带号`.
        decimals: Decimal places of coordinates in metres.

    Raises:
        BadGeometry: When a geometry is empty or no area.
    """
    yield _HEAD + _END_OF_LINE
    for key, value in attributes.items():
        yield f"{key}={value}{_END_OF_LINE}"
    yield _BODY + _END_OF_LINE
    for record in records:
        yield from _parcel(record, template, decimals)


def _parcel(record: BoundaryRecord, template: BoundaryTemplate, decimals: int) -> Iterator[str]:
    rings = [_coordinates(ring, template) for ring in _rings(record.geometry)]
    corners = sum(len(ring) for ring in rings)
    if template.closing == "repeated" and template.count.of == "corners":
        corners -= len(rings)
    separator = template.separators[0]
    yield separator.join(_header(record, template, corners)) + _END_OF_LINE
    number = 0
    for ring_number, ring in enumerate(rings, start=1):
        first = number + 1
        for place, (x, y) in enumerate(ring):
            closing = template.closing == "repeated" and place == len(ring) - 1
            number += 0 if closing else 1
            parts = {
                "label": f"J{first if closing else number}",
                "ring": str(ring_number),
                "x": f"{y:.{decimals}f}",
                "y": f"{x:.{decimals}f}",
                "-": "",
            }
            yield separator.join(parts[part] for part in template.point) + _END_OF_LINE


def _header(record: BoundaryRecord, template: BoundaryTemplate, points: int) -> list[str]:
    values = dict(record.values)
    values[template.count.column] = str(points)
    if template.shape is not None:
        values[template.shape] = "面"
    if template.area is not None and template.area.column not in record.values:
        values[template.area.column] = f"{float(shapely.area(record.geometry)) / SQUARE_METRES[template.area.unit]:.4f}"
    names = template.header + tuple(n for n in template.optional if n in values)
    texts = [_plain(values.get(name, ""), template) for name in names]
    return [*texts, template.end]


def _plain(text: str, template: BoundaryTemplate) -> str:
    """A text that cannot be taken for a separator or a new line; such characters become spaces."""
    return "".join(" " if c in template.separators or c in "\r\n" else c for c in text).strip()


def _rings(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    polygons = list(shapely.get_parts(geometry))
    if not polygons or any(p is None or not isinstance(p, shapely.Polygon) or shapely.is_empty(p) for p in polygons):
        raise BadGeometry("Boundary points are written of areas; this geometry is empty or none.")
    return [ring for p in polygons for ring in shapely.get_rings(p)]


def _coordinates(ring: shapely.Geometry, template: BoundaryTemplate) -> npt.NDArray[np.float64]:
    points = shapely.get_coordinates(ring)
    return points[:-1] if template.closing == "open" else points
