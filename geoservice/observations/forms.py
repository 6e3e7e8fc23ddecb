"""Which forms readings may have when they are sent."""

from __future__ import annotations

import pyarrow as pa

from geoservice.observations.columnar import ARROW, PARQUET, rows_of
from geoservice.observations.wire import CSV, NDJSON, parse, table_of_rows

MEDIA_TYPES = (CSV, NDJSON, PARQUET, ARROW)
SUFFIXES = {".csv": CSV, ".ndjson": NDJSON, ".jsonl": NDJSON, ".parquet": PARQUET, ".arrows": ARROW}
"""Media type by the end of a file's name."""


def readings_of(body: bytes, media: str) -> pa.Table:
    """Readings of a body, in the columns of `reading.SCHEMA`.

    Args:
        body: The whole.
        media: One of `MEDIA_TYPES`.

    Raises:
        BadBody: When it is not what its media type says.
        TooLarge: When it takes more memory than is allowed.
    """
    if media in (PARQUET, ARROW):
        return table_of_rows(rows_of(body, media))
    return parse(body, media)
