"""Subscriptions and deliveries in the database: making, listing, removing; what a key subscribed to is its own."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.events.errors import TooManySubscriptions
from geoservice.events.signing import make_secret
from layers.errors import UnknownResource
from layers.system import delivery, layer_state, subscription, subscription_mark

SHOWN = 100
"""Deliveries that the log shows, the latest ones."""


@dataclass(frozen=True)
class Subscription:
    """A subscription as its owner sees it.

    Attributes:
        id: Its id.
        url: Where messages go.
        collections: Names of the layers.
        created: Since when.
        disabled: When it was given up because messages did not arrive; None while it is active.
        failures: Deliveries that have failed one after the other.
    """

    id: str
    url: str
    collections: tuple[str, ...]
    created: dt.datetime
    disabled: dt.datetime | None
    failures: int


def subscribe(
    connection: sa.Connection, principal: str, url: str, collections: Sequence[str], most: int
) -> tuple[Subscription, bytes]:
    """Make a subscription to what happens from now on.

    Args:
        connection: A transaction of the writer.
        principal: Id of the key.
        url: Where messages go; it has been checked.
        collections: Names of layers that the key may see.
        most: Most subscriptions of one key.

    Returns:
        The subscription and its secret, which is shown once.

    Raises:
        TooManySubscriptions: When the key has so many already.
    """
    # Two requests of one key at the same time must not both find the last place free.
    turn = sa.func.hashtextextended(f"geoservice.subscription.{principal}", 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
    mine = sa.select(sa.func.count()).select_from(subscription).where(subscription.c.principal == principal)
    if connection.execute(mine).scalar_one() >= most:
        raise TooManySubscriptions(f"A key has at most {most} subscriptions; remove one that is not needed.", most=most)
    number, secret = secrets.token_hex(12), make_secret()
    values = {"id": number, "principal": principal, "url": url, "collections": list(collections), "secret": secret}
    connection.execute(sa.insert(subscription).values(**values))
    state = layer_state.c
    columns = (sa.literal(number), state.layer, sa.func.coalesce(state.edition, 0))
    now = sa.select(*columns).where(state.layer.in_(collections))
    connection.execute(sa.insert(subscription_mark).from_select(["subscription", "layer", "edition"], now))
    return find(connection, principal, number), secret


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


def log(connection: sa.Connection, principal: str, number: str) -> list[sa.RowMapping]:
    """The latest deliveries of a subscription, newest first.

    Raises:
        UnknownResource: See `find`.
    """
    find(connection, principal, number)
    names = ("id", "layer", "edition", "state", "attempts", "status", "error", "created", "finished", "next_attempt")
    mine = sa.select(*(delivery.c[n] for n in names)).where(delivery.c.subscription == number)
    return list(connection.execute(mine.order_by(delivery.c.id.desc()).limit(SHOWN)).mappings())


def _select() -> sa.Select[Any]:
    names = ("id", "url", "collections", "created", "disabled", "failures")
    return sa.select(*(subscription.c[n] for n in names))


def _subscription(row: sa.Row[Any]) -> Subscription:
    return Subscription(row.id, row.url, tuple(row.collections), row.created, row.disabled, row.failures)
