"""Alerts of this installation: written by some, released by others, and nowhere else to be seen until then. Blocking.

A draft lies in a table of its own that no reader may select. What it becomes is signed and taken in through the desk
like any other message, so that everything that shows alerts shows it from then on, and nothing before. A draft has the
clearance of its scope, as the message will have it: to keys below it there is no such draft.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.alerts import ledger, tables, wording
from geoservice.alerts.desk import AlertDesk, Bearer, Taken
from geoservice.alerts.errors import AlertRefused, DraftChanged, DraftSettled, NoSender
from geoservice.alerts.referred import Referred, referred, require_open
from geoservice.alerts.wording import Wording
from geoservice.alerts.xml import as_bytes, parcels, written
from geoservice.db.writing import Writer
from geoservice.settings import Settings
from layers.access import Clearance, Principal
from layers.alerting import Name
from layers.errors import NotAllowed, UnknownResource

SHOWN = 200
"""Drafts that a list shows, the latest ones."""


@dataclass(frozen=True)
class Draft:
    """A draft as those see it who may write or release.

    Attributes:
        id: Its id.
        author: Id of the key that wrote it; `changed_by` of the one that changed it last.
        content: A `Wording` as JSON.
        state: `open`, `released` or `withdrawn`.
        message: Id of the message that it became.
    """

    id: str
    author: str
    changed_by: str
    content: dict[str, Any]
    state: str
    created: dt.datetime
    changed: dt.datetime
    message: str | None

    @property
    def digest(self) -> str:
        """What whoever releases it says they have read."""
        return wording.digest(self.content)


class DraftDesk:
    """Keeps drafts and releases them."""

    def __init__(self, settings: Settings, writer: Writer, desk: AlertDesk) -> None:
        """Nothing is done before the first draft."""
        self._settings = settings
        self._writer = writer
        self._desk = desk

    def create(self, asker: Principal, body: Wording) -> Draft:
        """Write a draft.

        Raises:
            AlertRefused: When the message would not follow the standard, or its scope is above the asker's clearance.
        """
        number, content = secrets.token_hex(12), _content(body)
        with self._writer.transaction() as connection:
            self._check(connection, asker, body)
            values = {"id": number, "author": asker.id, "changed_by": asker.id, "content": content}
            connection.execute(sa.insert(tables.draft).values(**values))
            return _found(connection, asker, number)

    def referred(self, asker: Principal, ids: Sequence[str], called: str | None) -> tuple[Referred, ...]:
        """Alerts that a draft is to be about; see `geoservice.alerts.referred`."""
        with self._writer.transaction() as connection:
            return referred(connection, ids, called, asker.clearance, self._settings.alert_sender)

    def change(self, asker: Principal, number: str, body: Wording) -> Draft:
        """Write a draft anew; whoever has changed it counts as its author too.

        Raises:
            UnknownResource, DraftSettled, AlertRefused: When it is not there, over, or would not follow the standard.
        """
        with self._writer.transaction() as connection:
            _open(connection, asker, number)
            self._check(connection, asker, body)
            values = {"content": _content(body), "changed": sa.func.now(), "changed_by": asker.id}
            connection.execute(sa.update(tables.draft).where(tables.draft.c.id == number).values(**values))
            return _found(connection, asker, number)

    def withdraw(self, asker: Principal, number: str) -> None:
        """Give a draft up; it is kept, and never released.

        Raises:
            UnknownResource, DraftSettled: When it is not there or over.
        """
        with self._writer.transaction() as connection:
            _open(connection, asker, number)
            _settle(connection, number, asker, "withdrawn", None)

    def find(self, asker: Principal, number: str) -> Draft:
        """A draft.

        Raises:
            UnknownResource: When there is none that the asker may see.
        """
        with self._writer.transaction() as connection:
            return _found(connection, asker, number)

    def listing(self, asker: Principal) -> list[Draft]:
        """The latest drafts that the asker may see, the newest first."""
        order = (tables.draft.c.created.desc(), tables.draft.c.id)
        latest = sa.select(tables.draft).where(_seen(asker)).order_by(*order).limit(SHOWN)
        with self._writer.transaction() as connection:
            return [_draft(row) for row in connection.execute(latest)]

    def release(self, asker: Principal, number: str, digest: str) -> Taken:
        """Sign a draft and let it go.

        Args:
            asker: Who releases it; they hold the right to.
            number: Its id.
            digest: What they have read; see `Draft.digest`.

        Raises:
            NoSender: When this installation has no name as a sender.
            NotAllowed: When four eyes are demanded and theirs wrote it.
            DraftChanged: When it says something else by now.
            UnknownResource, DraftSettled, AlertRefused: See the others.
        """
        sender = self._settings.alert_sender
        if sender is None:
            raise NoSender("No alerts are released here: the operator has not set GEOSERVICE_ALERT_SENDER.")
        with self._writer.transaction() as connection:
            draft = _open(connection, asker, number)
            self._require_release(asker, draft, digest)
            taken = self._let_go(connection, asker, Wording.model_validate(draft.content), sender)
            _settle(connection, number, asker, "released", taken.id)
        return taken

    def _require_release(self, asker: Principal, draft: Draft, digest: str) -> None:
        if self._settings.alert_four_eyes and asker.id in (draft.author, draft.changed_by):
            raise NotAllowed("An alert is released by somebody else than who wrote it or changed it last.")
        if digest != draft.digest:
            raise DraftChanged("The draft says something else than what was read; read it again before releasing it.")

    def _let_go(self, connection: sa.Connection, asker: Principal, body: Wording, sender: str) -> Taken:
        from geoservice.alerts.keys import identity  # noqa: PLC0415
        from geoservice.alerts.signature import read_certificate, signed  # noqa: PLC0415

        ledger.take_turn(connection)
        about = self._about(connection, asker, body)
        alert = wording.message(body, about, self._name(connection, sender))
        keys = identity(self._settings.home, sender)
        ours = read_certificate(keys.certificate, sender, sender)
        ledger.register(connection, ours)
        xml = as_bytes(signed(written(alert), keys.key, keys.certificate))
        taken = self._desk.take_within(connection, parcels(xml), Bearer(asker.id, "own"), xml)[0]
        if taken.error is not None:
            raise taken.error
        return taken

    def _name(self, connection: sa.Connection, sender: str) -> Name:
        for identifier, sent in wording.identifiers(self._settings.alert_unit, dt.datetime.now(dt.UTC)):
            name = Name(sender, identifier, sent)
            if ledger.find(connection, name) is None:
                return name
        raise AssertionError("there is always a further second")

    def _check(self, connection: sa.Connection, asker: Principal, body: Wording) -> None:
        # Written as well: XML cannot hold every text that JSON can.
        written(wording.message(body, self._about(connection, asker, body)))
        needed = ledger.CLEARANCES[body.scope]
        if needed > asker.clearance:
            raise AlertRefused(
                f"A draft of the scope {body.scope} is for keys of the clearance {needed.label}; this one has "
                f"{asker.clearance.label}."
            )

    def _about(self, connection: sa.Connection, asker: Principal, body: Wording) -> list[Name]:
        """Names of our own messages that a draft is about.

        Raises:
            AlertRefused: When one of them is not ours, or is for fewer readers than the draft would name it to.
        """
        table = tables.message.c
        mine = (
            table.verdict == "kept",
            table.sender == self._settings.alert_sender,
            table.clearance <= int(asker.clearance),
            table.id.in_(body.about),
        )
        columns = (table.id, table.sender, table.identifier, table.sent, table.status, table.clearance)
        rows = {row.id: row for row in connection.execute(sa.select(*columns).where(*mine))}
        for wanted in body.about:
            row = rows.get(wanted)
            if row is None:
                raise AlertRefused(f"There is no alert {wanted[:40]!r} of this installation that it could be about.")
            if row.status != body.status:
                raise AlertRefused(
                    f"Alert {wanted[:40]!r} has the status {row.status}; a message of the status {body.status} would "
                    "not change it."
                )
            require_open(wanted, Clearance(row.clearance), body.scope)
        return [Name(row.sender, row.identifier, row.sent) for row in rows.values()]


def _content(body: Wording) -> dict[str, Any]:
    return body.model_dump(mode="json", by_alias=True, exclude_none=True)


def _open(connection: sa.Connection, asker: Principal, number: str) -> Draft:
    found = _found(connection, asker, number, lock=True)
    if found.state != "open":
        raise DraftSettled(f"Draft {number[:40]} was {found.state}; write another one.", state=found.state)
    return found


def _found(connection: sa.Connection, asker: Principal, number: str, *, lock: bool = False) -> Draft:
    wanted = sa.select(tables.draft).where(tables.draft.c.id == number, _seen(asker))
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise UnknownResource(f"There is no draft {number[:40]!r}.")
    return _draft(row)


def _seen(asker: Principal) -> sa.ColumnElement[bool]:
    """Which drafts somebody may see: those of the scopes that they may see messages of."""
    scopes = [scope for scope, clearance in ledger.CLEARANCES.items() if clearance <= asker.clearance]
    return sa.type_coerce(tables.draft.c.content["scope"].astext, sa.Text()).in_(scopes)


def _settle(connection: sa.Connection, number: str, asker: Principal, state: str, message: str | None) -> None:
    values = {"state": state, "settled": sa.func.now(), "settled_by": asker.id, "message": message}
    connection.execute(sa.update(tables.draft).where(tables.draft.c.id == number).values(**values))


def _draft(row: Any) -> Draft:
    names = ("id", "author", "changed_by", "content", "state", "created", "changed", "message")
    return Draft(**{name: getattr(row, name) for name in names})
