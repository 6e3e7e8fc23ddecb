"""Which table a media type stands for."""

from __future__ import annotations

from typing import BinaryIO

from geoservice.queries.errors import UnsupportedTable
from geoservice.queries.tables import arrow, comma, documents
from geoservice.queries.tables.model import Columns, Table

MEDIA_TYPES = (comma.MEDIA, documents.NDJSON, documents.SEQUENCE, arrow.PARQUET, arrow.ARROW)
_OTHER_NAMES = {
    "application/csv": comma.MEDIA,
    "application/ndjson": documents.NDJSON,
    "application/jsonl": documents.NDJSON,
    "application/x-jsonlines": documents.NDJSON,
    "application/parquet": arrow.PARQUET,
    "application/x-parquet": arrow.PARQUET,
}


def media_of(header: str) -> str:
    """The media type of a table by the Content-Type field.

    Raises:
        UnsupportedTable: When batches do not take it.
    """
    bare = header.partition(";")[0].strip().lower()
    media = _OTHER_NAMES.get(bare, bare)
    if media not in MEDIA_TYPES:
        raise UnsupportedTable(
            f"A batch comes as {', '.join(MEDIA_TYPES[:-1])} or {MEDIA_TYPES[-1]} (Content-Type); "
            f"{bare[:60] or 'nothing'!r} is none of these.",
            accepted=list(MEDIA_TYPES),
        )
    return media


def open_table(media: str, file: BinaryIO, columns: Columns, most_vertices: int, most_rows: int) -> Table:
    """The table in a file.

    Args:
        media: One of `MEDIA_TYPES`.
        file: The file; it can be read from any place.
        columns: Which columns say where a row lies.
        most_vertices: Most vertices of a geometry.
        most_rows: Most rows, where the file tells beforehand.

    Raises:
        TableUnreadable: When it cannot be read at all.
    """
    if media == comma.MEDIA:
        return comma.CommaTable(file, columns, most_vertices)
    if media == arrow.PARQUET:
        return arrow.ParquetTable(file, columns, most_vertices, most_rows)
    if media == arrow.ARROW:
        return arrow.StreamTable(file, columns, most_vertices)
    return documents.DocumentTable(file, columns, most_vertices, features=media == documents.SEQUENCE)
