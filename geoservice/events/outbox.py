"""Writing down what is to be told: once for each subscription and event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from layers.access import Clearance
from layers.system import api_key, delivery, subscription

CONFIRM = "confirm"
"""The event of the mail that asks whoever reads an address whether they agree."""


@dataclass(frozen=True)
class Note:
    """A message to be delivered.

    Attributes:
        subscription: To whose subscription.
        payload: The message.
        event: What it is about; the same event is told once. None where each message is one.
        layer: Layer that the subscriber must be allowed to see when it is sent; None where there is none.
        edition: Edition of that layer.
        clearance: What the subscriber's key must be cleared for when it is sent.
    """

    subscription: str
    payload: Mapping[str, Any]
    event: str | None = None
    layer: str | None = None
    edition: int | None = None
    clearance: Clearance = Clearance.PUBLIC


def enqueue(connection: sa.Connection, note: Note) -> None:
    """Write a message down, unless its event was told."""
    values = {
        "subscription": note.subscription,
        "payload": dict(note.payload),
        "event": note.event,
        "layer": note.layer,
        "edition": note.edition,
        "clearance": int(note.clearance),
    }
    once = ["subscription", "event"]
    connection.execute(insert(delivery).values(**values).on_conflict_do_nothing(index_elements=once))


def agreed() -> sa.ColumnElement[bool]:
    """Whether whoever is told agreed to it: readers of mail are asked, receivers of posted messages are not."""
    return sa.or_(subscription.c.url.not_like("mailto:%"), subscription.c.confirmed.is_not(None))


def active(kind: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Conditions of subscriptions of a kind that are to be told, joined to their keys."""
    one = subscription.c
    return (
        one.kind == kind,
        one.disabled.is_(None),
        api_key.c.id == one.principal,
        api_key.c.revoked.is_(None),
        agreed(),
    )


def eyes(ceiling: Clearance) -> sa.ColumnElement[int]:
    """With which clearance a subscription is looked at: that of its key; by mail, not above a ceiling.

    The statement joins subscriptions to their keys.
    """
    mailed = sa.func.least(api_key.c.clearance, sa.literal(int(ceiling), sa.SmallInteger()))
    by_mail = subscription.c.url.like("mailto:%")
    return sa.case((by_mail, mailed), else_=api_key.c.clearance)
