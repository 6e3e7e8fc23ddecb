"""Looking for exceedances that subscribers asked for: once when one begins, once when it is over.

What stands is kept for each subscription, so that a courier that starts anew tells nothing twice, nor do two that look
at the same time. The questions are asked one after the other, each within the time of a statement. Whoever has many
messages waiting is told of no further ones until some have gone: what is over by then is not told at all.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.events.exceeding import FRESH, Beyond, Look, beyond, stations_now, values_now
from geoservice.events.news import moment
from geoservice.events.outbox import Note, active, enqueue, eyes
from geoservice.observations.read import UNCOUNTED
from geoservice.stations.state import Station
from geoservice.stations.statements import Latest
from layers.access import Clearance
from layers.errors import GeoError
from layers.system import api_key, delivery, subscription, subscription_standing

LOOK_SECONDS = 15.0
MOST_WAITING = 100
"""Messages that may wait for a subscription before it is told of no further exceedances."""
BEGAN, ENDED = "exceedance.began", "exceedance.ended"
Transaction = Callable[[], AbstractContextManager[sa.Connection]]
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Follower:
    """A subscription to exceedances, and where it wants to know of them (WKB, longitude and latitude in degrees)."""

    id: str
    area: bytes | None


@dataclass(frozen=True)
class _Now:
    """What ended things are worth now: readings by number of the datastream, stations by key."""

    streams: Mapping[int, Latest | None]
    stations: Mapping[str, Station]


@dataclass(frozen=True)
class _End:
    """That something is over: what is told of it; None where it is not to be spoken of."""

    thing: str
    event: str
    payload: Mapping[str, Any] | None


class ExcessWatch:
    """Looks for exceedances."""

    def __init__(self, database: Database, begin: Transaction, stop: threading.Event) -> None:
        """Look at nothing yet; `begin` opens a transaction of the writer, `stop` ends a look before it is through."""
        self._database = database
        self._begin = begin
        self._stop = stop

    def look(self) -> None:
        """Write down what began and what ended; may take long."""
        asked = self._asked()
        if not asked:
            return
        with _asking(self._database) as ask:
            for (clearance, text), followers in asked.items():
                if self._stop.is_set():
                    return
                self._look_at(ask, clearance, json.loads(text), followers)

    def _look_at(
        self, ask: Ask, clearance: Clearance, condition: Mapping[str, Any], followers: Sequence[_Follower]
    ) -> None:
        """Ask one question, for all who want to know."""
        at = dt.datetime.now(dt.UTC)
        try:
            found = ask(clearance, lambda connection: beyond(connection, clearance, condition, at))
        except Exception as error:  # noqa: BLE001 - one question may be too large; the others are answered all the same
            _log.warning("exceedances could not be looked at: %s", error, exc_info=not _expected(error))
            return
        for one in followers:
            try:
                self._compare(ask, one, found, (clearance, at))
            except Exception as error:  # noqa: BLE001 - whatever one subscription comes upon, the others are told
                told = not _expected(error)
                _log.warning("subscription %s was not told of exceedances: %s", one.id, error, exc_info=told)

    def _asked(self) -> dict[tuple[Clearance, str], list[_Follower]]:
        """Subscriptions by what they have in common: eyes and condition, so that each question is asked once."""
        one = subscription.c
        seen = eyes(self._database.settings.mail_ceiling).label("clearance")
        columns = (one.id, one.condition, one.area, seen)
        found = sa.select(*columns).select_from(subscription.join(api_key, api_key.c.id == one.principal))
        groups = defaultdict[tuple[Clearance, str], list[_Follower]](list)
        with self._begin() as connection:
            for row in connection.execute(found.where(*active("exceedance")).order_by(one.id)):
                key = (Clearance(row.clearance), json.dumps(row.condition, sort_keys=True))
                groups[key].append(_Follower(row.id, None if row.area is None else bytes(row.area)))
        return groups

    def _compare(self, ask: Ask, follower: _Follower, found: Look, eye: tuple[Clearance, dt.datetime]) -> None:
        """Tell a subscription what differs from what it was told."""
        clearance, at = eye
        inside = found.inside(None if follower.area is None else shapely.from_wkb(follower.area))
        known = self._known(follower.id)
        gone = [row for key, row in known.items() if key not in inside] if found.whole else []
        over = self._over(ask, gone, clearance, at)
        fresh = [one for key, one in inside.items() if key not in known]
        if not over and not fresh:
            return
        table = subscription_standing
        with self._begin() as connection:
            # A subscription that was removed meanwhile is told nothing.
            mine = sa.select(subscription.c.id).where(subscription.c.id == follower.id).with_for_update()
            if connection.execute(mine).scalar() is None:
                return
            for one in over:
                ended = table.c.subscription == follower.id, table.c.thing == one.thing
                done = connection.execute(sa.delete(table).where(*ended).returning(table.c.thing)).first()
                if done is not None and one.payload is not None:
                    enqueue(connection, Note(follower.id, one.payload, one.event, clearance=clearance))
            room = MOST_WAITING - _waiting(connection, follower.id)
            for begun in fresh[: max(room, 0)]:
                _start(connection, follower.id, begun, clearance, at)

    def _known(self, number: str) -> dict[str, Any]:
        """What stands, as the subscriber was told."""
        table = subscription_standing.c
        chosen = sa.select(table.thing, table.told, table.since, table.clearance)
        with self._begin() as connection:
            return {row.thing: row for row in connection.execute(chosen.where(table.subscription == number))}

    def _over(self, ask: Ask, gone: Sequence[Any], clearance: Clearance, at: dt.datetime) -> list[_End]:
        """What of that which is not beyond its limit any more is over."""
        # What was seen with a higher clearance is not spoken of any more, nor looked at.
        hidden = [_End(row.thing, "", None) for row in gone if row.clearance > clearance]
        seen = [row for row in gone if row.clearance <= clearance]
        if not seen:
            return hidden
        now = ask(clearance, lambda connection: _worth(connection, clearance, seen, at))
        return hidden + [one for one in (_end(row, now, at) for row in seen) if one is not None]


def _start(connection: sa.Connection, number: str, one: Beyond, clearance: Clearance, at: dt.datetime) -> None:
    told = {"facts": dict(one.facts), "stream": one.stream}
    values = {"subscription": number, "thing": one.key, "clearance": int(clearance), "told": told, "since": one.time}
    mine = insert(subscription_standing).values(**values).on_conflict_do_nothing().returning(sa.literal(1))
    if connection.execute(mine).first() is None:
        return
    payload = {"type": BEGAN, "timestamp": moment(at), "data": dict(one.facts)}
    enqueue(connection, Note(number, payload, f"exceedance:{one.key}:{moment(one.time)}:began", clearance=clearance))


def _waiting(connection: sa.Connection, number: str) -> int:
    waits = delivery.c.subscription == number, delivery.c.state == "waiting"
    return int(connection.execute(sa.select(sa.func.count()).select_from(delivery).where(*waits)).scalar_one())


def _end(row: Any, now: _Now, at: dt.datetime) -> _End | None:
    """Whether something that is no longer beyond its limit is over; None while nobody knows."""
    facts, stream = dict(row.told["facts"]), row.told["stream"]
    event = f"exceedance:{row.thing}:{moment(row.since)}:ended"
    if stream is not None and stream in now.streams:
        said = _said(now.streams[stream], at)
        # A reading that is marked as bad says nothing.
        if said is None:
            return None
        if facts["limit"]["basis"] != "reading":
            said.pop("value", None)
    elif stream is None and facts["station"] in now.stations:
        said = _judged(now.stations[facts["station"]])
    else:
        return _End(row.thing, event, None)
    was = {"began": moment(row.since), "was": facts.pop("value")}
    payload = {"type": ENDED, "timestamp": moment(at), "data": {**facts, **was, **said}}
    return _End(row.thing, event, payload)


def _said(latest: Latest | None, at: dt.datetime) -> dict[str, Any] | None:
    if latest is None or latest.time <= at - FRESH:
        return {"why": "silent"}
    if latest.number is None or (latest.quality or "") in UNCOUNTED:
        return None
    return {"why": "recovered", "value": latest.number, "datetime": moment(latest.time)}


def _judged(station: Station) -> dict[str, Any]:
    judged = station.judgement
    if station.stale or judged is None:
        return {"why": "silent"}
    value = judged.verdict.code if judged.verdict.value is None else judged.verdict.value
    return {"why": "recovered", "value": value, "datetime": moment(judged.hour)}


async def _worth(connection: AsyncConnection, clearance: Clearance, rows: Sequence[Any], at: dt.datetime) -> _Now:
    streams = [row.told["stream"] for row in rows if row.told["stream"] is not None]
    keys = {row.told["facts"]["station"] for row in rows if row.told["stream"] is None}
    found = await values_now(connection, clearance, streams, at)
    return _Now(found, await stations_now(connection, clearance, keys, at))


class Ask:
    """Asks questions as readers, one after the other, over connections that are kept meanwhile."""

    def __init__(self, runner: asyncio.Runner, pools: Pools) -> None:
        """Ask nothing yet."""
        self._runner = runner
        self._pools = pools

    def __call__(self, clearance: Clearance, question: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """The answer to a question.

        Raises:
            DatabaseUnavailable: When there is no connection to be had.
            QueryTimeout: When the answer takes too long.
        """

        async def answer() -> T:
            async with self._pools.connection(clearance) as connection:
                return await question(connection)

        return self._runner.run(answer())


@contextmanager
def _asking(database: Database) -> Iterator[Ask]:
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        pools = runner.run(opened.enter_async_context(Pools(database)))
        try:
            yield Ask(runner, pools)
        finally:
            runner.run(opened.aclose())


def _expected(error: Exception) -> bool:
    return isinstance(error, GeoError | DBAPIError)
