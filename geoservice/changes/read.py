"""Reading what changed between two editions: which editions there are, one page of changes, their number."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
import sqlalchemy as sa

from geoservice.changes import delta
from geoservice.changes.delta import Delta
from geoservice.changes.errors import EditionGone
from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.reading import Reading
from geoservice.features.past import MOST_DIGITS
from layers.access import Decision
from layers.errors import BadParameter, UnknownEdition
from layers.model import RowLayer
from layers.system import edition

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


@dataclass(frozen=True)
class Span:
    """Two editions of a layer, the earlier one possibly 0: before everything."""

    since: int
    until: int


@dataclass(frozen=True)
class ChangePage:
    """A page of changes: JSON objects joined by commas, their number, the key that the next page begins behind."""

    changes: str
    returned: int
    next_after: str | None


async def span_asked(connection: Connection, layer: RowLayer, since: str | None, until: str | None) -> Span:
    """The editions that a request asks about; until the latest one when it names none.

    Raises:
        BadParameter: When a number is none, or they come in the wrong order.
        EditionGone: When `since` names no edition of the layer although it lies in the past.
        UnknownEdition: When an edition has not come yet.
    """
    known = sa.select(edition.c.id).where(edition.c.layer == layer.name)
    latest = await connection.fetchval(
        *_ready(sa.select(sa.func.max(edition.c.id)).where(edition.c.layer == layer.name))
    )
    latest = int(latest or 0)
    if since is None:
        raise BadParameter("since is the edition that you have; 0 gives everything.", parameter="since")
    first = _number(since, "since")
    last = latest if until is None else _number(until, "until")
    for number, name in ((first, "since"), (last, "until")):
        if number > latest:
            raise UnknownEdition(f"Collection {layer.name} has no edition {number} yet; the latest is {latest}.")
        if number and await connection.fetchval(*_ready(known.where(edition.c.id == number))) is None:
            raise EditionGone(
                f"Collection {layer.name} has no edition {number} ({name}): get the whole collection as of edition "
                f"{latest}, and changes since then.",
                latest=latest,
            )
    if first > last:
        raise BadParameter(f"since ({first}) comes after until ({last}).", parameter="until")
    return Span(first, last)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise BadParameter(f"{name} is the number of an edition; {text[:30]!r} is none.", parameter=name)
    return int(text)


def _ready(statement: sa.Select[tuple[int]]) -> list[object]:
    compiled = compile_statement(statement)
    return [compiled.sql, *compiled.arguments({})]


async def read_changes(
    connection: Connection, reading: Reading, opened: tuple[RowLayer, Decision], span: Span, page: tuple[str, int]
) -> ChangePage:
    """One page of the changes between two editions.

    Args:
        connection: A read-only connection of the decision's clearance.
        reading: Compiled statements of this process.
        opened: The layer, and what the asker may see of it.
        span: The editions.
        page: The key that the page begins behind (empty: at the beginning) and the most rows looked at.
    """
    after, limit = page
    bound = {delta.SINCE: span.since, delta.UNTIL: span.until}
    keys = _compiled(reading, opened, "keys")
    arguments = keys.arguments({**bound, delta.AFTER: after, delta.LIMIT: limit})
    found = [row["key"] for row in await connection.fetch(keys.sql, *arguments)]
    details = _compiled(reading, opened, "changes")
    rows = await connection.fetch(details.sql, *details.arguments({**bound, delta.KEYS: found[:limit]}))
    changes = ",".join(_change(row) for row in rows)
    return ChangePage(changes, len(rows), found[limit - 1] if len(found) > limit else None)


async def count_changes(
    connection: Connection, reading: Reading, opened: tuple[RowLayer, Decision], span: Span
) -> dict[str, int]:
    """How many features were created, updated and deleted between two editions, as far as the asker may see."""
    compiled = _compiled(reading, opened, "counts")
    arguments = compiled.arguments({delta.SINCE: span.since, delta.UNTIL: span.until})
    found = {row["action"]: row["rows"] for row in await connection.fetch(compiled.sql, *arguments)}
    return {action: found.get(action, 0) for action in (delta.CREATED, delta.UPDATED, delta.DELETED)}


def _change(row: asyncpg.Record) -> str:
    head = json.dumps({"action": row["action"], "id": row["key"], "edition": row["changed"]}, ensure_ascii=False)
    return head if row["feature"] is None else f'{head[:-1]}, "feature": {row["feature"]}}}'


def _compiled(reading: Reading, opened: tuple[RowLayer, Decision], kind: str) -> Compiled:
    layer, decision = opened
    clearance = decision.rule.max_clearance
    shape = ("delta", kind, layer.name, clearance, decision.attributes)
    compiled = reading.statements.get(shape)
    if compiled is None:
        made = Delta(layer, decision)
        statement = {"keys": made.page_keys, "changes": made.changes, "counts": made.counts}[kind]()
        compiled = reading.statements[shape] = compile_statement(statement, reading.schema(clearance))
    return compiled
