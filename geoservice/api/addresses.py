"""Addresses over HTTP: to places and back, one or many; postcodes both ways."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from geoservice.api.gazetteer import PRIVATE, asking, degrees, described
from geoservice.gazetteer import codes
from geoservice.gazetteer.address import LONGEST_ADDRESS, Address
from geoservice.gazetteer.geocode import Geocoded, geocode
from geoservice.gazetteer.reverse import Office, nearest_office, offices, reverse
from geoservice.gazetteer.surroundings import ADDRESSES, Gazetteer
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import self_links, url
from geoservice.http.negotiation import DOCUMENT, GEOJSON, HTML, JSON, negotiate
from geoservice.http.parameters import parse_limit, together
from geoservice.http.texts import storable
from geoservice.jobs.errors import WrongMediaType
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from layers.access import Principal
from layers.errors import BadBody, BadParameter, GeoError, TooLarge, UnknownFeature

router = APIRouter(prefix="/gazetteer", tags=["gazetteer"])
FORMATS = {"json": JSON, "geojson": GEOJSON, "html": HTML}
CSV, NDJSON = "text/csv", "application/x-ndjson"
FEW, MOST = 5, 20
MOST_ROWS = 5_000
_CHUNK = 50
_COLUMNS = ("row", "address", "level", "confidence", "lon", "lat", "line", "adcode", "error")
Row = tuple[int, str | None, str | None]
"""Number in the source (from 1), the address, or what is wrong with the row."""


@dataclass(frozen=True)
class AddressQuery:
    """Query parameters of a search for an address."""

    q: Annotated[str, Query(description="An address, as fine as it is known.")]
    limit: Annotated[str | None, Query(description=f"Places, 1 to {MOST}; large values are clamped.")] = None
    within: Annotated[str | None, Query(description="Code of a division in which to look.")] = None


@router.get("/geocode", summary="The place of an address")
async def geocode_one(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[AddressQuery, together(AddressQuery)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """Places that an address may mean, with the level that was matched and the confidence in it."""
    chosen = negotiate(request, f, FORMATS)
    text = _line(asked.q)
    async with asking(house, asker) as gazetteer:
        address, found = await geocode(gazetteer, text, parse_limit(asked.limit, FEW, MOST), asked.within)
    query = {"q": asked.q, "limit": asked.limit, "within": asked.within}
    links = self_links(request, "/gazetteer/geocode", chosen, FORMATS, **query)
    results = [_result(request, one) for one in found]
    body: dict[str, Any] = {"title": text, "q": text, "parts": address.parts(), "results": results, "links": links}
    if chosen == "geojson":
        features = [_feature(one["point"], one) for one in results]
        body = {"type": "FeatureCollection", "features": features, "links": links}
    return document(request, "geocode", body, chosen, lang, FORMATS.get(chosen, JSON), PRIVATE)


@router.post("/geocode", summary="The places of many addresses")
async def geocode_many(request: Request, house: Inside, asker: Asker) -> Response:
    """One line per row in the order of the rows: the likeliest place, or what is wrong with the row.

    The body is CSV with a column `address`, or one JSON object with a member `address` per line; the answer is alike.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (CSV, NDJSON, "application/ndjson"):
        raise WrongMediaType(f"Addresses come as {CSV} or {NDJSON}, not as {media[:60] or 'nothing'}.")
    text = _decoded(await request.body())
    rows = list(_csv_rows(text) if media == CSV else _json_rows(text))
    lines = _answers(house, asker, rows, as_csv=media == CSV)
    return StreamingResponse(lines, media_type=CSV if media == CSV else NDJSON, headers=PRIVATE)


@router.get("/reverse", summary="The address of a point")
async def reverse_one(
    request: Request,
    house: Inside,
    asker: Asker,
    lon: Annotated[str, Query(description="Longitude in degrees.")],
    lat: Annotated[str, Query(description="Latitude in degrees.")],
    f: Format = None,
) -> Response:
    """The divisions around a point and the nearest door within about 400 m."""
    chosen = negotiate(request, f, DOCUMENT)
    x, y = degrees(lon, "lon"), degrees(lat, "lat")
    async with asking(house, asker) as gazetteer:
        found = await reverse(gazetteer, x, y)
        office = await nearest_office(gazetteer, x, y) if ADDRESSES in house.catalog.layers else None
    body = {
        "title": found.line,
        "line": found.line,
        "point": [x, y],
        "parts": found.parts.parts(),
        "door": None
        if found.key is None
        else {"point": found.point, "distance": found.distance, **_href(request, found.key)},
        "confidence": found.confidence,
        "postcode": office.postcode if office else None,
        "divisions": [described(request, one) for one in found.chain],
        "links": self_links(request, "/gazetteer/reverse", chosen, DOCUMENT, lon=lon, lat=lat),
    }
    return document(request, "reverse", body, chosen, None, headers=PRIVATE)


@router.get("/postcodes", summary="Postcodes of a division or a point")
async def postcodes(
    request: Request,
    house: Inside,
    asker: Asker,
    adcode: Annotated[str | None, Query(description="Code of a division.")] = None,
    near: Annotated[str | None, Query(description="lon,lat in degrees.")] = None,
    f: Format = None,
) -> Response:
    """The postcodes in a division, or the one at a point."""
    chosen = negotiate(request, f, DOCUMENT)
    if (adcode is None) == (near is None):
        raise BadParameter("Either adcode or near is given.", parameter="adcode")
    async with asking(house, asker) as gazetteer:
        if near is not None:
            lon, _, lat = near.partition(",")
            one = await nearest_office(gazetteer, degrees(lon, "lon"), degrees(lat, "lat"))
            found = [one] if one is not None else []
        else:
            found = await offices(gazetteer, adcode=adcode)
    links = self_links(request, "/gazetteer/postcodes", chosen, DOCUMENT, adcode=adcode, near=near)
    body = {"title": "Postcodes", "postcodes": [_office(one) for one in found], "links": links}
    return document(request, "postcodes", body, chosen, None, headers=PRIVATE)


@router.get("/postcodes/{postcode}", summary="The areas of a postcode")
async def one_postcode(
    request: Request, house: Inside, asker: Asker, postcode: str, f: Format = None, lang: Language = None
) -> Response:
    """What a postcode serves."""
    chosen = negotiate(request, f, DOCUMENT)
    if not (postcode.isascii() and postcode.isdigit() and len(postcode) in (5, 6)):
        raise BadParameter(f"A postcode has 5 or 6 digits; {postcode[:20]!r} has not.", parameter="postcode")
    async with asking(house, asker) as gazetteer:
        found = await offices(gazetteer, postcode=postcode)
    if not found:
        raise UnknownFeature(f"There is no postcode {postcode}.")
    links = self_links(request, f"/gazetteer/postcodes/{postcode}", chosen, DOCUMENT)
    body = {"title": postcode, "postcode": postcode, "postcodes": [_office(one) for one in found], "links": links}
    return document(request, "postcode", body, chosen, lang, headers=PRIVATE)


def _line(text: str) -> str:
    """A text that can be an address.

    Raises:
        BadParameter: When it is empty or too long.
    """
    plain = text.strip()
    if not 0 < len(plain) <= LONGEST_ADDRESS or not storable(plain):
        raise BadParameter(f"An address has 1 to {LONGEST_ADDRESS} characters.", parameter="q")
    return plain


def _result(request: Request, one: Geocoded) -> dict[str, Any]:
    feature = None
    if one.feature is not None:
        layer, key = one.feature
        feature = {
            "collection": layer,
            "id": key,
            "href": url(request, f"/collections/{layer}/items/{quote(key, safe='')}"),
        }
    return {
        "level": one.level,
        "confidence": one.confidence,
        "point": one.point,
        "line": one.line,
        "adcode": codes.canonical(one.chain[-1].code) if one.chain else None,
        "divisions": [{"code": d.code, "level": d.level, "name": d.name.zh if d.name else None} for d in one.chain],
        "feature": feature,
    }


def _feature(point: tuple[float, float] | None, told: dict[str, Any]) -> dict[str, Any]:
    shape = {"type": "Point", "coordinates": point} if point else None
    return {"type": "Feature", "geometry": shape, "properties": told}


def _href(request: Request, key: str) -> dict[str, str]:
    return {"id": key, "href": url(request, f"/collections/{ADDRESSES}/items/{quote(key, safe='')}")}


def _office(one: Office) -> dict[str, Any]:
    return {"postcode": one.postcode, "office": one.office, "adcode": one.adcode, "point": one.point}


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadBody(f"The body is not UTF-8; the byte at {error.start} is none of it.") from None


def _csv_rows(text: str) -> Iterator[Row]:
    """The addresses of a CSV file.

    Raises:
        BadBody: When there is no column `address`, or the file is broken.
        TooLarge: When there are too many rows.
    """
    reader = csv.DictReader(io.StringIO(text))
    try:
        if "address" not in (reader.fieldnames or ()):
            raise BadBody("The first line names the columns; one of them is `address`.")
        for number, row in enumerate(reader, 1):
            yield _checked(number, row.get("address"))
    except csv.Error as error:
        raise BadBody(f"The CSV cannot be read: {error}.") from None


def _json_rows(text: str) -> Iterator[Row]:
    """The addresses of lines of JSON.

    Raises:
        TooLarge: When there are too many.
    """
    for number, line in enumerate((one for one in text.split("\n") if one.strip()), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        yield _checked(number, row.get("address") if isinstance(row, dict) else None)


def _checked(number: int, value: object) -> Row:
    if number > MOST_ROWS:
        raise TooLarge(f"At most {MOST_ROWS} addresses are taken at a time.", maximum=MOST_ROWS)
    try:
        return number, _line(value if isinstance(value, str) else ""), None
    except BadParameter as error:
        return number, None, error.detail


async def _answers(house: House, asker: Principal, rows: list[Row], *, as_csv: bool) -> AsyncIterator[str]:
    """The lines of the answer; a connection is held for some rows at a time only."""
    if as_csv:
        yield _csv_line(_COLUMNS)
    for start in range(0, len(rows), _CHUNK):
        async with asking(house, asker) as gazetteer:
            told = [await _row_answer(gazetteer, row) for row in rows[start : start + _CHUNK]]
        yield "".join(_csv_line(_cells(one)) if as_csv else f"{json.dumps(one, ensure_ascii=False)}\n" for one in told)


async def _row_answer(gazetteer: Gazetteer, row: Row) -> dict[str, Any]:
    number, text, wrong = row
    if text is None:
        return _answer(row, Address(), [], wrong)
    try:
        parts, found = await geocode(gazetteer, text, 1)
    except GeoError as error:
        return _answer((number, text, None), Address(), [], error.detail)
    return _answer(row, parts, found, "Nothing was found for this address.")


def _answer(row: Row, parts: Address, found: list[Geocoded], wrong: str | None) -> dict[str, Any]:
    base: dict[str, Any] = {"row": row[0], "address": row[1]}
    if not found:
        return {**base, "error": wrong}
    one = found[0]
    code = codes.canonical(one.chain[-1].code) if one.chain else None
    told = {"level": one.level, "confidence": one.confidence, "point": one.point, "line": one.line, "adcode": code}
    return {**base, **told, "parts": parts.parts()}


def _cells(one: dict[str, Any]) -> list[object]:
    lon, lat = one.get("point") or (None, None)
    values = {**one, "lon": lon, "lat": lat}
    return [_safe(values.get(name)) for name in _COLUMNS]


def _safe(value: object) -> object:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value


def _csv_line(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


BLOCK = Block("addresses", None, "experimental", (), router, no_links)
