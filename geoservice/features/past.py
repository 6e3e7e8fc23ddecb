"""Rows as they were at an instant of system time: where they are found, and which instant an edition stands for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from layers.errors import BadParameter
from layers.interval import parse_instant
from layers.model import Layer, RowLayer
from layers.system import edition
from layers.table import current_table, history_table

AS_OF = "as_of"
"""Name under which the instant is bound."""

_COMPILED: dict[str, Compiled] = {}


def at_instant() -> sa.ColumnElement[Any]:
    """The instant that is asked about, as a bound value."""
    return sa.bindparam(AS_OF, type_=sa.DateTime(timezone=True))


def held(layer: RowLayer, rows_of: Callable[[sa.Table], sa.Select[Any]], *, past: bool) -> sa.Select[Any]:
    """Rows that hold now, or that held at the bound instant: from current rows and from history.

    A row holds in the half-open interval from its `_valid_from` to its `_valid_to`. At one instant a feature has at
    most one row, so feature numbers stay unique and pages can be cut by them.

    Args:
        layer: The layer.
        rows_of: The select over one of the two tables, with every condition but the time, ordered and limited.
        past: Whether the instant counts.
    """
    current, history = current_table(layer), history_table(layer)
    if not past:
        return rows_of(current)
    instant = at_instant()
    still = rows_of(current).where(current.c["_valid_from"] <= instant)
    ended = rows_of(history).where(history.c["_valid_from"] <= instant, history.c["_valid_to"] > instant)
    return sa.select(sa.union_all(*(part.subquery().select() for part in (still, ended))).subquery("held"))


def edition_then(layer: Layer) -> sa.ScalarSelect[Any]:
    """The latest edition of the layer at the bound instant."""
    mine = (edition.c.layer == layer.name, edition.c.committed <= at_instant())
    return sa.select(sa.func.max(edition.c.id)).where(*mine).scalar_subquery()


def is_final(layer: Layer) -> sa.ColumnElement[bool]:
    """Whether no later change can touch the answer: instants of editions grow, and one of them has been reached."""
    # Named, because readers may not select every column of an edition.
    later = sa.select(edition.c.id).where(edition.c.layer == layer.name, edition.c.committed >= at_instant())
    return later.exists()


async def instant_asked(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], layer: Layer, as_of: str | None, number: str | None
) -> dt.datetime | None:
    """The instant that a request asks about by `as-of` or `edition`; None when it asks for what holds now.

    Raises:
        BadParameter: When both are given, one is malformed, the instant has not come yet, or the layer has no such
            edition that the reader may know.
    """
    if as_of is not None and number is not None:
        raise BadParameter("as-of and edition both name an instant; give one of them.", parameter="edition")
    if as_of is not None:
        instant = parse_instant(as_of, "as-of")
        if instant > dt.datetime.now(dt.UTC):
            raise BadParameter(f"as-of names an instant that has passed; {as_of[:60]} has not.", parameter="as-of")
        return instant
    return None if number is None else await _instant_of(connection, layer, number)


async def _instant_of(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], layer: Layer, number: str
) -> dt.datetime:
    known = None
    if number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS:
        compiled = _COMPILED.setdefault("edition", compile_statement(_edition_statement()))
        known = await connection.fetchval(
            compiled.sql, *compiled.arguments({"layer": layer.name, "number": int(number)})
        )
    if not isinstance(known, dt.datetime):
        raise BadParameter(f"Collection {layer.name} has no edition {number[:30]!r}.", parameter="edition")
    return known


MOST_DIGITS = 18


def _edition_statement() -> sa.Select[Any]:
    wanted = (
        edition.c.layer == sa.bindparam("layer", type_=sa.Text()),
        edition.c.id == sa.bindparam("number", type_=sa.BigInteger()),
    )
    return sa.select(edition.c.committed).where(*wanted)
