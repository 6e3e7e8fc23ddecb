"""Map sheets (GB/T 13989-2012) and notations of coordinates: arithmetic alone, without the database."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, GEOJSON, HTML, JSON, negotiate
from geoservice.http.parameters import parse_limit, together
from geoservice.ogc.block import Block
from geoservice.ogc.common import Format, Language
from layers.errors import BadParameter
from layers.extent import parse_bbox
from layers.notation import Projected, Reading, geo_address, iso6709, projected, read_coordinates, sexagesimal
from layers.sheets import SCALES, Scale, Sheet, parse_sheet, scale_of, sheet_at, sheets_in

router = APIRouter(tags=["map sheets"])
FORMATS = {"json": JSON, "geojson": GEOJSON, "html": HTML}
MOST = 10_000
_DEFAULT = 1_000
_WIDTHS = (3, 6)
_Text = str | None


@dataclass(frozen=True)
class SheetsWanted:
    """Query parameters of the list of sheets, as they were written."""

    lon: Annotated[_Text, Query(description="Longitude of a point in degrees.")] = None
    lat: Annotated[_Text, Query(description="Latitude of the point in degrees.")] = None
    bbox: Annotated[_Text, Query(description="west,south,east,north in degrees.")] = None
    scale: Annotated[_Text, Query(description="Denominator, 1000000 to 500; all of them for a point without it.")] = (
        None
    )
    limit: Annotated[_Text, Query(description="Most sheets; default 1000, clamped to 10000.")] = None

    def found(self) -> tuple[int, Iterable[Sheet]]:
        """How many sheets there are, and which.

        Raises:
            BadParameter: When neither a point nor a box with a scale is given, or one of them is no good.
        """
        scale = None if self.scale is None else scale_of(_whole("scale", self.scale))
        if self.bbox is not None and self.lon is None and self.lat is None:
            if scale is None:
                raise BadParameter(
                    "The sheets of a box are those of one scale; give its denominator.", parameter="scale"
                )
            return sheets_in(parse_bbox(self.bbox), scale)
        if self.lon is None or self.lat is None or self.bbox is not None:
            raise BadParameter("Sheets are found by lon and lat, or by bbox and scale.", parameter="bbox")
        sheets = _around(_degrees("lon", self.lon), _degrees("lat", self.lat), scale)
        return len(sheets), sheets


@router.get("/gazetteer/sheets", summary="Map sheets of a point or a box")
async def sheets(
    request: Request,
    wanted: Annotated[SheetsWanted, together(SheetsWanted)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """Sheets of GB/T 13989 that hold a point, or that share more than an edge with a box; rows from the north."""
    chosen = negotiate(request, f, FORMATS)
    count, found = wanted.found()
    listed = list(islice(found, parse_limit(wanted.limit, _DEFAULT, MOST)))
    links = self_links(request, "/gazetteer/sheets", chosen, FORMATS, **vars(wanted))
    head = {"numberMatched": count, "numberReturned": len(listed), "links": links}
    if chosen == "geojson":
        body = {"type": "FeatureCollection", **head, "features": [_feature(sheet) for sheet in listed]}
        return document(request, "sheets", body, chosen, lang, media=GEOJSON)
    facts = [_facts(sheet) for sheet in listed]
    if chosen == "html":
        facts = [{**one, "href": url(request, f"/gazetteer/sheets/{one['number']}")} for one in facts]
    return document(request, "sheets", {**head, "sheets": facts}, chosen, lang)


@router.get("/gazetteer/sheets/{sheet_number}", summary="One map sheet")
async def sheet(request: Request, sheet_number: str, f: Format = None, lang: Language = None) -> Response:
    """A sheet by its number of today or of before 1992: what it covers, its neighbours and the sheets around it."""
    chosen = negotiate(request, f, FORMATS)
    known = parse_sheet(sheet_number)
    links = self_links(request, f"/gazetteer/sheets/{known.number}", chosen, FORMATS)
    neighbours = {name: one.number for name, one in known.neighbours().items()}
    links += [_to(request, number, name) for name, number in neighbours.items()]
    if chosen == "geojson":
        feature = _feature(known)
        feature["properties"]["neighbours"] = neighbours
        return document(request, "sheet", {**feature, "links": links}, chosen, lang, media=GEOJSON)
    holds = {f"1:{scale.denominator}": known.at(scale).number for scale in SCALES if scale.parts < known.scale.parts}
    body = {**_facts(known), "neighbours": neighbours, "lies_in": holds, "links": links}
    return document(request, "sheet", body, chosen, lang)


@router.get("/gazetteer/coordinates", summary="Coordinates in all notations")
async def coordinates(
    request: Request,
    q: Annotated[str, Query(description="Coordinates in any common notation.")],
    zone: Annotated[_Text, Query(description="Gauss-Krueger zone of six-digit eastings: 13-23 or 25-45.")] = None,
    f: Format = None,
    lang: Language = None,
) -> Response:
    """What a text may mean as a point, likeliest reading first, each written in all notations."""
    chosen = negotiate(request, f, DOCUMENT)
    readings = read_coordinates(q, None if zone is None else _whole("zone", zone))
    links = self_links(request, "/gazetteer/coordinates", chosen, DOCUMENT, q=q, zone=zone)
    body = {"readings": [_written(reading) for reading in readings], "links": links}
    return document(request, "coordinates", body, chosen, lang)


def _facts(one: Sheet) -> dict[str, Any]:
    facts: dict[str, Any] = {"number": one.number, "scale": one.scale.denominator, "bbox": one.extent.as_list()}
    others = {"former_number": one.former, "other_number": one.quarter_number}
    return facts | {name: number for name, number in others.items() if number is not None}


def _feature(one: Sheet) -> dict[str, Any]:
    west, south, east, north = one.extent.as_list()
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    facts = _facts(one)
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "id": one.number, "bbox": facts.pop("bbox"), "geometry": geometry, "properties": facts}


def _around(lon: float, lat: float, scale: Scale | None) -> list[Sheet]:
    return [sheet_at(lon, lat, one) for one in ((scale,) if scale is not None else SCALES)]


def _written(reading: Reading) -> dict[str, Any]:
    lon, lat = reading.lon, reading.lat
    zones = {f"{width}_degree": projected(lon, lat, 3 if width == _WIDTHS[0] else 6) for width in _WIDTHS}
    try:
        numbers = {f"1:{one.scale.denominator}": one.number for one in _around(lon, lat, None)}
    except BadParameter:
        numbers = {}
    return {
        "lon": lon,
        "lat": lat,
        "read_as": reading.notation,
        "order": reading.order,
        "certain": reading.certain,
        "zone": reading.zone,
        "dms": {"zh": sexagesimal(lon, lat, "zh"), "en": sexagesimal(lon, lat, "en")},
        "iso6709": iso6709(lon, lat),
        "geo": geo_address(lon, lat),
        "gauss_krueger": {name: _metres(point) for name, point in zones.items() if point is not None},
        "sheets": numbers,
    }


def _metres(point: Projected) -> dict[str, Any]:
    return {
        "zone": point.zone,
        "central_meridian": point.meridian,
        "easting": round(point.easting, 3),
        "easting_with_zone": round(point.prefixed, 3),
        "northing": round(point.northing, 3),
        "crs": point.crs,
    }


def _to(request: Request, number: str, title: str) -> dict[str, Any]:
    return link(url(request, f"/gazetteer/sheets/{number}"), "related", JSON, title)


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < len(str(MOST * MOST))):
        raise BadParameter(f"{name} is a whole number; {text[:30]!r} is not.", parameter=name)
    return int(text)


def _degrees(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadParameter(f"{name} is a number of degrees; {text[:30]!r} is not.", parameter=name)
    return value


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/gazetteer/sheets/J50"), "related", JSON, "Map sheets (GB/T 13989)")]


BLOCK = Block("map sheets", None, "stable", (), router, _links)
