"""The courier: finds out what subscribers are to be told, writes it down, and has it delivered until it has arrived.

One courier of all workers is at work, elected by a session lock, which it holds while something is under way. What is
to be told is written down in the transaction that moves the subscriber's mark, so a courier that is killed leaves
nothing out; a message that was sent and not written down as sent is sent again under the same id. Before each sending
the key is looked at again: who holds it no longer is told nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import threading
import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.changes import delta
from geoservice.changes.delta import Delta
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.reading import Reading
from geoservice.db.sync import READERS, require_mode
from geoservice.events import consent
from geoservice.events.alert_watch import AlertWatch
from geoservice.events.dispatch import Dispatch
from geoservice.events.excess_watch import ExcessWatch
from geoservice.events.mailer import Mailer
from geoservice.events.news import envelope, message
from geoservice.events.outbox import Note, active, enqueue
from geoservice.events.postman import Postman
from ingest.remote.guard import Guard, parse_hosts
from layers.access import Clearance, Decision, Principal, decide
from layers.catalog import Catalog, read_catalog
from layers.errors import DatabaseUnavailable, UnknownLayer
from layers.model import RasterLayer, RowLayer
from layers.system import api_key, delivery, edition, layer_state, subscription, subscription_mark

LOOK_SECONDS = 1.0
AWAY_SECONDS = 5.0
KEPT_DAYS = 30
_LOCK = "geoservice.events.courier"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Behind:
    """A subscription that has not been told of all editions of a layer.

    Attributes:
        subscription: Its id.
        principal: Whose key it is.
        layer: Name of the layer.
        span: The edition that it was told of, and the one that is there now.
        area: Where changes count, as WKB (longitude and latitude in degrees); None for everywhere.
    """

    subscription: str
    principal: Principal
    layer: str
    span: tuple[int, int]
    area: bytes | None


class Courier:
    """Delivers what is new to subscribers, for as long as a worker runs."""

    def __init__(self, database: Database, stop: threading.Event, catalog: Catalog | None = None) -> None:
        """Work on a database until `stop` is set."""
        settings = database.settings
        self._database = database
        self._stop = stop
        self._settings = settings
        self._engine = database.sync_engine(Role.WRITER)
        self._catalog = catalog
        postman = Postman(Guard(parse_hosts(settings.webhook_hosts)), settings.webhook_timeout)
        mailer = Mailer(settings, settings.webhook_timeout)
        begin = self._engine.begin
        self._dispatch = Dispatch(begin, settings, postman, mailer, self._may)
        self._alerts = AlertWatch(database, begin, self._may, self._root())
        self._excess = ExcessWatch(database, begin)
        self._looked = self._swept = -math.inf

    def keep(self) -> None:
        """Try for the lock and work as long as it is held."""
        while not self._stop.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._serve(connection)
            except (DBAPIError, DatabaseUnavailable) as error:
                _log.warning("the database is away: %s", type(error).__name__)
                # Another courier may be at work by now, which knows nothing of what is under way here.
                self._dispatch.forget()
            self._stop.wait(AWAY_SECONDS)
        self._dispatch.close()

    def _serve(self, connection: sa.Connection) -> None:
        key = sa.func.hashtextextended(_LOCK, 0)
        while not self._stop.is_set():
            if connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar():
                self._work(connection)
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
            self._stop.wait(LOOK_SECONDS)

    def _work(self, connection: sa.Connection) -> None:
        """Look and send until nothing is under way any more; ends with the connection, with which the lock ends."""
        self.look()
        while self._dispatch.busy and not self._stop.is_set():
            self._dispatch.settle(LOOK_SECONDS)
            connection.execute(sa.select(1))
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self.look()
            else:
                self._dispatch.start()
        self.rest()

    def rest(self) -> None:
        """Wait for what is under way, and send nothing else."""
        self._dispatch.rest()

    def look(self) -> None:
        """Write down what is new, and begin to send what is due."""
        self._looked = time.monotonic()
        with self._engine.begin() as connection:
            if not connection.execute(sa.select(sa.select(subscription.c.id).exists())).scalar():
                return
            behind = self._behind(connection)
        for one in behind:
            try:
                self._write_down(one)
            except DBAPIError as error:
                # Counting may take too long; the others are told all the same, and the mark stays for the next look.
                _log.warning("what is new in %s could not be counted: %s", one.layer, type(error.orig).__name__)
        self._alerts.look()
        self._excess.look()
        if not self._stop.is_set():
            self._dispatch.start()
        self._sweep()

    def _behind(self, connection: sa.Connection) -> list[_Behind]:
        """Marks of active subscriptions, of keys that hold, behind which there are editions."""
        mark, state, key = subscription_mark.c, layer_state.c, api_key.c
        joined = (
            subscription_mark.join(subscription, subscription.c.id == mark.subscription)
            .join(layer_state, state.layer == mark.layer)
            .join(api_key, key.id == subscription.c.principal)
        )
        columns = (
            mark.subscription,
            key.id,
            key.clearance,
            mark.layer,
            mark.edition,
            state.edition,
            subscription.c.area,
        )
        found = sa.select(*columns).select_from(joined).where(*active("layer"), state.edition > mark.edition)
        rows = connection.execute(found.order_by(mark.subscription, mark.layer))
        return [
            _Behind(r[0], Principal(r[1], Clearance(r[2])), r[3], (r[4], r[5]), None if r[6] is None else bytes(r[6]))
            for r in rows
        ]

    def _may(self, principal: Principal, name: str) -> bool:
        return self._opened(principal, name) is not None

    def _opened(self, principal: Principal, name: str) -> tuple[RowLayer | RasterLayer, Decision] | None:
        """The layer as the subscriber may see it; None when they may not, or it is gone."""
        if self._catalog is None:
            self._catalog = read_catalog(self._settings.layers_dir)
        try:
            layer = self._catalog.layer(name)
        except UnknownLayer:
            return None
        decision = decide(principal, "read", layer)
        return (layer, decision) if decision.allowed else None

    def _write_down(self, one: _Behind) -> None:
        """Move a mark, and write down the message about what lies between, if the subscriber may see any of it."""
        opened = self._opened(one.principal, one.layer)
        data = None
        if opened is not None and isinstance(opened[0], RasterLayer):
            data = message(self._root(), one.layer, one.span, None)
        elif opened is not None and not isinstance(opened[0], RasterLayer):
            counts = self._counts((opened[0], opened[1]), one.span, one.area)
            data = message(self._root(), one.layer, one.span, counts) if any(counts.values()) else None
        mine = (subscription_mark.c.subscription == one.subscription, subscription_mark.c.layer == one.layer)
        with self._engine.begin() as connection:
            moved = sa.update(subscription_mark).where(*mine, subscription_mark.c.edition == one.span[0])
            counted = {"preserve_rowcount": True}
            done = connection.execute(moved.values(edition=one.span[1]), execution_options=counted).rowcount
            if done and data is not None and opened is not None:
                instant = sa.select(edition.c.committed).where(edition.c.id == one.span[1])
                payload = envelope(connection.execute(instant).scalar_one(), data)
                seen = opened[1].rule.max_clearance
                note = Note(one.subscription, payload, None, one.layer, one.span[1], seen)
                enqueue(connection, note)

    def _root(self) -> str:
        return (self._settings.public_url or "").rstrip("/")

    def _counts(self, opened: tuple[RowLayer, Decision], span: tuple[int, int], area: bytes | None) -> dict[str, int]:
        """What the subscriber may know of the changes in an area, read as a reader of their clearance."""
        layer, decision = opened
        engine = self._database.sync_engine(READERS[decision.rule.max_clearance])
        with self._engine.connect() as writer:
            schema = Reading(require_mode(writer)).schema(decision.rule.max_clearance)
        with engine.connect() as connection:
            options = {"schema_translate_map": schema} if schema else {}
            bound = {delta.SINCE: span[0], delta.UNTIL: span[1]}
            rows = connection.execute(Delta(layer, decision).counts(area), bound, execution_options=options)
            found = {row.action: int(row.rows) for row in rows}
        return {action: found.get(action, 0) for action in (delta.CREATED, delta.UPDATED, delta.DELETED)}

    def _sweep(self) -> None:
        """Forget settled deliveries after a while, and give up what disabled subscriptions still wait for."""
        if time.monotonic() - self._swept < AWAY_SECONDS:
            return
        self._swept = time.monotonic()
        old = sa.func.now() - dt.timedelta(days=KEPT_DAYS)
        off = sa.select(subscription.c.id).where(subscription.c.disabled.is_not(None))
        given_up = {"state": "dropped", "finished": sa.func.now(), "error": "The subscription is disabled."}
        with self._engine.begin() as connection:
            waiting = sa.update(delivery).where(delivery.c.state == "waiting", delivery.c.subscription.in_(off))
            connection.execute(waiting.values(**given_up))
            connection.execute(sa.delete(delivery).where(delivery.c.state != "waiting", delivery.c.finished < old))
            consent.sweep(connection)
