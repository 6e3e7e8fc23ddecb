"""Subscriptions and deliveries in the database: making, listing, removing; what a key subscribed to is its own."""

from __future__ import annotations

import secrets
from typing import Any

import shapely
import sqlalchemy as sa

from geoservice.events.consent import ask, begin
from geoservice.events.errors import TooManySubscriptions
from geoservice.events.signing import make_secret
from geoservice.events.wishes import Subscription, Wish
from layers.access import Principal
from layers.errors import UnknownResource
from layers.system import api_key, delivery, layer_state, subscription, subscription_mark

SHOWN = 100
"""Deliveries that the log shows, the latest ones."""
_SHOWN = (
    "id", "kind", "url", "collections", "condition", "place", "lang", "exercises", "created", "disabled", "failures",
    "confirmed", "parted",
)  # fmt: skip


def subscribe(connection: sa.Connection, principal: str, wish: Wish, most: int) -> tuple[Subscription, bytes]:
    """Make a subscription to what happens from now on; whoever reads a mail address is asked first.

    Args:
        connection: A transaction of the writer.
        principal: Id of the key.
        wish: What is asked for; it has been checked, and the key may see its layers.
        most: Most subscriptions of one key.

    Returns:
        The subscription and its secret, which is shown once.

    Raises:
        TooManySubscriptions: When the key has so many already.
        TooManyQuestions: When the address was asked too often today.
    """
    # Two requests of one key at the same time must not both find the last place free.
    turn = sa.func.hashtextextended(f"geoservice.subscription.{principal}", 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
    mine = sa.select(sa.func.count()).select_from(subscription).where(subscription.c.principal == principal)
    if connection.execute(mine).scalar_one() >= most:
        raise TooManySubscriptions(f"A key has at most {most} subscriptions; remove one that is not needed.", most=most)
    number, secret = secrets.token_hex(12), make_secret()
    connection.execute(sa.insert(subscription).values(id=number, principal=principal, secret=secret, **_values(wish)))
    state = layer_state.c
    columns = (sa.literal(number), state.layer, sa.func.coalesce(state.edition, 0))
    now = sa.select(*columns).where(state.layer.in_(wish.collections))
    connection.execute(sa.insert(subscription_mark).from_select(["subscription", "layer", "edition"], now))
    if wish.mail is None:
        begin(connection, number)
    else:
        ask(connection, principal, number, wish.mail)
    return find(connection, principal, number), secret


def _values(wish: Wish) -> dict[str, Any]:
    area = wish.area
    return {
        "kind": wish.kind,
        "url": wish.url,
        "collections": list(wish.collections),
        "condition": dict(wish.condition),
        "place": None if area is None else dict(area.place),
        "area": None if area is None else shapely.to_wkb(area.geometry),
        "lang": wish.lang,
        "exercises": wish.exercises,
    }


def listing(connection: sa.Connection, principal: str) -> list[Subscription]:
    """The subscriptions of a key, the oldest first."""
    mine = _select().where(subscription.c.principal == principal).order_by(subscription.c.created, subscription.c.id)
    return [_subscription(row) for row in connection.execute(mine)]


def find(connection: sa.Connection, principal: str, number: str) -> Subscription:
    """One subscription of a key.

    Raises:
        UnknownResource: When the key has no such one; those of others look the same.
    """
    mine = _select().where(subscription.c.principal == principal, subscription.c.id == number)
    row = connection.execute(mine).one_or_none()
    if row is None:
        raise UnknownResource(f"There is no subscription {number[:40]!r}.")
    return _subscription(row)


def remove(connection: sa.Connection, principal: str, number: str) -> None:
    """Remove a subscription with its log; nothing is sent any more.

    Raises:
        UnknownResource: See `find`.
    """
    find(connection, principal, number)
    connection.execute(sa.delete(subscription).where(subscription.c.id == number))


def log(connection: sa.Connection, principal: Principal, number: str) -> list[sa.RowMapping]:
    """The latest deliveries of a subscription, newest first.

    What each was about (`event`, `layer`, `edition`) is shown up to the present clearance of the key: of what it was
    told with a higher one it may not see the names any more.

    Raises:
        UnknownResource: See `find`.
    """
    find(connection, principal.id, number)
    # Asked of the database: who asks may be remembered for some seconds with what they were cleared for before.
    present = sa.select(api_key.c.clearance).where(api_key.c.id == principal.id).scalar_subquery()
    most = int(principal.clearance)
    one, cleared = delivery.c, delivery.c.clearance <= sa.func.least(sa.func.coalesce(present, most), most)
    about = (sa.case((cleared, one[name])).label(name) for name in ("event", "layer", "edition"))
    fate = (one[name] for name in ("state", "attempts", "status", "error", "created", "finished", "next_attempt"))
    mine = sa.select(one.id, *about, *fate).where(one.subscription == number)
    return list(connection.execute(mine.order_by(one.id.desc()).limit(SHOWN)).mappings())


def overview(connection: sa.Connection) -> list[dict[str, Any]]:
    """How the subscriptions of all keys fare, the oldest first: for the operator."""
    one, sent = subscription.c, delivery.c

    def many(state: str) -> sa.ColumnElement[int]:
        counted = sa.select(sa.func.count()).where(sent.subscription == one.id, sent.state == state)
        return counted.scalar_subquery().label(state)

    last = sa.select(sent.error).where(sent.subscription == one.id, sent.error.is_not(None)).order_by(sent.id.desc())
    columns = (
        one.principal,
        *map(many, ("waiting", "failed", "delivered")),
        last.limit(1).scalar_subquery().label("e"),
    )
    rows = connection.execute(_select().add_columns(*columns).order_by(one.created, one.id))
    return [
        {
            "id": row.id, "key": row.principal, "kind": row.kind, "receiver": row.url, "created": str(row.created),
            "state": _subscription(row).state, "waiting": row.waiting, "failed": row.failed,
            "delivered": row.delivered, "error": row.e,
        }
        for row in rows
    ]  # fmt: skip


def _select() -> sa.Select[Any]:
    return sa.select(*(subscription.c[n] for n in _SHOWN))


def _subscription(row: sa.Row[Any]) -> Subscription:
    wish = Wish(row.kind, row.url, tuple(row.collections), row.condition, lang=row.lang, exercises=row.exercises)
    return Subscription(row.id, wish, row.created, row.disabled, row.failures, row.confirmed, row.parted, row.place)
