"""Reports of loads that a reader has found, read as the writer: no reader may select them.

Which loads there are for somebody is for their own role and its policies to say. What they are then told of a report is
for `geoservice.loads.describe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from geoservice.db.writing import Writer
from geoservice.loads.record import LoadRecord
from layers.system import load_report


def with_reports(writer: Writer, records: Sequence[LoadRecord]) -> list[LoadRecord]:
    """The records in their order, each with its report, for a request.

    Raises:
        DatabaseUnavailable: When there is no connection of the writer to be had.
    """
    if not records:
        return []
    with writer.transaction() as connection:
        return filled(connection, records)


def filled(connection: sa.Connection, records: Sequence[LoadRecord]) -> list[LoadRecord]:
    """The records in their order, each with its report."""
    numbers = [record.number for record in records]
    wanted = sa.select(load_report.c.id, load_report.c.report).where(load_report.c.id.in_(numbers))
    reports = {row.id: row.report for row in connection.execute(wanted)}
    return [replace(record, report=reports.get(record.number) or {}) for record in records]
