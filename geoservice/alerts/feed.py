"""Feeds of alerts: asked again and again, politely; what is new in them is taken in as if it had been handed in.

One worker asks at a time. Only listed hosts are asked, a feed that has not changed says so by its validators, one that
fails is asked less and less often, and entries that lead elsewhere are followed once. Blocking.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from geoservice.alerts import tables
from geoservice.alerts.desk import AlertDesk, Bearer, Taken
from geoservice.alerts.errors import AlertRefused
from geoservice.alerts.present import ATOM
from geoservice.alerts.xml import parsed
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.writing import Writer
from geoservice.edits.desk import EditDesk
from geoservice.feeds.pace import Chance, chance, pause
from geoservice.remote import access_of
from geoservice.settings import Settings
from ingest.remote.client import Client, RemoteLimits
from ingest.remote.guard import Guard
from layers.cap import MEDIA
from layers.catalog import Catalog, read_catalog
from layers.errors import DatabaseUnavailable, GeoError, UnknownLayer

LOOK_SECONDS, AWAY_SECONDS = 2.0, 5.0
SWEEP_SECONDS = 60.0
MOST_LINKS = 200
_LIMITS = RemoteLimits(seconds=60.0, total=64 << 20, page=16 << 20, attempts=1)
_ACCEPT = f"{ATOM}, {MEDIA}, application/xml, text/xml"
_ATOM = "{http://www.w3.org/2005/Atom}"
_LOCK = "geoservice.alerts.feeds"
_SHOWN = 300
BEARER = Bearer("feed", "feed")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What is known of a feed: validators of its last answer, entries that were followed, failures in a row."""

    address: str
    etag: str | None
    modified: str | None
    seen: frozenset[str]
    failures: int


@dataclass(frozen=True)
class Look:
    """What a look at a feed gave: messages, what to remember of it, and what went wrong with some of its entries."""

    taken: tuple[Taken, ...] = ()
    etag: str | None = None
    modified: str | None = None
    seen: frozenset[str] = frozenset()
    error: str | None = None


class FeedReader:
    """Reads feeds."""

    def __init__(
        self,
        settings: Settings,
        writer: Writer,
        desk: AlertDesk,
        guard: Guard | None = None,
        chance: Chance = chance,
    ) -> None:
        """Nothing is asked yet."""
        self._chance = chance
        self._settings = settings
        self._writer = writer
        self._desk = desk
        self._guard = guard or access_of(settings).guard

    def poll(self, now: dt.datetime) -> list[Taken]:
        """Look at every feed that is due."""
        return [one for known in self._due(now) for one in self._polled(known, now)]

    def _due(self, now: dt.datetime) -> list[Known]:
        table, wanted = tables.feed, self._settings.alert_feeds
        if not wanted:
            return []
        with self._writer.transaction() as connection:
            fresh = insert(table).values([{"address": address, "due": now} for address in wanted])
            connection.execute(fresh.on_conflict_do_nothing())
            due = sa.select(table).where(table.c.address.in_(wanted), table.c.due <= now).order_by(table.c.address)
            rows = connection.execute(due).all()
        return [Known(r.address, r.etag, r.modified, frozenset(r.seen), r.failures) for r in rows]

    def _polled(self, known: Known, now: dt.datetime) -> tuple[Taken, ...]:
        try:
            look = self._look(known)
        except GeoError as error:
            failures = known.failures + 1
            _log.warning("the feed %s: %s", known.address, error.detail)
            wait = pause(self._settings.alert_feed_seconds, failures, self._chance)
            self._note(known, now, wait, {"failures": failures, "error": error.detail[:_SHOWN]})
            return ()
        values: dict[str, Any] = {"failures": 0, "error": look.error, "seen": sorted(look.seen)}
        # An entry that failed is tried again: the validators would hide it until the feed changes.
        whole = look.error is None
        values |= {"etag": look.etag if whole else None, "modified": look.modified if whole else None}
        self._note(known, now, pause(self._settings.alert_feed_seconds, 0, self._chance), values)
        return look.taken

    def _note(self, known: Known, now: dt.datetime, wait: float, values: dict[str, Any]) -> None:
        due = now + dt.timedelta(seconds=wait)
        statement = sa.update(tables.feed).where(tables.feed.c.address == known.address)
        with self._writer.transaction() as connection:
            connection.execute(statement.values(checked=now, due=due, **values))

    def _look(self, known: Known) -> Look:
        """Ask a feed and take in what is new.

        Raises:
            GeoError: When it cannot be had or read.
        """
        conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
        with Client(self._guard, _LIMITS) as client:
            given = {name: value for name, value in conditions.items() if value is not None}
            answer = client.get(known.address, _ACCEPT, given)
            if answer.unchanged:
                return Look((), known.etag, known.modified, known.seen)
            entries = dict(_links(answer.body, answer.url))
            if not entries:
                return Look(tuple(self._desk.take(answer.body, BEARER)), answer.etag, answer.modified)
            return self._followed(client, known, entries, Look((), answer.etag, answer.modified))

    def _followed(self, client: Client, known: Known, entries: dict[str, str], look: Look) -> Look:
        """Take in what entries lead to, those that were not followed before."""
        seen, taken, error = set(known.seen & entries.keys()), list[Taken](), look.error
        for mark, href in list(entries.items())[:MOST_LINKS]:
            if mark in seen:
                continue
            try:
                taken += self._desk.take(client.get(href, f"{MEDIA}, application/xml, text/xml").body, BEARER)
            except AlertRefused as refused:
                # It will not become better by being asked again.
                _log.warning("an entry of the feed %s: %s", known.address, refused.detail)
            except GeoError as failed:
                error = failed.detail[:_SHOWN]
                continue
            seen.add(mark)
        return Look(tuple(taken), look.etag, look.modified, frozenset(seen), error)


class AlertKeeper:
    """Looks after feeds, and takes out of the layer what is over, for as long as a worker runs."""

    def __init__(self, database: Database, stop: threading.Event, catalog: Catalog | None = None) -> None:
        """Work on a database until `stop` is set."""
        self._database = database
        self._stop = stop
        self._catalog = catalog
        self._swept = dt.datetime.min.replace(tzinfo=dt.UTC)

    def keep(self) -> None:
        """Try for the lock and work as long as it is held; services without a layer of alerts have nothing to do."""
        settings = self._database.settings
        catalog = self._catalog or read_catalog(settings.layers_dir)
        writer = Writer(self._database)
        edits = EditDesk(settings, writer, catalog)
        desk = AlertDesk(settings, writer, edits, catalog)
        try:
            desk.layer()
            self._lead(desk, FeedReader(settings, writer, desk))
        except UnknownLayer:
            return
        finally:
            edits.close()
            writer.close()

    def _lead(self, desk: AlertDesk, reader: FeedReader) -> None:
        engine = self._database.sync_engine(Role.WRITER)
        while not self._stop.is_set():
            try:
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._serve(connection, desk, reader)
            except (DBAPIError, DatabaseUnavailable) as error:
                _log.warning("the database is away: %s", type(error).__name__)
            self._stop.wait(AWAY_SECONDS)

    def _serve(self, connection: sa.Connection, desk: AlertDesk, reader: FeedReader) -> None:
        key = sa.func.hashtextextended(_LOCK, 0)
        while not self._stop.wait(LOOK_SECONDS):
            if connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar():
                self._work(desk, reader)
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))

    def _work(self, desk: AlertDesk, reader: FeedReader) -> None:
        now = dt.datetime.now(dt.UTC)
        try:
            reader.poll(now)
            if (now - self._swept).total_seconds() >= SWEEP_SECONDS:
                desk.sweep()
                self._swept = now
        except (DatabaseUnavailable, DBAPIError):
            raise
        except Exception:  # noqa: BLE001 - whatever one message does to the libraries, the next look comes
            _log.exception("alerts could not be looked after")


def _links(content: bytes, base: str) -> Iterator[tuple[str, str]]:
    """What the entries of an Atom feed lead to, each with a mark that changes when the entry does.

    Nothing for documents that hold their alerts themselves.

    Raises:
        AlertRefused: When it is not safe to read.
    """
    root = parsed(content)
    if root.tag != f"{_ATOM}feed":
        return
    for entry in root.iter(f"{_ATOM}entry"):
        if entry.find(".//{*}alert") is not None:
            return
        links = entry.findall(f"{_ATOM}link")
        found = next((one for one in links if one.get("type") == MEDIA), links[0] if links else None)
        if found is not None and found.get("href"):
            href = urljoin(base, str(found.get("href")))
            moment = entry.findtext(f"{_ATOM}updated") or ""
            yield hashlib.sha256(f"{href}\n{moment}".encode()).hexdigest()[:32], href
