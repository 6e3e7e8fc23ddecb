"""OGC API EDR 1.1 (19-086r6): data of stations and rasters at positions, in areas, along lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.coverages.gather import Surroundings
from geoservice.coverages.request import side_asked
from geoservice.edr import coords as places
from geoservice.edr.covjson import coverage_json
from geoservice.edr.describe import FORMATS, degrees
from geoservice.edr.model import Answer, Average, Wanted, Where
from geoservice.edr.plain import features_json, rows_csv
from geoservice.edr.rasters import Rasters
from geoservice.edr.stations import Stations
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.negotiation import negotiate
from geoservice.http.parameters import together
from geoservice.http.texts import storable
from geoservice.ogc.block import Block, no_links
from layers.access import Principal
from layers.errors import BadParameter, UnknownLayer
from layers.interval import parse_datetime
from layers.model import RasterLayer
from layers.offered import CRS84, OfferedCrs

router = APIRouter(tags=["environmental data"])
OBSERVATIONS = "observations"
"""Id of the collection of all stations."""
_ROOT = "/collections/{collection_id}"
_PRIVATE = "private, no-store"
_LONG = 60

Coords = Annotated[str, Query(description="Place as well-known text, in the order of axes of `crs`.")]
Width = Annotated[str | None, Query(alias="resolution-x", description="Columns of a grid; default: cells as they are.")]
Height = Annotated[str | None, Query(alias="resolution-y", description="Rows of a grid.")]


@dataclass(frozen=True)
class DataQuery:
    """The query parameters that all questions share."""

    parameter_name: Annotated[
        str | None, Query(alias="parameter-name", description="Parameters, separated by commas; default: all.")
    ] = None
    datetime: Annotated[str | None, Query(description="RFC 3339 instant, date or interval start/end.")] = None
    z: Annotated[str | None, Query(description="Height; the data here has none, so that it is refused.")] = None
    crs: Annotated[str | None, Query(description="CRS of coordinates and answer: CRS84, EPSG:4490 or EPSG:4326.")] = (
        None
    )
    average: Annotated[
        Average | None, Query(description="Means of stations over an hour, a day or a month, instead of readings.")
    ] = None
    f: Annotated[str | None, Query(description="CoverageJSON, GeoJSON or CSV.")] = None

    def wanted(self, width: str | None = None, height: str | None = None) -> Wanted:
        """The same for the domain.

        Raises:
            BadParameter: When one is malformed, or a height is given.
        """
        if self.z is not None:
            raise BadParameter("The collection has no heights; leave z out.", parameter="z")
        return Wanted(
            names=_names(self.parameter_name),
            interval=None if self.datetime is None else parse_datetime(self.datetime),
            average=self.average,
            width=side_asked(width, "resolution-x"),
            height=side_asked(height, "resolution-y"),
        )

    def system(self) -> OfferedCrs:
        """The system of the coordinates.

        Raises:
            BadParameter: When it is none of longitude and latitude.
        """
        if self.crs is None:
            return CRS84
        for one in degrees():
            if self.crs in one.names:
                return one
        raise BadParameter(f"crs is CRS84, EPSG:4490 or EPSG:4326 here; {self.crs[:_LONG]!r} is not.", parameter="crs")


@dataclass(frozen=True)
class Asked:
    """A question to a collection."""

    request: Request
    house: House
    asker: Principal
    collection: str
    query: DataQuery

    async def answered(self, where: Where, width: str | None = None, height: str | None = None) -> Response:
        """The data of a place in the format that is wanted."""
        chosen = format_of(self.request, self.query.f)
        found = await self._data(where, self.query.wanted(width, height))
        return await written(self.request, found, chosen, self.query.system())

    async def _data(self, where: Where, wanted: Wanted) -> Answer:
        if self.collection == OBSERVATIONS:
            async with self.house.pools.connection(self.asker.clearance) as connection:
                return await Stations(connection, self.asker.clearance).answer(where, wanted)
        return await rasters_of(self.house, self.asker, self.collection).answer(where, wanted, self.query.datetime)


async def _asked(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    query: Annotated[DataQuery, together(DataQuery)],
) -> Asked:
    return Asked(request, house, asker, collection_id, query)


Question = Annotated[Asked, Depends(_asked)]


@router.get(f"{_ROOT}/position", summary="Data at positions", response_class=Response)
async def position(asked: Question, coords: Coords) -> Response:
    """Cells at a POINT or each point of a MULTIPOINT; of stations the nearest with each parameter, within 50 km."""
    return await asked.answered(places.read_points(coords, asked.query.system()))


@router.get(f"{_ROOT}/radius", summary="Data around a position", response_class=Response)
async def radius(
    asked: Question,
    coords: Coords,
    within: Annotated[str, Query(description="Distance, up to 500 km.")],
    units: Annotated[str, Query(alias="within-units", description="m, km, mi or nmi.")],
    width: Width = None,
    height: Height = None,
) -> Response:
    """Stations or cells within a distance of a POINT, measured on the ellipsoid."""
    return await asked.answered(places.read_circle(coords, within, units, asked.query.system()), width, height)


@router.get(f"{_ROOT}/area", summary="Data in an area", response_class=Response)
async def area(asked: Question, coords: Coords, width: Width = None, height: Height = None) -> Response:
    """Stations or cells inside a POLYGON or MULTIPOLYGON."""
    most = asked.house.settings.max_zone_vertices
    where = await run_in_threadpool(places.read_area, coords, asked.query.system(), most)
    return await asked.answered(where, width, height)


@router.get(f"{_ROOT}/cube", summary="Data in a box", response_class=Response)
async def cube(
    asked: Question,
    bbox: Annotated[str, Query(description="Lower and upper corner, in the order of axes of `crs`.")],
    width: Width = None,
    height: Height = None,
) -> Response:
    """Stations or cells in a box."""
    return await asked.answered(places.read_box(bbox, asked.query.system()), width, height)


@router.get(f"{_ROOT}/trajectory", summary="Data along a line", response_class=Response)
async def trajectory(asked: Question, coords: Coords) -> Response:
    """Cells at the vertices of a LINESTRING, or of a LINESTRINGM with times in seconds since 1970."""
    return await asked.answered(places.read_line(coords, asked.query.system()))


@router.get(f"{_ROOT}/corridor", summary="Data beside a line", response_class=Response)
async def corridor(
    asked: Question,
    coords: Coords,
    across: Annotated[str, Query(alias="corridor-width", description="Whole width of the corridor.")],
    units: Annotated[str, Query(alias="width-units", description="m, km, mi or nmi.")],
    width: Width = None,
    height: Height = None,
) -> Response:
    """Stations or cells within half the width of a LINESTRING or MULTILINESTRING."""
    where = await run_in_threadpool(places.read_corridor, coords, across, units, asked.query.system())
    return await asked.answered(where, width, height)


def rasters_of(house: House, asker: Principal, name: str) -> Rasters:
    """The raster collection of a name.

    Raises:
        UnknownLayer: When there is none that the principal may see, or it is no raster.
    """
    layer, _ = house.open_layer(asker, name)
    if not isinstance(layer, RasterLayer):
        raise UnknownLayer(f"Collection {layer.name} has features, at its items, and no environmental data.")
    inside = Surroundings(asker, house.catalog, house.pools, house.reading, house.rasters)
    return Rasters(layer, inside, house.catalog.codelists, house.settings.coverage_max_cells)


def format_of(request: Request, asked: str | None) -> str:
    """Name of the format that is wanted, whatever its case.

    Raises:
        BadParameter, NotAcceptable: When there is none such.
    """
    names = {name.lower(): name for name in FORMATS}
    return negotiate(request, names.get((asked or "").lower(), asked), FORMATS)


async def written(request: Request, answer: Answer, chosen: str, crs: OfferedCrs) -> Response:
    """An answer in a format; GeoJSON and CSV have longitude before latitude (CRS84), whatever the CRS."""
    if chosen == "CoverageJSON":
        text = await run_in_threadpool(coverage_json, answer, crs)
    else:
        text = await run_in_threadpool(features_json if chosen == "GeoJSON" else rows_csv, answer)
    headers: dict[str, Any] = {"Cache-Control": _PRIVATE}
    if answer.edition is not None:
        headers["Geoservice-Edition"] = str(answer.edition)
    return encoded(request, text.encode(), FORMATS[chosen], headers)


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or not storable(text):
        raise BadParameter("parameter-name is a list of names, separated by commas.", parameter="parameter-name")
    return names


BLOCK = Block(
    name="environmental data",
    spec="https://docs.ogc.org/is/19-086r6/19-086r6.html",
    maturity="draft",
    conformance=(),
    router=router,
    links=no_links,
)
