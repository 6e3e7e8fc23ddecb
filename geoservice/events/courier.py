"""The courier: finds out what subscribers are to be told, writes it down, and delivers it until it has arrived.

One courier of all workers is at work, elected by a session lock. What is to be told is written down in the transaction
that moves the subscriber's mark, so a courier that is killed leaves nothing out; a message that was sent and not
written down as sent is sent again under the same id. Before each sending the key is looked at again: who holds it no
longer is told nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.changes import delta
from geoservice.changes.delta import Delta
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.reading import Reading
from geoservice.db.sync import READERS, require_mode
from geoservice.events.news import envelope, message
from geoservice.events.postman import GONE, Postman, Receipt
from geoservice.events.signing import signed_headers
from ingest.remote.guard import Guard, parse_hosts
from layers.access import Clearance, Decision, Principal, decide
from layers.catalog import Catalog, read_catalog
from layers.errors import DatabaseUnavailable, UnknownLayer
from layers.model import RasterLayer, RowLayer
from layers.system import api_key, delivery, edition, layer_state, subscription, subscription_mark

LOOK_SECONDS = 1.0
AWAY_SECONDS = 5.0
BATCH = 50
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 6 * 3600.0
"""Seconds after the first failure, and at most; each pause is four times the one before, and then up to half of it
shorter, so that what failed together does not come back together."""
KEPT_DAYS = 30
_LOCK = "geoservice.events.courier"
_log = logging.getLogger(__name__)


def pause_after(attempts: int, chance: float) -> float:
    """Seconds to wait after so many failed attempts; `chance` is drawn from 0 to 1."""
    return float(min(FIRST_PAUSE * 4 ** (attempts - 1), LONGEST_PAUSE)) * (1 - chance / 2)


@dataclass(frozen=True)
class _Due:
    """A delivery whose time has come, with what is known of its subscriber."""

    id: int
    subscription: str
    layer: str
    payload: Mapping[str, object]
    attempts: int
    url: str
    secret: bytes
    principal: Principal | None


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
        self._postman = Postman(Guard(parse_hosts(settings.webhook_hosts)), settings.webhook_timeout)
        self._swept = 0.0

    def keep(self) -> None:
        """Try for the lock and work as long as it is held."""
        while not self._stop.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._serve(connection)
            except (DBAPIError, DatabaseUnavailable) as error:
                _log.warning("the database is away: %s", type(error).__name__)
            self._stop.wait(AWAY_SECONDS)
        self._postman.close()

    def _serve(self, connection: sa.Connection) -> None:
        key = sa.func.hashtextextended(_LOCK, 0)
        while not self._stop.is_set():
            if connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar():
                self.look()
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
            self._stop.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Write down what is new, and send what is due."""
        with self._engine.begin() as connection:
            if not connection.execute(sa.select(sa.select(subscription.c.id).exists())).scalar():
                return
            behind = self._behind(connection)
        for number, principal, name, since, until in behind:
            try:
                self._write_down(number, principal, name, (since, until))
            except DBAPIError as error:
                # Counting may take too long; the others are told all the same, and the mark stays for the next look.
                _log.warning("what is new in %s could not be counted: %s", name, type(error.orig).__name__)
        with self._engine.begin() as connection:
            due = self._due(connection)
        for one in due:
            if self._stop.is_set():
                return
            self._send(one)
        self._sweep()

    def _behind(self, connection: sa.Connection) -> list[tuple[str, Principal, str, int, int]]:
        """Marks of active subscriptions, of keys that hold, behind which there are editions."""
        mark, state, key = subscription_mark.c, layer_state.c, api_key.c
        joined = (
            subscription_mark.join(subscription, subscription.c.id == mark.subscription)
            .join(layer_state, state.layer == mark.layer)
            .join(api_key, key.id == subscription.c.principal)
        )
        columns = (mark.subscription, key.id, key.clearance, mark.layer, mark.edition, state.edition)
        found = sa.select(*columns).select_from(joined)
        fresh = (subscription.c.disabled.is_(None), key.revoked.is_(None), state.edition > mark.edition)
        rows = connection.execute(found.where(*fresh).order_by(mark.subscription, mark.layer))
        return [(r[0], Principal(r[1], Clearance(r[2])), r[3], r[4], r[5]) for r in rows]

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

    def _write_down(self, number: str, principal: Principal, name: str, span: tuple[int, int]) -> None:
        """Move a mark, and write down the message about what lies between, if the subscriber may see any of it."""
        opened = self._opened(principal, name)
        data = None
        if opened is not None and isinstance(opened[0], RasterLayer):
            data = message(self._root(), name, span, None)
        elif opened is not None and not isinstance(opened[0], RasterLayer):
            counts = self._counts((opened[0], opened[1]), span)
            data = message(self._root(), name, span, counts) if any(counts.values()) else None
        mine = (subscription_mark.c.subscription == number, subscription_mark.c.layer == name)
        with self._engine.begin() as connection:
            moved = sa.update(subscription_mark).where(*mine, subscription_mark.c.edition == span[0])
            counted = {"preserve_rowcount": True}
            done = connection.execute(moved.values(edition=span[1]), execution_options=counted).rowcount
            if done and data is not None:
                instant = sa.select(edition.c.committed).where(edition.c.id == span[1])
                payload = envelope(connection.execute(instant).scalar_one(), data)
                values = {"subscription": number, "layer": name, "edition": span[1], "payload": payload}
                connection.execute(sa.insert(delivery).values(**values))

    def _root(self) -> str:
        return (self._settings.public_url or "").rstrip("/")

    def _counts(self, opened: tuple[RowLayer, Decision], span: tuple[int, int]) -> dict[str, int]:
        """What the subscriber may know of the changes, read as a reader of their clearance."""
        layer, decision = opened
        engine = self._database.sync_engine(READERS[decision.rule.max_clearance])
        with self._engine.connect() as writer:
            schema = Reading(require_mode(writer)).schema(decision.rule.max_clearance)
        with engine.connect() as connection:
            options = {"schema_translate_map": schema} if schema else {}
            bound = {delta.SINCE: span[0], delta.UNTIL: span[1]}
            rows = connection.execute(Delta(layer, decision).counts(), bound, execution_options=options)
            found = {row.action: int(row.rows) for row in rows}
        return {action: found.get(action, 0) for action in (delta.CREATED, delta.UPDATED, delta.DELETED)}

    def _due(self, connection: sa.Connection) -> list[_Due]:
        key, one = api_key.c, delivery.c
        joined = delivery.join(subscription, subscription.c.id == one.subscription).outerjoin(
            api_key, sa.and_(key.id == subscription.c.principal, key.revoked.is_(None))
        )
        columns = (one.id, one.subscription, one.layer, one.payload, one.attempts, subscription.c.url)
        found = sa.select(*columns, subscription.c.secret, key.id.label("holder"), key.clearance).select_from(joined)
        due = found.where(one.state == "waiting", one.next_attempt <= sa.func.now()).order_by(one.id).limit(BATCH)
        return [
            _Due(*r[:6], bytes(r.secret), None if r.holder is None else Principal(r.holder, Clearance(r.clearance)))
            for r in connection.execute(due)
        ]

    def _send(self, due: _Due) -> None:
        if due.principal is None or self._opened(due.principal, due.layer) is None:
            self._settle(due, {"state": "dropped", "error": "The key may not see the collection any more."})
            return
        body = json.dumps(due.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = signed_headers(due.secret, f"msg_{due.subscription}_{due.id}", int(time.time()), body)
        receipt = self._postman.post(due.url, body, headers)
        if receipt.arrived:
            done = {"state": "delivered", "status": receipt.status, "attempts": due.attempts + 1, "error": None}
            self._settle(due, done)
            return
        self._put_off(due, receipt)

    def _put_off(self, due: _Due, receipt: Receipt) -> None:
        """Try again later, or give up: this message, or the whole subscription."""
        attempts = due.attempts + 1
        over = attempts >= self._settings.webhook_attempts or receipt.status == GONE
        values: dict[str, object] = {"attempts": attempts, "status": receipt.status, "error": receipt.error}
        if over:
            values["state"] = "failed"
        pause = dt.timedelta(seconds=pause_after(attempts, random.random()))  # noqa: S311 - spreads load, keeps no secret
        values["next_attempt"] = dt.datetime.now(dt.UTC) + pause
        self._settle(due, values, failed=over, gone=receipt.status == GONE)

    def _settle(self, due: _Due, values: Mapping[str, object], *, failed: bool = False, gone: bool = False) -> None:
        done = {"finished": sa.func.now()} if values.get("state") else {}
        mine = subscription.c.id == due.subscription
        with self._engine.begin() as connection:
            connection.execute(sa.update(delivery).where(delivery.c.id == due.id).values(**values, **done))
            if values.get("state") == "delivered":
                connection.execute(sa.update(subscription).where(mine).values(failures=0))
            if failed:
                failures = subscription.c.failures + 1
                off = sa.or_(sa.literal(gone), failures >= self._settings.webhook_failures)
                disabled = sa.case(
                    (off, sa.func.coalesce(subscription.c.disabled, sa.func.now())), else_=subscription.c.disabled
                )
                connection.execute(sa.update(subscription).where(mine).values(failures=failures, disabled=disabled))

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
