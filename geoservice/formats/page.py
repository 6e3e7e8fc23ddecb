"""A page of features, read as GeoJSON, written as a file: paging, snapshot and access are those of the page."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from geoservice.formats.known import FileFormat
from geoservice.formats.subject import GEOMETRY, KEY, Subject
from layers.errors import NotAcceptable


def written(features: str, subject: Subject, chosen: FileFormat, *, swapped: bool) -> bytes:
    """The bytes of a file.

    Args:
        features: GeoJSON features, joined by commas, in the CRS of the subject.
        subject: What the file is about.
        chosen: Its format.
        swapped: Whether coordinates of the features have latitude or northing first.

    Raises:
        NotAcceptable: When the format cannot hold the rows.
    """
    batch = batch_of_features(json.loads(f"[{features}]"), subject, swapped=swapped)
    with TemporaryDirectory(prefix="geoservice-") as folder:
        file = Path(folder) / f"{subject.layer.name}{chosen.suffix}"
        chosen.write(subject, iter([batch]), file)
        return file.read_bytes()


def batch_of_features(found: list[dict[str, Any]], subject: Subject, *, swapped: bool) -> pa.RecordBatch:
    """Features as a batch with the types of the subject's columns."""
    arrays: list[pa.Array] = []
    for field in subject.schema:
        if field.name == GEOMETRY:
            arrays.append(_shapes(found, swapped=swapped))
        elif field.name == KEY:
            arrays.append(pa.array([one["id"] for one in found], pa.string()))
        else:
            read = _READERS.get(str(field.type), _same)
            values = [one["properties"][field.name] for one in found]
            arrays.append(pa.array([None if value is None else read(value) for value in values], field.type))
    return pa.record_batch(arrays, schema=subject.schema)


def _shapes(found: list[dict[str, Any]], *, swapped: bool) -> pa.Array:
    texts = [None if one["geometry"] is None else json.dumps(one["geometry"]) for one in found]
    shapes = np.asarray(shapely.from_geojson(texts), dtype=object) if texts else np.empty(0, dtype=object)
    if swapped:
        shapes = shapely.transform(shapes, lambda places: places[:, ::-1])
    return pa.array(list(shapely.to_wkb(shapes)), pa.binary())


def _same(value: Any) -> Any:
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "date32[day]": dt.date.fromisoformat,
    "timestamp[us, tz=UTC]": dt.datetime.fromisoformat,
}


def require_geometry(subject: Subject, chosen: FileFormat) -> None:
    """A format that needs geometries is asked for with them.

    Raises:
        NotAcceptable: When they were left out.
    """
    if not subject.spatial and "none" not in chosen.geometries:
        raise NotAcceptable(f"A file of {chosen.name} is made of geometries; ask for them, or for another format.")
