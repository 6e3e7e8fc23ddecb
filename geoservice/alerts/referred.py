"""The alerts that a report is about, as the ledger has them. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from geoservice.alerts import tables
from geoservice.alerts.errors import AlertRefused
from geoservice.alerts.ledger import CLEARANCES
from layers.access import Clearance
from layers.alerting import WARNING, Name
from layers.cap import Scope, written_moment


@dataclass(frozen=True)
class Referred:
    """An alert that is referred to: its id and name, whether it is of this installation, and who may see it."""

    id: str
    name: Name
    ours: bool
    clearance: Clearance

    @property
    def written(self) -> str:
        """Its name as CAP 1.2 writes references: sender, identifier and time of sending."""
        return f"{self.name.sender},{self.name.identifier},{written_moment(self.name.sent)}"


def referred(
    connection: sa.Connection, ids: Sequence[str], called: str | None, clearance: Clearance, sender: str | None
) -> tuple[Referred, ...]:
    """Find alerts by their ids, or the one that a question about its zone calls by its id or identifier.

    Args:
        connection: Of the writer.
        ids: Ids, as `GET /alerts` tells them; where there are any, nothing else is looked for.
        called: An id, or an identifier, of which the latest is meant; None and what nobody knows find nothing.
        clearance: Of whoever asks: alerts above it do not exist.
        sender: Whom this installation calls itself as a sender.

    Raises:
        AlertRefused: When there is no alert of one of the ids.
    """
    table = tables.message.c
    seen = (table.verdict == "kept", table.clearance <= int(clearance), table.msg_type.in_(WARNING))
    wanted = table.id.in_(ids) if ids else sa.or_(table.id == called, table.identifier == called)
    columns = (table.id, table.sender, table.identifier, table.sent, table.clearance)
    rows = connection.execute(sa.select(*columns).where(*seen, wanted).order_by(table.sent.desc(), table.number)).all()
    rows = sorted(rows, key=lambda row: row.id != called)
    found = [
        Referred(row.id, Name(row.sender, row.identifier, row.sent), row.sender == sender, Clearance(row.clearance))
        for row in rows
    ]
    if missing := sorted(set(ids) - {one.id for one in found}):
        raise AlertRefused(f"There is no alert {missing[0][:40]!r} that the report could be about.")
    return tuple(found) if ids else tuple(found[:1])


def require_open(number: str, clearance: Clearance, scope: Scope) -> None:
    """Make sure that a message may be named in one of a scope.

    Args:
        number: Its public id.
        clearance: From which clearance on it may be seen.
        scope: Of the message that would name it.

    Raises:
        AlertRefused: When some who may read the one may not see the other.
    """
    if clearance > CLEARANCES[scope]:
        raise AlertRefused(
            f"Alert {number[:40]!r} is for readers from {clearance.label} on; a message of the scope {scope} would "
            "name it to others as well."
        )
