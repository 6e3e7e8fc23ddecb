"""The red line of a project from a file: boundary points (TXT) or a zipped shapefile, read in a confined child."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from geoservice.analysis.geojson import checked, measurable
from geoservice.analysis.place import Place
from ingest.job import IngestPlan, LoadOptions, ReadLimits, plan
from ingest.sandbox import open_rows
from layers.boundary import BoundaryTemplate
from layers.errors import BadGeometry, TooLarge
from layers.gauss import Datum
from layers.model import VectorLayer

TEXT, ZIP = "text/plain", "application/zip"
SUFFIXES: Mapping[str, str] = {TEXT: ".txt", ZIP: ".zip"}
_LIMITS = ReadLimits(seconds=60.0, memory=1 << 30, unpacked=200 << 20, entries=50, vertices=200_000)
_MOST_PARCELS = 10_000
_SKETCHED = 1_000
"""Steps of a sketch across the longer side."""
_NAME = "redline"
_LAYER: dict[str, Any] = {
    "format": 1,
    "kind": "vector",
    "theme": "land",
    "name": _NAME,
    "title": {"zh": "用地红线", "en": "Red line"},
    "authority": {"kind": "applicant"},
    "cycle": "P1D",
    "licence": {"share": "withheld", "basis": "土地管理法"},
    "clearance": "restricted",
    "geometry": "polygon",
    "style": {"fill": "#cc0000"},
    "attributes": {},
    "sources": {
        TEXT.replace("/", "-"): {"match": ["*.txt"], "format": "boundary"},
        "application-zip": {"match": ["*.zip"]},
    },
}


@dataclass(frozen=True)
class Sent:
    """A file that came with a request.

    Attributes:
        content: Its bytes.
        media: `text/plain` or `application/zip`.
        crs: CRS of a file that states none, as `EPSG:n`.
        datum: Datum of such a file on Gauss-Krueger coordinates.
    """

    content: bytes
    media: str
    crs: str | None = None
    datum: Datum | None = None


@dataclass(frozen=True)
class RedLine:
    """A red line: the place, how many parcels it is made of, and the SHA-256 of the file."""

    place: Place
    parcels: int
    digest: str | None = None


@lru_cache(maxsize=1)
def _layer() -> VectorLayer:
    return VectorLayer.model_validate(_LAYER)


def read_redline(sent: Sent, templates: Mapping[str, BoundaryTemplate], folder: Path, most_vertices: int) -> RedLine:
    """The red line of a file. It starts a child and waits for it: call it in a thread.

    Args:
        sent: The file.
        templates: Templates of boundary-point files.
        folder: Where it may lie while it is read.
        most_vertices: Most vertices of all parcels together.

    Raises:
        SourceError: When it cannot be read, and says why.
        CrsRefused: When it states no coordinate system, or one without a safe path.
        BadGeometry: When a parcel is not sound, or it has none.
        TooLarge: When it has too many parcels or vertices.
    """
    options = LoadOptions(repair=False, crs=sent.crs, datum=sent.datum)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{_NAME}-", dir=folder) as private:
        file = Path(private) / f"{_NAME}{SUFFIXES[sent.media]}"
        file.write_bytes(sent.content)
        mapping = sent.media.replace("/", "-")
        job = plan(_layer(), file, {}, mapping, _LIMITS, options, templates=templates)
        shapes = _parcels(job, most_vertices)
    whole = shapely.union_all(np.array(shapes, dtype=np.object_))
    place = Place(checked(measurable(whole), "the red line"), f"file:{_NAME}{SUFFIXES[sent.media]}")
    return RedLine(place, len(shapes), hashlib.sha256(sent.content).hexdigest())


def _parcels(job: IngestPlan, most_vertices: int) -> list[shapely.Geometry]:
    found: list[shapely.Geometry] = []
    vertices = 0
    with open_rows(job) as rows:
        for batch in rows:
            for wkb, reason in zip(batch["geom"].to_pylist(), batch["_reason"].to_pylist(), strict=True):
                if reason is not None or wkb is None:
                    raise BadGeometry(reason or "A parcel of the red line has no geometry.", where="file")
                found.append(checked(shapely.from_wkb(wkb), f"parcel {len(found) + 1}"))
                vertices += int(shapely.get_num_coordinates(found[-1]))
                if len(found) > _MOST_PARCELS or vertices > most_vertices:
                    raise TooLarge(
                        f"The red line has more than {_MOST_PARCELS} parcels or {most_vertices} vertices.",
                        limit=most_vertices,
                    )
    if not found:
        raise BadGeometry("The file holds no parcel, so that there is no red line.", where="file")
    return found


def outline(geometry: shapely.Geometry) -> dict[str, Any]:
    """A red line as it is sketched (GeoJSON): with no more corners than a small drawing shows."""
    west, south, east, north = shapely.bounds(geometry).tolist()
    coarse = shapely.simplify(geometry, max(east - west, north - south) / _SKETCHED, preserve_topology=False)
    found: dict[str, Any] = json.loads(shapely.to_geojson(geometry if shapely.is_empty(coarse) else coarse))
    return found
