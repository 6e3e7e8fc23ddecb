"""Quarantine of a collection: list and export its rows, show one, mend it, give it up, load open rows again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from geoservice.api.jobs import status_info
from geoservice.db.writing import Writer
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.encoding import encoded
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import GEOJSON, JSON, negotiate
from geoservice.http.parameters import MOST_DIGITS, parse_cursor, parse_limit, together
from geoservice.http.texts import Storable
from geoservice.loads import quarantine as ward
from geoservice.ogc.block import Block, no_links
from ingest.exporting import exported
from ingest.set_aside import Wanted
from layers.model import Layer

router = APIRouter(prefix="/collections/{collection_id}/quarantine", tags=["quarantine"])
PRIVATE = {"Cache-Control": "private, no-store"}
CSV = "text/csv;charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
GPKG = "application/geopackage+sqlite3"
FORMATS = {"json": JSON, "csv": CSV, "geojson": GEOJSON, "xlsx": XLSX, "gpkg": GPKG}
_OFFERED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Rows of quarantine",
        "content": {name: {} for name in (JSON, "text/csv", GEOJSON, XLSX, GPKG)},
    }
}


class Mending(BaseModel):
    """What a row ought to have been; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[Storable, Annotated[Storable, Field(max_length=1_000_000)] | None] = Field(
        default={}, max_length=1000, description="Field of the source -> its value as text; null is no value."
    )
    geometry: Annotated[Storable, Field(max_length=10_000_000)] | dict[str, Any] | None = Field(
        default=None, description="WKT or a GeoJSON geometry, in the CRS of the source, as x, y."
    )


class Dismissal(BaseModel):
    """Why a row is given up."""

    model_config = ConfigDict(extra="forbid")

    reason: Storable = Field(min_length=1, max_length=1000, description="It is kept with the row.")


class Replaying(BaseModel):
    """Which open rows are loaded again; all when nothing is named."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[int, Field(ge=1, lt=10**MOST_DIGITS)]] | None = Field(
        default=None, min_length=1, max_length=1000, description="Numbers of the rows."
    )
    source: Storable | None = Field(default=None, max_length=1000, description="Only rows of sources of this name.")
    reason: Storable | None = Field(
        default=None, max_length=1000, description="Only rows whose reason holds this text."
    )


@dataclass(frozen=True)
class RowsQuery:
    """Query parameters of the list."""

    state: Annotated[Storable, Query(description="open, mended, dismissed, superseded or all.")] = "open"
    source: Annotated[Storable | None, Query(max_length=1000, description="Only sources of this name.")] = None
    reason: Annotated[Storable | None, Query(max_length=1000, description="Part of the reason.")] = None
    limit: Annotated[str | None, Query(description="Rows per page, at least 1; large values are clamped.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None
    f: Annotated[str | None, Query(description="Format: json, csv, xlsx, geojson or gpkg.")] = None

    def wanted(self, layer: Layer) -> Wanted:
        """The rows that are asked for; raises BadParameter as the parser does."""
        state = None if self.state == "all" else self.state
        return Wanted(layer.name, self.source, self.reason, state, after=parse_cursor(self.cursor))


@dataclass(frozen=True)
class Ward:
    """The quarantine that a request may enter."""

    house: House
    layer: Layer

    @property
    def writer(self) -> Writer:
        """The way to it."""
        return self.house.writer

    def number(self, text: str) -> int:
        """The number of a row in an address; raises UnknownRow when it is none."""
        if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
            raise ward.unknown_row(self.layer, repr(text[:40]))
        return int(text)


async def open_ward(house: Inside, asker: Asker, collection_id: str) -> Ward:
    """The quarantine of a collection.

    Raises:
        UnknownLayer: When there is no such collection, or none for this asker; the two look the same.
        NotAuthenticated, NotAllowed: See `geoservice.loads.quarantine.require_keeper`.
    """
    layer, _ = house.open_layer(asker, collection_id)
    ward.require_keeper(asker, layer)
    return Ward(house, layer)


Opened = Annotated[Ward, Depends(open_ward)]


@router.get("", summary="Quarantine of a collection", responses=_OFFERED)
async def quarantine(request: Request, opened: Opened, asked: Annotated[RowsQuery, together(RowsQuery)]) -> Response:
    """Rows that could not be loaded, in the order of their numbers; in the other formats with all they hold."""
    chosen = negotiate(request, asked.f, FORMATS)
    settings = opened.house.settings
    size = parse_limit(asked.limit, settings.default_limit, settings.max_limit)
    wanted = asked.wanted(opened.layer)
    if chosen != "json":
        return await _export(request, opened, asked, (wanted, size), chosen)
    found = await run_in_threadpool(ward.read_page, opened.writer, wanted, size + 1)
    following = found[size - 1]["id"] if len(found) > size else None
    entries = [{**entry, "links": [_row_link(request, opened.layer, entry["id"])]} for entry in found[:size]]
    links = self_links(request, _path(opened.layer), chosen, FORMATS, **_filters(asked), cursor=asked.cursor)
    links.append(link(url(request, f"/collections/{opened.layer.name}"), "collection", JSON))
    links += _next(request, opened.layer, asked, chosen, following)
    body = {"collection": opened.layer.name, "rows": entries, "numberReturned": len(entries), "links": links}
    return document(request, "quarantine", body, chosen, None, headers=PRIVATE)


@router.post("/replay", status_code=201, summary="Load open rows of quarantine again")
async def replay(request: Request, house: Inside, asker: Asker, opened: Opened, body: Replaying) -> Response:
    """A job of the kind `replay`: mended or as they are, through the mapping and the checks of their source."""
    ids = None if body.ids is None else tuple(body.ids)
    if ids is not None:
        await run_in_threadpool(ward.require_rows, opened.writer, opened.layer, ids)
    wanted = Wanted(opened.layer.name, body.source, body.reason, "open", ids)
    job = await run_in_threadpool(house.desk.replay, asker, wanted)
    headers = {**PRIVATE, "Location": url(request, f"/jobs/{job.id}")}
    return JSONResponse(status_info(request, house, asker, job), 201, headers)


@router.get("/{row_number}", summary="One row of quarantine")
async def row(request: Request, opened: Opened, row_number: str) -> Response:
    """Why a row is there, all that its source said of it, what it was mended to, and what became of it."""
    found = await run_in_threadpool(ward.read_row, opened.writer, opened.layer, opened.number(row_number))
    return _shown(request, opened.layer, found)


@router.patch("/{row_number}", summary="Mend a row of quarantine")
async def mend(request: Request, opened: Opened, row_number: str, body: Mending) -> Response:
    """Say what an open row ought to have been; a replay then loads it. Its original content is kept."""
    change = (opened.number(row_number), body.fields, body.geometry)
    found = await run_in_threadpool(ward.mend_row, opened.writer, opened.layer, *change)
    return _shown(request, opened.layer, found)


@router.post("/{row_number}/dismiss", summary="Give up a row of quarantine")
async def dismiss(request: Request, asker: Asker, opened: Opened, row_number: str, body: Dismissal) -> Response:
    """An open row that will never be loaded; the reason is kept with it."""
    give_up = partial(ward.dismiss_row, principal=asker.id, reason=body.reason)
    found = await run_in_threadpool(give_up, opened.writer, opened.layer, opened.number(row_number))
    return _shown(request, opened.layer, found)


async def _export(request: Request, opened: Ward, asked: RowsQuery, page: tuple[Wanted, int], chosen: str) -> Response:
    """Rows with their content as a file; the header `Link` leads to the next one."""
    wanted, size = page
    found = await run_in_threadpool(ward.read_whole, opened.writer, wanted, size)
    content = await run_in_threadpool(exported, found, chosen)
    name = f"{opened.layer.name}-quarantine.{chosen}"
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
    for following in _next(request, opened.layer, asked, chosen, found[-1].id if found else None):
        headers["Link"] = f'<{following["href"]}>; rel="next"'
    return encoded(request, content, FORMATS[chosen], headers)


def _filters(asked: RowsQuery) -> dict[str, Any]:
    return {"state": asked.state, "source": asked.source, "reason": asked.reason, "limit": asked.limit}


def _next(request: Request, layer: Layer, asked: RowsQuery, chosen: str, following: int | None) -> list[dict[str, Any]]:
    if following is None:
        return []
    address = url(request, _path(layer), **_filters(asked), cursor=following, f=chosen)
    return [link(address, "next", FORMATS[chosen], "Next page")]


def _shown(request: Request, layer: Layer, found: dict[str, Any]) -> Response:
    links = [{**_row_link(request, layer, found["id"]), "rel": "self"}]
    links.append(link(url(request, _path(layer)), "up", JSON, "Quarantine of this collection"))
    return document(
        request, "quarantine", {"collection": layer.name, **found, "links": links}, "json", None, headers=PRIVATE
    )


def _row_link(request: Request, layer: Layer, number: int) -> dict[str, Any]:
    return link(url(request, f"{_path(layer)}/{number}"), "item", JSON, "This row")


def _path(layer: Layer) -> str:
    return f"/collections/{layer.name}/quarantine"


BLOCK = Block("quarantine", None, "experimental", (), router, no_links)
