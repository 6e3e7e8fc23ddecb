"""Search across collections: features of several of them in one list, by GET and by POST."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import pyproj
from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from geoservice.features.past import moment_asked
from geoservice.features.places import bound_to
from geoservice.features.query import FeatureQuery
from geoservice.features.search import SearchPage, SearchPlace, Source, editions_now, read_search
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, link_header, url
from geoservice.http.negotiation import GEOJSON, negotiate
from geoservice.http.parameters import together
from geoservice.ogc.block import Block
from geoservice.ogc.item_query import PRESENTATION, ChoiceQuery, LookQuery, crs_header
from layers.access import Principal
from layers.errors import BadParameter, UnknownLayer, UnknownParameter
from layers.filter import Filter, Queryables, common_queryables, parse_filter, queryables_of
from layers.model import RasterLayer
from layers.offered import find_crs

router = APIRouter(tags=["search"])
_FORMATS = {"json": GEOJSON}
_PATH = "/search"
_LISTS = ("bbox", "collections", "ids")


@dataclass(frozen=True)
class SearchQuery:
    """What is searched for, and how it is written."""

    collections: Annotated[
        str | None, Query(description="Collections to search, separated by commas; default: all that have features.")
    ] = None
    limit: Annotated[str | None, Query(description="Features per page, at least 1; large values are clamped.")] = None
    bbox: Annotated[
        str | None, Query(description="west,south,east,north in degrees (CRS84), or in the axis order of bbox-crs.")
    ] = None
    bbox_crs: Annotated[
        str | None, Query(alias="bbox-crs", description="Coordinate reference system of bbox; default CRS84.")
    ] = None
    datetime: Annotated[str | None, Query(description="RFC 3339 instant, date or interval start/end.")] = None
    ids: Annotated[str | None, Query(description="Public ids, separated by commas.")] = None
    filter: Annotated[
        str | None, Query(description="CQL2: a condition on properties that all of the collections have.")
    ] = None
    filter_lang: Annotated[
        str | None, Query(alias="filter-lang", description="Language of filter: cql2-text (default) or cql2-json.")
    ] = None
    filter_crs: Annotated[
        str | None, Query(alias="filter-crs", description="CRS of the geometries in filter; default CRS84.")
    ] = None
    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: features as they were then.")] = (
        None
    )
    crs: Annotated[str | None, Query(description="Coordinate reference system of the answer; default CRS84.")] = None
    skip_geometry: Annotated[
        str | None, Query(alias="skipGeometry", description="true: without geometries; false: with them.")
    ] = None
    zoom_level: Annotated[
        str | None,
        Query(alias="zoom-level", description="Simplify geometries for a map at this zoom level (0 to 24)."),
    ] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None
    f: Annotated[str | None, Query(description="Format: json.")] = None

    def written(self) -> dict[str, str]:
        """What was given, under the names that it has in an address."""
        names = {field.name: _NAMES.get(field.name, field.name) for field in fields(self)}
        pairs = {outer: getattr(self, name) for name, outer in names.items()}
        return {name: value for name, value in pairs.items() if value is not None}


_NAMES = {
    "bbox_crs": "bbox-crs",
    "filter_lang": "filter-lang",
    "filter_crs": "filter-crs",
    "as_of": "as-of",
    "skip_geometry": "skipGeometry",
    "zoom_level": "zoom-level",
}
SearchBody = Annotated[
    dict[str, Any],
    Body(
        description="The parameters of GET as members; lists as arrays, filter as text or as CQL2 JSON.",
        examples=[{"collections": ["country"], "bbox": [170, -50, -170, -30], "limit": 10}],
    ),
]


@router.get(_PATH, summary="Features of several collections")
async def search(
    request: Request, house: Inside, asker: Asker, asked: Annotated[SearchQuery, together(SearchQuery)]
) -> Response:
    """Features of all visible collections, or of some, that meet the conditions; each names its collection."""
    return await _answer(request, house, asker, asked, posted=False)


@router.post(_PATH, summary="Features of several collections, asked for in a body")
async def post_search(request: Request, house: Inside, asker: Asker, body: SearchBody) -> Response:
    """The same as GET, with the parameters as members of a JSON object."""
    return await _answer(request, house, asker, asked_in(body), posted=True)


def asked_in(body: Mapping[str, Any]) -> SearchQuery:
    """The parameters that a JSON object holds.

    Raises:
        UnknownParameter: When it has a member that is none.
        BadParameter: When a member is neither a text, a number nor a list of such (a filter may be an object).
    """
    inner = {_NAMES.get(field.name, field.name): field.name for field in fields(SearchQuery)}
    values: dict[str, str] = {}
    for name, value in body.items():
        if name not in inner:
            raise UnknownParameter(
                f"A search does not know the member {name[:60]!r}; known: {', '.join(sorted(inner))}.",
                parameter=name[:60],
            )
        if value is not None:
            values[inner[name]] = _as_text(name, value)
    if isinstance(body.get("filter"), dict):
        values.setdefault("filter_lang", "cql2-json")
    return SearchQuery(**values)


def _as_text(name: str, value: object) -> str:
    if name in _LISTS and isinstance(value, list) and all(_plain(one) for one in value):
        return ",".join(str(one) for one in value)
    if name == "filter" and isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    if not _plain(value):
        raise BadParameter(f"The member {name} is not of the form that a search takes.", parameter=name)
    return str(value)


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


async def _answer(request: Request, house: House, asker: Principal, asked: SearchQuery, *, posted: bool) -> Response:
    negotiate(request, asked.f, _FORMATS)
    sources = _sources(house, asker, asked.collections)
    query = _query(house, sources, asked)
    bound = bound_to(_PATH, asker.clearance, {k: v for k, v in asked.written().items() if k not in PRESENTATION})
    async with house.pools.raw(asker.clearance) as connection:
        query = replace(query, as_of=moment_asked(asked.as_of))
        if asked.cursor is None:
            first = sources[0].layer.name if sources else ""
            place = SearchPlace(first, 0, await editions_now(connection, asker.clearance, sources))
        else:
            place = SearchPlace.unpacked(house.seal.opened(asked.cursor, bound))
        page = await read_search(connection, house.reading, sources, query, place)
    token = None if page.following is None else house.seal.closed(page.following.packed(), bound)
    return _collection(request, page, _links(request, asked, token, posted=posted), query)


def _sources(house: House, asker: Principal, wanted: str | None) -> list[Source]:
    """The layers to search, by name; what the asker may not see is as if it did not exist."""
    if wanted is None:
        layers = [layer for layer in house.visible(asker) if not isinstance(layer, RasterLayer)]
        opened = [house.open_layer(asker, layer.name) for layer in layers]
    else:
        opened = [_opened(house, asker, name) for name in dict.fromkeys(wanted.split(","))]
    made = [Source(layer, decision) for layer, decision in opened if not isinstance(layer, RasterLayer)]
    return sorted(made, key=lambda source: source.layer.name)


def _opened(house: House, asker: Principal, name: str) -> Any:
    try:
        layer, decision = house.open_layer(asker, name)
    except UnknownLayer:
        layer, decision = None, None
    if layer is None or isinstance(layer, RasterLayer):
        raise BadParameter(
            f"collections names collections of features that /collections lists; {name[:60]!r} is none of them.",
            parameter="collections",
        )
    return layer, decision


def _query(house: House, sources: list[Source], asked: SearchQuery) -> FeatureQuery:
    choice = ChoiceQuery(asked.limit, asked.bbox, asked.bbox_crs, asked.datetime, asked.ids)
    look = LookQuery(crs=asked.crs, skip_geometry=asked.skip_geometry, zoom_level=asked.zoom_level).look()
    query = choice.choice((), house.settings.default_limit, house.settings.max_limit)
    # Who searches many collections by a box or a time wants what lies there, not all that lies nowhere.
    return replace(query, filter=_filter(sources, asked), look=look, placeless=False)


def _filter(sources: list[Source], asked: SearchQuery) -> Filter | None:
    crs = None if asked.filter_crs is None else pyproj.CRS.from_user_input(find_crs(asked.filter_crs, "filter-crs").uri)
    known = [queryables_of(source.layer, source.decision) for source in sources]
    names = common_queryables(known) if known else Queryables({})
    return parse_filter(asked.filter, asked.filter_lang or "cql2-text", crs, names)


def _links(request: Request, asked: SearchQuery, token: str | None, *, posted: bool) -> list[dict[str, Any]]:
    given = asked.written()
    links = [link(url(request, _PATH, **given), "self", GEOJSON)]
    if token is not None and posted:
        following = {**given, "cursor": token}
        links.append(link(url(request, _PATH), "next", GEOJSON, "Next page", method="POST", body=following))
    elif token is not None:
        links.append(link(url(request, _PATH, **{**given, "cursor": token}), "next", GEOJSON, "Next page"))
    return links


def _collection(request: Request, page: SearchPage, links: list[dict[str, Any]], query: FeatureQuery) -> Response:
    head: dict[str, Any] = {"type": "FeatureCollection", "numberReturned": page.returned}
    if page.whole:
        head["numberMatched"] = page.returned
    text = f'{json.dumps(head)[:-1]}, "links": {json.dumps(links)}, "features": [{page.features}]}}'
    headers = {
        "Cache-Control": "private, no-cache",
        **link_header([one for one in links if "method" not in one], ("next",)),
        **crs_header(query.look.crs),
    }
    return encoded(request, text.encode(), GEOJSON, headers)


def _landing_links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, _PATH), "http://www.opengis.net/def/rel/ogc/1.0/items", GEOJSON, "Search 跨图层检索")]


BLOCK = Block("search", None, "experimental", (), router, _landing_links)
