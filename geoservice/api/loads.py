"""Loads and editions of a collection, and the report of one load: JSON for programs, a page for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.encoding import encoded
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, HTML, JSON, SCHEMA_JSON, negotiate
from geoservice.http.parameters import MOST_DIGITS, parse_cursor, parse_limit, together
from geoservice.loads.describe import describe, describe_edition, summarise
from geoservice.loads.document import LoadReport, report_schema
from geoservice.loads.kept import with_reports
from geoservice.loads.record import LoadRecord, read_editions, read_extent, read_load, read_loads
from geoservice.loads.samples import samples_of
from geoservice.loads.view import View, counts_view, may_load, view_of
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from layers.access import Principal
from layers.errors import UnknownLayer, UnknownResource
from layers.model import Layer, VectorLayer

router = APIRouter(tags=["loads"])
_LATEST = 10**MOST_DIGITS
PRIVATE = {"Cache-Control": "private, no-store"}
_SCHEMA: dict[int | str, dict[str, Any]] = {200: {"description": "A JSON Schema", "content": {SCHEMA_JSON: {}}}}


@dataclass(frozen=True)
class ListQuery:
    """Query parameters of a list, as they were written."""

    limit: Annotated[str | None, Query(description="Entries per page, at least 1; large values are clamped.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None
    f: Format = None
    lang: Language = None

    def size(self, house: House) -> int:
        """Entries per page; raises BadParameter as the parser does."""
        return parse_limit(self.limit, house.settings.default_limit, house.settings.max_limit)

    def before(self) -> int:
        """Entries have numbers below this one; raises BadParameter as the parser does."""
        cursor = parse_cursor(self.cursor)
        return _LATEST if cursor is None else cursor


@router.get("/collections/{collection_id}/loads", summary="Loads of a collection")
async def loads(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    asked: Annotated[ListQuery, together(ListQuery)],
) -> Response:
    """The loads of a collection that the principal may know of, newest first."""
    chosen = negotiate(request, asked.f, DOCUMENT)
    layer, _ = house.open_layer(asker, collection_id)
    size, before = asked.size(house), asked.before()
    async with house.pools.raw(asker.clearance) as connection:
        found = await read_loads(
            connection,
            layer.name,
            all_outcomes=may_load(asker, layer),
            before=before,
            limit=size + 1,
        )
    kept = await run_in_threadpool(with_reports, house.writer, found[:size])
    brought = await _brought(house, asker, kept)
    entries = [_entry(request, asker, layer, record, record.number in brought) for record in kept]
    following = found[size - 1].number if len(found) > size else None
    links = _paging(request, f"/collections/{layer.name}/loads", chosen, asked, following)
    body = _list(layer, "loads", entries, links)
    return document(request, "loads", body, chosen, asked.lang, headers=PRIVATE)


@router.get("/collections/{collection_id}/editions", summary="Editions of a collection")
async def editions(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    asked: Annotated[ListQuery, together(ListQuery)],
) -> Response:
    """The editions of a collection, newest first, each with the load that made it."""
    chosen = negotiate(request, asked.f, DOCUMENT)
    layer, _ = house.open_layer(asker, collection_id)
    size, before = asked.size(house), asked.before()
    async with house.pools.raw(asker.clearance) as connection:
        found = await read_editions(connection, layer.name, before=before, limit=size + 1)
    counted = counts_view(asker, layer) >= View.COUNTS
    entries = []
    for record in found[:size]:
        entry = describe_edition(record, counted, may_load(asker, layer)).model_dump(mode="json")
        entries.append({**entry, "links": [] if record.load is None else [_report_link(request, record.load)]})
    following = found[size - 1].number if len(found) > size else None
    links = _paging(request, f"/collections/{layer.name}/editions", chosen, asked, following)
    body = _list(layer, "editions", entries, links)
    return document(request, "editions", body, chosen, asked.lang, headers=PRIVATE)


@router.get("/loads/schema", summary="JSON Schema of load reports", response_class=Response, responses=_SCHEMA)
async def schema(request: Request) -> Response:
    """The shape of the document at `/loads/{number}`."""
    body = json.dumps(report_schema(url(request, "/loads/schema")), ensure_ascii=False, separators=(",", ":"))
    return encoded(request, body.encode(), SCHEMA_JSON, {"Cache-Control": "no-cache"})


@router.get("/loads/{load_number}", summary="Report of a load")
async def load(
    request: Request,
    house: Inside,
    asker: Asker,
    load_number: str,
    f: Format = None,
    lang: Language = None,
) -> Response:
    """What came of one load: counts that add up, lineage, findings, what the values look like."""
    chosen = negotiate(request, f, DOCUMENT)
    record, layer, view = await _open_load(house, asker, load_number)
    async with house.pools.raw(asker.clearance) as connection:
        extent = await read_extent(connection, layer.name, asker.clearance)
        earlier = await read_loads(connection, layer.name, all_outcomes=False, before=record.number, limit=1)
    record, *former = await run_in_threadpool(with_reports, house.writer, [record, *earlier])
    samples = None
    if view is View.FULL:
        samples = await run_in_threadpool(samples_of, house.writer, record)
    report = describe(
        record,
        layer,
        view,
        house.catalog.codelists,
        former=former[0] if former else None,
        extent=extent,
        samples=samples,
    )
    body = report.model_dump(mode="json") | {"links": _links(request, report, chosen)}
    if chosen == "html":
        body["drawn"] = _drawn(layer)
    return document(request, "load", body, chosen, lang, headers=PRIVATE)


async def _open_load(house: House, asker: Principal, text: str) -> tuple[LoadRecord, Layer, View]:
    """The load of a number, its layer and what of it is shown.

    Raises:
        UnknownResource: When there is none or the principal may not know of it; the two look the same.
    """
    record = None
    if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
        async with house.pools.raw(asker.clearance) as connection:
            record = await read_load(connection, int(text))
    if record is not None:
        try:
            layer, _ = house.open_layer(asker, record.layer)
        except UnknownLayer:
            pass
        else:
            brought = record.number in await _brought(house, asker, [record])
            view = view_of(asker, layer, record.outcome, brought=brought)
            if view is not View.NOTHING:
                return record, layer, view
    raise UnknownResource(f"There is no load {text[:40]!r}; /collections/{{id}}/loads lists those of a collection.")


async def _brought(house: House, asker: Principal, records: Sequence[LoadRecord]) -> set[int]:
    """Numbers of the loads whose source the principal has sent; what no job remembers counts as not sent."""
    jobs = {r.job: r.number for r in records if r.job is not None and r.principal == asker.id}
    if asker.anonymous or not jobs:
        return set()
    found = await run_in_threadpool(house.desk.several, list(jobs))
    return {jobs[number] for number, job in found.items() if job.brought_by(asker.id)}


def _entry(request: Request, asker: Principal, layer: Layer, record: LoadRecord, brought: bool) -> dict[str, Any]:
    summary = summarise(record, view_of(asker, layer, record.outcome, brought=brought))
    return summary.model_dump(mode="json") | {"links": [_report_link(request, record.number)]}


def _report_link(request: Request, number: int) -> dict[str, Any]:
    return link(url(request, f"/loads/{number}"), "describedby", JSON, "Report of the load")


def _list(layer: Layer, kind: str, entries: Sequence[dict[str, Any]], links: list[dict[str, Any]]) -> dict[str, Any]:
    head = {"collection": layer.name, "titles": layer.title.model_dump(), "numberReturned": len(entries)}
    return {**head, kind: entries, "links": links}


def _paging(request: Request, path: str, chosen: str, asked: ListQuery, following: int | None) -> list[dict[str, Any]]:
    links = self_links(request, path, chosen, DOCUMENT, limit=asked.limit, cursor=asked.cursor)
    links.append(link(url(request, path.rpartition("/")[0]), "collection", JSON))
    if following is not None:
        address = url(request, path, limit=asked.limit, cursor=following, f=chosen)
        links.append(link(address, "next", DOCUMENT[chosen], "Next page"))
    return links


def _links(request: Request, report: LoadReport, chosen: str) -> list[dict[str, Any]]:
    path = f"/collections/{report.collection}"
    links = self_links(request, f"/loads/{report.number}", chosen, DOCUMENT)
    links.append(link(url(request, path), "collection", JSON, report.titles.en))
    links.append(link(url(request, f"{path}/loads"), "up", JSON, "Loads of this collection"))
    links.append(link(url(request, "/loads/schema"), "describedby", SCHEMA_JSON, "JSON Schema of this document"))
    if report.former is not None:
        links.append(link(url(request, f"/loads/{report.former.number}"), "prev", JSON, "Load before"))
    if report.extent is not None:
        links.append(link(url(request, "/portal"), "preview", HTML, "Map portal"))
    return links


def _drawn(layer: Layer) -> dict[str, Any] | None:
    """What the page's map needs to draw the layer itself."""
    if not isinstance(layer, VectorLayer):
        return None
    return {"from": layer.tiles.from_, "to": layer.tiles.to, "geometry": layer.geometry}


BLOCK = Block("loads", None, "experimental", (), router, no_links)
