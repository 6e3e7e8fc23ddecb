"""Search across collections: features of several of them in one list, by GET and by POST."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

import pyproj
from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from geoservice.api.gazetteer import PRIVATE
from geoservice.features.past import moment_asked
from geoservice.features.places import bound_to
from geoservice.features.query import FeatureQuery
from geoservice.features.search import SearchPage, SearchPlace, Source, editions_now, read_search
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document, language_of
from geoservice.http.encoding import encoded
from geoservice.http.links import link, link_header, self_links, url
from geoservice.http.negotiation import GEOJSON, HTML, negotiate
from geoservice.http.parameters import together
from geoservice.ogc.block import Block
from geoservice.ogc.item_query import OUTER_NAMES, PRESENTATION, SearchQuery, crs_header
from layers.access import Principal
from layers.catalog import Catalog
from layers.errors import BadParameter, UnknownLayer, UnknownParameter
from layers.filter import Filter, Queryables, common_queryables, parse_filter, queryables_of
from layers.model import RasterLayer
from layers.offered import find_crs

router = APIRouter(tags=["search"])
_FORMATS = {"json": GEOJSON, "html": HTML}
_PATH = "/search"
_TURNS = {"next": "Next page", "prev": "Previous page"}
_LISTS = ("bbox", "collections", "ids")


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
    values: dict[str, str] = {}
    for name, value in body.items():
        if name not in OUTER_NAMES:
            raise UnknownParameter(
                f"A search does not know the member {name[:60]!r}; known: {', '.join(sorted(OUTER_NAMES))}.",
                parameter=name[:60],
            )
        if value is not None:
            values[OUTER_NAMES[name]] = _as_text(name, value)
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
    chosen = negotiate(request, asked.f, _FORMATS)
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
    links = _links(request, asked, chosen, _tokens(house, page, bound), posted=posted)
    if chosen == "html":
        return _page(request, house.catalog, asked, page, links)
    return _collection(request, page, links, query)


def _tokens(house: House, page: SearchPage, bound: bytes) -> dict[str, str]:
    """The tokens of the pages before and behind, where there are such."""
    places = {"next": page.following, "prev": page.previous}
    return {rel: house.seal.closed(place.packed(), bound) for rel, place in places.items() if place is not None}


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
    query = asked.choice(house.settings.default_limit, house.settings.max_limit)
    # Who searches many collections by a box or a time wants what lies there, not all that lies nowhere.
    return replace(query, filter=_filter(sources, asked), look=asked.look(), placeless=False)


def _filter(sources: list[Source], asked: SearchQuery) -> Filter | None:
    crs = None if asked.filter_crs is None else pyproj.CRS.from_user_input(find_crs(asked.filter_crs, "filter-crs").uri)
    known = [queryables_of(source.layer, source.decision) for source in sources]
    names = common_queryables(known) if known else Queryables({})
    return parse_filter(asked.filter, asked.filter_lang or "cql2-text", crs, names)


def _links(
    request: Request, asked: SearchQuery, chosen: str, tokens: Mapping[str, str], *, posted: bool
) -> list[dict[str, Any]]:
    given = asked.written()
    links = self_links(request, _PATH, chosen, _FORMATS, **{n: v for n, v in given.items() if n != "f"})
    for rel, token in tokens.items():
        told, following = _TURNS[rel], {**given, "cursor": token}
        if posted:
            links.append(link(url(request, _PATH), rel, _FORMATS[chosen], told, method="POST", body=following))
        else:
            links.append(link(url(request, _PATH, **following), rel, _FORMATS[chosen], told))
    return links


def _page(
    request: Request, catalog: Catalog, asked: SearchQuery, page: SearchPage, links: list[dict[str, Any]]
) -> Response:
    """The features for people: what each is and is called, and where all about it stands."""
    language, results = language_of(request, asked.lang), []
    for one in json.loads(f"[{page.features}]"):
        layer = catalog.layer(one["collection"])
        label = getattr(layer, "label", None)
        name = one["properties"].get(label.of(language)) if label is not None else None
        path = f"/collections/{layer.name}/items/{quote(str(one['id']), safe='')}"
        told = {"name": name} if name is not None else {}
        results.append(
            {"collection": layer.title.of(language), "id": one["id"], **told, "href": url(request, path, f="html")}
        )
    body = {"numberReturned": page.returned, "results": results, "links": links}
    return document(request, "search", body, "html", asked.lang, headers=PRIVATE)


def _collection(request: Request, page: SearchPage, links: list[dict[str, Any]], query: FeatureQuery) -> Response:
    head: dict[str, Any] = {"type": "FeatureCollection", "numberReturned": page.returned}
    if page.whole:
        head["numberMatched"] = page.returned
    text = f'{json.dumps(head)[:-1]}, "links": {json.dumps(links)}, "features": [{page.features}]}}'
    headers = {
        **PRIVATE,
        **link_header([one for one in links if "method" not in one], tuple(_TURNS)),
        **crs_header(query.look.crs),
    }
    return encoded(request, text.encode(), GEOJSON, headers)


def _landing_links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, _PATH), "http://www.opengis.net/def/rel/ogc/1.0/items", GEOJSON, "Search 跨图层检索")]


BLOCK = Block("search", None, "experimental", (), router, _landing_links)
