"""What is known of feeds, in the database: it survives restarts, and whichever worker asks next goes on from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.jobs.intake import Feed
from layers.system import feed as table
from layers.system import job

MOST_ERROR = 300


@dataclass(frozen=True)
class Known:
    """A feed and what is known of it.

    Attributes:
        feed: The feed.
        etag, modified: Validators of its last answer.
        digest: SHA-256 of that answer.
        stamp: When that answer was made, as far as it said.
        failures: Failures in a row.
        asked: How often it was asked; whoever notes an answer states this, so that none is noted twice.
        busy: Whether jobs of its last answer still wait or run.
    """

    feed: Feed
    etag: str | None = None
    modified: str | None = None
    digest: str | None = None
    stamp: dt.datetime | None = None
    failures: int = 0
    asked: int = 0
    busy: bool = False


def due(connection: sa.Connection, feeds: Iterable[Feed], now: dt.datetime, *, all_: bool = False) -> list[Known]:
    """Feeds whose time has come; new ones are due at once, and one that got another address is new.

    Args:
        connection: A transaction of the writer's.
        feeds: The feeds there are.
        now: The time.
        all_: Also those whose time has not come.
    """
    wanted = {one.name: one for one in feeds}
    if not wanted:
        return []
    fresh = insert(table).values([{"name": n, "address": f.address, "due": now} for n, f in wanted.items()])
    blank: dict[str, Any] = dict.fromkeys(("etag", "modified", "digest", "stamp", "error"))
    again = {"address": fresh.excluded.address, "due": now, "failures": 0, **blank}
    other = table.c.address != fresh.excluded.address
    connection.execute(fresh.on_conflict_do_update(index_elements=["name"], set_=again, where=other))
    found = sa.select(table, _busy().label("busy")).where(table.c.name.in_(list(wanted)))
    if not all_:
        found = found.where(table.c.due <= now)
    names = ("etag", "modified", "digest", "stamp", "failures", "asked", "busy")
    rows = connection.execute(found.order_by(table.c.due, table.c.name)).all()
    return [Known(wanted[row.name], **{name: getattr(row, name) for name in names}) for row in rows]


def _busy() -> sa.ColumnElement[bool]:
    open_ = job.c.state.in_(("queued", "running"))
    return sa.exists().where(job.c.id == sa.any_(table.c.jobs), open_)


def take_turn(connection: sa.Connection, known: Known) -> bool:
    """Hold the row of a feed until the end of the transaction; False when somebody has noted an answer meanwhile."""
    mine = sa.select(table.c.asked).where(table.c.name == known.feed.name).with_for_update()
    return connection.execute(mine).scalar() == known.asked


def note(connection: sa.Connection, known: Known, now: dt.datetime, pause: float, **values: Any) -> None:
    """Note what asking a feed came to, and when it is asked again."""
    told = {"checked": now, "due": now + dt.timedelta(seconds=pause), "asked": known.asked + 1, **values}
    if told.get("error"):
        told["error"] = told["error"][:MOST_ERROR]
    connection.execute(sa.update(table).where(table.c.name == known.feed.name).values(**told))


def listed(connection: sa.Connection) -> list[dict[str, Any]]:
    """All feeds that were ever asked, with the state of the jobs of their last answer."""
    states = sa.select(sa.func.array_agg(sa.distinct(job.c.state))).where(job.c.id == sa.any_(table.c.jobs))
    found = sa.select(table, states.scalar_subquery().label("states")).order_by(table.c.name)
    return [dict(row) for row in connection.execute(found).mappings()]
