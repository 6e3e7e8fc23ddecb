"""The alerts that a report is about, as the ledger has them. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from geoservice.alerts import tables
from geoservice.alerts.errors import AlertRefused
from layers.access import Clearance
from layers.alerting import WARNING, Name
from layers.cap import written_moment


@dataclass(frozen=True)
class Referred:
    """An alert that is referred to: its id and name, and whether it is one of this installation."""

    id: str
    name: Name
    ours: bool

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
    columns = (table.id, table.sender, table.identifier, table.sent)
    rows = connection.execute(sa.select(*columns).where(*seen, wanted).order_by(table.sent.desc(), table.number)).all()
    rows = sorted(rows, key=lambda row: row.id != called)
    found = [Referred(r.id, Name(r.sender, r.identifier, r.sent), r.sender == sender) for r in rows]
    if missing := sorted(set(ids) - {one.id for one in found}):
        raise AlertRefused(f"There is no alert {missing[0][:40]!r} that the report could be about.")
    return tuple(found) if ids else tuple(found[:1])
