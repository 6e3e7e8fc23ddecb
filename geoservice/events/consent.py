"""Who reads a mail address agrees before anything is sent there, and can leave at any time.

Links carry a token that only this service can make of the subscription's secret; nothing of it is kept. How often an
address is asked is bounded, whoever asks: nobody can have it flooded with questions.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from typing import Any, Literal

import sqlalchemy as sa

from geoservice.alerts.tables import message
from geoservice.events.errors import TooManyQuestions
from geoservice.events.letters import CONFIRM as CONFIRM_TYPE
from geoservice.events.outbox import CONFIRM, Note, enqueue
from layers.errors import UnknownResource
from layers.system import delivery, layer_state, mail_asked, subscription, subscription_mark

Step = Literal["confirm", "leave"]
PATIENCE = dt.timedelta(hours=48)
"""For how long whoever reads the address may agree."""
ASKED_DAYS = dt.timedelta(days=1)
EACH_ADDRESS, EACH_KEY = 3, 20
"""How often an address is asked in a day, and how many questions a key has sent."""
_UNKNOWN = "There is no such link, or it is no longer good."


def token(secret: bytes, step: Step) -> str:
    """The token of a link."""
    digest = hmac.digest(secret, f"geoservice mail {step}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def path(number: str, secret: bytes, step: Step) -> str:
    """Path of a link in a mail."""
    return f"/subscriptions/{number}/{step}?token={token(secret, step)}"


def ask(connection: sa.Connection, principal: str, number: str, mail: str) -> None:
    """Have the reader of an address asked.

    Raises:
        TooManyQuestions: When the address was asked, or the key has asked, too often today.
    """
    # Two requests at the same time must not both find the last question free.
    turn = sa.func.hashtextextended("geoservice.mail.asked", 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
    table, digest = mail_asked.c, hashlib.sha256(mail.lower().encode()).digest()
    today = table.asked > sa.func.now() - ASKED_DAYS
    many = sa.select(
        sa.func.count().filter(table.address == digest).label("address"),
        sa.func.count().filter(table.principal == principal).label("key"),
    ).where(today)
    asked = connection.execute(many).one()
    if asked.address >= EACH_ADDRESS or asked.key >= EACH_KEY:
        raise TooManyQuestions(
            f"An address is asked at most {EACH_ADDRESS} times in a day whether it agrees, and a key asks at most "
            f"{EACH_KEY} times; try again tomorrow."
        )
    connection.execute(sa.insert(mail_asked).values(principal=principal, address=digest))
    enqueue(connection, Note(number, {"type": CONFIRM_TYPE, "data": {}}, CONFIRM))


def require_link(connection: sa.Connection, number: str, given: str, step: Step) -> Any:
    """The subscription of a link: `id`, `lang`, `confirmed`, `parted`.

    Raises:
        UnknownResource: When the token is not that of the subscription, or the time to agree is over.
    """
    one = subscription.c
    columns = (one.id, one.lang, one.confirmed, one.parted, one.secret, one.created, one.kind)
    row = connection.execute(sa.select(*columns).where(one.id == number, one.url.like("mailto:%"))).one_or_none()
    if row is None or not hmac.compare_digest(token(bytes(row.secret), step).encode(), given.encode()):
        raise UnknownResource(_UNKNOWN)
    if step == "confirm" and row.confirmed is None and row.created < dt.datetime.now(dt.UTC) - PATIENCE:
        raise UnknownResource(_UNKNOWN)
    return row


def confirm(connection: sa.Connection, number: str, given: str) -> None:
    """From now on the address is told; what happened before is no news.

    Raises:
        UnknownResource: See `require_link`.
    """
    row = require_link(connection, number, given, "confirm")
    if row.confirmed is not None or row.parted is not None:
        return
    connection.execute(sa.update(subscription).where(subscription.c.id == number).values(confirmed=sa.func.now()))
    begin(connection, number)


def leave(connection: sa.Connection, number: str, given: str) -> None:
    """Nothing else is sent to the address; what waits is dropped.

    Raises:
        UnknownResource: See `require_link`.
    """
    require_link(connection, number, given, "leave")
    now = sa.func.now()
    gone = sa.update(subscription).where(subscription.c.id == number, subscription.c.parted.is_(None))
    connection.execute(gone.values(parted=now, disabled=sa.func.coalesce(subscription.c.disabled, now)))
    waits = sa.update(delivery).where(delivery.c.subscription == number, delivery.c.state == "waiting")
    connection.execute(waits.values(state="dropped", finished=now, error="The reader has left."))


def begin(connection: sa.Connection, number: str) -> None:
    """Have a subscription told of what happens from now on."""
    marks, state = subscription_mark, layer_state.c
    stands = sa.select(sa.func.coalesce(state.edition, 0)).where(state.layer == marks.c.layer).scalar_subquery()
    here = sa.func.coalesce(stands, marks.c.edition)
    connection.execute(sa.update(marks).where(marks.c.subscription == number).values(edition=here))
    latest = sa.select(sa.func.coalesce(sa.func.max(message.c.number), 0)).scalar_subquery()
    connection.execute(sa.update(subscription).where(subscription.c.id == number).values(heard=latest))


def sweep(connection: sa.Connection) -> None:
    """Forget subscriptions to which nobody agreed in time, and questions of former days."""
    one = subscription.c
    late = one.url.like("mailto:%"), one.confirmed.is_(None), one.created < sa.func.now() - PATIENCE
    connection.execute(sa.delete(subscription).where(*late))
    connection.execute(sa.delete(mail_asked).where(mail_asked.c.asked < sa.func.now() - 2 * ASKED_DAYS))
