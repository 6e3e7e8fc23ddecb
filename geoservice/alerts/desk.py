"""The desk where alerts are taken in: one transaction of the writer per document, whatever came of its messages.

Each message is checked by itself; those that are refused leave the others as they are. What stands is written into
the layer of alerts by the one writer of layers, what ended is taken out of it, so that maps show what is in force.
Blocking.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import sqlalchemy as sa

from geoservice.alerts import ledger, tables
from geoservice.alerts.errors import AlertContested, AlertUnproven
from geoservice.alerts.ledger import Entry, Known
from geoservice.alerts.places import SYSTEM, Divisions, Spot, spots
from geoservice.alerts.signers import Seal
from geoservice.alerts.xml import Parcel, parcels, read
from geoservice.alerts.zone import geojson
from geoservice.db.writing import Writer
from geoservice.edits.body import content_crs
from geoservice.edits.desk import EditDesk, LayerEdits, Wish
from geoservice.settings import Settings
from ingest.edit import Edit
from ingest.readers.cap import alert_rows
from layers.access import EDIT_ANY, Clearance, Principal, decide
from layers.alerting import WARNING, Ending, Message, Name, Phase, ending, ends, phase
from layers.cap import Alert
from layers.catalog import Catalog
from layers.errors import GeoError, UnknownLayer
from layers.model import RowLayer, VectorLayer
from layers.table import current_table

LAYER = "cap_alert"
_AHEAD = dt.timedelta(minutes=15)
"""How far clocks of senders may go before ours without a remark."""
Way = Literal["api", "file", "feed", "own"]


@dataclass(frozen=True)
class Bearer:
    """Who brings a document, and by which way."""

    principal: str
    way: Way


@dataclass(frozen=True)
class Changes:
    """What was written into the layer of alerts: numbers of rows, and the edition; None where nothing changed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    edition: int | None = None


@dataclass(frozen=True)
class Taken:
    """What became of one message.

    Attributes:
        outcome: `new`, `unchanged` (it was known), `contested` (another one of its name is known), or `refused`.
        id: Its public id; None where it could not be read.
        identifier: Its identifier.
        phase: What it is worth now.
        signature: What its signature is worth.
        findings: What is odd about it.
        error: Why it was refused.
        changes: What it did to the layer of alerts.
    """

    outcome: Literal["new", "unchanged", "contested", "refused"]
    id: str | None = None
    identifier: str | None = None
    phase: Phase | None = None
    signature: str | None = None
    findings: tuple[str, ...] = ()
    error: GeoError | None = field(default=None, compare=False)
    changes: Changes | None = field(default=None, compare=False)


class AlertDesk:
    """Takes in alerts."""

    def __init__(self, settings: Settings, writer: Writer, edits: EditDesk, catalog: Catalog) -> None:
        """Nothing is started before the first alert."""
        self._writer = writer
        self._edits = edits
        self._catalog = catalog
        self._lifetime = dt.timedelta(hours=settings.alert_lifetime_hours)
        self._signed_only = settings.alert_signed_only

    def take(self, content: bytes, bearer: Bearer) -> list[Taken]:
        """Take in a document; tells what became of each of its messages.

        Raises:
            AlertRefused: When the document holds no alert or is not safe to read.
            UnknownLayer: When this service has no layer of alerts.
        """
        self.layer()
        found = parcels(content)
        with self._writer.transaction() as connection:
            return self.take_within(connection, found, bearer, content)

    def take_within(
        self, connection: sa.Connection, found: Sequence[Parcel], bearer: Bearer, content: bytes
    ) -> list[Taken]:
        """Take in the messages of a document in a transaction of the writer's; see `take`."""
        ledger.take_turn(connection)
        now = dt.datetime.now(dt.UTC)
        wrapped = content if found[0].xml is not content else None
        return [_Intake(self, connection, now, bearer, wrapped).take(parcel) for parcel in found]

    def sweep(self) -> int:
        """Take out of the layer what is over; returns how many rows."""
        with self._writer.transaction() as connection:
            ledger.take_turn(connection)
            gone = self.stale(connection, dt.datetime.now(dt.UTC))
            self.write(connection, SYSTEM, [Edit("delete", i, key=key) for i, key in enumerate(gone)], b"")
        return len(gone)

    def layer(self) -> VectorLayer:
        """The layer of alerts.

        Raises:
            UnknownLayer: When there is none.
        """
        found = self._catalog.layers.get(LAYER)
        if not isinstance(found, VectorLayer):
            raise UnknownLayer(f"This service has no collection {LAYER!r}, into which alerts are written.")
        return found

    def stale(self, connection: sa.Connection, now: dt.datetime) -> list[str]:
        """Keys of rows whose message is over."""
        rows, known = current_table(self.layer()).c, tables.message.c
        same = sa.and_(known.sender == rows.sender, known.identifier == rows.identifier, known.verdict == "kept")
        until = sa.func.least(known.ends, sa.func.coalesce(known.ended, known.ends))
        found = sa.select(rows.key).where(same, until <= now).order_by(rows.key)
        return list(connection.execute(found).scalars())

    def write(self, connection: sa.Connection, principal: str, edits: Sequence[Edit], body: bytes) -> Changes:
        """Do some edits of the layer as its one writer does them."""
        if not edits:
            return Changes()
        layer = self.layer()
        decision = decide(_author(principal), "edit", layer)
        wish = Wish((LayerEdits(layer, decision, tuple(edits)),), content_crs(None), body, repair=True)
        done = self._edits.apply(connection, _author(principal), wish)
        edition = done.editions[layer.name]
        actions = Counter(one.action for _, one in done.written if one.edition == edition or one.action == "delete")
        return Changes(actions["insert"], actions["replace"], actions["delete"], edition)

    def divisions(self, connection: sa.Connection, clearance: Clearance) -> Divisions:
        """The divisions that readers of a clearance may see."""
        return Divisions(connection, self._catalog, clearance)

    def life(self, alert: Alert, digest: str) -> Message:
        """What the life of a message depends on, with the lifetime of this installation."""
        return ledger.life(alert, digest, self._lifetime)

    @property
    def signed_only(self) -> bool:
        """Whether messages are refused whose signature is not valid."""
        return self._signed_only


@dataclass(frozen=True)
class _Intake:
    """The intake of the messages of one document."""

    desk: AlertDesk
    connection: sa.Connection
    now: dt.datetime
    bearer: Bearer
    wrapped: bytes | None

    def take(self, parcel: Parcel) -> Taken:
        """Take in one message; when it is refused, nothing of it stays."""
        try:
            alert = read(parcel)
        except GeoError as error:
            return Taken("refused", error=error)
        taken = Taken("refused", ledger.alert_id(alert.sender, alert.identifier), alert.identifier)
        try:
            with self.connection.begin_nested():
                return self._taken(parcel, alert, taken)
        except GeoError as error:
            return replace(taken, error=error)

    def _taken(self, parcel: Parcel, alert: Alert, blank: Taken) -> Taken:
        message = self.desk.life(alert, parcel.digest)
        known = ledger.find(self.connection, message.name)
        if known is not None and known.message.digest == message.digest:
            return replace(blank, outcome="unchanged", phase=self._phase(known))
        seal = self._proven(parcel, alert)
        clearance = ledger.CLEARANCES[alert.scope]
        where, odd = spots(alert, self.desk.divisions(self.connection, clearance))
        findings = (*odd, *_doubts(message, seal, self.now))
        envelope = None if self.wrapped is None else ledger.keep_envelope(self.connection, self.wrapped)
        entry = Entry(parcel, alert, message, where, seal, findings, self.bearer.way, self.bearer.principal, envelope)
        if known is not None:
            return self._contested(entry, known, blank)
        return self._kept(entry, blank)

    def _proven(self, parcel: Parcel, alert: Alert) -> Seal:
        """What the signature is worth.

        Raises:
            AlertUnproven: When a valid one is demanded: always, or because the sender has a registered certificate.
        """
        from geoservice.alerts.signature import examine  # noqa: PLC0415

        known = ledger.signers(self.connection, alert.sender)
        seal = examine(parcel.element, alert.sender, alert.name.sent, known)
        demanded = self.desk.signed_only or any(one.sender == alert.sender for one in known)
        if demanded and seal.state != "valid":
            raise AlertUnproven(
                f"Messages of {alert.sender[:80]} are taken with a valid signature by a registered certificate; the "
                f"signature of this one is {seal.state}.",
                signature=seal.state,
            )
        return seal

    def _contested(self, entry: Entry, known: Known, blank: Taken) -> Taken:
        """Keep both: the known one as it stands, this one beside it, where only the writer looks."""
        ledger.write(self.connection, entry, "contested")
        day = self.now.strftime("%Y-%m-%d %H:%M UTC")
        said = f"A message of the same sender and identifier that says something else came on {day} and was refused."
        ledger.add_finding(self.connection, known.number, said)
        error = AlertContested(
            f"A message of {entry.alert.sender[:80]} with the identifier {entry.alert.identifier[:80]} is known and "
            "says something else. Both are kept, and the known one stays in force; an Update changes it.",
            id=known.id,
        )
        return replace(blank, outcome="contested", signature=entry.seal.state, error=error)

    def _kept(self, entry: Entry, blank: Taken) -> Taken:
        message, findings = entry.message, [*entry.findings, *self._strangers(entry.message)]
        number = ledger.write(self.connection, replace(entry, findings=findings))
        mine = self._settle(Known(number, str(blank.id), message))
        for name in sorted(message.references):
            target = ledger.find(self.connection, name)
            if target is not None and ends(message, target.message):
                self._settle(target)
        now = phase(message, mine, self.now)
        stands = message.kind in WARNING and now in ("active", "ahead")
        edits = [*(self._rows(entry) if stands else ())]
        gone = [key for key in self.desk.stale(self.connection, self.now) if key not in {one.key for one in edits}]
        edits += [Edit("delete", len(edits) + i, key=key) for i, key in enumerate(gone)]
        done = self.desk.write(self.connection, self.bearer.principal, edits, entry.parcel.xml)
        told = replace(blank, outcome="new", phase=now, signature=entry.seal.state, findings=tuple(findings))
        return replace(told, changes=done)

    def _settle(self, known: Known) -> Ending | None:
        """Note what becomes of a message, told from all that refer to it."""
        others = [one.message for one in ledger.referring(self.connection, known.message.name)]
        found = ending(known.message, others)
        ledger.end(self.connection, known.number, found)
        return found

    def _strangers(self, message: Message) -> Iterator[str]:
        """What the message refers to and cannot change."""
        if message.kind in ("Update", "Cancel") and any(n.sender != message.name.sender for n in message.references):
            yield "It refers to messages of another sender, which it does not end."

    def _phase(self, known: Known) -> Phase:
        others = [one.message for one in ledger.referring(self.connection, known.message.name)]
        return phase(known.message, ending(known.message, others), self.now)

    def _rows(self, entry: Entry) -> Iterator[Edit]:
        """Edits that write the rows of a message; rows that a load brought already are replaced."""
        layer = self.desk.layer()
        there = self._there(layer, entry.message.name)
        shapes = {(spot.info, spot.area): spot for spot in entry.spots}
        for i, (row, _) in enumerate(alert_rows(entry.parcel.element)):
            numbers = (row["info_number"], row["area_number"])
            key = there.get(numbers)
            properties = {name: row.get(name) for name in layer.attributes}
            geometry = _geojson(shapes.get(numbers))
            yield Edit("insert" if key is None else "replace", i, key, properties, geometry)

    def _there(self, layer: RowLayer, name: Name) -> dict[tuple[int, int], str]:
        rows = current_table(layer).c
        mine = sa.select(rows.info_number, rows.area_number, rows.key)
        found = self.connection.execute(mine.where(rows.sender == name.sender, rows.identifier == name.identifier))
        return {(row.info_number, row.area_number): row.key for row in found}


def _author(principal: str) -> Principal:
    """Who writes the rows: in the name of whoever handed the message in, with the right that the desk lends them."""
    return Principal(principal, max(Clearance), frozenset({EDIT_ANY}))


def _doubts(message: Message, seal: Seal, now: dt.datetime) -> Iterator[str]:
    if message.name.sent > now + _AHEAD:
        yield "It says that it was sent in the future."
    if message.ends <= now:
        yield "It was over when it came."
    if message.ends <= message.begins:
        yield "It ends before it begins."
    if seal.state == "invalid":
        yield "Its signature does not hold."
    if seal.state == "weak":
        yield "Its signature rests on SHA-1, which proves nothing any more."


def _geojson(spot: Spot | None) -> dict[str, Any] | None:
    if spot is None or spot.geometry is None:
        return None
    return geojson(spot.geometry)
