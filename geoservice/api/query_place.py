"""What is at a place, meets it or lies within it; and the surroundings of a place."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
import shapely
from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from geoservice.analysis.context import AnalysisContext
from geoservice.api.query_terms import AsOf, json_answer, point_of
from geoservice.features.assets import Which, around, read_assets
from geoservice.features.past import instant_asked
from geoservice.house import Asker, House, Inside
from geoservice.http.parameters import together
from geoservice.ogc.block import Block, no_links
from geoservice.queries.cells import sampled
from geoservice.queries.related import Json, Opened, Related, Relation, find_related, spelt_out
from geoservice.queries.ring import buffered
from geoservice.queries.where import Where, find_where, read_in_thread
from layers.access import Principal, decide
from layers.area import ellipsoidal_area
from layers.errors import BadParameter
from layers.extent import parse_bbox
from layers.model import RasterLayer, VectorLayer

router = APIRouter(prefix="/query", tags=["spatial queries"])

_DIGITS = 9
_PIXEL_METRES = 156_543.033928041
"""Metres of a pixel of WebMercatorQuad at level 0 on the equator, with 256 pixels a tile."""
_MOST_EACH = 1_000


@dataclass(frozen=True)
class PlaceQuery:
    """Query parameters that say where: exactly one way of them."""

    lon: Annotated[float | None, Query(description="Longitude of a point in degrees, with `lat`.")] = None
    lat: Annotated[float | None, Query(description="Latitude of a point in degrees, with `lon`.")] = None
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees.")] = None
    adcode: Annotated[str | None, Query(description="Code of a division.")] = None
    alert: Annotated[str | None, Query(description="Public id of an alert.")] = None
    zone: Annotated[str | None, Query(description="Any feature with an area: `collection/id`.")] = None

    def body(self) -> Json:
        """The place as a posted body has it.

        Raises:
            BadParameter: When it is not said in exactly one way.
        """
        given = [name for name, value in asdict(self).items() if value is not None]
        if given == ["lon", "lat"]:
            x, y = point_of(float(self.lon or 0), float(self.lat or 0), None)
            return {"geometry": {"type": "Point", "coordinates": [x, y]}}
        if len(given) != 1 or given[0] in ("lon", "lat"):
            raise BadParameter(
                "A place is given by lon and lat, or by one of bbox, adcode, alert or zone; "
                f"this request has {', '.join(given) or 'none'}.",
                parameter=given[0] if given else "lon",
            )
        if self.bbox is not None:
            return {"bbox": parse_bbox(self.bbox).as_list()}
        if self.zone is not None:
            collection, _, key = self.zone.partition("/")
            return {"feature": {"collection": collection, "id": key}}
        return {given[0]: getattr(self, given[0])}


@dataclass(frozen=True)
class AmountQuery:
    """Query parameters that say which collections, and how much of each."""

    collections: Annotated[
        str | None, Query(description="Ids of collections, separated by commas; all you may see when absent.")
    ] = None
    limit: Annotated[int, Query(ge=1, le=_MOST_EACH, description="Most features of each collection.")] = 10
    geometry: Annotated[bool, Query(description="Whether geometries are wanted.")] = False
    as_of: AsOf = None


@dataclass(frozen=True)
class ToleranceQuery:
    """Query parameters that say how near is near enough."""

    tolerance: Annotated[float | None, Query(ge=0, le=100_000, description="Metres around the place.")] = None
    zoom: Annotated[float | None, Query(ge=0, le=24, description="Zoom level of a map, with `pixels`.")] = None
    pixels: Annotated[float, Query(ge=0, le=64, description="Pixels around the place at that level.")] = 4.0

    def metres(self, latitude: float) -> float:
        """The tolerance in metres.

        Raises:
            BadParameter: When it is said in two ways.
        """
        if self.zoom is None:
            return self.tolerance or 0.0
        if self.tolerance is not None:
            raise BadParameter("tolerance and zoom both say how near is near; give one of them.", parameter="zoom")
        return float(self.pixels * _PIXEL_METRES * np.cos(np.radians(latitude)) / 2**self.zoom)


PlaceBody: TypeAlias = Annotated[
    dict[str, Any],
    Body(
        description="Exactly one of geometry (GeoJSON of any kind, CRS84), bbox, adcode, alert, feature.",
        examples=[{"geometry": {"type": "Point", "coordinates": [105.1, 38.4]}}, {"adcode": "990101"}],
    ),
]


async def place_of(house: House, asker: Principal, body: object) -> Where:
    """The place that a request is about."""
    asked = await read_in_thread(body, house.settings.max_zone_vertices)
    if isinstance(asked, Where):
        return asked
    context = AnalysisContext(asker, house.catalog, house.rasters, schema=house.reading.schema(asker.clearance))
    async with house.pools.connection(asker.clearance) as connection:
        return await find_where(connection, asked, context)


@router.get("/identify", summary="What is here")
async def identify_here(
    request: Request,
    house: Inside,
    asker: Asker,
    place: Annotated[PlaceQuery, together(PlaceQuery)],
    amount: Annotated[AmountQuery, together(AmountQuery)],
    near: Annotated[ToleranceQuery, together(ToleranceQuery)],
) -> Response:
    """Features of all visible layers at a place, and the values of rasters there."""
    return await _identified(request, house, asker, place.body(), (amount, near))


@router.post("/identify", summary="What is at a geometry")
async def identify_at(
    request: Request,
    house: Inside,
    asker: Asker,
    amount: Annotated[AmountQuery, together(AmountQuery)],
    near: Annotated[ToleranceQuery, together(ToleranceQuery)],
    body: PlaceBody,
) -> Response:
    """Features of all visible layers at a posted geometry, and the values of rasters there."""
    return await _identified(request, house, asker, body, (amount, near))


async def _identified(
    request: Request, house: House, asker: Principal, body: Json, how: tuple[AmountQuery, ToleranceQuery]
) -> Response:
    where = await place_of(house, asker, body)
    amount, near = how
    metres = near.metres(where.point()[1])
    around_it = Where(await asyncio.to_thread(buffered, where.geometry, metres), where.origin) if metres else where
    answer = await _related(house, asker, around_it, amount, "intersects")
    rasters = await _raster_values(house, asker, where, amount)
    return json_answer(request, {"place": {**where.described(), "tolerance": metres}, **answer, "rasters": rasters})


@router.get("/intersects", summary="Features that meet a place")
async def intersects_named(
    request: Request,
    house: Inside,
    asker: Asker,
    place: Annotated[PlaceQuery, together(PlaceQuery)],
    amount: Annotated[AmountQuery, together(AmountQuery)],
) -> Response:
    """Features that share a point with a place, its border included."""
    return await _answered(request, house, asker, place.body(), (amount, "intersects"))


@router.post("/intersects", summary="Features that meet a geometry")
async def intersects_drawn(
    request: Request,
    house: Inside,
    asker: Asker,
    amount: Annotated[AmountQuery, together(AmountQuery)],
    body: PlaceBody,
) -> Response:
    """Features that share a point with a posted geometry, its border included."""
    return await _answered(request, house, asker, body, (amount, "intersects"))


@router.get("/within", summary="Features within a place")
async def within_named(
    request: Request,
    house: Inside,
    asker: Asker,
    place: Annotated[PlaceQuery, together(PlaceQuery)],
    amount: Annotated[AmountQuery, together(AmountQuery)],
) -> Response:
    """Features of which no point lies outside a place."""
    return await _answered(request, house, asker, place.body(), (amount, "within"))


@router.post("/within", summary="Features within a geometry")
async def within_drawn(
    request: Request,
    house: Inside,
    asker: Asker,
    amount: Annotated[AmountQuery, together(AmountQuery)],
    body: PlaceBody,
) -> Response:
    """Features of which no point lies outside a posted geometry."""
    return await _answered(request, house, asker, body, (amount, "within"))


async def _answered(
    request: Request, house: House, asker: Principal, body: Json, how: tuple[AmountQuery, Relation]
) -> Response:
    where = await place_of(house, asker, body)
    return json_answer(request, {"place": where.described(), **await _related(house, asker, where, *how)})


async def _related(house: House, asker: Principal, where: Where, amount: AmountQuery, relation: Relation) -> Json:
    opened = _opened(house, asker, amount.collections)
    async with house.pools.raw(asker.clearance) as connection:
        # The instant belongs to no layer: all are asked as they were then.
        instant = await instant_asked(connection, opened[0].layer, amount.as_of, None) if opened else None
        asked = Related(relation, amount.limit, amount.geometry, instant)
        found = await find_related(connection, house.reading, opened, asked, where)
    return {
        "collections": [
            _shown(house, one, found[one.layer.name], amount.limit) for one in opened if found[one.layer.name]
        ]
    }


def _opened(house: House, asker: Principal, names: str | None) -> list[Opened]:
    if names is not None:
        return [Opened(*house.sources(asker).vectors(name)) for name in dict.fromkeys(names.split(","))]
    layers = [layer for layer in house.visible(asker) if isinstance(layer, VectorLayer)]
    return [Opened(layer, decide(asker, "read", layer)) for layer in layers]


def _shown(house: House, one: Opened, features: list[Json], limit: int) -> Json:
    shown = [
        {**feature, "codes": spelt_out(one.layer, feature["properties"], house.catalog.codelists)}
        for feature in features[:limit]
    ]
    head = {"id": one.layer.name, "title": one.layer.title.model_dump()}
    edition = features[0]["edition"]
    for feature in shown:
        del feature["edition"]
    return {**head, "edition": edition, "more": len(features) > limit, "features": shown}


async def _raster_values(house: House, asker: Principal, where: Where, amount: AmountQuery) -> list[Json]:
    """Values of the visible rasters at the place, or at a point inside it; none are told of the past."""
    if amount.as_of is not None or amount.collections is not None:
        return []
    x, y = where.point()
    found = list[Json]()
    layers = [layer for layer in house.visible(asker) if isinstance(layer, RasterLayer)]
    async with house.pools.raw(asker.clearance) as connection:
        which = Which(around((x, y, x, y)))
        assets = [
            (
                layer,
                await read_assets(connection, house.reading, layer, decide(asker, "read", layer), house.rasters, which),
            )
            for layer in layers
        ]
    for layer, files in assets:
        if files:
            values = await asyncio.to_thread(sampled, files, np.array([x]), np.array([y]), len(layer.bands), "nearest")
            if not np.isnan(values).all():
                found.append(raster_row(house, layer, values[:, 0].tolist()))
    return found


def raster_row(house: House, layer: RasterLayer, values: list[float]) -> Json:
    """Values of a raster with their bands, units and, where they are codes, their meaning."""
    codes = house.catalog.codelists.get(layer.list) if layer.list else None
    bands = list[Json]()
    for band, value in zip(layer.bands, values, strict=True):
        there = not np.isnan(value)
        row: Json = {"band": band.name, "value": value if there else None, "unit": band.unit}
        if codes is not None and there:
            row["code"] = {language: codes.label(f"{value:g}", language) for language in ("zh", "en")}
        bands.append(row)
    return {"id": layer.name, "title": layer.title.model_dump(), "values": bands}


@router.get("/buffer", summary="The surroundings of a place")
async def buffer_named(
    request: Request,
    house: Inside,
    asker: Asker,
    place: Annotated[PlaceQuery, together(PlaceQuery)],
    distance: Annotated[float, Query(gt=0, description="Metres on the ellipsoid.", allow_inf_nan=False)],
) -> Response:
    """Everything within a distance of a place, as a GeoJSON feature."""
    return await _buffer(request, await place_of(house, asker, place.body()), distance)


@router.post("/buffer", summary="The surroundings of a geometry")
async def buffer_drawn(
    request: Request,
    house: Inside,
    asker: Asker,
    distance: Annotated[float, Query(gt=0, description="Metres on the ellipsoid.", allow_inf_nan=False)],
    body: PlaceBody,
) -> Response:
    """Everything within a distance of a posted geometry, as a GeoJSON feature."""
    return await _buffer(request, await place_of(house, asker, body), distance)


async def _buffer(request: Request, where: Where, distance: float) -> Response:
    area = await asyncio.to_thread(buffered, where.geometry, distance)
    size = float(await asyncio.to_thread(ellipsoidal_area, area))
    properties = {"distance": distance, "area_m2": round(size, 1), "place": where.origin}
    geometry = json.loads(shapely.to_geojson(shapely.transform(area, lambda at: np.round(at, _DIGITS))))
    return json_answer(request, {"type": "Feature", "geometry": geometry, "properties": properties})


BLOCK = Block("places", None, "experimental", (), router, no_links)
