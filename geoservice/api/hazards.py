"""Hazard zones: the methods, zones made by them, and zones that are kept."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.kept import find_kept, list_kept
from geoservice.api.zone_limits import most_vertices
from geoservice.hazards.collection import feature_collection
from geoservice.hazards.gather import gather
from geoservice.hazards.keep import clearance_for, document, keep
from geoservice.hazards.method import Found, HazardMethod, Parameters
from geoservice.hazards.registry import METHODS
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import GEOJSON, JSON, negotiate
from geoservice.ogc.block import Block
from layers.access import Clearance, Principal
from layers.errors import QueryTimeout
from layers.hazard import HazardZone

router = APIRouter(prefix="/hazards", tags=["hazard zones"])
PRIVATE = {"Cache-Control": "private, no-store"}
_FORMATS = {"json": JSON, "geojson": GEOJSON}
_CREATED = 201
Format = Annotated[str | None, Query(description="`json` (the zone) or `geojson` (its classes as features).")]
Keep = Annotated[bool, Query(description="Whether the zone is kept, so that it can be named by its id.")]
KeptFor = Annotated[
    str | None, Query(description="Clearance that a kept zone has; yours when absent, never below its inputs.")
]


@router.get("/methods", summary="Methods that make hazard zones")
async def methods(request: Request) -> Response:
    """All methods: what they make, from which parameters (JSON Schema), by which formulas, how uncertain it is."""
    body = {
        "methods": [_described(request, method) for method in METHODS.values()],
        "links": [link(url(request, "/hazards/methods"), "self", JSON, "Methods that make hazard zones")],
    }
    return _json(request, body, {})


@router.get("/zones", summary="Kept hazard zones")
async def kept_zones(
    request: Request,
    house: Inside,
    asker: Asker,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most zones.")] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="Zones to pass over.")] = 0,
    status: Annotated[
        Literal["actual", "exercise", "test"], Query(description="actual (default), exercise or test: one at a time.")
    ] = "actual",
) -> Response:
    """Zones that were kept, as far as you may see them, the latest first; exercises and tests only when asked for."""
    async with house.pools.connection(asker.clearance) as connection:
        found = await list_kept(connection, asker.clearance, limit, offset, status)
    zones = [
        {
            "id": one.id,
            "method": one.method,
            "kind": one.kind,
            "status": one.status,
            "clearance": one.clearance.label,
            "kept": one.kept.isoformat().replace("+00:00", "Z"),
            "links": [link(url(request, f"/hazards/zones/{one.id}"), "item", JSON, "The zone")],
        }
        for one in found
    ]
    links = [link(url(request, "/hazards/zones"), "self", JSON, "Kept hazard zones")]
    return _json(request, {"zones": zones, "links": links}, PRIVATE)


@router.get("/zones/{zone_id}", summary="A kept hazard zone")
async def kept_zone(request: Request, house: Inside, asker: Asker, zone_id: str, f: Format = None) -> Response:
    """A zone as it was kept, byte by byte; as GeoJSON its classes are features."""
    chosen = negotiate(request, f, _FORMATS)
    async with house.pools.connection(asker.clearance) as connection:
        found = await find_kept(connection, asker.clearance, zone_id)
    return await run_in_threadpool(_answer, request, found.zone, chosen, PRIVATE)


async def made(house: House, asker: Principal, method: HazardMethod, told: Parameters) -> tuple[HazardZone, Found]:
    """A zone, and what it was made of.

    Raises:
        QueryTimeout: When it takes longer than an analysis may.
    """
    settings = house.settings
    context = AnalysisContext(asker, house.catalog, house.rasters, schema=house.reading.schema(asker.clearance))
    async with house.pools.connection(asker.clearance) as connection:
        found = await gather(
            connection,
            context,
            method,
            told,
            most_vertices=settings.max_zone_vertices,
            most_of_area=most_vertices(house, asker),
            folder=settings.layers_dir,
        )
    try:
        async with asyncio.timeout(settings.analysis_timeout), house.zone_turns:
            return await asyncio.to_thread(method.zone, told, found), found
    except TimeoutError:
        raise QueryTimeout("The zone takes too long to make; ask for a smaller area or coarser steps.") from None


def _add(method: HazardMethod) -> None:
    """Add the route of a method."""

    async def make(
        request: Request,
        house: Inside,
        asker: Asker,
        body: Any,
        keep: Keep = False,
        clearance: KeptFor = None,
        f: Format = None,
    ) -> Response:
        chosen = negotiate(request, f, _FORMATS)
        if keep:
            # Whoever may not keep anything need not wait for it.
            clearance_for(asker, clearance, Clearance.PUBLIC)
        zone, found = await made(house, asker, method, body)
        if not keep:
            return await run_in_threadpool(_answer, request, zone, chosen, PRIVATE)
        level = clearance_for(asker, clearance, found.clearance)
        await run_in_threadpool(partial(_kept, house, zone, level, asker.id))
        place = {"Location": url(request, f"/hazards/zones/{zone.id}"), "Geoservice-Clearance": level.label}
        response = await run_in_threadpool(_answer, request, zone, chosen, {**PRIVATE, **place})
        response.status_code = _CREATED
        return response

    make.__annotations__["body"] = method.parameters
    router.add_api_route(
        f"/zones/{method.id}",
        make,
        methods=["POST"],
        name=f"zone_{method.id}",
        summary=method.title.en,
        description=method.abstract.en,
    )


def _kept(house: House, zone: HazardZone, level: Clearance, principal: str) -> None:
    with house.writer.transaction() as connection:
        keep(connection, zone, level, principal, house.settings.zones_each)


def _answer(request: Request, zone: HazardZone, chosen: str, headers: dict[str, str]) -> Response:
    if chosen == "json":
        return encoded(request, document(zone), JSON, headers)
    text = json.dumps(feature_collection(zone), ensure_ascii=False, separators=(",", ":"))
    return encoded(request, text.encode(), GEOJSON, headers)


def _json(request: Request, body: dict[str, Any], headers: dict[str, str]) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return encoded(request, text.encode(), JSON, headers)


def _described(request: Request, method: HazardMethod) -> dict[str, Any]:
    return {
        "id": method.id,
        "version": method.version,
        "kind": method.kind,
        "title": method.title.model_dump(),
        "abstract": method.abstract.model_dump(),
        "source": method.source,
        "uncertainty": method.uncertainty.model_dump(),
        "screening": method.screening,
        "parameters": method.parameters.model_json_schema(),
        "links": [link(url(request, f"/hazards/zones/{method.id}"), "create-form", JSON, method.title.en)],
    }


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/hazards/methods"), "related", JSON, "Methods that make hazard zones")]


for _method in METHODS.values():
    _add(_method)
BLOCK = Block("hazards", None, "experimental", (), router, _links)
