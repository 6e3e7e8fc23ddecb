"""The change feed of a collection: what was created, updated and deleted between two editions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.changes.read import ChangePage, Span, read_changes, span_asked
from geoservice.features.places import bound_to
from geoservice.house import Asker, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import GEOJSON, JSON
from geoservice.http.parameters import parse_limit, together
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.features import open_rows
from layers.model import RowLayer

router = APIRouter(tags=["changes"])


@dataclass(frozen=True)
class ChangesQuery:
    """Query parameters of the change feed, as they were written."""

    since: Annotated[str | None, Query(description="Edition that you have; 0 for everything.")] = None
    until: Annotated[str | None, Query(description="Edition that you want; the latest one by default.")] = None
    limit: Annotated[str | None, Query(description="Changes per page, at least 1; large values are clamped.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None


@router.get("/collections/{collection_id}/changes", summary="Changes between two editions")
async def changes(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    asked: Annotated[ChangesQuery, together(ChangesQuery)],
) -> Response:
    """What became of the features that you may see; a copy of the one edition becomes one of the other by it."""
    opened = layer, decision = open_rows(house, asker, collection_id)
    size = parse_limit(asked.limit, house.settings.default_limit, house.settings.max_limit)
    path = f"/collections/{layer.name}/changes"
    async with house.pools.raw(asker.clearance) as connection:
        span = await span_asked(connection, layer, asked.since, asked.until)
        bound = bound_to(path, decision.rule.max_clearance, {"since": str(span.since), "until": str(span.until)})
        after = "" if asked.cursor is None else house.seal.opened(asked.cursor, bound).decode()
        page = await read_changes(connection, house.reading, opened, span, (after, size))
    cursor = None if page.next_after is None else house.seal.closed(page.next_after.encode(), bound)
    return _feed(request, layer, span, page, _links(request, layer, span, asked.limit, cursor))


def _feed(request: Request, layer: RowLayer, span: Span, page: ChangePage, links: list[dict[str, Any]]) -> Response:
    head = {
        "collection": layer.name,
        "since": span.since,
        "until": span.until,
        "numberReturned": page.returned,
        "links": links,
    }
    text = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "changes": [{page.changes}]}}'
    headers = {
        "Geoservice-Edition": str(span.until),
        "Cache-Control": "no-cache" if layer.clearance == 0 else "private, no-cache",
    }
    return encoded(request, text.encode(), JSON, headers)


def _links(
    request: Request, layer: RowLayer, span: Span, limit: str | None, cursor: str | None
) -> list[dict[str, Any]]:
    path, items = f"/collections/{layer.name}/changes", f"/collections/{layer.name}/items"
    links = [link(url(request, path, since=span.since, until=span.until, limit=limit), "self", JSON, "These changes")]
    if cursor is not None:
        following = url(request, path, since=span.since, until=span.until, limit=limit, cursor=cursor)
        links.append(link(following, "next", JSON, "Next page"))
    else:
        links.append(link(url(request, path, since=span.until), "monitor", JSON, "Changes from here on"))
    if span.until:
        links.append(link(url(request, items, edition=span.until), "alternate", GEOJSON, "The whole at this edition"))
    return [*links, link(url(request, f"/collections/{layer.name}"), "collection", JSON, layer.title.en)]


BLOCK = Block("changes", None, "experimental", (), router, no_links)
