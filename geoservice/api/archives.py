"""Archives of tiles: which there are, and each as one file that is read by ranges."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from geoservice.archives.registry import Record, Registry, as_json, is_open, may_read
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.ogc.block import Block
from geoservice.ogc.common import Format, Language
from layers.access import Principal
from layers.errors import UnknownResource

router = APIRouter(prefix="/archives", tags=["archives"])
PMTILES = "application/vnd.pmtiles"
_NOT_MODIFIED = 304


@router.get("", summary="Archives of tiles")
async def archives(request: Request, house: Inside, asker: Asker, f: Format = None, lang: Language = None) -> Response:
    """The archives that you may read."""
    chosen = negotiate(request, f, DOCUMENT)
    found = await run_in_threadpool(_readable, house, asker)
    body = {
        "archives": [_shown(request, record) for record in found],
        "links": self_links(request, "/archives", chosen, DOCUMENT),
    }
    return document(request, "archives", body, chosen, lang)


@router.get("/{archive_name}", summary="An archive", response_class=Response)
async def archive(request: Request, house: Inside, asker: Asker, archive_name: str) -> Response:
    """The file (PMTiles 3), whole or by `Range`, so that clients read single tiles of it."""
    record = await run_in_threadpool(_found, house, asker, archive_name)
    registry = registry_of(house)
    personal = record.level > 0 or not asker.anonymous
    headers = {
        "ETag": f'"{record.sha256[:32]}"',
        "Cache-Control": "private, no-cache" if personal else "no-cache",
        "Vary": "Authorization, Cookie, X-API-Key",
        "Content-Disposition": f'inline; filename="{record.name}.pmtiles"',
    }
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known or "*" in known:
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    return FileResponse(registry.path(record), headers=headers, media_type=PMTILES)


def registry_of(house: House) -> Registry:
    """The archives of the house."""
    return Registry(house.settings.home / "archives")


def _found(house: House, asker: Principal, name: str) -> Record:
    record = registry_of(house).find(name)
    if record is None or not _may_read(house, asker, record) or not registry_of(house).path(record).is_file():
        raise UnknownResource(f"There is no archive {name[:60]!r}; /archives lists those there are.")
    return record


def _readable(house: House, asker: Principal) -> list[Record]:
    return [record for record in registry_of(house) if _may_read(house, asker, record)]


def _may_read(house: House, asker: Principal, record: Record) -> bool:
    if not may_read(house.catalog, asker, record):
        return False
    with house.writer.transaction() as connection:
        return is_open(connection, house.catalog, record)


def _shown(request: Request, record: Record) -> dict[str, Any]:
    place = link(url(request, f"/archives/{record.name}"), "enclosure", PMTILES, record.name, length=record.size)
    return {**as_json(record), "links": [place]}


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/archives"), "related", JSON, "Archives of tiles")]


BLOCK = Block("archives", None, "experimental", (), router, _links)
