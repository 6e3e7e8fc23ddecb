"""Kept zones whose time is over: which go, and which stay because something refers to them."""

from __future__ import annotations

import datetime as dt
import json
import threading

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.hazards.retention import expired, prune
from geoservice.jobs.leader import Leader
from geoservice.reports.tables import report
from geoservice.situation.tables import exercise, member
from layers.catalog import Catalog
from layers.system import hazard_zone
from tests.support.loading import prepared

NOW = dt.datetime.now(dt.UTC)
YEAR = 365.0
OLD, YOUNG = (NOW - dt.timedelta(days=days) for days in (400, 300))
ZONES = {
    "gone": (OLD, None),
    "ended": (OLD, NOW - dt.timedelta(days=1)),
    "young": (YOUNG, None),
    "holds": (OLD, NOW + dt.timedelta(days=1)),
    "reported": (OLD, None),
    "played": (OLD, None),
}


def furnished(database: Database) -> None:
    prepared(database, Catalog())
    rows = [
        {
            "id": f"zone-{name}",
            "clearance": 0,
            "method": "drawn",
            "kind": "flood",
            "principal": "office",
            "kept": kept,
            "document": json.dumps({"id": f"zone-{name}", "end": None if end is None else end.isoformat()}),
            "status": "exercise" if name == "played" else "actual",
        }
        for name, (kept, end) in ZONES.items()
    ]
    kept = {"id": "r1", "owner": "office", "kind": "impact", "title": "x", "clearance": 0, "signature": "x", "size": 1}
    game = {"id": "e1", "title": {}, "clearance": 0, "principal": "office", "change": 1}
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(hazard_zone), rows)
        connection.execute(sa.insert(report).values(**kept, manifest={"question": {"zone": "zone-reported"}}))
        connection.execute(sa.insert(exercise).values(**game))
        connection.execute(sa.insert(member).values(exercise="e1", kind="zone", object="zone-played", clearance=0))


def left(database: Database) -> set[str]:
    with database.transaction(Role.WRITER) as connection:
        return set(connection.execute(sa.select(hazard_zone.c.id)).scalars())


def test_zones_go_when_nothing_needs_them(database: Database) -> None:
    furnished(database)
    everything = {f"zone-{name}" for name in ZONES}
    with database.transaction(Role.WRITER) as connection:
        assert {row["id"] for row in expired(connection, YEAR)} == {"zone-gone", "zone-ended"}
        assert expired(connection, 10 * YEAR) == []
    assert left(database) == everything, "looking removes nothing"
    with database.transaction(Role.WRITER) as connection:
        assert prune(connection, YEAR) == 2
    assert left(database) == everything - {"zone-gone", "zone-ended"}
    with database.transaction(Role.WRITER) as connection:
        # What held them is gone, and with it the reason to keep them.
        connection.execute(sa.delete(report))
        connection.execute(sa.delete(member))
        assert prune(connection, YEAR) == 2
        assert prune(connection, YEAR) == 0
    assert left(database) == {"zone-young", "zone-holds"}


def test_a_zone_that_cannot_be_read_keeps_nothing_else_from_being_swept(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    furnished(database)
    with database.transaction(Role.WRITER) as connection:
        long_ago = NOW - dt.timedelta(days=5_000)
        connection.execute(sa.update(hazard_zone).values(kept=long_ago, document=json.dumps({"end": "one day"})))
        connection.execute(sa.update(report).values(created=long_ago))
    Leader(database, threading.Event())._sweep()
    with database.transaction(Role.WRITER) as connection:
        assert connection.execute(sa.select(report.c.id)).all() == []
    assert len(left(database)) == len(ZONES)
    assert "zones were not swept" in caplog.text
