"""Asking feeds: politely, within limits, and only hosts that are allowed; what is new is handed on once.

An answer becomes jobs that load it, or readings, in the one transaction that notes it: a reader that is killed before
has changed nothing, and one that is killed after has nothing left to do. Blocking.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.db.writing import Writer
from geoservice.feeds import answer, pace, state
from geoservice.feeds.errors import FeedWentBack
from geoservice.feeds.state import Known
from geoservice.jobs import queue
from geoservice.jobs.incoming import discard_incoming, keep_content
from geoservice.jobs.intake import Feed
from geoservice.jobs.model import JobRequest
from geoservice.observations.reading import Source
from geoservice.observations.write import write
from geoservice.remote import access_of
from geoservice.settings import Settings
from ingest.remote.client import Answer, Client, RemoteLimits
from layers.access import Clearance
from layers.catalog import Catalog
from layers.errors import DatabaseUnavailable, GeoError

AT_ONCE = 4
"""Feeds that are asked at the same time."""
SECONDS = 60.0
PRINCIPAL = "feed"
_UNFORESEEN = "The answer could not be handled; the log says more."
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """What asking a feed came to: `new`, `unchanged`, `busy` (its last answer is still being loaded) or `failed`."""

    feed: str
    outcome: str
    detail: str = ""


class Reader:
    """Asks feeds."""

    def __init__(self, settings: Settings, writer: Writer, catalog: Catalog, chance: pace.Chance = pace.chance) -> None:
        """Nothing is asked yet."""
        self._settings, self._writer, self._catalog, self._chance = settings, writer, catalog, chance
        self._guard = access_of(settings).guard

    def poll(self, feeds: Iterable[Feed], now: dt.datetime, *, all_: bool = False) -> list[Look]:
        """Ask the feeds that are due, some at the same time.

        Args:
            feeds: The feeds there are.
            now: The time.
            all_: Also those whose time has not come.

        Raises:
            DatabaseUnavailable: When the database is away.
        """
        with self._writer.transaction() as connection:
            found = state.due(connection, feeds, now, all_=all_)
        if not found:
            return []
        with ThreadPoolExecutor(min(AT_ONCE, len(found)), thread_name_prefix="feed") as pool:
            return list(pool.map(lambda known: self._polled(known, now), found))

    def _polled(self, known: Known, now: dt.datetime) -> Look:
        if known.busy:
            return Look(known.feed.name, "busy")
        try:
            return self._looked(known, now)
        except DatabaseUnavailable:
            raise
        except GeoError as error:
            detail = error.detail
        except Exception:  # noqa: BLE001 - whatever one answer does to the libraries, the other feeds are asked
            _log.exception("the feed %s", known.feed.name)
            detail = _UNFORESEEN
        _log.warning("the feed %s: %s", known.feed.name, detail)
        failures = known.failures + 1
        with self._writer.transaction() as connection:
            if state.take_turn(connection, known):
                wait = pace.pause(known.feed.every, failures, self._chance)
                state.note(connection, known, now, wait, failures=failures, error=detail)
        return Look(known.feed.name, "failed", detail)

    def _looked(self, known: Known, now: dt.datetime) -> Look:
        found = self._ask(known)
        digest = known.digest if found.unchanged else hashlib.sha256(found.body).hexdigest()
        values: dict[str, Any] = {"succeeded": now, "failures": 0, "error": None}
        if digest == known.digest:
            if not found.unchanged:
                values |= {"etag": found.etag, "modified": found.modified}
            return self._noted(known, now, values)
        stamp = answer.stamp(found.body, found.modified)
        if known.stamp is not None and stamp is not None and stamp < known.stamp:
            raise FeedWentBack(
                f"The feed answers with what was made at {stamp:%Y-%m-%dT%H:%M:%SZ}; what was taken before is of "
                f"{known.stamp:%Y-%m-%dT%H:%M:%SZ}. Nothing was loaded."
            )
        values |= {"etag": found.etag, "modified": found.modified, "digest": digest, "stamp": stamp or known.stamp}
        return self._taken(known, now, found.body, values)

    def _ask(self, known: Known) -> Answer:
        most = known.feed.most_bytes
        limits = RemoteLimits(seconds=SECONDS, total=most, page=most, attempts=1)
        asked = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
        conditions = {name: value for name, value in asked.items() if value is not None}
        with Client(self._guard, limits) as client:
            return client.get(known.feed.address, answer.ACCEPT, conditions)

    def _noted(self, known: Known, now: dt.datetime, values: dict[str, Any]) -> Look:
        with self._writer.transaction() as connection:
            if state.take_turn(connection, known):
                state.note(connection, known, now, pace.pause(known.feed.every, 0, self._chance), **values)
        return Look(known.feed.name, "unchanged")

    def _taken(self, known: Known, now: dt.datetime, body: bytes, values: dict[str, Any]) -> Look:
        """Hand an answer on and note it, in one transaction."""
        feed, folders = known.feed, list[str]()
        try:
            with self._writer.transaction() as connection:
                if not state.take_turn(connection, known):
                    return Look(feed.name, "unchanged")
                jobs, told = self._handed_on(connection, feed, body, folders)
                wait = pace.pause(feed.every, 0, self._chance)
                state.note(connection, known, now, wait, jobs=jobs, told=told, **values)
        except BaseException:
            for folder in folders:
                discard_incoming(self._settings, {"folder": folder})
            raise
        return Look(feed.name, "new", told)

    def _handed_on(
        self, connection: sa.Connection, feed: Feed, body: bytes, folders: list[str]
    ) -> tuple[list[int], str]:
        if feed.readings is not None:
            table = answer.readings(body, feed.readings, feed.prefix)
            named = Source("http", f"feed:{feed.name}", PRINCIPAL, Clearance.RESTRICTED)
            done = write(connection, table, named)
            told = f"read {done.readings} = inserted {done.inserted} + revised {done.revised} "
            return [], told + f"+ unchanged {done.unchanged} + quarantined {done.quarantined}"
        numbers = []
        for into in feed.into:
            layer = self._catalog.layer(into.layer)
            file = feed.file or answer.file_name(feed.address, feed.name)
            folders.append(keep_content(self._settings, PRINCIPAL, file, body))
            place = {"folder": folders[-1], "file": file}
            asked = JobRequest(
                layer.name,
                PRINCIPAL,
                "schedule",
                f"feed:{feed.name}",
                place,
                into.mapping,
                options={"owner": feed.owner} if feed.owner else {},
            )
            numbers.append(queue.submit(connection, asked).id)
        return numbers, f"jobs {', '.join(map(str, numbers))}"
