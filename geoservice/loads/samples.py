"""The first quarantined (open ones on top) and repaired rows of a load, read as the writer: no reader may see them.

Whoever calls this has decided that the asker may see everything of the load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import shapely
import sqlalchemy as sa

from geoservice.db.writing import Writer
from geoservice.loads.document import QuarantinedRow, ReasonCount, RepairEntry, Samples
from geoservice.loads.record import LoadRecord
from ingest.numbering import FIRST_ROW, row_number
from ingest.reasons import first_reason
from layers.system import quarantine, repair

FIRST = 10
_RAW_SHOWN = 1000
_VERTICES_SHOWN = 60
_DECIMALS = r"[0-9]+[.][0-9]+"


def samples_of(writer: Writer, record: LoadRecord) -> Samples:
    """What went wrong with single rows, the first of each kind, for a request."""
    with writer.transaction() as connection:
        return read_samples(connection, record)


def read_samples(connection: sa.Connection, record: LoadRecord) -> Samples:
    """What went wrong with single rows, the first of each kind."""
    kept = _quarantined(connection, record)
    repairs, mended = _repaired(connection, record)
    return kept.model_copy(update={"repairs": repairs, "repairs_total": mended})


def _quarantined(connection: sa.Connection, record: LoadRecord) -> Samples:
    if record.sha256 is None:
        return Samples()
    table = quarantine
    same = sa.and_(
        table.c.layer == record.layer,
        table.c.sha256 == record.sha256,
        table.c.mapping == record.report.get("mapping"),
    )
    # Cut by the server: a raw row may be large.
    row = (table.c.position + FIRST_ROW).label("row")
    first = sa.func.nullif(first_reason(), table.c.reason).label("first_reason")
    columns = [table.c.id, row, table.c.reason, first, table.c.state, _shown(table).label("raw")]
    rows = sa.select(*columns).where(same).order_by(table.c.state != "open", table.c.position).limit(FIRST)
    found = [QuarantinedRow.model_validate(dict(row)) for row in connection.execute(rows).mappings()]
    reasons = connection.execute(_frequent(table, same, columns)).mappings()
    waiting = sa.func.count().filter(table.c.state == "open")
    total, still = connection.execute(sa.select(sa.func.count(), waiting).select_from(table).where(same)).one()
    return Samples(
        reasons=tuple(_reason(dict(row)) for row in reasons),
        quarantine=tuple(found),
        quarantine_total=int(total),
        quarantine_open=int(still),
    )


def _frequent(
    table: sa.Table, same: sa.ColumnElement[bool], columns: Sequence[sa.ColumnElement[Any]]
) -> sa.Select[Any]:
    """The most frequent reasons with the first row of each. Measured values (decimals) do not make another reason."""
    alike = sa.func.regexp_replace(table.c.reason, _DECIMALS, "…", "g").label("alike")
    grouped = sa.select(alike, sa.func.count().label("count"), sa.func.min(table.c.id).label("first")).where(same)
    counted = grouped.group_by("alike").order_by(sa.desc("count"), sa.asc("first")).limit(FIRST).subquery()
    firsts = sa.select(*columns, counted.c["count"], counted.c.alike).join(counted, counted.c.first == table.c.id)
    return firsts.order_by(counted.c["count"].desc(), counted.c.first)


def _shown(table: sa.Table) -> sa.ColumnElement[str]:
    return sa.func.left(table.c.raw, _RAW_SHOWN)


def _reason(row: dict[str, Any]) -> ReasonCount:
    count, alike = row.pop("count"), row.pop("alike")
    reason = alike if count > 1 else row["reason"]
    return ReasonCount(reason=reason, count=count, first=QuarantinedRow.model_validate(row))


def _repaired(connection: sa.Connection, record: LoadRecord) -> tuple[tuple[RepairEntry, ...], int]:
    table = repair
    same = table.c.load == record.number
    statement = sa.select(table).where(same).order_by(table.c.position).limit(FIRST)
    found = [
        RepairEntry(
            row=row_number(row["position"]),
            rule=row["rule"],
            before=_wkt(row["before"]),
            after=_wkt(row["after"]),
            area_change=row["area_change"],
        )
        for row in connection.execute(statement).mappings()
    ]
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(same)).scalar_one()
    return tuple(found), int(total)


def _wkt(wkb: bytes) -> str:
    """Short WKT; of a large geometry its kind and size."""
    geometry = shapely.from_wkb(wkb)
    vertices = int(shapely.get_num_coordinates(geometry))
    if vertices > _VERTICES_SHOWN:
        return f"{geometry.geom_type} ({vertices})"
    return str(shapely.to_wkt(geometry, rounding_precision=7))
