"""Looking for alerts that subscribers asked for, and writing down what they are told.

Each subscription knows up to which message it was looked at. Messages are numbered in the order in which they were
committed (they are taken in one at a time), so that none is left out.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import shapely
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.alerts import read as alerts_read
from geoservice.alerts.desk import LAYER
from geoservice.alerts.ledger import CLEARANCES
from geoservice.alerts.read import Kept
from geoservice.alerts.tables import message
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.events.alerting import Follower, about, event_of, told
from geoservice.events.outbox import Note, active, enqueue, eyes
from layers.access import Clearance, Principal, RowRule
from layers.errors import GeoError
from layers.system import api_key, delivery, subscription

MOST = 200
"""Messages that are looked at in one go."""
Transaction = Callable[[], AbstractContextManager[sa.Connection]]
_log = logging.getLogger(__name__)


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
        self._most: dict[Clearance, int] = {}

    def look(self) -> None:
        """Write down what is new for each subscription."""
        with self._begin() as connection:
            latest = connection.execute(sa.select(sa.func.max(message.c.number))).scalar() or 0
            rows = self._behind(connection, latest)
        groups = defaultdict[Clearance, list[Any]](list)
        for row in rows:
            groups[Clearance(row.clearance)].append(row)
        for clearance, some in groups.items():
            self._look_as(clearance, some, latest)

    def _look_as(self, clearance: Clearance, rows: Sequence[Any], latest: int) -> None:
        """Look with the eyes of one clearance."""
        most = self._most.get(clearance, MOST)
        try:
            fresh, last = asyncio.run(_fresh(self._database, clearance, min(row.heard for row in rows), most))
        except Exception as error:  # noqa: BLE001 - whatever eyes of one clearance come upon, the others look, too
            # No mark has moved: the same messages are looked at again, fewer in one go.
            self._most[clearance] = max(most // 2, 1)
            expected = isinstance(error, GeoError | DBAPIError)
            _log.warning("alerts could not be looked at: %s", error, exc_info=not expected)
            return
        self._most.pop(clearance, None)
        until = latest if last is None else last
        for row in rows:
            # Whoever is ahead stays there: what came before a subscription is no news to it.
            if row.heard < until:
                self._tell(row, [kept for kept in fresh if kept.number > row.heard], until)

    def _tell(self, row: Any, fresh: Sequence[Kept], until: int) -> None:
        """Tell one subscription; what goes wrong with it keeps no other one from hearing."""
        try:
            follower = _follower(row)
        except (shapely.errors.ShapelyError, ValueError):
            _log.exception("the area of subscription %s cannot be read, so that it is told of no alerts", row.id)
            # Its mark moves all the same: the others do not wait for one that stays behind for ever.
            self._pass_by(row, until)
            return
        try:
            self._write_down(_Behind(follower, Principal(row.key, Clearance(row.clearance)), row.heard), fresh, until)
        except Exception as error:  # noqa: BLE001 - whatever one subscription comes upon, the others are told
            expected = isinstance(error, DBAPIError)
            _log.warning("subscription %s was not told of alerts: %s", row.id, error, exc_info=not expected)

    def _pass_by(self, row: Any, until: int) -> None:
        with self._begin() as connection:
            mine = subscription.c.id == row.id, subscription.c.heard == row.heard
            connection.execute(sa.update(subscription).where(*mine).values(heard=until))

    def _behind(self, connection: sa.Connection, latest: int) -> Sequence[Any]:
        """Active subscriptions that have not heard of all messages."""
        one, seen = subscription.c, eyes(self._database.settings.mail_ceiling).label("clearance")
        columns = (one.id, one.condition, one.area, one.exercises, one.heard, api_key.c.id.label("key"), seen)
        found = sa.select(*columns).where(*active("alert"), one.heard < latest)
        return connection.execute(found.order_by(one.id)).all()

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
        try:
            return told(kept, follower, known, dt.datetime.now(dt.UTC), partial(_address, self._root))
        except Exception:  # noqa: BLE001 - whatever one message holds, the others are told
            _log.exception("subscription %s cannot be told of alert %s", follower.id, kept.id)
            return None


def _follower(row: Any) -> Follower:
    area = None if row.area is None else shapely.from_wkb(bytes(row.area))
    if area is not None:
        shapely.prepare(area)
    return Follower(row.id, row.condition, area, row.exercises)


async def _fresh(database: Database, clearance: Clearance, since: int, most: int) -> tuple[list[Kept], int | None]:
    async with Pools(database) as pools, pools.connection(clearance) as connection:
        return await alerts_read.fresh(connection, RowRule(clearance), since, most)


def _address(root: str, path: str) -> str:
    return f"{root}{path}"
