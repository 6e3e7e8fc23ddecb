"""Coverages: the cells of a raster collection as data. Names of parameters follow the draft of OGC API Coverages."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Body, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from geoservice.analysis.request import ZoneRequest, zone_request
from geoservice.coverages.gather import Gathered, Surroundings, gather
from geoservice.coverages.request import CoverageRequest, box_asked, crs_asked, side_asked
from geoservice.coverages.source import epsg_of
from geoservice.coverages.write import COG, SUFFIX, Coverage, laid_out, require_few, write
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import NOT_MODIFIED, VARY, caching, is_personal, matches
from geoservice.http.negotiation import negotiate
from geoservice.http.parameters import together
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.maps import Times
from layers.access import Principal

router = APIRouter(tags=["coverages"])
COVERAGE_PATH = "/collections/{collection_id}/coverage"
_FORMATS = {"geotiff": COG}
_AT_ONCE = 2
"""Coverages that one process of the service makes at a time; further ones wait for a place."""
_PLACES = anyio.CapacityLimiter(_AT_ONCE)
_PIECE = 1 << 18
_SAFE = " ,.:;/()-_=+"
_TOLD = ("edition", "source", "licence", "authority", "attribution", "clearance")
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The cells.", "content": {COG: {"schema": {"type": "string", "format": "binary"}}}}
}
_EXAMPLES = [
    {"sheet": "J48E005010"},
    {"adcode": "990101"},
    {"zone": {"type": "Polygon", "coordinates": [[[105, 38.4], [105.2, 38.4], [105.2, 38.6], [105, 38.4]]]}},
]


@dataclass(frozen=True)
class GridQuery(Times):
    """The query parameters that say on which grid cells are given, and of which rasters."""

    crs: Annotated[
        str | None, Query(description="Coordinate reference system of the answer; default: that of the raster.")
    ] = None
    width: Annotated[str | None, Query(description="Pixels from west to east; default: cells keep their size.")] = None
    height: Annotated[str | None, Query(description="Pixels from north to south; follows the width.")] = None
    f: Annotated[str | None, Query(description="Format: geotiff (a Cloud-Optimised GeoTIFF).")] = None

    def asked(self, collection: str, zone: ZoneRequest | None) -> CoverageRequest:
        """What is asked, in a zone.

        Raises:
            BadParameter: When a parameter is not acceptable.
        """
        return CoverageRequest(
            collection=collection,
            zone=zone,
            crs=crs_asked(self.crs),
            width=side_asked(self.width, "width"),
            height=side_asked(self.height, "height"),
            taken=self.datetime,
            as_of=self.as_of,
            edition=self.edition,
        )


@dataclass(frozen=True)
class BoxQuery(GridQuery):
    """All query parameters of a coverage in a box."""

    bbox: Annotated[
        str | None, Query(description="west,south,east,north in degrees (CRS84), or in the axis order of bbox-crs.")
    ] = None
    bbox_crs: Annotated[
        str | None, Query(alias="bbox-crs", description="Coordinate reference system of bbox; default CRS84.")
    ] = None

    def zone(self) -> ZoneRequest | None:
        """The box as a zone; None without one."""
        return None if self.bbox is None else ZoneRequest(box_asked(self.bbox, self.bbox_crs))


@dataclass(frozen=True)
class _Made:
    """A coverage that was written: what it is, and its file, which has no name any more and goes when it is closed."""

    coverage: Coverage
    file: BinaryIO
    length: int
    digest: str


@router.get(COVERAGE_PATH, summary="Cells of a raster in a box", response_class=Response, responses=_FILE)
async def coverage(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    query: Annotated[BoxQuery, together(BoxQuery)],
) -> Response:
    """The cells that a box touches as a Cloud-Optimised GeoTIFF; all of the collection without a box."""
    negotiate(request, query.f, _FORMATS)
    house.open_layer(asker, collection_id)
    asked = query.asked(collection_id, query.zone())
    return _answer(request, await _make(house, asker, asked))


@router.post(COVERAGE_PATH, summary="Cells of a raster in a zone", response_class=Response, responses=_FILE)
async def coverage_of_zone(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    query: Annotated[GridQuery, together(GridQuery)],
    body: Annotated[
        dict[str, Any],
        Body(
            description="Exactly one of zone (GeoJSON polygon, CRS84), bbox, adcode, alert, feature, sheet.",
            examples=_EXAMPLES,
        ),
    ],
) -> Response:
    """The cells whose middle lies in a zone as a Cloud-Optimised GeoTIFF; the others have no data."""
    negotiate(request, query.f, _FORMATS)
    house.open_layer(asker, collection_id)
    zone = await run_in_threadpool(zone_request, body, house.settings.max_zone_vertices)
    return _answer(request, await _make(house, asker, query.asked(collection_id, zone)))


async def _make(house: House, asker: Principal, asked: CoverageRequest) -> _Made:
    inside = Surroundings(asker, house.catalog, house.pools, house.reading, house.rasters)
    gathered = await gather(inside, asked)
    most = house.settings.coverage_max_cells
    return await anyio.to_thread.run_sync(_written, gathered, asked, most, limiter=_PLACES)


def _written(gathered: Gathered, asked: CoverageRequest, most: int) -> _Made:
    coverage = laid_out(gathered, asked)
    require_few(coverage, most)
    with tempfile.TemporaryDirectory(prefix="geoservice-coverage-") as folder:
        path = write(coverage, Path(folder))
        file = path.open("rb")
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=12)).hexdigest()
        length = file.seek(0, 2)
        file.seek(0)
    return _Made(coverage, file, length, digest)


def _answer(request: Request, made: _Made) -> Response:
    layer, facts = made.coverage.layer, made.coverage.about.facts()
    caching_of = "no-cache" if layer.clearance == 0 else "private, no-cache"
    edition = "" if made.coverage.about.edition is None else f"-{made.coverage.about.edition}"
    headers = {
        "ETag": f'"{made.digest}"',
        "Vary": VARY,
        "Cache-Control": caching(caching_of, personal=is_personal(request.headers)),
        "Content-Length": str(made.length),
        "Content-Disposition": f'attachment; filename="{layer.name}{edition}{SUFFIX}"',
        **{f"Geoservice-{name.title()}": quote(str(facts[name]), safe=_SAFE) for name in _TOLD if name in facts},
    }
    code = epsg_of(made.coverage.grid.crs)
    if code is not None:
        headers["Content-Crs"] = f"<{_EPSG}{code}>"
    if request.method == "GET" and matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        made.file.close()
        del headers["Content-Length"]
        return Response(status_code=NOT_MODIFIED, headers=headers)
    return StreamingResponse(_pieces(made.file), headers=headers, media_type=COG)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


BLOCK = Block(
    name="coverages",
    spec="https://docs.ogc.org/DRAFTS/19-087.html",
    maturity="draft",
    conformance=(),
    router=router,
    links=no_links,
)
