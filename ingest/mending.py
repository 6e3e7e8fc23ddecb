"""Repairs that a confined reader logged, kept with the edition that they went into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from psycopg import Connection

from ingest.checks.repairs import read_log
from ingest.job import IngestReport
from layers.errors import SourceUnreadable

_COPY = resources.files("ingest").joinpath("repairs.sql")
_TYPES = ("int8", "int8", "text", "int8", "text", "bytea", "bytea", "float8")


def keep_repairs(connection: sa.Connection, report: IngestReport, folders: Iterable[Path]) -> int:
    """Copy the log of repairs into the database, in the transaction of the load.

    Args:
        connection: The transaction.
        report: The report with its number and its edition.
        folders: Where the readers left their logs; what stands there is not trusted.

    Returns:
        How many repairs were kept.

    Raises:
        SourceUnreadable: When the log is not what was agreed, or holds another number of repairs than the summary.
    """
    if report.edition is None or report.load is None or not report.summary.repaired:
        return 0
    driver: Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    count = 0
    with driver.cursor() as cursor, cursor.copy(_COPY.read_bytes()) as copy:
        copy.set_types(_TYPES)
        for row in _rows(report, folders):
            copy.write_row(row)
            count += 1
    if count != report.summary.repaired:
        raise SourceUnreadable(
            f"The reader repaired {report.summary.repaired} geometries but logged {count}; nothing was loaded."
        )
    return count


def _rows(report: IngestReport, folders: Iterable[Path]) -> Iterator[tuple[object, ...]]:
    layer = report.layer.rpartition("/")[2]
    for folder in folders:
        for batch in read_log(folder):
            columns = [batch.column(name) for name in ("position", "rule", "before", "after", "area_change")]
            for values in zip(*(column.to_pylist() for column in columns), strict=True):
                yield (report.load, report.edition, layer, *values)
