"""Messages in the database: what came before, what refers to what, what is kept. Blocking."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.alerts import tables
from geoservice.alerts.places import Spot, ewkb
from geoservice.alerts.signers import ANY_SENDER, Seal, Signer
from geoservice.alerts.xml import Parcel
from layers.access import Clearance
from layers.alerting import Ending, Message, MsgType, Name, Status
from layers.cap import SEVERITIES, Alert

_LOCK = "geoservice.alerts"
_ID_DIGITS = 24
CLEARANCES = {"Public": Clearance.PUBLIC, "Restricted": Clearance.INTERNAL, "Private": Clearance.RESTRICTED}
"""Who may see a message of which scope."""


@dataclass(frozen=True)
class Known:
    """A kept message as the ledger has it."""

    number: int
    id: str
    message: Message


@dataclass(frozen=True)
class Entry:
    """A message that is to be written down, with all that was found out about it.

    Attributes:
        parcel: Its bytes.
        alert: Its values.
        message: What its life depends on.
        spots: Where it warns.
        seal: What its signature is worth.
        findings: What is odd about it.
        way: How it came: `api`, `file`, `feed`, or `own` for a released draft.
        principal: Who handed it in.
        envelope: SHA-256 of the document that it came in with others.
    """

    parcel: Parcel
    alert: Alert
    message: Message
    spots: Sequence[Spot]
    seal: Seal
    findings: Sequence[str]
    way: str
    principal: str
    envelope: str | None = None

    @property
    def clearance(self) -> Clearance:
        """From which clearance on it may be seen."""
        return CLEARANCES[self.alert.scope]


def alert_id(sender: str, identifier: str) -> str:
    """Public id of a message: the same in every installation."""
    return hashlib.sha256(f"{sender}\n{identifier}".encode()).hexdigest()[:_ID_DIGITS]


def life(alert: Alert, digest: str, lifetime: dt.timedelta) -> Message:
    """What the life of a message depends on; see `Alert.span` for the lifetime."""
    begins, ends = alert.span(lifetime)
    return Message(alert.name, alert.status, alert.msg_type, digest, alert.referred(), begins, ends)


def take_turn(connection: sa.Connection) -> None:
    """Wait until nobody else changes the ledger, and keep the turn until the end of the transaction."""
    turn = sa.func.hashtextextended(_LOCK, 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))


def signers(connection: sa.Connection, sender: str) -> list[Signer]:
    """Certificates registered for a sender, or for any."""
    table = tables.signer
    wanted = sa.select(table).where(table.c.sender.in_([sender, ANY_SENDER]))
    return [Signer(row.fingerprint, row.sender, row.name, row.certificate) for row in connection.execute(wanted)]


def find(connection: sa.Connection, name: Name) -> Known | None:
    """The kept message of a sender and identifier."""
    found = _known(connection, _kept(name.sender, name.identifier))
    return found[0] if found else None


def referring(connection: sa.Connection, name: Name) -> list[Known]:
    """Kept messages that refer to a message."""
    refers = tables.reference
    about = sa.select(refers.c.message).where(
        refers.c.sender == name.sender, refers.c.identifier == name.identifier, refers.c.sent == name.sent
    )
    return _known(connection, sa.and_(tables.message.c.verdict == "kept", tables.message.c.number.in_(about)))


def write(connection: sa.Connection, entry: Entry, verdict: str = "kept") -> int:
    """Write a message down; returns its number."""
    alert, message = entry.alert, entry.message
    worst = min((SEVERITIES.index(info.severity) for info in alert.info), default=len(SEVERITIES) - 1)
    values = {
        "id": alert_id(alert.sender, alert.identifier),
        "sender": alert.sender,
        "identifier": alert.identifier,
        "sent": message.name.sent,
        "status": alert.status,
        "msg_type": alert.msg_type,
        "clearance": int(entry.clearance),
        "verdict": verdict,
        "digest": message.digest,
        "xml": entry.parcel.xml,
        "envelope": entry.envelope,
        "content": alert.model_dump(mode="json", by_alias=True, exclude_none=True),
        "begins": message.begins,
        "ends": message.ends,
        "severity": SEVERITIES[worst],
        "signature": entry.seal.state,
        "signer": entry.seal.signer,
        "findings": list(entry.findings),
        "way": entry.way,
        "principal": entry.principal,
    }
    table = tables.message
    again = insert(table).values(**values).on_conflict_do_nothing().returning(table.c.number)
    number = connection.execute(again).scalar()
    if number is None:
        return 0
    _write_parts(connection, int(number), entry)
    return int(number)


def keep_envelope(connection: sa.Connection, content: bytes) -> str:
    """Keep a document that holds several messages; returns its SHA-256."""
    digest = hashlib.sha256(content).hexdigest()
    connection.execute(insert(tables.envelope).values(sha256=digest, content=content).on_conflict_do_nothing())
    return digest


def end(connection: sa.Connection, number: int, ending: Ending | None) -> None:
    """Note how and when a message ends before its time."""
    values = {"ended": ending.at if ending else None, "ended_how": ending.how if ending else None}
    connection.execute(sa.update(tables.message).where(tables.message.c.number == number).values(**values))


def add_finding(connection: sa.Connection, number: int, finding: str) -> None:
    """Note something odd about a message, once."""
    table = tables.message
    found = list(connection.execute(sa.select(table.c.findings).where(table.c.number == number)).scalar_one())
    if finding not in found:
        connection.execute(sa.update(table).where(table.c.number == number).values(findings=[*found, finding]))


def _kept(sender: str, identifier: str) -> sa.ColumnElement[bool]:
    table = tables.message.c
    return sa.and_(table.verdict == "kept", table.sender == sender, table.identifier == identifier)


def _known(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Known]:
    table = tables.message.c
    columns = [table[n] for n in ("number", "id", "sender", "identifier", "sent", "status", "msg_type", "digest")]
    rows = connection.execute(sa.select(*columns, table.begins, table.ends).where(condition)).all()
    about = _references(connection, [row.number for row in rows])
    return [Known(row.number, row.id, _message(row, about.get(row.number, []))) for row in rows]


def _references(connection: sa.Connection, numbers: Iterable[int]) -> dict[int, list[Name]]:
    refers, found = tables.reference, dict[int, list[Name]]()
    for row in connection.execute(sa.select(refers).where(refers.c.message.in_(list(numbers)))):
        found.setdefault(row.message, []).append(Name(row.sender, row.identifier, row.sent))
    return found


def _message(row: Any, about: list[Name]) -> Message:
    return Message(
        Name(row.sender, row.identifier, row.sent),
        cast(Status, row.status),
        cast(MsgType, row.msg_type),
        row.digest,
        frozenset(about),
        row.begins,
        row.ends,
    )


def _write_parts(connection: sa.Connection, number: int, entry: Entry) -> None:
    level = int(entry.clearance)
    names = [
        {"message": number, "sender": n.sender, "identifier": n.identifier, "sent": n.sent, "clearance": level}
        for n in entry.message.references
    ]
    if names:
        connection.execute(sa.insert(tables.reference), names)
    for spot in entry.spots:
        shape = None if spot.geometry is None else sa.func.ST_GeomFromEWKB(ewkb(spot.geometry))
        values = {"message": number, "info": spot.info, "area": spot.area, "origin": spot.origin, "clearance": level}
        connection.execute(sa.insert(tables.area).values(**values, geom=shape))


def register(connection: sa.Connection, signer: Signer) -> None:
    """Let a certificate sign for its sender from now on."""
    columns = ("fingerprint", "sender", "name", "certificate")
    values = {name: getattr(signer, name) for name in columns}
    connection.execute(insert(tables.signer).values(**values).on_conflict_do_nothing())


def strike(connection: sa.Connection, fingerprint: str) -> int:
    """Let a certificate sign no more; returns for how many senders it did."""
    mine = tables.signer.c.fingerprint == fingerprint
    counted = {"preserve_rowcount": True}
    return int(connection.execute(sa.delete(tables.signer).where(mine), execution_options=counted).rowcount)


def registered(connection: sa.Connection) -> list[Signer]:
    """All registered certificates, by sender."""
    table = tables.signer
    rows = connection.execute(sa.select(table).order_by(table.c.sender, table.c.name))
    return [Signer(row.fingerprint, row.sender, row.name, row.certificate) for row in rows]
