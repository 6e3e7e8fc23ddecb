"""Instants of system time that a request asks about, and which editions they stand for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from layers.errors import BadParameter
from layers.interval import parse_instant
from layers.model import Layer
from layers.system import edition
from layers.table import AS_OF, at_instant

_COMPILED: dict[str, Compiled] = {}


def edition_then(layer: Layer) -> sa.ScalarSelect[Any]:
    """The latest edition of the layer at the bound instant."""
    mine = (edition.c.layer == layer.name, edition.c.committed <= at_instant())
    return sa.select(sa.func.max(edition.c.id)).where(*mine).scalar_subquery()


def is_final(layer: Layer) -> sa.ColumnElement[bool]:
    """Whether no later change can touch the answer: instants of editions grow, and one of them has been reached."""
    # Named, because readers may not select every column of an edition.
    later = sa.select(edition.c.id).where(edition.c.layer == layer.name, edition.c.committed >= at_instant())
    return later.exists()


async def final_at(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], layer: Layer, instant: dt.datetime
) -> bool:
    """Whether no later change can touch what held at an instant."""
    compiled = _COMPILED.get("final")
    if compiled is None:
        # The layer is bound by name, so that one statement serves all.
        later = (
            edition.c.layer == sa.bindparam("layer", type_=sa.Text()),
            edition.c.committed >= at_instant(),
        )
        compiled = _COMPILED["final"] = compile_statement(sa.select(sa.select(edition.c.id).where(*later).exists()))
    return bool(await connection.fetchval(compiled.sql, *compiled.arguments({"layer": layer.name, AS_OF: instant})))


async def instant_asked(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    layer: Layer,
    as_of: str | None,
    number: str | None,
    parameter: str = "edition",
) -> dt.datetime | None:
    """The instant that a request asks about by `as-of` or `edition`; None when it asks for what holds now.

    Args:
        connection: A read-only connection of the asker's clearance.
        layer: The layer.
        as_of: The instant as it was written.
        number: The number of an edition as it was written.
        parameter: Name of the parameter that gave the number.

    Raises:
        BadParameter: When both are given, one is malformed, the instant has not come yet, or the layer has no such
            edition that the reader may know.
    """
    if as_of is not None and number is not None:
        raise BadParameter("as-of and edition both name an instant; give one of them.", parameter="edition")
    if as_of is not None:
        return moment_asked(as_of)
    return None if number is None else await _instant_of(connection, layer, number, parameter)


def moment_asked(as_of: str | None) -> dt.datetime | None:
    """The instant of system time that `as-of` names; None without one.

    Raises:
        BadParameter: When it is malformed or has not come yet.
    """
    if as_of is None:
        return None
    instant = parse_instant(as_of, "as-of")
    if instant > dt.datetime.now(dt.UTC):
        raise BadParameter(f"as-of names an instant that has passed; {as_of[:60]} has not.", parameter="as-of")
    return instant


async def _instant_of(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], layer: Layer, number: str, parameter: str
) -> dt.datetime:
    known = None
    if number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS:
        known = await instant_of(connection, layer, int(number))
    if known is None:
        raise BadParameter(f"Collection {layer.name} has no edition {number[:30]!r}.", parameter=parameter)
    return known


async def instant_of(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], layer: Layer, number: int
) -> dt.datetime | None:
    """When an edition of a layer was committed; None when the reader knows of no such edition."""
    compiled = _COMPILED.get("edition")
    if compiled is None:
        compiled = _COMPILED["edition"] = compile_statement(_edition_statement())
    known = await connection.fetchval(compiled.sql, *compiled.arguments({"layer": layer.name, "number": number}))
    return known if isinstance(known, dt.datetime) else None


MOST_DIGITS = 18


def _edition_statement() -> sa.Select[Any]:
    wanted = (
        edition.c.layer == sa.bindparam("layer", type_=sa.Text()),
        edition.c.id == sa.bindparam("number", type_=sa.BigInteger()),
    )
    return sa.select(edition.c.committed).where(*wanted)
