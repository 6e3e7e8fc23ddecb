"""Which reader opens a source: content decides, the extension must agree, the mapping may insist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ingest.names import named
from ingest.readers.archive import unpack
from ingest.readers.boundary import open_boundary
from ingest.readers.cap import open_cap
from ingest.readers.ndjson import open_ndjson
from ingest.readers.osm import open_osm
from ingest.readers.parquet import open_parquet
from ingest.readers.quarantined import open_quarantined
from ingest.readers.sniff import NAMES, kind_of
from ingest.readers.source import Request, Source
from ingest.readers.table import open_table
from ingest.readers.topojson import open_topojson
from ingest.readers.vct import open_vct
from ingest.readers.vector import open_vector
from ingest.readers.xlsx import open_xlsx
from layers.errors import SourceMismatch

_OTHERS: dict[str, tuple[frozenset[str], Callable[[Request], Source]]] = {
    "text": (frozenset({"table"}), open_table),
    "xlsx": (frozenset({"table"}), open_xlsx),
    "ndjson": (frozenset({"vector"}), open_ndjson),
    "parquet": (frozenset({"vector", "table"}), open_parquet),
    "topojson": (frozenset({"topojson"}), open_topojson),
    "pbf": (frozenset({"osm"}), open_osm),
    "osm": (frozenset({"osm"}), open_osm),
    "cap": (frozenset({"cap"}), open_cap),
    "boundary": (frozenset({"boundary"}), open_boundary),
    "vct": (frozenset({"vct"}), open_vct),
}
"""Kind of file -> the families of formats that a mapping may call it, and its reader. GDAL reads the others."""
_VECTOR = frozenset({"vector"})


def open_source(request: Request) -> Source:
    """Open a source with the reader for its kind.

    Raises:
        SourceUnreadable: When it is not what its extension claims, or damaged.
        SourceMismatch: When the mapping wants another family of formats.
    """
    if request.plan.replay is not None:
        return open_quarantined(request)
    kind = kind_of(request.file, request.file.name)
    if kind == "zip":
        request = replace(request, file=unpack(request))
        kind = kind_of(request.file, request.file.name)
    wanted = request.plan.mapping.format
    if wanted == "boundary" and kind == "text":
        # Some offices leave out the names of sections.
        kind = "boundary"
    families, reader = _OTHERS.get(kind, (_VECTOR, partial(open_vector, kind=kind)))
    if wanted is not None and wanted not in families:
        raise SourceMismatch(
            f"The mapping {request.plan.mapping_name!r} reads sources of the family {wanted!r}, but {request.name} "
            f"is {NAMES[kind]}."
        )
    return named(reader(request), request.plan, request.notes)
