"""Pages of one snapshot: a crawl shows the edition with which it began, whatever is written meanwhile.

While that edition is the latest one, the current rows are that snapshot and are read alone. Once a later edition
stands, the rows that held then are read from current rows and history.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.past import instant_of
from geoservice.features.places import Place, refused
from geoservice.features.query import FeatureQuery, Position
from geoservice.features.read import Page, read_page
from layers.access import Decision
from layers.model import RowLayer
from layers.table import AS_OF, held, row_predicate

_BEFORE_ALL = dt.datetime.min.replace(tzinfo=dt.UTC)


async def read_pinned(
    connection: RawConnection,
    reading: Reading,
    layer: RowLayer,
    decision: Decision,
    query: FeatureQuery,
    place: Place | None,
) -> Page:
    """A page of the snapshot that a crawl began with; the first page of one when there is no place yet.

    Args:
        connection: A read-only connection of the decision's clearance.
        reading: Compiled statements of this process, and the latest edition it has seen of each layer.
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        query: What is asked, without a start.
        place: Where the page begins; None for the first page.

    Raises:
        BadParameter: When the feature at the place cannot be found any more.
    """
    if place is None:
        return await read_page(connection, reading, layer, decision, query)
    if query.as_of is None and reading.seen.get(layer.name, 0) <= place.edition:
        current = await _page(connection, reading, layer, decision, query, place)
        if current is not None and (current.edition or 0) == place.edition:
            return current
        # Somebody has written since: from now on pages of this crawl need not try again.
        reading.seen[layer.name] = max(reading.seen.get(layer.name, 0), place.edition + 1)
    if query.as_of is None:
        query = replace(query, as_of=await _began(connection, layer, place.edition))
    page = await _page(connection, reading, layer, decision, query, place)
    if page is None:
        raise refused()
    return page


async def _began(connection: RawConnection, layer: RowLayer, edition: int) -> dt.datetime:
    if not edition:
        return _BEFORE_ALL
    instant = await instant_of(connection, layer, edition)
    if instant is None:
        raise refused()
    return instant


async def _page(
    connection: RawConnection, reading: Reading, layer: RowLayer, decision: Decision, query: FeatureQuery, place: Place
) -> Page | None:
    """The page behind a place; None when its feature is not there in the state that is asked about."""
    values: tuple[Any, ...] = ()
    if query.sort:
        compiled = _sort_values(reading, layer, decision, query)
        row = await connection.fetchrow(compiled.sql, *compiled.arguments({"fid": place.fid, AS_OF: query.as_of}))
        if row is None:
            return None
        values = tuple(row)
    start = Position(place.fid, values, place.backward)
    return await read_page(connection, reading, layer, decision, replace(query, start=start))


def _sort_values(reading: Reading, layer: RowLayer, decision: Decision, query: FeatureQuery) -> Compiled:
    """The statement of a feature's values of the sort keys, by its number."""
    clearance, past = decision.rule.max_clearance, query.as_of is not None
    shape = ("sorted", layer.name, clearance, query.sort, past)
    compiled = reading.statements.get(shape)
    if compiled is None:
        statement = held(layer, lambda table: _values_of(table, decision, query), past=past)
        compiled = reading.statements[shape] = compile_statement(statement, reading.schema(clearance))
    return compiled


def _values_of(table: sa.Table, decision: Decision, query: FeatureQuery) -> sa.Select[Any]:
    mine = table.c.fid == sa.bindparam("fid", type_=sa.BigInteger())
    columns = (table.c[key.attribute].label(f"key_{i}") for i, key in enumerate(query.sort))
    return sa.select(*columns).where(row_predicate(table, decision.rule), mine)
