"""The gazetteer's divisions over HTTP: by code, below, above, at a point, their history, codes of other years."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.features.past import instant_asked
from geoservice.gazetteer import changes, codes, divisions, history
from geoservice.gazetteer.divisions import Division
from geoservice.gazetteer.surroundings import CHANGES, DIVISIONS, Gazetteer
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, GEOJSON, HTML, JSON, negotiate
from geoservice.http.parameters import parse_cursor, parse_limit, together
from geoservice.ogc.block import Block
from geoservice.ogc.common import Format, Language
from layers.access import ANONYMOUS, Principal
from layers.errors import BadParameter, UnknownFeature, UnknownLayer

router = APIRouter(prefix="/gazetteer", tags=["gazetteer"])
WITH_SHAPE = {"json": JSON, "geojson": GEOJSON, "html": HTML}
PRIVATE = {"Cache-Control": "private, no-cache"}
"""What a principal may see decides on these answers; shared caches must not keep them."""
_YEAR_DIGITS = 4
_WORLD = {"lon": 180.0, "lat": 90.0}
AsOf = Annotated[
    str | None, Query(alias="as-of", description="RFC 3339 instant: divisions as the base held them then.")
]


@dataclass(frozen=True)
class View:
    """Query parameters that say as of when, in which format and in which language to answer."""

    as_of: AsOf = None
    f: Format = None
    lang: Language = None


@dataclass(frozen=True)
class Listing:
    """Query parameters of lists of divisions."""

    limit: Annotated[str | None, Query(description="Divisions per page, at least 1; large values are clamped.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None


@dataclass(frozen=True)
class Conversion:
    """Query parameters of a conversion of codes."""

    code: Annotated[str, Query(description="Division code of 2, 4, 6, 9 or 12 digits.")]
    start: Annotated[str, Query(alias="from", description="Year or date that the code is of.")]
    end: Annotated[str, Query(alias="to", description="Year or date that is asked for.")]


@asynccontextmanager
async def asking(house: House, asker: Principal) -> AsyncIterator[Gazetteer]:
    """The surroundings of one question, with a connection of the asker's clearance."""
    async with house.pools.raw(asker.clearance) as connection:
        yield Gazetteer(connection, asker, house.catalog, house.reading)


@router.get("/divisions", summary="Administrative divisions")
async def divisions_list(
    request: Request,
    house: Inside,
    asker: Asker,
    listing: Annotated[Listing, together(Listing)],
    view: Annotated[View, together(View)],
    level: Annotated[str | None, Query(description="province, city, county, township or village.")] = None,
) -> Response:
    """Divisions in the order of their codes, all or of one level."""
    chosen = negotiate(request, view.f, DOCUMENT)
    if level is not None and level not in codes.LEVELS:
        raise BadParameter(f"level is one of {', '.join(codes.LEVELS)}; {level[:30]!r} is not.", parameter="level")
    limit, after = _paging(house, listing)
    async with asking(house, asker) as gazetteer:
        found = await divisions.of_level(gazetteer, level, await _instant(gazetteer, view), limit + 1, after)
    return _page(request, "/gazetteer/divisions", found, limit, (listing, view, {"level": level}), chosen)


@router.get("/divisions/at", summary="The divisions around a point")
async def divisions_at(
    request: Request,
    house: Inside,
    asker: Asker,
    view: Annotated[View, together(View)],
    lon: Annotated[str, Query(description="Longitude in degrees.")],
    lat: Annotated[str, Query(description="Latitude in degrees.")],
) -> Response:
    """The chain of divisions that a point lies in, the highest first; a point on a border lies in the lowest code."""
    chosen = negotiate(request, view.f, DOCUMENT)
    x, y = degrees(lon, "lon"), degrees(lat, "lat")
    async with asking(house, asker) as gazetteer:
        found = await divisions.at_point(gazetteer, x, y, await _instant(gazetteer, view))
    query = {"lon": lon, "lat": lat, "as-of": view.as_of}
    body = {
        "title": "Divisions around a point",
        "point": [x, y],
        "code": found[-1].code if found else None,
        "divisions": [described(request, one) for one in found],
        "links": self_links(request, "/gazetteer/divisions/at", chosen, DOCUMENT, **query),
    }
    return document(request, "divisions", body, chosen, view.lang, headers=PRIVATE)


@router.get("/divisions/{division_code}", summary="One division")
async def one_division(
    request: Request, house: Inside, asker: Asker, division_code: str, view: Annotated[View, together(View)]
) -> Response:
    """A division by its code. A code that is none any more is answered with the divisions it became."""
    chosen = negotiate(request, view.f, WITH_SHAPE)
    async with asking(house, asker) as gazetteer:
        instant = await _instant(gazetteer, view)
        found = await divisions.division(gazetteer, division_code, instant, geometry=chosen == "geojson")
        known = await _changes(gazetteer, division_code) if found is None else []
    links = self_links(request, f"/gazetteer/divisions/{division_code}", chosen, WITH_SHAPE, **{"as-of": view.as_of})
    if found is None:
        return document(request, "division", _former(request, division_code, known, links), chosen, view.lang)
    body = described(request, found)
    body["links"] = links + body["links"][1:]
    if chosen == "geojson":
        shape = json.loads(found.geometry) if found.geometry else None
        body = {"type": "Feature", "id": found.code, "geometry": shape, "properties": body}
    return document(request, "division", body, chosen, view.lang, WITH_SHAPE.get(chosen, JSON), PRIVATE)


@router.get("/divisions/{division_code}/children", summary="The divisions below one")
async def division_children(
    request: Request,
    house: Inside,
    asker: Asker,
    division_code: str,
    listing: Annotated[Listing, together(Listing)],
    view: Annotated[View, together(View)],
) -> Response:
    """The divisions directly below one, in the order of their codes."""
    chosen = negotiate(request, view.f, DOCUMENT)
    limit, after = _paging(house, listing)
    async with asking(house, asker) as gazetteer:
        instant = await _instant(gazetteer, view)
        found = await divisions.children(gazetteer, division_code, instant, limit + 1, after)
        if not found and await divisions.division(gazetteer, division_code, instant) is None:
            raise unknown(division_code)
    path = f"/gazetteer/divisions/{codes.canonical(division_code)}/children"
    return _page(request, path, found, limit, (listing, view, {}), chosen)


@router.get("/divisions/{division_code}/chain", summary="A division and those above it")
async def division_chain(
    request: Request, house: Inside, asker: Asker, division_code: str, view: Annotated[View, together(View)]
) -> Response:
    """A division and those above it, the highest first."""
    chosen = negotiate(request, view.f, DOCUMENT)
    async with asking(house, asker) as gazetteer:
        found = await divisions.chain(gazetteer, division_code, await _instant(gazetteer, view))
    if not found:
        raise unknown(division_code)
    path = f"/gazetteer/divisions/{codes.canonical(division_code)}/chain"
    body = {
        "title": "Chain of divisions",
        "divisions": [described(request, one) for one in found],
        "links": self_links(request, path, chosen, DOCUMENT, **{"as-of": view.as_of}),
    }
    return document(request, "divisions", body, chosen, view.lang, headers=PRIVATE)


@router.get("/divisions/{division_code}/history", summary="What a division went through")
async def division_history(
    request: Request, house: Inside, asker: Asker, division_code: str, f: Format = None, lang: Language = None
) -> Response:
    """The changes that touch a code, the earliest first, and what became of it."""
    chosen = negotiate(request, f, DOCUMENT)
    code = codes.canonical(division_code)
    async with asking(house, asker) as gazetteer:
        known = await _changes(gazetteer, code)
        current = await divisions.division(gazetteer, code)
    mine = [c for c in known if code in (c.former, c.later)]
    if not mine and current is None:
        raise unknown(division_code)
    today = _today()
    body = {
        "title": f"History of {code}",
        "code": code,
        "status": "current" if current is not None else "former",
        "ended": _day(history.ended(known, code, today)),
        "successors": _counterparts(request, history.successors(known, code, today)),
        "changes": [_change(c) for c in mine],
        "links": self_links(request, f"/gazetteer/divisions/{code}/history", chosen, DOCUMENT),
    }
    return document(request, "history", body, chosen, lang, headers=PRIVATE)


@router.get("/convert", summary="A code of one year in another year")
async def convert(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[Conversion, together(Conversion)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """The divisions of another date that a division corresponds to, and how. A year stands for its last day."""
    chosen = negotiate(request, f, DOCUMENT)
    code, first, last = codes.canonical(asked.code), _date(asked.start, "from"), _date(asked.end, "to")
    async with asking(house, asker) as gazetteer:
        known = await _changes(gazetteer, code)
        if not known and await divisions.division(gazetteer, code) is None:
            raise unknown(asked.code)
    query = {"code": asked.code, "from": asked.start, "to": asked.end}
    body = {
        "title": f"Code {code} of {first.isoformat()} on {last.isoformat()}",
        "code": code,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "divisions": _counterparts(request, history.convert(known, code, first, last)),
        "links": self_links(request, "/gazetteer/convert", chosen, DOCUMENT, **query),
    }
    return document(request, "conversion", body, chosen, lang, headers=PRIVATE)


def described(request: Request, one: Division) -> dict[str, Any]:
    """A division as JSON."""
    path = f"/gazetteer/divisions/{codes.canonical(one.code)}"
    return {
        "code": one.code,
        "level": one.level,
        "name": one.name.model_dump() if one.name else None,
        "titles": one.name.model_dump() if one.name else None,
        "gb2260": codes.gb2260(one.code),
        "statistical": codes.statistical(one.code),
        "parent": one.parent,
        "population": one.population,
        "edition": one.edition,
        "links": [
            link(url(request, path), "item", JSON),
            *(link(url(request, f"{path}/{rel}"), rel, JSON) for rel in ("children", "chain", "history")),
        ],
    }


def unknown(code: str) -> UnknownFeature:
    """The error of a code that is and was none, as far as the asker may know."""
    return UnknownFeature(f"There is no division with the code {code[:40]!r}.", code=code[:40])


def degrees(text: str, name: str) -> float:
    """Read a longitude or latitude.

    Args:
        text: What was written.
        name: `lon` or `lat`.

    Raises:
        BadParameter: When it is no number of degrees in its range.
    """
    most = _WORLD[name]
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -most <= value <= most:
        raise BadParameter(f"{name} is a number from {-most:g} to {most:g}; {text[:30]!r} is not.", parameter=name)
    return value


def _former(request: Request, code: str, known: list[history.Change], links: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer for a code that is none any more.

    Raises:
        UnknownFeature: When it never was one, as far as is known.
    """
    short, today = codes.canonical(code), _today()
    last = history.ended(known, short, today)
    if last is None:
        raise unknown(code)
    named = [c.names[0] for c in known if c.former == short and c.names[0]]
    return {
        "code": short,
        "level": codes.level_of(short),
        "status": "former",
        "name": {"zh": named[-1], "en": named[-1]} if named else None,
        "titles": {"zh": named[-1], "en": named[-1]} if named else None,
        "ended": last.isoformat(),
        "successors": _counterparts(request, history.successors(known, short, today)),
        "links": links,
    }


async def _changes(gazetteer: Gazetteer, code: str) -> list[history.Change]:
    """Changes about a code; none where there is no register that the asker may see."""
    try:
        gazetteer.open(CHANGES)
    except UnknownLayer:
        codes.canonical(code)
        return []
    return await changes.changes_about(gazetteer, code)


async def _instant(gazetteer: Gazetteer, view: View) -> dt.datetime | None:
    layer, _ = gazetteer.open(DIVISIONS)
    return await instant_asked(gazetteer.connection, layer, view.as_of, None)


def _paging(house: House, listing: Listing) -> tuple[int, str]:
    limit = parse_limit(listing.limit, house.settings.default_limit, house.settings.max_limit)
    parse_cursor(listing.cursor)
    return limit, listing.cursor or ""


def _page(
    request: Request,
    path: str,
    found: list[Division],
    limit: int,
    asked: tuple[Listing, View, dict[str, Any]],
    chosen: str,
) -> Response:
    listing, view, more = asked
    query = {**more, "as-of": view.as_of, "limit": listing.limit, "cursor": listing.cursor}
    links = self_links(request, path, chosen, DOCUMENT, **query)
    shown = found[:limit]
    if len(found) > limit:
        following = {**query, "cursor": shown[-1].code, "f": chosen}
        links.append(link(url(request, path, **following), "next", DOCUMENT[chosen], "Next page"))
    body = {
        "title": "Administrative divisions",
        "numberReturned": len(shown),
        "divisions": [described(request, one) for one in shown],
        "links": links,
    }
    return document(request, "divisions", body, chosen, view.lang, headers=PRIVATE)


def _counterparts(request: Request, found: tuple[history.Counterpart, ...]) -> list[dict[str, Any]]:
    return [
        {"code": one.code, "relation": one.relation, "href": url(request, f"/gazetteer/divisions/{one.code}")}
        for one in found
    ]


def _change(one: history.Change) -> dict[str, Any]:
    return {
        "effective": one.effective.isoformat(),
        "kind": one.kind,
        "from": {"code": one.former, "name": one.names[0]},
        "to": {"code": one.later, "name": one.names[1]},
        "note": {"zh": one.note[0], "en": one.note[1]},
    }


def _date(text: str, name: str) -> dt.date:
    """A date, or the last day of a year.

    Raises:
        BadParameter: When it is neither.
    """
    try:
        if len(text) == _YEAR_DIGITS and text.isascii() and text.isdigit():
            return dt.date(int(text), 12, 31)
        return dt.date.fromisoformat(text)
    except ValueError:
        raise BadParameter(
            f"{name} is a year such as 2015 or a date such as 2015-06-30; {text[:30]!r} is not.", parameter=name
        ) from None


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _links(request: Request) -> list[dict[str, Any]]:
    house: House = request.app.state.house
    if not any(layer.name == DIVISIONS for layer in house.visible(ANONYMOUS)):
        # An agency without this layer, or one that does not show it to everybody, has no register to be led to.
        return []
    return [link(url(request, "/gazetteer/divisions"), "related", JSON, "Administrative divisions")]


BLOCK = Block("gazetteer", None, "experimental", (), router, _links)
