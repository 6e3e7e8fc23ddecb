"""Looking for alerts that subscribers asked for, and writing down what they are told.

Each subscription knows up to which message it was looked at. Messages are numbered in the order in which they were
committed (they are taken in one at a time), so that none is left out.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import shapely
import sqlalchemy as sa

from geoservice.alerts import read as alerts_read
from geoservice.alerts.desk import LAYER
from geoservice.alerts.ledger import CLEARANCES
from geoservice.alerts.read import Kept
from geoservice.alerts.tables import message
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.events.alerting import Follower, about, event_of, told
from geoservice.events.outbox import Note, active, enqueue
from layers.access import Clearance, Principal, RowRule
from layers.system import api_key, delivery, subscription

MOST = 200
"""Messages that are looked at in one go."""
Transaction = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True)
class _Behind:
    """A subscription that has not heard of all messages, and whose key it is."""

    follower: Follower
    principal: Principal
    heard: int


class AlertWatch:
    """Looks for alerts."""

    def __init__(
        self, database: Database, begin: Transaction, may: Callable[[Principal, str], bool], root: str
    ) -> None:
        """Look at nothing yet.

        Args:
            database: Where alerts are read, as a reader of the clearance of the key.
            begin: Opens a transaction of the writer.
            may: Whether a principal may see a layer at this moment.
            root: What addresses in messages begin with.
        """
        self._database = database
        self._begin = begin
        self._may = may
        self._root = root

    def look(self) -> None:
        """Write down what is new for each subscription."""
        with self._begin() as connection:
            latest = connection.execute(sa.select(sa.func.max(message.c.number))).scalar() or 0
            behind = self._behind(connection, latest)
        groups = defaultdict[Clearance, list[_Behind]](list)
        for one in behind:
            groups[one.principal.clearance].append(one)
        for clearance, some in groups.items():
            since = min(one.heard for one in some)
            fresh = asyncio.run(_fresh(self._database, clearance, since))
            until = latest if len(fresh) < MOST else fresh[-1].number
            for one in some:
                self._write_down(one, [kept for kept in fresh if kept.number > one.heard], until)

    def _behind(self, connection: sa.Connection, latest: int) -> list[_Behind]:
        one = subscription.c
        columns = (one.id, one.condition, one.area, one.exercises, one.heard, api_key.c.id.label("key"))
        found = sa.select(*columns, api_key.c.clearance).where(*active("alert"), one.heard < latest)
        rows: Sequence[Any] = connection.execute(found.order_by(one.id)).all()
        return [_behind(row) for row in rows]

    def _write_down(self, one: _Behind, fresh: Sequence[Kept], until: int) -> None:
        """Move the mark of a subscription, and write down what it asks for of the messages before it."""
        follower, mine = one.follower, subscription.c.id == one.follower.id
        may = self._may(one.principal, LAYER)
        with self._begin() as connection:
            moved = sa.update(subscription).where(mine, subscription.c.heard == one.heard).values(heard=until)
            if not connection.execute(moved, execution_options={"preserve_rowcount": True}).rowcount or not may:
                return
            for kept in sorted(fresh, key=lambda kept: kept.number):
                payload = self._told(connection, kept, follower)
                if payload is not None:
                    clearance = CLEARANCES[kept.alert.scope]
                    enqueue(connection, Note(follower.id, payload, event_of(kept), LAYER, clearance=clearance))

    def _told(self, connection: sa.Connection, kept: Kept, follower: Follower) -> Mapping[str, Any] | None:
        asked = sorted(about(kept))
        mine = delivery.c.subscription == follower.id, delivery.c.event.in_(asked)
        known = set(connection.execute(sa.select(delivery.c.event).where(*mine)).scalars()) if asked else set[str]()
        return told(kept, follower, known, dt.datetime.now(dt.UTC), partial(_address, self._root))


def _behind(row: Any) -> _Behind:
    area = None if row.area is None else shapely.from_wkb(bytes(row.area))
    if area is not None:
        shapely.prepare(area)
    principal = Principal(row.key, Clearance(row.clearance))
    return _Behind(Follower(row.id, row.condition, area, row.exercises), principal, row.heard)


async def _fresh(database: Database, clearance: Clearance, since: int) -> list[Kept]:
    async with Pools(database) as pools, pools.connection(clearance) as connection:
        return await alerts_read.fresh(connection, RowRule(clearance), since, MOST)


def _address(root: str, path: str) -> str:
    return f"{root}{path}"
