"""What the page of a collection tells beside its document: attributes, history, loads, formats, requests."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from geoservice.features.state import LayerState
from geoservice.formats.known import FILE_FORMATS
from geoservice.house import House
from geoservice.http.links import url
from geoservice.loads.describe import describe_edition, summarise
from geoservice.loads.kept import with_reports
from geoservice.loads.record import read_editions, read_loads
from geoservice.loads.view import View, counts_view, may_load, view_of
from layers.access import Decision, Principal
from layers.codelist import CodeList
from layers.model import Layer, RasterLayer, RowLayer, VectorLayer

_EDITIONS, _LOADS, _CODES = 10, 5, 60
_LATEST, _MOST_ROWS = 10**18, 10_000
_WIDTH, _HEIGHT = 720, 360
_MARGIN = 0.05


async def record_of(
    request: Request, house: House, asker: Principal, opened: tuple[Layer, Decision], state: LayerState
) -> dict[str, Any]:
    """The record of a layer, as far as the principal may know it.

    Args:
        request: For addresses.
        house: The service.
        asker: Who asks.
        opened: The layer and what they may see of it.
        state: Its state as they may know it.
    """
    layer, decision = opened
    counted, loads = counts_view(asker, layer) >= View.COUNTS, may_load(asker, layer)
    async with house.pools.raw(asker.clearance) as connection:
        editions = await read_editions(connection, layer.name, before=_LATEST, limit=_EDITIONS + 1)
        found = await read_loads(connection, layer.name, all_outcomes=loads, before=_LATEST, limit=_LOADS)
    kept = await run_in_threadpool(with_reports, house.writer, found)
    return {
        "abstracts": layer.abstract.model_dump() if layer.abstract else None,
        "attributes": [_attribute(layer, name, house.catalog.codelists) for name in decision.attributes],
        "bands": [band.model_dump(exclude_none=True) for band in layer.bands] if isinstance(layer, RasterLayer) else [],
        "editions": [describe_edition(one, counted, loads).model_dump(mode="json") for one in editions[:_EDITIONS]],
        "more": len(editions) > _EDITIONS,
        "loads": [summarise(one, view_of(asker, layer, one.outcome)).model_dump(mode="json") for one in kept],
        "release": layer.release.model_dump(exclude_none=True) if layer.release else {},
        "picture": _picture(request, layer, state),
        "requests": _requests(request, layer),
        "files": [] if isinstance(layer, RasterLayer) else _files(request, layer, house),
        "may_load": loads,
    }


def _attribute(layer: Layer, name: str, codelists: Any) -> dict[str, Any]:
    one = layer.attributes[name]
    made: dict[str, Any] = {
        "name": name,
        "type": one.type,
        "required": one.required,
        "unit": one.unit,
        "list": one.list,
    }
    made["titles"] = one.title.model_dump() if one.title else None
    made["descriptions"] = one.description.model_dump() if one.description else None
    codes: CodeList | None = codelists.get(one.list) if one.list else None
    listed = list(codes.codes.values()) if codes is not None else []
    made["codes"] = [{"code": code.code, "zh": code.zh, "en": code.en} for code in listed[:_CODES]]
    return made | {"more_codes": max(0, len(listed) - _CODES), "clearance": one.effective_clearance(layer).label}


def _picture(request: Request, layer: Layer, state: LayerState) -> dict[str, Any] | None:
    """Address and size of a small map; none of what has no place, or crosses 180 degrees."""
    box = state.extent
    if box is None or box.west > box.east or not isinstance(layer, VectorLayer | RasterLayer):
        return None
    wide, high = max(box.east - box.west, 0.01) * _MARGIN, max(box.north - box.south, 0.01) * _MARGIN
    west, south = max(box.west - wide, -180.0), max(box.south - high, -85.0)
    east, north = min(box.east + wide, 180.0), min(box.north + high, 85.0)
    if south >= north:
        return None
    corners = ",".join(f"{side:.5f}" for side in (west, south, east, north))
    names = layer.name if isinstance(layer, RasterLayer) else f"division,{layer.name}"
    asked = {"layers": names if layer.name != "division" else "division", "bbox": corners}
    address = url(request, "/maps/static", **asked, width=_WIDTH, height=_HEIGHT, furniture="no")
    return {"href": address, "width": _WIDTH, "height": _HEIGHT, "box": corners}


def _requests(request: Request, layer: Layer) -> list[dict[str, str]]:
    """Requests that answer what is asked most, to be copied."""
    path = f"/collections/{layer.name}"
    if isinstance(layer, RasterLayer):
        pairs = [("tiles", f"{path}/map/tiles/WebMercatorQuad"), ("coverage", f"{path}/coverage")]
    else:
        pairs = [("items", f"{path}/items?limit=10"), ("queryables", f"{path}/queryables")]
        pairs += [("statistics", f"{path}/statistics"), ("changes", f"{path}/changes?since=0")]
        if isinstance(layer, VectorLayer):
            pairs.append(("tiles", f"{path}/tiles/WebMercatorQuad"))
    return [{"what": what, "href": url(request, address)} for what, address in pairs]


def _files(request: Request, layer: RowLayer, house: House) -> list[dict[str, str]]:
    """Addresses of the features as files, in the formats that can hold them."""
    # Boundary-point files are written by the national template.
    bounded = "national" in house.catalog.templates
    names = [name for name, one in FILE_FORMATS.items() if one.holds(layer) and (bounded or name != "boundary")]
    address = f"/collections/{layer.name}/items"
    return [{"name": name, "href": url(request, address, f=name, limit=_MOST_ROWS)} for name in names]
