"""The change feed of a collection: what was created, updated and deleted between two editions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.changes.read import ChangePage, Span, count_changes, read_changes, span_asked
from geoservice.features.places import bound_to
from geoservice.house import Asker, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import GEOJSON, JSON
from geoservice.http.parameters import parse_limit, together
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.features import open_rows
from layers.errors import BadParameter
from layers.model import RowLayer

router = APIRouter(tags=["changes"])


@dataclass(frozen=True)
class ChangesQuery:
    """Query parameters of the change feed, as they were written."""

    since: Annotated[str | None, Query(description="Edition that you have; 0 for everything.")] = None
    until: Annotated[str | None, Query(description="Edition that you want; the latest one by default.")] = None
    limit: Annotated[str | None, Query(description="Changes per page, at least 1; large values are clamped.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None
    counts: Annotated[
        str | None, Query(description="true: also how many were created, updated and deleted in all.")
    ] = None


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
    path, counted = f"/collections/{layer.name}/changes", _counted(asked.counts)
    async with house.pools.raw(asker.clearance) as connection:
        span = await span_asked(connection, layer, asked.since, asked.until)
        bound = bound_to(path, decision.rule.max_clearance, {"since": str(span.since), "until": str(span.until)})
        after = "" if asked.cursor is None else house.seal.opened(asked.cursor, bound).decode()
        page = await read_changes(connection, house.reading, opened, span, (after, size))
        counts = await count_changes(connection, house.reading, opened, span) if counted else None
    cursor = None if page.next_after is None else house.seal.closed(page.next_after.encode(), bound)
    more = {"links": _links(request, layer, span, asked.limit, cursor)} | ({} if counts is None else {"counts": counts})
    return _feed(request, layer, span, page, more)


def _counted(text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise BadParameter(f"counts is true or false; {text[:30]!r} is neither.", parameter="counts")
    return text == "true"


def _feed(request: Request, layer: RowLayer, span: Span, page: ChangePage, more: dict[str, Any]) -> Response:
    head = {
        "collection": layer.name,
        "since": span.since,
        "until": span.until,
        "numberReturned": page.returned,
        **more,
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
