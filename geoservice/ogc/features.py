"""OGC API Features Part 1 (core, GeoJSON, HTML, OAS 3.0): items of a collection, one item, and the schema (Part 5)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.features.past import instant_asked
from geoservice.features.read import Page, PageQuery, read_item, read_page
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.encoding import encoded
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import FEATURES, GEOJSON, HTML, JSON, SCHEMA_JSON, negotiate
from geoservice.http.parameters import parse_cursor, parse_limit, together
from geoservice.ogc.block import SPEC, Block, no_links
from geoservice.ogc.common import Format, Language
from layers.access import Decision, Principal
from layers.errors import UnknownFeature, UnknownLayer
from layers.extent import parse_bbox
from layers.interval import parse_datetime
from layers.model import Attribute, Layer, RasterLayer, RowLayer, VectorLayer

router = APIRouter(tags=["features"])

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


@dataclass(frozen=True)
class ItemsQuery:
    """Query parameters of `items`, as they were written."""

    limit: Annotated[str | None, Query(description="Features per page, at least 1; large values are clamped.")] = None
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees (CRS84).")] = None
    datetime: Annotated[str | None, Query(description="RFC 3339 instant, date or interval start/end.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None

    def parsed(self, default: int, maximum: int) -> PageQuery:
        """The page asked for; raises BadParameter as the single parsers do."""
        return PageQuery(
            limit=parse_limit(self.limit, default, maximum),
            bbox=parse_bbox(self.bbox) if self.bbox is not None else None,
            interval=parse_datetime(self.datetime) if self.datetime is not None else None,
            after=parse_cursor(self.cursor),
        )


@dataclass(frozen=True)
class Presentation:
    """Query parameters that say in which format and language to answer."""

    f: Format = None
    lang: Language = None


@dataclass(frozen=True)
class PastQuery:
    """Query parameters that ask for features as they were."""

    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: features as they were then.")] = (
        None
    )
    edition: Annotated[str | None, Query(description="Number of an edition: features as it left them.")] = None

    def written(self) -> dict[str, str | None]:
        """The parameters under the names that they have in an address."""
        return {"as-of": self.as_of, "edition": self.edition}


@router.get("/collections/{collection_id}/items", summary="Features of a collection")
async def items(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    asked: Annotated[ItemsQuery, together(ItemsQuery)],
    past: Annotated[PastQuery, together(PastQuery)],
    form: Annotated[Presentation, together(Presentation)],
) -> Response:
    """A page of features in a stable order, as GeoJSON or HTML."""
    chosen = negotiate(request, form.f, FEATURES)
    layer, decision = open_rows(house, asker, collection_id)
    query = asked.parsed(house.settings.default_limit, house.settings.max_limit)
    async with house.pools.raw(asker.clearance) as connection:
        query = replace(query, as_of=await instant_asked(connection, layer, past.as_of, past.edition))
        page = await read_page(connection, house.reading, layer, decision, query)
    links = _page_links(request, layer, chosen, page, {**asdict(asked), **past.written()})
    return _feature_collection(request, layer, page, links, chosen, form.lang)


@router.get("/collections/{collection_id}/items/{feature_id:path}", summary="One feature")
async def item(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    feature_id: str,
    past: Annotated[PastQuery, together(PastQuery)],
    form: Annotated[Presentation, together(Presentation)],
) -> Response:
    """One feature by its public id, as GeoJSON or HTML."""
    chosen = negotiate(request, form.f, FEATURES)
    layer, decision = open_rows(house, asker, collection_id)
    if "\x00" in feature_id:
        raise UnknownFeature(f"Collection {layer.name} has no such feature.")
    async with house.pools.raw(asker.clearance) as connection:
        instant = await instant_asked(connection, layer, past.as_of, past.edition)
        found = await read_item(connection, house.reading, layer, decision, feature_id, instant)
    if found is None:
        raise UnknownFeature(f"Collection {layer.name} has no feature {feature_id[:80]!r}.")
    path = f"/collections/{layer.name}/items/{_quoted(feature_id)}"
    links = self_links(request, path, chosen, FEATURES, **past.written())
    links.append(link(url(request, f"/collections/{layer.name}"), "collection", JSON, layer.title.en))
    headers = {"Geoservice-Edition": str(found.edition), "Cache-Control": _cache_control(layer, found.final)}
    if chosen == "html":
        body = {
            **json.loads(found.feature),
            "collection": layer.name,
            "titles": layer.title.model_dump(),
            "links": links,
        }
        return document(request, "item", body, chosen, form.lang, headers=headers)
    text = f'{found.feature[:-1]}, "links": {json.dumps(links)}}}'
    return encoded(request, text.encode(), GEOJSON, headers)


@router.get("/collections/{collection_id}/schema", summary="Schema of the features")
async def schema(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """JSON Schema of the features' properties, without those the principal may not see."""
    formats = {"json": SCHEMA_JSON, "html": HTML}
    chosen = negotiate(request, f, formats)
    layer, decision = open_rows(house, asker, collection_id)
    body = schema_of(layer, decision, url(request, f"/collections/{layer.name}/schema"), lang or "en")
    return document(request, "schema", body, chosen, lang, media=SCHEMA_JSON)


def open_rows(house: House, asker: Principal, name: str) -> tuple[RowLayer, Decision]:
    """A collection that has features.

    Raises:
        UnknownLayer: When there is none, the principal may not see it, or it is a raster.
    """
    layer, decision = house.open_layer(asker, name)
    if isinstance(layer, RasterLayer):
        raise UnknownLayer(f"Collection {layer.name} is a raster: it has map tiles and no items.")
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
    request: Request, layer: RowLayer, page: Page, links: list[dict[str, Any]], chosen: str, lang: str | None
) -> Response:
    # No timeStamp member: it would change the entity tag of an unchanged page each second. The Date header says it.
    head: dict[str, Any] = {"type": "FeatureCollection", "numberReturned": page.returned}
    if page.matched is not None:
        head["numberMatched"] = page.matched
    head["edition"] = page.edition
    headers = {"Geoservice-Edition": str(page.edition or ""), "Cache-Control": _cache_control(layer, page.final)}
    if chosen == "html":
        features = json.loads(f"[{page.features}]")
        extra = {"collection": layer.name, "titles": layer.title.model_dump(), "features": features, "links": links}
        return document(request, "items", {**head, **extra}, chosen, lang, headers=headers)
    text = f'{json.dumps(head)[:-1]}, "links": {json.dumps(links)}, "features": [{page.features}]}}'
    return encoded(request, text.encode(), GEOJSON, headers)


def _page_links(
    request: Request, layer: Layer, chosen: str, page: Page, asked: dict[str, str | None]
) -> list[dict[str, Any]]:
    path = f"/collections/{layer.name}/items"
    links = self_links(request, path, chosen, FEATURES, **asked)
    if page.next_after is not None:
        following = {**asked, "cursor": str(page.next_after), "f": chosen}
        links.append(link(url(request, path, **following), "next", FEATURES[chosen], "Next page"))
    links.append(link(url(request, f"/collections/{layer.name}"), "collection", JSON, layer.title.en))
    return links


def _cache_control(layer: Layer, final: bool) -> str:
    # Private data must never rest in shared caches; public data is revalidated by its entity tag. The settled past
    # changes only when somebody raises a clearance, which must reach caches within the hour.
    freshness = "max-age=3600" if final else "no-cache"
    return freshness if layer.clearance == 0 else f"private, {freshness}"


def _quoted(feature_id: str) -> str:
    return quote(feature_id, safe="")


BLOCK = Block(
    name="features",
    spec="https://docs.ogc.org/is/17-069r4/17-069r4.html",
    maturity="stable",
    conformance=(
        f"{SPEC}/ogcapi-features-1/1.0/conf/core",
        f"{SPEC}/ogcapi-features-1/1.0/conf/geojson",
        f"{SPEC}/ogcapi-features-1/1.0/conf/html",
        f"{SPEC}/ogcapi-features-1/1.0/conf/oas30",
    ),
    router=router,
    links=no_links,
)
