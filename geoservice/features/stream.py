"""Large answers, part by part: one snapshot, read in pages of bounded size, so that memory does not grow with it.

A connection is held for a part only, and the time limit of statements holds for each. Whoever stops listening ends the
reading with the part that is under way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.paging import read_pinned
from geoservice.features.places import Place
from geoservice.features.query import FeatureQuery
from geoservice.features.read import Page
from layers.access import Decision
from layers.model import RowLayer

PART = 2_000
"""Features of a part."""
Connect = Callable[[], AbstractAsyncContextManager[RawConnection]]


async def read_parts(
    connect: Connect, reading: Reading, layer: RowLayer, decision: Decision, query: FeatureQuery, place: Place | None
) -> AsyncIterator[Page]:
    """The pages of a long list, until its limit or its end; all show the edition of the first one.

    Args:
        connect: Gives a read-only connection of the decision's clearance.
        reading: Compiled statements of this process.
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        query: What is asked; its limit is that of all parts together.
        place: Where the list begins; None for the first page of a crawl. It leads onwards, never back.
    """
    left = query.limit
    while True:
        async with connect() as connection:
            part = replace(query, limit=min(PART, left))
            page = await read_pinned(connection, reading, layer, decision, part, place)
        yield page
        left -= page.returned
        if page.after is None or left <= 0:
            return
        place = Place(page.after, page.edition or 0)
