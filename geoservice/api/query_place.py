"""What is at a place, meets it or lies within it; and the surroundings of a place."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import shapely
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.analysis.context import AnalysisContext
from geoservice.api.place_question import PlaceQuestion, add_routes
from geoservice.api.query_terms import AsOf, json_answer
from geoservice.features.assets import Which, around, layers_near, read_assets
from geoservice.features.past import instant_asked
from geoservice.house import House
from geoservice.http.parameters import together
from geoservice.ogc.block import Block, no_links
from geoservice.queries.cells import sampled
from geoservice.queries.related import Json, Opened, Related, Relation, find_related, spelt_out
from geoservice.queries.ring import buffered
from geoservice.queries.where import Where, find_where, read_in_thread
from layers.access import Principal, RowRule, decide
from layers.area import ellipsoidal_area
from layers.errors import BadParameter
from layers.model import RasterLayer, VectorLayer

router = APIRouter(prefix="/query", tags=["spatial queries"])

_DIGITS = 9
_PIXEL_METRES = 156_543.033928041
"""Metres of a pixel of WebMercatorQuad at level 0 on the equator, with 256 pixels a tile."""
_MOST_EACH = 1_000


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


@dataclass(frozen=True)
class HereQuery:
    """Query parameters of `identify`."""

    amount: Annotated[AmountQuery, together(AmountQuery)]
    near: Annotated[ToleranceQuery, together(ToleranceQuery)]


@dataclass(frozen=True)
class RingQuery:
    """Query parameters of `buffer`."""

    distance: Annotated[float, Query(gt=0, description="Metres on the ellipsoid.", allow_inf_nan=False)]


async def place_of(house: House, asker: Principal, body: object) -> Where:
    """The place that a request is about."""
    asked = await read_in_thread(body, house.settings.max_zone_vertices)
    if isinstance(asked, Where):
        return asked
    context = AnalysisContext(asker, house.catalog, house.rasters, schema=house.reading.schema(asker.clearance))
    async with house.pools.connection(asker.clearance) as connection:
        return await find_where(connection, asked, context)


async def _identified(request: Request, house: House, asker: Principal, body: Json, asked: HereQuery) -> Response:
    where = await place_of(house, asker, body)
    amount, near = asked.amount, asked.near
    metres = near.metres(where.point()[1])
    around_it = Where(await _buffered(where, metres), where.origin) if metres else where
    answer = await _related(house, asker, around_it, amount, "intersects")
    rasters = await _raster_values(house, asker, where, amount)
    return json_answer(request, {"place": {**where.described(), "tolerance": metres}, **answer, "rasters": rasters})


async def _buffered(where: Where, metres: float) -> shapely.Geometry:
    """The surroundings of a place; those of a point are made sooner than a thread takes it over."""
    if isinstance(where.geometry, shapely.Point):
        return buffered(where.geometry, metres)
    return await asyncio.to_thread(buffered, where.geometry, metres)


async def _intersecting(request: Request, house: House, asker: Principal, body: Json, asked: AmountQuery) -> Response:
    where = await place_of(house, asker, body)
    found = await _related(house, asker, where, asked, "intersects")
    return json_answer(request, {"place": where.described(), **found})


async def _within(request: Request, house: House, asker: Principal, body: Json, asked: AmountQuery) -> Response:
    where = await place_of(house, asker, body)
    return json_answer(request, {"place": where.described(), **await _related(house, asker, where, asked, "within")})


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
        which = Which(box := around((x, y, x, y)))
        layers = await layers_near(connection, house.reading, layers, RowRule(asker.clearance), box)
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


async def _surrounding(request: Request, house: House, asker: Principal, body: Json, asked: RingQuery) -> Response:
    where, distance = await place_of(house, asker, body), asked.distance
    area = await asyncio.to_thread(buffered, where.geometry, distance)
    size = float(await asyncio.to_thread(ellipsoidal_area, area))
    properties = {"distance": distance, "area_m2": round(size, 1), "place": where.origin}
    geometry = json.loads(shapely.to_geojson(shapely.transform(area, lambda at: np.round(at, _DIGITS))))
    return json_answer(request, {"type": "Feature", "geometry": geometry, "properties": properties})


ASKED_OF_PLACES: tuple[PlaceQuestion, ...] = (
    PlaceQuestion(
        "identify",
        ("What is here", "What is at a geometry"),
        "Features of all visible layers at a place, and the values of rasters there.",
        HereQuery,
        _identified,
    ),
    PlaceQuestion(
        "intersects",
        ("Features that meet a place", "Features that meet a geometry"),
        "Features that share a point with a place, its border included.",
        AmountQuery,
        _intersecting,
    ),
    PlaceQuestion(
        "within",
        ("Features within a place", "Features within a geometry"),
        "Features of which no point lies outside a place.",
        AmountQuery,
        _within,
    ),
    PlaceQuestion(
        "buffer",
        ("The surroundings of a place", "The surroundings of a geometry"),
        "Everything within a distance of a place, as a GeoJSON feature.",
        RingQuery,
        _surrounding,
    ),
)
for _one in ASKED_OF_PLACES:
    add_routes(router, _one)

BLOCK = Block("places", None, "experimental", (), router, no_links)
