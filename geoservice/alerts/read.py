"""Alerts as readers see them: which stand at an instant, one with its areas, and what came before and after it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.alerts import tables
from layers.access import RowRule
from layers.alerting import WARNING, Ending, Message, Name, Phase, phase
from layers.cap import Alert
from layers.crs import STORAGE_SRID
from layers.extent import Extent

_log = logging.getLogger(__name__)
MOST_STEPS = 20
"""How far a history is followed, from message to message."""
MOST_MESSAGES = 200
"""Messages that a history shows at most."""
_COLUMNS = (
    "number", "id", "sender", "identifier", "sent", "status", "msg_type", "digest", "content", "begins", "ends",
    "ended", "ended_how", "severity", "signature", "signer", "findings", "received",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """Which alerts are asked for.

    Attributes:
        at: The instant: messages that had been sent by then, and that stand then unless `everything` is asked for.
        statuses: In which sense they are meant; what is not meant in earnest is never among what is.
        severities: Which severities; empty for all.
        extent: Which box (degrees) one of their areas meets.
        everything: Also what is over, and messages that warn of nothing themselves.
        limit: Most messages.
        after: Number of the message after which the list goes on.
    """

    at: dt.datetime
    statuses: tuple[str, ...] = ("Actual",)
    severities: tuple[str, ...] = ()
    extent: Extent | None = None
    everything: bool = False
    limit: int = 100
    after: int | None = None


@dataclass(frozen=True)
class Kept:
    """A message as it is kept: what it says, what is known of it, and, where they were asked for, its areas."""

    number: int
    id: str
    alert: Alert
    begins: dt.datetime
    ends: dt.datetime
    ending: tuple[dt.datetime, str] | None
    severity: str
    signature: str
    signer: str | None
    findings: tuple[str, ...]
    received: dt.datetime
    areas: tuple[KeptArea, ...] = ()

    def phase(self, at: dt.datetime) -> Phase:
        """What it is worth at an instant."""
        alert = self.alert
        message = Message(alert.name, alert.status, alert.msg_type, "", frozenset(), self.begins, self.ends)
        if self.ending is None:
            return phase(message, None, at)
        moment, how = self.ending
        end = Ending(moment, "cancelled" if how == "cancelled" else "updated", alert.name)
        return phase(message, end, at)


@dataclass(frozen=True)
class KeptArea:
    """An area of a message: numbers of block and area (from 1), how its place is known, its geometry (lon, lat)."""

    info: int
    area: int
    origin: str
    geometry: shapely.Geometry | None


async def listed(connection: AsyncConnection, rule: RowRule, asked: Asked) -> list[Kept]:
    """Messages in the order of their sending, the latest first; one more than the limit tells that there are more."""
    rows = (await connection.execute(_listing(rule, asked))).all()
    return [_kept(row) for row in rows]


async def one(connection: AsyncConnection, rule: RowRule, alert_id: str) -> Kept | None:
    """A message with its areas, by its id."""
    row = (await connection.execute(_messages(rule).where(tables.message.c.id == alert_id))).one_or_none()
    return None if row is None else (await with_areas(connection, rule, [_kept(row)]))[0]


async def of_identifier(connection: AsyncConnection, rule: RowRule, identifier: str, most: int) -> list[Kept]:
    """Messages of an identifier, which may be those of several senders, without their areas; the latest first."""
    table = tables.message.c
    found = _messages(rule).where(table.identifier == identifier).order_by(table.sent.desc(), table.number.desc())
    return [_kept(row) for row in await connection.execute(found.limit(most))]


async def fresh(connection: AsyncConnection, rule: RowRule, since: int, most: int) -> tuple[list[Kept], int | None]:
    """Messages that came after the one with a number, with their areas, in the order in which they came.

    Returns:
        The messages, and the number of the last one that was looked at when there may be more after it. One that cannot
        be read (written by another edition of this service) is told in the log and left out, so that it keeps nobody
        from hearing of those behind it.
    """
    table = tables.message.c
    found = await connection.execute(_messages(rule).where(table.number > since).order_by(table.number).limit(most))
    rows = found.all()
    messages = [message for message in map(_readable, rows) if message is not None]
    return await with_areas(connection, rule, messages), rows[-1].number if len(rows) == most else None


def _readable(row: Any) -> Kept | None:
    try:
        return _kept(row)
    except ValidationError:
        _log.exception("the alert %s cannot be read", row.id)
        return None


async def content(connection: AsyncConnection, rule: RowRule, alert_id: str) -> bytes | None:
    """The bytes of a message as it came."""
    table = tables.message.c
    found = sa.select(table.xml).where(table.id == alert_id, table.verdict == "kept", _visible(table, rule))
    xml: bytes | None = (await connection.execute(found)).scalar_one_or_none()
    return xml


async def with_areas(connection: AsyncConnection, rule: RowRule, messages: Sequence[Kept]) -> list[Kept]:
    """The same messages with their areas."""
    table = tables.area.c
    shape = sa.func.ST_AsBinary(sa.type_coerce(table.geom, sa.types.NullType())).label("shape")
    wanted = sa.select(table.message, table.info, table.area, table.origin, shape)
    mine = wanted.where(table.message.in_([m.number for m in messages]), _visible(table, rule))
    found: dict[int, list[KeptArea]] = {}
    for row in await connection.execute(mine.order_by(table.message, table.info, table.area)):
        geometry = None if row.shape is None else shapely.from_wkb(bytes(row.shape))
        found.setdefault(row.message, []).append(KeptArea(row.info, row.area, row.origin, geometry))
    return [_replaced(message, tuple(found.get(message.number, ()))) for message in messages]


async def history(connection: AsyncConnection, rule: RowRule, start: Kept) -> list[Kept]:
    """All messages that refer to a message or are referred to by it, directly or by others, in the order of sending."""
    known: dict[int, Kept] = {start.number: start}
    fresh = [start]
    for _ in range(MOST_STEPS):
        rows = (await connection.execute(_neighbours(rule, fresh))).all()
        fresh = [_kept(row) for row in rows if row.number not in known]
        known |= {message.number: message for message in fresh}
        if not fresh or len(known) > MOST_MESSAGES:
            break
    return sorted(known.values(), key=lambda m: (m.alert.name.sent, m.number))[:MOST_MESSAGES]


async def number_of(connection: AsyncConnection, rule: RowRule, alert_id: str) -> int | None:
    """Number of a message."""
    table = tables.message.c
    found = sa.select(table.number).where(table.id == alert_id, table.verdict == "kept", _visible(table, rule))
    number: int | None = (await connection.execute(found)).scalar_one_or_none()
    return number


async def stamp(connection: AsyncConnection, rule: RowRule) -> tuple[int, int]:
    """How many messages there are and which is the latest: a list changes only when they do, or with time."""
    table = tables.message.c
    counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(table.number), 0))
    found = await connection.execute(counted.where(table.verdict == "kept", _visible(table, rule)))
    count, latest = found.one()
    return int(count), int(latest)


def _visible(table: Any, rule: RowRule) -> sa.ColumnElement[bool]:
    return sa.and_(table.clearance <= int(rule.max_clearance))


def _messages(rule: RowRule) -> sa.Select[Any]:
    table = tables.message.c
    return sa.select(*(table[name] for name in _COLUMNS)).where(table.verdict == "kept", _visible(table, rule))


def _listing(rule: RowRule, asked: Asked) -> sa.Select[Any]:
    table = tables.message.c
    found = _messages(rule).where(table.sent <= asked.at, table.status.in_(asked.statuses))
    if not asked.everything:
        warned = table.msg_type.in_(sorted(WARNING)), table.begins <= asked.at, table.ends > asked.at
        found = found.where(*warned, sa.or_(table.ended.is_(None), table.ended > asked.at))
    if asked.severities:
        found = found.where(table.severity.in_(asked.severities))
    if asked.extent is not None:
        found = found.where(_meets(rule, asked.extent))
    if asked.after is not None:
        last = sa.select(table.sent).where(table.number == asked.after).scalar_subquery()
        found = found.where(sa.tuple_(table.sent, table.number) < sa.tuple_(last, sa.literal(asked.after)))
    return found.order_by(table.sent.desc(), table.number.desc()).limit(asked.limit + 1)


def _meets(rule: RowRule, extent: Extent) -> sa.ColumnElement[bool]:
    """Whether an area of the message meets a box."""
    areas = tables.area.c
    bare = sa.type_coerce(areas.geom, sa.types.NullType())
    boxes = [sa.func.ST_MakeEnvelope(*box, STORAGE_SRID) for box in extent.boxes()]
    met = sa.or_(*(sa.and_(bare.op("&&")(box), sa.func.ST_Intersects(bare, box)) for box in boxes))
    return sa.exists().where(areas.message == tables.message.c.number, _visible(areas, rule), met)


def _neighbours(rule: RowRule, messages: Iterable[Kept]) -> sa.Select[Any]:
    """Messages that refer to some, or that those refer to."""
    table, refers = tables.message.c, tables.reference.c
    numbers = [message.number for message in messages]
    mine = sa.select(table.sender, table.identifier, table.sent).where(table.number.in_(numbers))
    theirs = sa.select(refers.sender, refers.identifier, refers.sent).where(refers.message.in_(numbers))
    later = sa.select(refers.message).where(
        sa.tuple_(refers.sender, refers.identifier, refers.sent).in_(mine), _visible(refers, rule)
    )
    earlier = sa.tuple_(table.sender, table.identifier, table.sent).in_(theirs)
    return _messages(rule).where(sa.or_(table.number.in_(later), earlier)).limit(MOST_MESSAGES + 1)


def referred(message: Kept, known: Iterable[Kept]) -> list[Name]:
    """Messages that a message refers to and that have not come, or not for this reader."""
    there = {one.alert.name for one in known}
    return sorted(name for name in message.alert.referred() if name not in there)


def _kept(row: Any) -> Kept:
    return Kept(
        number=row.number,
        id=row.id,
        alert=Alert.model_validate(row.content),
        begins=row.begins,
        ends=row.ends,
        ending=None if row.ended is None else (row.ended, row.ended_how),
        severity=row.severity,
        signature=row.signature,
        signer=row.signer,
        findings=tuple(row.findings),
        received=row.received,
    )


def _replaced(message: Kept, areas: tuple[KeptArea, ...]) -> Kept:
    fields = {name: getattr(message, name) for name in message.__dataclass_fields__}
    return Kept(**{**fields, "areas": areas})
