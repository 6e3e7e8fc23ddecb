"""OGC Features and Geometries JSON 1.0 (OGC 21-045r1), Core and Feature Types and Schemas.

Geometries in longitude and latitude of WGS 84 are GeoJSON and stand in `geometry`. Those in another CRS stand in
`place`, in the axis order that the CRS has, and `geometry` is null.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from geoservice.formats.shapes import rounded, shapes_of
from geoservice.formats.subject import KEY, Batches, Subject
from geoservice.formats.text import json_rows, write_collection
from layers.crs import CRS84_URI

MEDIA = "application/vnd.ogc.fg+json"
_CONFORMS = [f"http://www.opengis.net/spec/json-fg-1/1.0/conf/{name}" for name in ("core", "types-schemas")]
_DIMENSIONS = {"point": 0, "line": 1, "polygon": 2}


def write_jsonfg(subject: Subject, batches: Batches, file: Path) -> None:
    """A feature collection of JSON-FG."""
    with file.open("xb") as handle:
        write_collection(handle, head(subject), (features(subject, batch) for batch in batches))


def head(subject: Subject) -> dict[str, Any]:
    """The members of a collection in front of its features."""
    made: dict[str, Any] = {
        "type": "FeatureCollection",
        "conformsTo": _CONFORMS,
        "featureType": subject.layer.name,
        "about": subject.about.facts(),
    }
    if subject.spatial:
        made["coordRefSys"] = crs_uri(subject.crs)
    if subject.geometry_type in _DIMENSIONS:
        made["geometryDimension"] = _DIMENSIONS[subject.geometry_type]
    return made


def crs_uri(crs: pyproj.CRS) -> str:
    """The OGC address of a CRS; CRS84 for longitude and latitude of WGS 84 in that order."""
    found = crs.to_authority(min_confidence=100)
    if found is None or found[0] == "OGC":
        return CRS84_URI
    return f"http://www.opengis.net/def/crs/{found[0]}/0/{found[1]}"


def north_first(crs: pyproj.CRS) -> bool:
    """Whether the first axis of a CRS is latitude or northing."""
    return bool(crs.axis_info) and crs.axis_info[0].direction == "north"


def features(subject: Subject, batch: pa.RecordBatch) -> list[str]:
    """The rows of a batch as features."""
    plain = crs_uri(subject.crs) == CRS84_URI
    shapes = _shapes(subject, batch)
    made = []
    for row, shape in zip(json_rows(batch), shapes, strict=True):
        head = json.dumps({"type": "Feature", "id": row.pop(KEY), "time": _time(subject, row)}, ensure_ascii=False)
        geometry, place = (shape, "null") if plain else ("null", shape)
        properties = json.dumps(row, ensure_ascii=False)
        made.append(f'{head[:-1]}, "place": {place}, "geometry": {geometry}, "properties": {properties}}}')
    return made


def _shapes(subject: Subject, batch: pa.RecordBatch) -> list[str]:
    if not subject.spatial:
        return ["null"] * batch.num_rows
    shapes = rounded(shapes_of(batch), subject.decimals)
    if crs_uri(subject.crs) != CRS84_URI and north_first(subject.crs):
        shapes = shapely.transform(shapes, _swapped, include_z=bool(np.any(shapely.has_z(shapes))))
    return ["null" if text is None else text for text in shapely.to_geojson(shapes)]


def _swapped(coordinates: Any) -> Any:
    return np.column_stack([coordinates[:, 1], coordinates[:, 0], coordinates[:, 2:]])


def _time(subject: Subject, row: dict[str, Any]) -> dict[str, str] | None:
    """The primary instant of a feature: its date or its moment in UTC."""
    name = subject.layer.time
    value = row.get(name) if name is not None else None
    if name is None or value is None:
        return None
    return {"date" if subject.layer.attributes[name].type == "date" else "timestamp": value}
