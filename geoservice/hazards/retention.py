"""Retention of kept zones: those whose time is over go, unless a report or the situation still refers to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from geoservice.reports.tables import report
from geoservice.situation.tables import member
from layers.system import hazard_zone

_TOLD = ("id", "clearance", "kind", "method", "status", "principal", "kept")


def expired(connection: sa.Connection, days: float) -> Sequence[sa.RowMapping]:
    """Zones that would go now, the oldest first: id, clearance, kind, method, status, principal, and since when.

    A zone goes when it was kept so many days ago and what it shows has ended, or says no end. It stays for as long as a
    kept report asks about it, so that the report can be verified, and for as long as it belongs to an exercise.

    Args:
        connection: A transaction of the writer.
        days: For how long zones are kept.
    """
    kept = hazard_zone.c
    ends = sa.cast(sa.cast(kept.document, JSONB).op("->>")("end"), sa.DateTime(timezone=True))
    told = sa.cast(report.c.manifest, sa.Text())
    chosen = sa.select(*(kept[name] for name in _TOLD)).where(
        kept.kept < sa.func.now() - dt.timedelta(days=days),
        sa.func.coalesce(ends, kept.kept) < sa.func.now(),
        ~sa.exists().where(member.c.kind == "zone", member.c.object == kept.id),
        ~sa.exists().where(sa.func.strpos(told, kept.id) > 0),
    )
    return connection.execute(chosen.order_by(kept.kept, kept.id, kept.clearance)).mappings().all()


def prune(connection: sa.Connection, days: float) -> int:
    """Remove the zones of `expired`, in a transaction of the writer; how many they were."""
    gone = [(row["id"], row["clearance"]) for row in expired(connection, days)]
    if gone:
        key = sa.tuple_(hazard_zone.c.id, hazard_zone.c.clearance)
        connection.execute(sa.delete(hazard_zone).where(key.in_(gone)))
    return len(gone)
