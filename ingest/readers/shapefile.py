"""Shapefiles, made ready for GDAL: what is missing beside the .shp is said, made again, or done without."""

from __future__ import annotations

from ingest.readers.dbf import encoding_of
from ingest.readers.prepared import Prepared
from ingest.readers.source import Request


def prepare_shapefile(request: Request) -> Prepared:
    """Find out about the files beside a .shp.

    A missing index (.shx) is made again by GDAL, in the private directory, where the .shp is a link or a copy. A
    missing table (.dbf) leaves geometries without attributes.

    Raises:
        SourceUnreadable: When the table is damaged, or text in none of the expected encodings.
    """
    present = {p.suffix.lower() for p in request.file.parent.iterdir() if p.stem == request.file.stem}
    config: dict[str, str] = {}
    if ".shx" not in present:
        config["SHAPE_RESTORE_SHX"] = "YES"
        message = "The index (.shx) is missing; it was made again from the geometries."
        request.notes.add("missing-index", "warning", message, count=1)
    if ".dbf" not in present:
        message = "The table (.dbf) is missing; the geometries have no attributes."
        request.notes.add("missing-table", "warning", message, count=1)
    encoding = encoding_of(request.file, request.plan.mapping.encoding, request.name)
    return Prepared(request.file, encoding, encoding, config=config)
