"""Formats that GDAL writes: GeoPackage and FlatGeobuf. Batches are handed over as Arrow, without a copy per row."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from geoservice.formats.shapes import families, shapes_of
from geoservice.formats.subject import GEOMETRY, Batches, Subject
from layers.model import VectorLayer

_FID = "fid"


def write_gdal(
    subject: Subject,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    file: Path,
    *,
    driver: str,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Write batches of a schema with a driver of GDAL.

    Args:
        subject: For the CRS and what the file says of itself.
        schema: Of the batches; geometry in `geom`, if there is one.
        batches: The rows.
        file: Where to.
        driver: Name of the driver.
        options: Further arguments of `pyogrio.raw.write_arrow`; they replace ours.
    """
    spatial = GEOMETRY in schema.names
    arguments: dict[str, Any] = {
        "layer": subject.layer.name,
        "driver": driver,
        "geometry_name": GEOMETRY if spatial else None,
        "geometry_type": "Unknown" if spatial else None,
        "crs": subject.crs.to_wkt() if spatial else None,
    }
    reader = pa.RecordBatchReader.from_batches(schema, iter(batches))
    # Opening GDAL takes a while, which nobody else of this process need wait for.
    importlib.import_module("pyogrio").write_arrow(reader, file, **{**arguments, **(options or {})})


def write_geopackage(subject: Subject, batches: Batches, file: Path) -> None:
    """A GeoPackage with one table; what it says of itself is in its metadata."""
    facts = {name: str(value) for name, value in subject.about.facts().items()}
    layer_options = {"FID": _FID, "IDENTIFIER": subject.layer.title.en, "DESCRIPTION": subject.about.facts()["licence"]}
    options = {"layer_options": layer_options, "layer_metadata": facts}
    write_gdal(subject, subject.schema, batches, file, driver="GPKG", options=options)


def write_flatgeobuf(subject: Subject, batches: Batches, file: Path) -> None:
    """A FlatGeobuf with its spatial index; what it says of itself is in the description, as JSON.

    The index has no place for rows without a geometry, so layers that may have such are written without it.
    """
    facts = json.dumps(subject.about.facts(), ensure_ascii=False)
    whole = isinstance(subject.layer, VectorLayer) and subject.layer.geometry_required
    layer_options = {"TITLE": subject.layer.title.en, "DESCRIPTION": facts, "SPATIAL_INDEX": "YES" if whole else "NO"}
    write_gdal(subject, subject.schema, batches, file, driver="FlatGeobuf", options={"layer_options": layer_options})


def split(batch: pa.RecordBatch, default: str) -> Iterator[tuple[str, pa.RecordBatch]]:
    """A batch in parts of one family of geometries each; rows without a geometry go to the default one."""
    found = families(shapes_of(batch))
    found[found == "none"] = default
    for family in sorted(set(found.tolist())):
        yield family, batch.filter(pa.array(found == family))
