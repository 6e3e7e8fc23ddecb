"""Rows that a tile is drawn from when more is asked than what holds now: a time, an instant, what changed, a filter.

Such questions are answered from the rows themselves, never from the ladder, so a layer says from which zoom level on
it takes them (`tiles: exact`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from layers.access import Decision
from layers.filter import Filter, predicate
from layers.interval import Interval
from layers.model import VectorLayer
from layers.table import (
    AS_OF,
    at_instant,
    current_table,
    held,
    history_table,
    row_predicate,
    time_predicate,
    time_values,
)

CHANGE = "change"
"""Attribute that says what became of a feature: `inserted`, `updated` or `deleted`."""
_FIRST, _SECOND = "first", "second"
Near = Callable[[sa.ColumnElement[Any]], sa.ColumnElement[bool]]
"""The condition that a geometry lies where a tile is drawn; it must let the spatial index serve."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the rows of a layer beside their place.

    Attributes:
        interval: Rows whose own time meets this interval.
        as_of: Rows as they were at this instant of system time.
        between: What changed from the first instant of system time to the second.
        filter: Rows that meet this condition; it was checked for the reader of the tile.
    """

    interval: Interval | None = None
    as_of: dt.datetime | None = None
    between: tuple[dt.datetime, dt.datetime] | None = None
    filter: Filter | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing is asked but what holds now."""
        return self == PRESENT

    @property
    def shape(self) -> tuple[Hashable, ...]:
        """What the statement depends on; all else are bound values."""
        sides = () if self.interval is None else (self.interval.start is None, self.interval.end is None)
        condition = None if self.filter is None else self.filter.shape
        return (self.interval is not None, *sides, self.as_of is not None, self.between is not None, condition)

    def values(self, layer: VectorLayer) -> dict[str, Any]:
        """What the statement binds."""
        first, second = self.between or (None, None)
        bound = {} if self.filter is None else self.filter.values
        return {**bound, **time_values(layer, self.interval), AS_OF: self.as_of, _FIRST: first, _SECOND: second}


PRESENT = Question()


def rows_asked(
    layer: VectorLayer, decision: Decision, names: tuple[str, ...], near: Near, question: Question
) -> sa.Select[Any]:
    """The rows that answer a question, as columns `fid`, `key`, `geom`, the named attributes and perhaps `change`.

    Args:
        layer: The layer.
        decision: What the reader may see of it.
        names: Attributes that are wanted; the decision allows them.
        near: Where they lie.
        question: What is asked.
    """
    if question.between is not None:
        return _changed(layer, decision, names, near)

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        found = _columns(table, names).where(near(_plain(table)), row_predicate(table, decision.rule))
        if question.filter is not None:
            found = found.where(predicate(question.filter, table))
        timed = None if question.interval is None else time_predicate(layer, table, question.interval)
        return found if timed is None else found.where(timed)

    return held(layer, rows_of, past=question.as_of is not None)


def _changed(layer: VectorLayer, decision: Decision, names: tuple[str, ...], near: Near) -> sa.Select[Any]:
    """Rows that hold at the second instant and did not at the first, and those of the first that are gone.

    Features are told apart by their public key. One whose content is for this reader what it was has not changed:
    what differs above the reader's clearance must not show.
    """
    current, history = current_table(layer), history_table(layer)

    def here(table: sa.Table, columns: tuple[str, ...]) -> sa.Select[Any]:
        return _columns(table, columns).where(near(_plain(table)), row_predicate(table, decision.rule))

    seen = decision.attributes
    began = [here(table, seen).where(_began(table)) for table in (current, history)]
    born = sa.union_all(began[0], began[1].where(history.c["_valid_to"] > at_instant(_SECOND))).subquery("born")
    same_key = (history.c.key == born.c.key, row_predicate(history, decision.rule), *_held_first(history))
    former = _columns(history, seen).where(*same_key).correlate(born).lateral("former")
    differs = [born.c[name].is_distinct_from(former.c[name]) for name in seen]
    differs.append(sa.func.ST_AsBinary(born.c.geom).is_distinct_from(sa.func.ST_AsBinary(former.c.geom)))
    change = sa.case((former.c.fid.is_(None), "inserted"), else_="updated").label(CHANGE)
    renewed = (
        sa.select(*(born.c[name] for name in _wanted(names)), change)
        .select_from(born.outerjoin(former, sa.true()))
        .where(sa.or_(former.c.fid.is_(None), *differs))
    )
    gone = (
        here(history, names)
        .add_columns(sa.literal("deleted").label(CHANGE))
        .where(*_held_first(history), history.c["_valid_to"] <= at_instant(_SECOND), ~_stands(layer, decision, history))
    )
    return sa.select(sa.union_all(renewed, gone).subquery("asked"))


def _stands(layer: VectorLayer, decision: Decision, row: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a feature with the key of a row of history holds at the second instant, as far as the reader can see."""
    current, history, second = current_table(layer), history_table(layer).alias("later"), at_instant(_SECOND)
    # Named columns, because readers may not select every one.
    now = sa.select(current.c.fid).where(
        current.c.key == row.c.key, row_predicate(current, decision.rule), current.c["_valid_from"] <= second
    )
    then = sa.select(history.c.fid).where(
        history.c.key == row.c.key,
        row_predicate(history, decision.rule),
        history.c["_valid_from"] <= second,
        history.c["_valid_to"] > second,
    )
    return sa.or_(now.correlate(row).exists(), then.correlate(row).exists())


def _began(table: sa.Table) -> sa.ColumnElement[bool]:
    """Rows that began to hold after the first instant, until the second."""
    begins = table.c["_valid_from"]
    return sa.and_(begins > at_instant(_FIRST), begins <= at_instant(_SECOND))


def _held_first(history: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """Rows that held at the first instant and are superseded by now."""
    first = at_instant(_FIRST)
    return history.c["_valid_from"] <= first, history.c["_valid_to"] > first


def _plain(table: sa.Table) -> sa.ColumnElement[Any]:
    """The geometry as it is stored, without the conversion of results."""
    return sa.type_coerce(table.c.geom, sa.types.NullType())


def _wanted(names: tuple[str, ...]) -> tuple[str, ...]:
    return ("fid", "key", "geom", *names)


def _columns(table: sa.Table, names: tuple[str, ...]) -> sa.Select[Any]:
    return sa.select(table.c.fid, table.c.key, _plain(table).label("geom"), *(table.c[name] for name in names))
