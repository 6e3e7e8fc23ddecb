"""Which reader opens a source: content decides, the extension must agree, the mapping may insist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ingest.readers.archive import unpack
from ingest.readers.boundary import open_boundary
from ingest.readers.cap import open_cap
from ingest.readers.osm import open_osm
from ingest.readers.sniff import NAMES, kind_of
from ingest.readers.source import Request, Source
from ingest.readers.table import open_table
from ingest.readers.topojson import open_topojson
from ingest.readers.vector import open_vector
from layers.errors import SourceMismatch

_FAMILY = {
    "gpkg": "vector",
    "shp": "vector",
    "geojson": "vector",
    "kml": "vector",
    "gml": "vector",
    "text": "table",
    "topojson": "topojson",
    "pbf": "osm",
    "osm": "osm",
    "cap": "cap",
    "boundary": "boundary",
    "vct": "vct",
}
_VECTOR = frozenset(k for k, family in _FAMILY.items() if family == "vector")
_OTHERS: dict[str, Callable[[Request], Source]] = {
    "text": open_table,
    "topojson": open_topojson,
    "pbf": open_osm,
    "osm": open_osm,
    "cap": open_cap,
    "boundary": open_boundary,
}


def open_source(request: Request) -> Source:
    """Open a source with the reader for its kind.

    Raises:
        SourceUnreadable: When it is not what its extension claims, or damaged.
        SourceMismatch: When the mapping wants another family of formats.
    """
    kind = kind_of(request.file, request.file.name)
    if kind == "zip":
        request = replace(request, file=unpack(request))
        kind = kind_of(request.file, request.file.name)
    wanted = request.plan.mapping.format
    if wanted == "boundary" and kind == "text":
        # Some offices leave out the names of sections.
        kind = "boundary"
    if wanted is not None and _FAMILY[kind] != wanted:
        raise SourceMismatch(
            f"The mapping {request.plan.mapping_name!r} reads sources of the family {wanted!r}, but {request.name} "
            f"is {NAMES[kind]}."
        )
    return open_vector(request, kind) if kind in _VECTOR else _OTHERS[kind](request)
