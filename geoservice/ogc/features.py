"""OGC API Features Part 1 (core, GeoJSON, HTML, OAS 3.0): items of a collection, one item, and the schema (Part 5)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.features.estimate import with_estimate
from geoservice.features.paging import read_pinned
from geoservice.features.past import instant_asked
from geoservice.features.places import Place
from geoservice.features.query import FeatureQuery, Look
from geoservice.features.read import Item, Page, read_item
from geoservice.house import Asker, House, Inside, house_of
from geoservice.http.documents import document, language_of
from geoservice.http.encoding import VERSION, encoded
from geoservice.http.links import link, link_header, self_links, url
from geoservice.http.negotiation import GEOJSON, HTML, JSON, SCHEMA_JSON, negotiate
from geoservice.http.parameters import PROPERTY_PARAMETERS, together
from geoservice.http.plain_route import PlainRoute
from geoservice.ogc.block import SPEC, Block, no_links
from geoservice.ogc.common import Format, Language
from geoservice.ogc.edr import OBSERVATIONS
from geoservice.ogc.feature_files import files_for, formats_of
from geoservice.ogc.item_query import ItemQuery, ItemsQuery, LookQuery, crs_header, place_bound
from geoservice.ogc.long_page import long_page
from geoservice.ogc.pager import Pager
from geoservice.security.identity import identify
from layers.access import Decision, Principal, decide
from layers.errors import UnknownFeature, UnknownLayer
from layers.model import Attribute, Layer, RasterLayer, RowLayer, VectorLayer
from layers.offered import CRS84

router = APIRouter(tags=["features"])
ITEMS_PATH = "/collections/{collection_id}/items"
ITEM_PATH = f"{ITEMS_PATH}/{{feature_id:path}}"

_JSON_TYPES: dict[str, dict[str, str]] = {
    "text": {"type": "string"},
    "code": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
_GEOMETRY_FORMATS = {
    "point": "geometry-point-or-multipoint",
    "line": "geometry-linestring-or-multilinestring",
    "polygon": "geometry-polygon-or-multipolygon",
    "any": "geometry-any",
}


@router.get(ITEMS_PATH, summary="Features of a collection", openapi_extra=PROPERTY_PARAMETERS)
async def items(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    asked: Annotated[ItemsQuery, together(ItemsQuery)],
) -> Response:
    """A page of features in a stable order, as GeoJSON or HTML."""
    return await _items(request, house, asker, collection_id, asked)


async def plain_items(request: Request, asked: ItemsQuery) -> Response:
    """The same, for requests that need no judgement of the framework."""
    house, asker = await house_of(request), await identify(request)
    return await _items(request, house, asker, request.path_params["collection_id"], asked)


async def _items(request: Request, house: House, asker: Principal, collection_id: str, asked: ItemsQuery) -> Response:
    layer, decision = open_rows(house, asker, collection_id)
    chosen = negotiate(request, asked.f, formats_of(layer, house.catalog))
    path = f"/collections/{layer.name}/items"
    pager = Pager(request, path, house.seal, place_bound(request, path, asker), formats_of(layer, house.catalog))
    place = pager.place(asked.cursor)
    query = asked.choice(house.settings.default_limit, _most(house, chosen, place))
    query = replace(query, sort=asked.order(decision.attributes), filter=asked.condition(request, layer, decision))
    query = replace(query, properties=asked.chosen(layer, decision), look=_look(asked, chosen))
    files, query = await files_for(house, asker, layer, decision, chosen, query)
    async with house.pools.raw(asker.clearance) as connection:
        query = replace(query, as_of=await instant_asked(connection, layer, asked.as_of, asked.edition))
        if query.limit <= house.settings.max_limit:
            page = await read_pinned(connection, house.reading, layer, decision, query, place)
            page = await with_estimate(connection, house.reading, layer, decision, query, page)
    if query.limit > house.settings.max_limit:
        return await long_page(house, pager, layer, decision, query, place)
    if files is not None:
        files = replace(files, query=query)
        headers = _page_headers(layer, page, pager.links(page, chosen, layer.title.en), query)
        return await files.answer(request, house, page.features, page.edition, headers)
    return _feature_collection(pager, layer, page, chosen, asked.lang, query)


@router.get(ITEM_PATH, summary="One feature")
async def item(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    feature_id: str,
    asked: Annotated[ItemQuery, together(ItemQuery)],
) -> Response:
    """One feature by its public id, as GeoJSON or HTML."""
    return await _item(request, house, asker, (collection_id, feature_id), asked)


async def plain_item(request: Request, asked: ItemQuery) -> Response:
    """The same, for requests that need no judgement of the framework."""
    house, asker, path = await house_of(request), await identify(request), request.path_params
    return await _item(request, house, asker, (path["collection_id"], path["feature_id"]), asked)


async def _item(request: Request, house: House, asker: Principal, place: tuple[str, str], asked: ItemQuery) -> Response:
    collection_id, feature_id = place
    layer, decision = open_rows(house, asker, collection_id)
    chosen = negotiate(request, asked.f, formats_of(layer, house.catalog))
    query = FeatureQuery(1, properties=asked.chosen(layer, decision), look=_look(asked, chosen))
    if "\x00" in feature_id:
        raise UnknownFeature(f"Collection {layer.name} has no such feature.")
    files, query = await files_for(house, asker, layer, decision, chosen, query)
    async with house.pools.raw(asker.clearance) as connection:
        query = replace(query, as_of=await instant_asked(connection, layer, asked.as_of, asked.edition))
        found = await read_item(connection, house.reading, layer, decision, feature_id, query)
    if found is None:
        raise UnknownFeature(f"Collection {layer.name} has no feature {feature_id[:80]!r}.")
    if files is not None:
        headers = _item_headers(layer, found, query)
        return await files.answer(request, house, found.feature, found.edition, headers)
    return _feature(request, layer, feature_id, found, chosen, asked.lang, query)


def _most(house: House, chosen: str, place: Place | None) -> int:
    """Most features of a page: GeoJSON is sent while it is read, but backwards it would come in the wrong order."""
    backward = place is not None and place.backward
    return house.settings.stream_max_limit if chosen == "json" and not backward else house.settings.max_limit


def _look(written: LookQuery, chosen: str) -> Look:
    """How geometries are written; a page for people draws them on its own map, in degrees."""
    look = written.look()
    return replace(look, crs=CRS84) if chosen == "html" else look


def _feature(
    request: Request, layer: RowLayer, feature_id: str, found: Item, chosen: str, lang: str | None, query: FeatureQuery
) -> Response:
    path = f"/collections/{layer.name}/items/{_quoted(feature_id)}"
    asked = {k: v for k, v in request.query_params.items() if k != "f"}
    links = self_links(request, path, chosen, formats_of(layer, request.app.state.house.catalog), **asked)
    links.append(link(url(request, f"/collections/{layer.name}"), "collection", JSON, layer.title.en))
    headers = _item_headers(layer, found, query)
    if chosen == "html":
        names = {"collection": layer.name, "titles": layer.title.model_dump()}
        feature = json.loads(found.feature)
        body = {**feature, **names, "attributes": _explained(request, layer, [feature], lang), "links": links}
        return document(request, "item", body, chosen, lang, headers=headers)
    text = f'{found.feature[:-1]}, "links": {json.dumps(links)}}}'
    return encoded(request, text.encode(), GEOJSON, headers)


def _explained(
    request: Request, layer: RowLayer, features: list[dict[str, Any]], lang: str | None
) -> dict[str, dict[str, Any]]:
    """What a page says of the properties that features have, and of no others: title, unit, words of codes."""
    language, catalog = language_of(request, lang), request.app.state.house.catalog
    found: dict[str, dict[str, Any]] = {}
    for name, attribute in layer.attributes.items():
        values = {str(one["properties"][name]) for one in features if name in (one.get("properties") or {})}
        if not values:
            continue
        about: dict[str, Any] = {"title": attribute.title.of(language) if attribute.title else name}
        if attribute.unit:
            about["unit"] = attribute.unit
        if attribute.list:
            codes = catalog.codelist(attribute.list)
            about["codes"] = {value: codes.label(value, language) for value in values}
        found[name] = about
    return found


def _item_headers(layer: RowLayer, found: Item, query: FeatureQuery) -> dict[str, str]:
    return {
        "Geoservice-Edition": str(found.edition),
        VERSION: str(found.edition),
        "Cache-Control": _cache_control(layer, found.final),
        **crs_header(query.look.crs),
    }


@router.get("/collections/{collection_id}/schema", summary="Schema of the features")
async def schema(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """JSON Schema of the features' properties, without those the principal may not see."""
    formats = {"json": SCHEMA_JSON, "html": HTML}
    chosen = negotiate(request, f, formats)
    layer, decision = open_rows(house, asker, collection_id)
    language = language_of(request, lang) if chosen == "html" else lang or "en"
    body = schema_of(layer, decision, url(request, f"/collections/{layer.name}/schema"), language)
    return document(request, "schema", body, chosen, lang, media=SCHEMA_JSON)


@router.get("/collections/{collection_id}/sortables", summary="Properties to sort by")
async def sortables(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """JSON Schema of the properties by which features can be sorted (Features Part 8, draft)."""
    formats = {"json": SCHEMA_JSON, "html": HTML}
    chosen = negotiate(request, f, formats)
    layer, decision = open_rows(house, asker, collection_id)
    language = language_of(request, lang) if chosen == "html" else lang or "en"
    body = schema_of(layer, decision, url(request, f"/collections/{layer.name}/sortables"), language)
    body["properties"].pop("geometry", None)
    body.pop("required")
    return document(request, "schema", body, chosen, lang, media=SCHEMA_JSON)


def open_rows(house: House, asker: Principal, name: str) -> tuple[RowLayer, Decision]:
    """A collection that has features. Whoever may edit them and looks at them finds the judge of edits ready.

    Raises:
        UnknownLayer: When there is none, the principal may not see it, or it is a raster.
    """
    layer, decision = house.open_layer(asker, name)
    if isinstance(layer, RasterLayer):
        raise UnknownLayer(f"Collection {layer.name} is a raster: it has map tiles and no items.")
    if asker.rights and decide(asker, "edit", layer).allowed:
        house.edits.warm()
    return layer, decision


def schema_of(layer: RowLayer, decision: Decision, address: str, language: str) -> dict[str, Any]:
    """JSON Schema 2020-12 with the roles of Features Part 5 (primary geometry, primary instant)."""
    properties: dict[str, Any] = {}
    if isinstance(layer, VectorLayer):
        properties["geometry"] = {"format": _GEOMETRY_FORMATS[layer.geometry], "x-ogc-role": "primary-geometry"}
    for name in decision.attributes:
        properties[name] = _property(layer, name, layer.attributes[name], language)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": address,
        "type": "object",
        "title": layer.title.of(language),
        "properties": properties,
        "required": [n for n in decision.attributes if layer.attributes[n].required],
        "additionalProperties": False,
    }


def _property(layer: RowLayer, name: str, attribute: Attribute, language: str) -> dict[str, Any]:
    made: dict[str, Any] = dict(_JSON_TYPES[attribute.type])
    made["title"] = attribute.title.of(language) if attribute.title else name
    for key, value in (("x-ogc-unit", attribute.unit), ("x-code-list", attribute.list), ("pattern", attribute.pattern)):
        if value:
            made[key] = value
    if attribute.description:
        made["description"] = attribute.description.of(language)
    low, high = attribute.range or (None, None)
    made |= {k: v for k, v in (("minimum", low), ("maximum", high)) if v is not None}
    if name == layer.time:
        made["x-ogc-role"] = "primary-instant"
    return made


def _feature_collection(
    pager: Pager, layer: RowLayer, page: Page, chosen: str, lang: str | None, query: FeatureQuery
) -> Response:
    request, links = pager.request, pager.links(page, chosen, layer.title.en)
    # No timeStamp member: it would change the entity tag of an unchanged page each second. The Date header says it.
    head: dict[str, Any] = {"type": "FeatureCollection", "numberReturned": page.returned}
    if page.matched is not None:
        head["numberMatched"] = page.matched
    elif page.estimate is not None:
        head["numberMatchedEstimate"] = page.estimate
    head["edition"] = page.edition
    headers = _page_headers(layer, page, links, query)
    if chosen == "html":
        features = json.loads(f"[{page.features}]")
        extra = {"collection": layer.name, "titles": layer.title.model_dump(), "features": features, "links": links}
        extra["attributes"] = _explained(request, layer, features, lang)
        return document(request, "items", {**head, **extra}, chosen, lang, headers=headers)
    text = f'{json.dumps(head)[:-1]}, "links": {json.dumps(links)}, "features": [{page.features}]}}'
    return encoded(request, text.encode(), GEOJSON, headers)


def _page_headers(layer: RowLayer, page: Page, links: list[dict[str, Any]], query: FeatureQuery) -> dict[str, str]:
    return {
        "Geoservice-Edition": str(page.edition or ""),
        "Cache-Control": _cache_control(layer, page.final),
        **link_header(links, ("next", "prev")),
        **crs_header(query.look.crs),
    }


def _cache_control(layer: Layer, final: bool) -> str:
    # Private data must never rest in shared caches; public data is revalidated by its entity tag. The settled past
    # changes only when somebody raises a clearance, which must reach caches within the hour.
    freshness = "max-age=3600" if final else "no-cache"
    return freshness if layer.clearance == 0 else f"private, {freshness}"


def _quoted(feature_id: str) -> str:
    return quote(feature_id, safe="")


STATIONS = f"/collections/{OBSERVATIONS}/"
PLAIN_ROUTES = (
    PlainRoute(ITEMS_PATH, ItemsQuery, plain_items, STATIONS),
    PlainRoute(ITEM_PATH, ItemQuery, plain_item, STATIONS),
)

BLOCK = Block(
    name="features",
    spec="https://docs.ogc.org/is/17-069r4/17-069r4.html",
    maturity="stable",
    conformance=(
        f"{SPEC}/ogcapi-features-1/1.0/conf/core",
        f"{SPEC}/ogcapi-features-1/1.0/conf/geojson",
        f"{SPEC}/ogcapi-features-1/1.0/conf/html",
        f"{SPEC}/ogcapi-features-1/1.0/conf/oas30",
        f"{SPEC}/ogcapi-features-2/1.0/conf/crs",
    ),
    router=router,
    links=no_links,
)
