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
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.events import consent
from geoservice.events.alert_watch import AlertWatch
from geoservice.events.dispatch import Dispatch
from geoservice.events.excess_watch import LOOK_SECONDS as EXCESS_SECONDS
from geoservice.events.excess_watch import ExcessWatch
from geoservice.events.layer_watch import LayerWatch
from geoservice.events.lookout import Lookout
from geoservice.events.mailer import Mailer
from geoservice.events.postman import Postman
from ingest.remote.guard import Guard, parse_hosts
from layers.access import Decision, Principal, decide
from layers.catalog import Catalog, read_catalog
from layers.errors import DatabaseUnavailable, UnknownLayer
from layers.model import RasterLayer, RowLayer
from layers.system import delivery, subscription

LOOK_SECONDS = 1.0
AWAY_SECONDS = 5.0
_GLANCE_SECONDS = 0.1
KEPT_DAYS = 30
_LOCK = "geoservice.events.courier"
_log = logging.getLogger(__name__)


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
        root = (settings.public_url or "").rstrip("/")
        self._layers = LayerWatch(database, self._opened, root)
        self._alerts = AlertWatch(database, begin, self._may, root)
        self._excess = ExcessWatch(database, begin, stop)
        self._swept = -math.inf

    def keep(self) -> None:
        """Try for the lock and work as long as it is held; whatever happens, it goes on until it is stopped."""
        # Questions about exceedances may take long; news are not to wait for them, nor messages for either.
        lookouts = (
            Lookout("news", self.look_for_news, LOOK_SECONDS),
            Lookout("exceedances", self._excess.look, EXCESS_SECONDS),
        )
        while not self._stop.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._serve(connection, lookouts)
            except (DBAPIError, DatabaseUnavailable) as error:
                _log.warning("the database is away: %s", type(error).__name__)
                # Another courier may be at work by now, which knows nothing of what is under way here.
                self._dispatch.forget()
            except Exception:  # noqa: BLE001 - a courier that ends here would tell nobody anything any more
                _log.exception("the courier stumbled and begins anew")
                self._dispatch.forget()
            self._stop.wait(AWAY_SECONDS)
        for lookout in lookouts:
            lookout.close()
        self._dispatch.close()

    def _serve(self, connection: sa.Connection, lookouts: Sequence[Lookout]) -> None:
        key = sa.func.hashtextextended(_LOCK, 0)
        while not self._stop.is_set():
            if connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar():
                self._work(connection, lookouts)
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
            self._stop.wait(LOOK_SECONDS)

    def _work(self, connection: sa.Connection, lookouts: Sequence[Lookout]) -> None:
        """Look and send until nothing is under way any more; ends with the connection, with which the lock ends."""
        while not self._stop.is_set():
            for lookout in lookouts:
                lookout.wake()
            # Asked before sending: what a look that ends now has written down is sent all the same.
            looking = any(lookout.busy for lookout in lookouts)
            self._dispatch.start()
            self._sweep()
            if not (looking or self._dispatch.busy):
                break
            if self._dispatch.busy:
                self._dispatch.settle(LOOK_SECONDS)
            else:
                self._stop.wait(_GLANCE_SECONDS if lookouts[0].busy else LOOK_SECONDS)
            connection.execute(sa.select(1))
        self.rest()

    def rest(self) -> None:
        """Wait for what is under way, and send nothing else."""
        self._dispatch.rest()

    def look(self) -> None:
        """Look for news and begin to send what is due, all in this thread."""
        self.look_for_news()
        self._dispatch.start()
        self._sweep()

    def look_for_news(self) -> None:
        """Write down what is new: editions and alerts, of which neither keeps the other one back."""
        with self._engine.begin() as connection:
            if not connection.execute(sa.select(sa.select(subscription.c.id).exists())).scalar():
                return
        for watch in (self._layers, self._alerts):
            try:
                watch.look()
            except Exception:  # noqa: BLE001 - whatever one of them comes upon, the other one is looked at
                _log.exception("news could not be looked for by %s", type(watch).__name__)

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
