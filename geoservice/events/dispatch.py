"""Sending what is due: to many receivers at once, to each of them little at a time, to each subscription in order.

A message is sent when all earlier ones of its subscription have arrived or been given up, so that a subscriber hears of
editions in their order. A receiver is the host of an address: it gets a few messages at a time, however many
subscriptions lead there, and so a slow one takes a few of the lanes and leaves the others to everybody else.

Lanes only post. What came of it is written down by the thread that hands out the messages, so the database is asked by
one thread.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from geoservice.events.consent import path
from geoservice.events.letters import Envelope, letter
from geoservice.events.mailer import FOREIGN, Mailer
from geoservice.events.outbox import CONFIRM, agreed, eyes
from geoservice.events.postman import GONE, Postman, Receipt
from geoservice.events.signing import signed_headers
from geoservice.events.wishes import mail_of
from geoservice.settings import Settings
from layers.access import Clearance, Principal
from layers.system import api_key, delivery, subscription

LANES = 64
"""Messages under way at a time."""
EACH = 4
"""Messages under way to one receiver at a time."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 6 * 3600.0
"""Seconds after the first failure, and at most; each pause is four times the one before, and then up to half of it
shorter, so that what failed together does not come back together."""
_HOST = "^[^:]*://([^/?#]*)"
_DROPPED = {"state": "dropped", "error": "The key may not see this any more, or not by mail."}

_log = logging.getLogger(__name__)

Transaction = Callable[[], AbstractContextManager[sa.Connection]]


def pause_after(attempts: int, chance: float) -> float:
    """Seconds to wait after so many failed attempts; `chance` is drawn from 0 to 1."""
    return float(min(FIRST_PAUSE * 4 ** (attempts - 1), LONGEST_PAUSE)) * (1 - chance / 2)


@dataclass(frozen=True)
class Due:
    """A delivery whose time has come, with what is known of its subscriber (who by mail sees what mails tell)."""

    id: int
    subscription: str
    layer: str | None
    clearance: int
    event: str | None
    payload: Mapping[str, object]
    attempts: int
    url: str
    lang: str
    place: Mapping[str, Any] | None
    receiver: str
    secret: bytes
    principal: Principal | None


def _due(row: sa.Row[Any]) -> Due:
    holder = None if row.holder is None else Principal(row.holder, Clearance(row.cleared))
    told = (row.id, row.subscription, row.layer, row.clearance, row.event, row.payload, row.attempts)
    return Due(*told, row.url, row.lang, row.place, row.receiver, bytes(row.secret), holder)


class Dispatch:
    """Sends messages that are due, and writes down what became of them."""

    def __init__(
        self,
        begin: Transaction,
        settings: Settings,
        postman: Postman,
        mailer: Mailer,
        may: Callable[[Principal, str], bool],
    ) -> None:
        """Get ready; nothing is sent yet.

        Args:
            begin: Opens a transaction of the writer.
            settings: For the limits of webhooks.
            postman: Who posts.
            mailer: Who hands over mail.
            may: Whether a subscriber may see a layer, by its name, at this moment.
        """
        self._begin = begin
        self._settings = settings
        self._postman = postman
        self._mailer = mailer
        self._may = may
        self._lanes = ThreadPoolExecutor(LANES, "webhook")
        self._flying: dict[Future[Receipt], Due] = {}

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self._flying)

    def start(self) -> None:
        """Send what is due, as far as there is room; returns while it is under way."""
        with self._begin() as connection:
            rows = connection.execute(self._due()).all()
        sent = Counter(due.receiver for due in self._flying.values())
        dropped: list[Due] = []
        for row in rows:
            due = _due(row)
            if not self._allowed(due):
                dropped.append(due)
            elif sent[due.receiver] < EACH:
                sent[due.receiver] += 1
                self._flying[self._lanes.submit(self._try, due)] = due
        self._write((due, _DROPPED, False) for due in dropped)

    def _allowed(self, due: Due) -> bool:
        """Whether the key still holds, is cleared for the message, and may see its layer."""
        if due.principal is None or int(due.principal.clearance) < due.clearance:
            return False
        return due.layer is None or self._may(due.principal, due.layer)

    def settle(self, seconds: float) -> None:
        """Wait until something has come back, so many seconds at most, and write down what became of it."""
        done, _ = wait(self._flying, seconds, FIRST_COMPLETED)
        # Forgotten first: what cannot be written down is sent again under the same id.
        came = [(self._flying.pop(each), each.result()) for each in done]
        self._write((due, *self._outcome(due, receipt)) for due, receipt in came)

    def rest(self) -> None:
        """Wait until nothing is under way any more, and write down what became of it."""
        while self.busy:
            self.settle(self._settings.webhook_timeout)

    def forget(self) -> None:
        """Let go of what is under way without writing anything down; it will be sent again."""
        self._flying.clear()

    def close(self) -> None:
        """End the lanes; what is under way is waited for."""
        self._lanes.shutdown()

    def _due(self) -> sa.Select[Any]:
        """The first waiting message of each subscription, when its time has come: some for each receiver with room."""
        key, one, cleared = api_key.c, delivery.c, eyes(self._settings.mail_ceiling)
        flying = [due.subscription for due in self._flying.values()]
        full = [name for name, many in Counter(due.receiver for due in self._flying.values()).items() if many >= EACH]
        # All mail goes to one server.
        receiver = sa.func.coalesce(sa.func.lower(sa.func.substring(subscription.c.url, _HOST)), "mail")
        first = (
            sa.select(one.id, one.next_attempt, receiver.label("receiver"))
            .select_from(delivery.join(subscription, subscription.c.id == one.subscription))
            .where(one.state == "waiting", subscription.c.disabled.is_(None), one.subscription.not_in(flying))
            .where(sa.or_(agreed(), one.event == CONFIRM), self._room())
            .ext(distinct_on(one.subscription))
            .order_by(one.subscription, one.id)
            .subquery("first")
        )
        turn = sa.func.row_number().over(partition_by=first.c.receiver, order_by=(first.c.next_attempt, first.c.id))
        ready = sa.select(first, turn.label("turn"))
        ready = ready.where(first.c.next_attempt <= sa.func.now(), first.c.receiver.not_in(full))
        some = ready.subquery("ready")
        joined = (
            delivery.join(some, some.c.id == one.id)
            .join(subscription, subscription.c.id == one.subscription)
            .outerjoin(api_key, sa.and_(key.id == subscription.c.principal, key.revoked.is_(None)))
        )
        of = subscription.c
        columns = (one.id, one.subscription, one.layer, one.clearance, one.event, one.payload, one.attempts)
        theirs = (of.url, of.lang, of.place, some.c.receiver, of.secret)
        holder = (key.id.label("holder"), cleared.label("cleared"))
        found = sa.select(*columns, *theirs, *holder).select_from(joined)
        due = found.where(some.c.turn <= EACH).order_by(some.c.next_attempt, one.id)
        return due.limit(LANES - len(self._flying))

    def _room(self) -> sa.ColumnElement[bool]:
        """Whether a subscription by mail has had fewer mails in the last hour than it may have."""
        sent = sa.alias(delivery, "sent").c
        lately = sent.subscription == delivery.c.subscription, sent.finished > sa.func.now() - dt.timedelta(hours=1)
        many = sa.select(sa.func.count()).where(*lately, sent.state == "delivered").scalar_subquery()
        return sa.or_(subscription.c.url.not_like("mailto:%"), many < self._settings.mail_each_hour)

    def _try(self, due: Due) -> Receipt:
        try:
            return self._post(due)
        except Exception as error:  # noqa: BLE001 - whatever one message comes upon, the others are delivered
            _log.exception("the message %s could not be sent", due.id)
            return Receipt(None, type(error).__name__)

    def _post(self, due: Due) -> Receipt:
        mail = mail_of(due.url)
        if mail is not None:
            return self._mail(due, mail)
        body = json.dumps(due.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = signed_headers(due.secret, f"msg_{due.subscription}_{due.id}", int(time.time()), body)
        return self._postman.post(due.url, body, headers)

    def _mail(self, due: Due, mail: str) -> Receipt:
        root, place = (self._settings.public_url or "").rstrip("/"), due.place or {}
        sender = self._settings.mail_sender
        if sender is None or not root:
            return Receipt(None, "This service sends no mail.", refused=True)
        if not self._settings.mails_to(mail):
            return Receipt(None, FOREIGN, refused=True)
        named = place.get("label") or {}
        envelope = Envelope(
            sender=sender,
            receiver=mail,
            subscription=due.subscription,
            event=due.event or str(due.id),
            lang=due.lang,
            confirm=f"{root}{path(due.subscription, due.secret, 'confirm')}",
            leave=f"{root}{path(due.subscription, due.secret, 'leave')}",
            place=named.get(due.lang) or place.get("origin", ""),
        )
        try:
            written = letter(due.payload, envelope, dt.datetime.now(dt.UTC))
        except Exception as error:  # noqa: BLE001 - whatever one message does to the library, the others are delivered
            _log.exception("the mail %s could not be written", due.id)
            return Receipt(None, type(error).__name__, final=True)
        return self._mailer.send(written)

    def _outcome(self, due: Due, receipt: Receipt) -> tuple[dict[str, object], bool]:
        """What is to be written down: delivered, tried again later, or given up; and whether the receiver has left."""
        attempts = due.attempts + 1
        values: dict[str, object] = {"attempts": attempts, "status": receipt.status, "error": receipt.error}
        if receipt.arrived:
            return {**values, "state": "delivered"}, False
        gone = receipt.status == GONE
        if gone or receipt.final or attempts >= self._settings.webhook_attempts:
            values["state"] = "failed"
        pause = dt.timedelta(seconds=pause_after(attempts, random.random()))  # noqa: S311 - spreads load, keeps no secret
        values["next_attempt"] = dt.datetime.now(dt.UTC) + pause
        return values, gone

    def _write(self, outcomes: Iterable[tuple[Due, Mapping[str, object], bool]]) -> None:
        known = list(outcomes)
        if not known:
            return
        with self._begin() as connection:
            for due, values, gone in known:
                self._settle(connection, due, values, gone=gone)

    def _settle(self, connection: sa.Connection, due: Due, values: Mapping[str, object], *, gone: bool) -> None:
        done = {"finished": sa.func.now()} if values.get("state") else {}
        # A courier that lost its lock may come after another one, which has settled the message already.
        mine = (delivery.c.id == due.id, delivery.c.state == "waiting")
        counted = {"preserve_rowcount": True}
        written = sa.update(delivery).where(*mine).values(**values, **done)
        if not connection.execute(written, execution_options=counted).rowcount:
            return
        theirs = subscription.c.id == due.subscription
        if values.get("state") == "delivered":
            connection.execute(sa.update(subscription).where(theirs).values(failures=0))
        elif values.get("state") == "failed":
            failures = subscription.c.failures + 1
            off = sa.or_(sa.literal(gone), failures >= self._settings.webhook_failures)
            since = sa.func.coalesce(subscription.c.disabled, sa.func.now())
            disabled = sa.case((off, since), else_=subscription.c.disabled)
            connection.execute(sa.update(subscription).where(theirs).values(failures=failures, disabled=disabled))
