"""Looking for editions of layers that subscribers have not been told of, and writing down what they are told.

Of a layer of alerts those count that are meant in earnest. What is played is told in a message of its own, which says
so, to those alone who asked for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.alerts.desk import LAYER as ALERTS
from geoservice.changes import delta
from geoservice.changes.delta import Delta
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.reading import Reading
from geoservice.db.sync import READERS, require_mode
from geoservice.events.alerting import EARNEST, PLAYED
from geoservice.events.news import envelope, message
from geoservice.events.outbox import Note, active, enqueue, eyes
from layers.access import Clearance, Decision, Principal
from layers.model import RasterLayer, RowLayer
from layers.system import api_key, edition, layer_state, subscription, subscription_mark

Seen = tuple[RowLayer | RasterLayer, Decision]
Opened = Callable[[Principal, str], Seen | None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Behind:
    """A subscription that has not been told of all editions of a layer.

    Attributes:
        subscription: Its id.
        principal: Whose key it is, with the clearance with which it is looked at.
        layer: Name of the layer.
        span: The edition that it was told of, and the one that is there now.
        area: Where changes count, as WKB (longitude and latitude in degrees); None for everywhere.
        exercises: Whether it is told of what is played, too.
    """

    subscription: str
    principal: Principal
    layer: str
    span: tuple[int, int]
    area: bytes | None
    exercises: bool


class LayerWatch:
    """Looks for new editions."""

    def __init__(self, database: Database, opened: Opened, root: str) -> None:
        """Look at nothing yet.

        Args:
            database: Where marks are kept, and changes counted, as a reader of the clearance of the key.
            opened: A layer as a principal may see it at this moment; None when they may not.
            root: What addresses in messages begin with.
        """
        self._database = database
        self._engine = database.sync_engine(Role.WRITER)
        self._opened = opened
        self._root = root

    def look(self) -> None:
        """Write down what is new for each subscription."""
        with self._engine.begin() as connection:
            behind = self._behind(connection)
        for one in behind:
            try:
                self._write_down(one)
            except DBAPIError as error:
                # Counting may take too long; the others are told all the same, and the mark stays for the next look.
                _log.warning("what is new in %s could not be counted: %s", one.layer, type(error.orig).__name__)
            except Exception:  # noqa: BLE001 - whatever one subscription comes upon, the others are told
                _log.exception("what is new in %s could not be told to %s", one.layer, one.subscription)

    def _behind(self, connection: sa.Connection) -> list[_Behind]:
        """Marks of active subscriptions, of keys that hold, behind which there are editions."""
        mark, state, key = subscription_mark.c, layer_state.c, api_key.c
        joined = (
            subscription_mark.join(subscription, subscription.c.id == mark.subscription)
            .join(layer_state, state.layer == mark.layer)
            .join(api_key, key.id == subscription.c.principal)
        )
        columns = (
            mark.subscription,
            key.id.label("key"),
            eyes(self._database.settings.mail_ceiling).label("clearance"),
            mark.layer,
            mark.edition.label("since"),
            state.edition.label("until"),
            subscription.c.area,
            subscription.c.exercises,
        )
        found = sa.select(*columns).select_from(joined).where(*active("layer"), state.edition > mark.edition)
        return [_behind(row) for row in connection.execute(found.order_by(mark.subscription, mark.layer))]

    def _write_down(self, one: _Behind) -> None:
        """Move a mark, and write down the messages about what lies between, if the subscriber may see any of it."""
        opened = self._opened(one.principal, one.layer)
        told = [] if opened is None else list(self._told(one, opened))
        mine = (subscription_mark.c.subscription == one.subscription, subscription_mark.c.layer == one.layer)
        with self._engine.begin() as connection:
            moved = sa.update(subscription_mark).where(*mine, subscription_mark.c.edition == one.span[0])
            counted = {"preserve_rowcount": True}
            done = connection.execute(moved.values(edition=one.span[1]), execution_options=counted).rowcount
            if not done or not told:
                return
            instant = connection.execute(sa.select(edition.c.committed).where(edition.c.id == one.span[1])).scalar_one()
            for data, played in told:
                payload = envelope(instant, data, played=played)
                seen = one.principal.clearance
                enqueue(connection, Note(one.subscription, payload, None, one.layer, one.span[1], seen))

    def _told(
        self, one: _Behind, opened: tuple[RowLayer | RasterLayer, Decision]
    ) -> Iterator[tuple[dict[str, Any], bool]]:
        """Data of messages, and whether they tell of what is played."""
        layer, decision = opened
        if isinstance(layer, RasterLayer):
            yield message(self._root, one.layer, one.span, None), False
            return
        for only, played in _kinds(one):
            counts = self._counts(Delta(layer, decision, only), one.span, one.area)
            if any(counts.values()):
                yield message(self._root, one.layer, one.span, counts), played

    def _counts(self, changed: Delta, span: tuple[int, int], area: bytes | None) -> dict[str, int]:
        """What the subscriber may know of the changes in an area, read as a reader of their clearance."""
        clearance = changed.decision.rule.max_clearance
        with self._engine.connect() as writer:
            schema = Reading(require_mode(writer)).schema(clearance)
        with self._database.sync_engine(READERS[clearance]).connect() as connection:
            options = {"schema_translate_map": schema} if schema else {}
            bound = {delta.SINCE: span[0], delta.UNTIL: span[1]}
            rows = connection.execute(changed.counts(area), bound, execution_options=options)
            found = {row.action: int(row.rows) for row in rows}
        return {action: found.get(action, 0) for action in (delta.CREATED, delta.UPDATED, delta.DELETED)}


def _kinds(one: _Behind) -> Iterator[tuple[tuple[str, Collection[str]] | None, bool]]:
    """Which rows are told of together, and whether they are played: all of a layer, or those of alerts by status."""
    if one.layer != ALERTS:
        yield None, False
        return
    yield ("status", EARNEST), False
    if one.exercises:
        yield ("status", PLAYED), True


def _behind(row: Any) -> _Behind:
    principal = Principal(row.key, Clearance(row.clearance))
    area = None if row.area is None else bytes(row.area)
    return _Behind(row.subscription, principal, row.layer, (row.since, row.until), area, row.exercises)
