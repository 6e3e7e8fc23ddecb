"""Raster values: at a point, along a line at an even spacing, and for each row of a table."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.place_question import PlaceBody
from geoservice.api.query_batch import TABLE_BODY, TableQuery, batch_answer
from geoservice.api.query_place import raster_row
from geoservice.api.query_terms import AsOf, Collection, PointQuery, json_answer
from geoservice.house import Asker, Inside
from geoservice.http.parameters import together
from geoservice.ogc.block import Block, no_links
from geoservice.queries.cells import Floats, Method, sampled
from geoservice.queries.profile import stations
from geoservice.queries.where import Where, read_in_thread
from geoservice.queries.wish import Narrowing, TableWish, raster_files, require_mean
from layers.asset import Asset
from layers.errors import BadBody, BadGeometry
from layers.model import RasterLayer

router = APIRouter(prefix="/query", tags=["spatial queries"])

_DIGITS, _MILLIMETRES = 9, 3
Json = dict[str, Any]
_MOST_STATIONS = 20_000
_WORLD = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class CellQuery:
    """Query parameters that say which raster is asked, and how."""

    collection: Collection
    method: Annotated[Method, Query(description="`nearest` cell, or `bilinear` mean of four.")] = "nearest"
    as_of: AsOf = None


@router.get("/values", summary="Raster values at a point")
async def values_here(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[CellQuery, together(CellQuery)],
    at: Annotated[PointQuery, together(PointQuery)],
) -> Response:
    """The values of each band of a raster collection at a point."""
    x, y = at.degrees()
    layer, assets = await raster_files(house.sources(asker), asked.collection, asked.as_of, (x, y, x, y))
    values = await _sampled(layer, assets, np.array([x]), np.array([y]), asked.method)
    row = raster_row(house, layer, values[:, 0].tolist())
    return json_answer(request, {"point": [x, y], "method": asked.method, **row})


@router.post("/values", summary="Raster values along a line")
async def values_along(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[CellQuery, together(CellQuery)],
    body: PlaceBody,
    spacing: Annotated[float, Query(gt=0, description="Metres between places.", allow_inf_nan=False)] = 100.0,
) -> Response:
    """The values of a raster collection at the points of a geometry, or along a line (a profile)."""
    where = await read_in_thread(body, house.settings.max_zone_vertices)
    if not isinstance(where, Where):
        raise BadBody("Values are asked for at points or along a line; give a geometry.")
    x, y, metres = await asyncio.to_thread(_places, where, spacing)
    box = tuple(shapely.bounds(where.geometry).tolist())
    layer, assets = await raster_files(
        house.sources(asker), asked.collection, asked.as_of, (box[0], box[1], box[2], box[3])
    )
    values = await _sampled(layer, assets, x, y, asked.method)
    rows = _rows((x, y), metres, [band.name for band in layer.bands], values)
    bands = [{"name": band.name, "unit": band.unit} for band in layer.bands]
    head = {"collection": layer.name, "method": asked.method, "bands": bands}
    return json_answer(request, {**head, "values": rows})


def _rows(places: tuple[Floats, Floats], metres: Floats | None, names: list[str], values: Floats) -> list[Json]:
    """A row per place: where it is, how far along the line, and the value of each band."""
    found = list[Json]()
    for number, (lon, lat) in enumerate(zip(*places, strict=True)):
        row: Json = {"lon": round(float(lon), _DIGITS), "lat": round(float(lat), _DIGITS)}
        if metres is not None:
            row["distance"] = round(float(metres[number]), _MILLIMETRES)
        cells = zip(names, values[:, number].tolist(), strict=True)
        found.append({**row, **{name: None if np.isnan(value) else value for name, value in cells}})
    return found


@router.post("/values/batch", summary="Raster values at the points of a table", openapi_extra=TABLE_BODY)
async def values_table(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[CellQuery, together(CellQuery)],
    form: Annotated[TableQuery, together(TableQuery)],
) -> Response:
    """A posted table with the values of a raster collection at each row's point, a column per band."""
    wish = TableWish("values", asked.collection, Narrowing(as_of=asked.as_of), method=asked.method)
    return await batch_answer(request, house, asker, form, wish)


def _places(where: Where, spacing: float) -> tuple[Floats, Floats, Floats | None]:
    if isinstance(where.geometry, shapely.LineString):
        found = stations(where.geometry, spacing, _MOST_STATIONS)
        return found.x, found.y, found.metres
    if shapely.get_dimensions(where.geometry) != 0:
        raise BadGeometry("Values are asked for at a Point or MultiPoint, or along a LineString.", where="geometry")
    at = shapely.get_coordinates(where.geometry)
    return at[:, 0], at[:, 1], None


async def _sampled(layer: RasterLayer, assets: list[Asset], x: Floats, y: Floats, method: Method) -> Floats:
    require_mean(layer, method)
    return await asyncio.to_thread(sampled, assets, x, y, len(layer.bands), method)


BLOCK = Block("raster values", None, "experimental", (), router, no_links)
