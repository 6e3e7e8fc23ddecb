"""OGC API Common Part 1 and 2 / Features Part 1: landing page, conformance, collections."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.coverages.write import COG
from geoservice.edr.describe import described
from geoservice.edr.model import Known
from geoservice.edr.rasters import QUERIES, band_parameters
from geoservice.features.state import LayerState
from geoservice.house import Asker, Inside
from geoservice.http.documents import document, language_of
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, GEOJSON, HTML, JSON, MVT, negotiate
from geoservice.ogc.block import SPEC, Block
from geoservice.ogc.collection_record import record_of
from layers.crs import CRS84_URI, STORAGE_URI
from layers.freshness import due
from layers.model import Layer, RasterLayer, VectorLayer
from layers.offered import offered

router = APIRouter(tags=["common"])
Format = Annotated[str | None, Query(alias="f", description="Format: json or html.")]
Language = Annotated[str | None, Query(alias="lang", pattern="^(zh|en)$", description="Language of titles: zh or en.")]


@router.get("/", summary="Landing page")
async def landing(request: Request, f: Format = None, lang: Language = None) -> Response:
    """What this service is and where its parts are."""
    chosen = negotiate(request, f, DOCUMENT)
    links = self_links(request, "/", chosen, DOCUMENT)
    for block in request.app.state.blocks:
        links += block.links(request)
    body = {
        "title": "geoservice",
        "description": "Open geospatial information service: features, tiles, maps and answers. 开放空间地理信息服务。",
        "attribution": "Each collection states its authority and licence.",
        "links": links,
    }
    return document(request, "landing", body, chosen, lang)


@router.get("/conformance", summary="Conformance classes")
async def conformance(request: Request, f: Format = None, lang: Language = None) -> Response:
    """The conformance classes that this service declares."""
    chosen = negotiate(request, f, DOCUMENT)
    classes = [uri for block in request.app.state.blocks for uri in block.conformance]
    body = {"conformsTo": classes, "links": self_links(request, "/conformance", chosen, DOCUMENT)}
    return document(request, "conformance", body, chosen, lang)


@router.get("/collections", summary="All collections")
async def collections(
    request: Request, house: Inside, asker: Asker, f: Format = None, lang: Language = None
) -> Response:
    """The collections that the principal may see."""
    chosen = negotiate(request, f, DOCUMENT)
    layers = house.visible(asker)
    states = await house.states(asker, layers)
    found = [_listed(describe(request, layer, states[layer.name], lang)) for layer in layers]
    for block in request.app.state.blocks:
        if block.collections is not None:
            found += await block.collections(request, house, asker, lang or "en")
    body = {
        "links": self_links(request, "/collections", chosen, DOCUMENT),
        "numberMatched": len(found),
        "numberReturned": len(found),
        "crs": [crs.uri for crs in offered()],
        "collections": found,
    }
    return document(request, "collections", body, chosen, lang)


def _listed(body: dict[str, Any]) -> dict[str, Any]:
    """A collection in the list: it names the systems of the list instead of repeating them (Part 2, requirement 5)."""
    return {**body, "crs": ["#/crs"]} if body["crs"] == [crs.uri for crs in offered()] else body


@router.get("/collections/{collection_id}", summary="One collection")
async def collection(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """Title, extent, links, lineage of one collection."""
    chosen = negotiate(request, f, DOCUMENT)
    layer, decision = house.open_layer(asker, collection_id)
    states = await house.states(asker, [layer])
    body = describe(request, layer, states[layer.name], language_of(request, lang) if chosen == "html" else lang)
    body["links"] = self_links(request, f"/collections/{layer.name}", chosen, DOCUMENT) + body["links"][1:]
    if chosen == "html":
        body["record"] = await record_of(request, house, asker, (layer, decision), states[layer.name])
    return document(request, "collection", body, chosen, lang)


def describe(request: Request, layer: Layer, state: LayerState, lang: str | None) -> dict[str, Any]:
    """The collection object of a layer (Features Part 1, 7.14), with authority, licence and edition beside it."""
    language = lang or "en"
    layer = layer.crediting(state.mappings)
    body: dict[str, Any] = {
        "id": layer.name,
        "title": layer.title.of(language),
        "titles": layer.title.model_dump(),
        "description": layer.abstract.of(language) if layer.abstract else layer.title.of(language),
        "theme": layer.theme,
        "kind": layer.kind,
        "clearance": layer.clearance.label,
        "authority": layer.authority.model_dump(exclude_none=True),
        "licence": layer.licence.model_dump(exclude_none=True),
        "updateCycle": layer.cycle,
        "extent": _extent(state),
        "crs": [crs.uri for crs in offered()] if isinstance(layer, VectorLayer) else [CRS84_URI],
        "storageCrs": STORAGE_URI,
        "edition": _edition(state),
        "freshness": _freshness(layer, state),
        "links": _links(request, layer, state),
    }
    if layer.licence.attribution:
        body["attribution"] = layer.licence.attribution
    if isinstance(layer, RasterLayer):
        known = Known(QUERIES, band_parameters(layer, request.app.state.house.catalog.codelists))
        body |= described(known, lambda kind: url(request, f"/collections/{layer.name}/{kind}"), language)
    else:
        body["itemType"] = "feature"
        body["itemCount"] = state.rows
    if not isinstance(layer, VectorLayer):
        body.pop("storageCrs")
    return body


def _extent(state: LayerState) -> dict[str, Any]:
    extent: dict[str, Any] = {}
    if state.extent is not None:
        extent["spatial"] = {"bbox": [state.extent.as_list()], "crs": CRS84_URI}
    if state.begins is not None:
        interval = [t.isoformat().replace("+00:00", "Z") if t else None for t in (state.begins, state.ends)]
        extent["temporal"] = {
            "interval": [interval],
            "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian",
        }
    return extent


def _edition(state: LayerState) -> dict[str, Any] | None:
    if state.edition is None or state.committed is None:
        return None
    return {"number": state.edition, "committed": state.committed.isoformat(), "source": state.source}


def _freshness(layer: Layer, state: LayerState) -> dict[str, Any] | None:
    """When the next edition is due, and whether that has passed; None while nothing is loaded."""
    if state.committed is None:
        return None
    moment = due(layer.cycle, state.committed)
    passed = moment is not None and dt.datetime.now(dt.UTC) > moment
    return {"due": None if moment is None else moment.isoformat(), "overdue": passed}


def _links(request: Request, layer: Layer, state: LayerState) -> list[dict[str, Any]]:
    path = f"/collections/{layer.name}"
    links = [link(url(request, path), "self", JSON), *_history_links(request, path, state)]
    if isinstance(layer, RasterLayer):
        links.append(link(url(request, f"{path}/map/tiles"), f"{_REL}/tilesets-map", JSON, "Map tiles"))
        return [*links, link(url(request, f"{path}/coverage"), f"{_REL}/coverage", COG, "Coverage")]
    for media, name in ((GEOJSON, "json"), (HTML, "html")):
        links.append(link(url(request, f"{path}/items", f=name), "items", media, layer.title.en))
    links.append(link(url(request, f"{path}/schema"), f"{_REL}/schema", "application/schema+json", "Schema"))
    links.append(
        link(url(request, f"{path}/queryables"), f"{_REL}/queryables", "application/schema+json", "Queryables")
    )
    links.append(link(url(request, f"{path}/sortables"), f"{_REL}/sortables", "application/schema+json", "Sortables"))
    if isinstance(layer, VectorLayer):
        links.append(
            link(url(request, f"{path}/tiles"), f"{_REL}/tilesets-vector", JSON, "Vector tiles", templated=False)
        )
        template = url(request, f"{path}/tiles/WebMercatorQuad") + "/{tileMatrix}/{tileRow}/{tileCol}"
        links.append(link(template, "item", MVT, "Vector tile", templated=True))
    return links


def _history_links(request: Request, path: str, state: LayerState) -> list[dict[str, Any]]:
    """Where the data come from: the report of the latest load, all loads, all editions."""
    made = [
        link(url(request, f"{path}/loads"), "version-history", JSON, "Loads"),
        link(url(request, f"{path}/editions"), "version-history", JSON, "Editions"),
    ]
    if state.load is not None:
        made.insert(0, link(url(request, f"/loads/{state.load}"), "describedby", JSON, "Report of the latest load"))
    return made


_REL = "http://www.opengis.net/def/rel/ogc/1.0"


def _landing_links(request: Request) -> list[dict[str, Any]]:
    return [
        link(
            url(request, "/api", f="3.0"), "service-desc", "application/vnd.oai.openapi+json;version=3.0", "OpenAPI 3.0"
        ),
        link(
            url(request, "/api", f="3.1"), "service-desc", "application/vnd.oai.openapi+json;version=3.1", "OpenAPI 3.1"
        ),
        link(url(request, "/api", f="html"), "service-doc", HTML, "API documentation"),
        link(url(request, "/conformance"), "conformance", JSON, "Conformance classes"),
        link(url(request, "/collections"), "data", JSON, "Collections"),
        link(url(request, "/portal"), "about", HTML, "Map portal 地图门户"),
    ]


BLOCK = Block(
    name="common",
    spec="https://docs.ogc.org/is/19-072/19-072.html",
    maturity="stable",
    conformance=(
        f"{SPEC}/ogcapi-common-1/1.0/conf/core",
        f"{SPEC}/ogcapi-common-1/1.0/conf/landing-page",
        f"{SPEC}/ogcapi-common-1/1.0/conf/json",
        f"{SPEC}/ogcapi-common-1/1.0/conf/html",
        f"{SPEC}/ogcapi-common-1/1.0/conf/oas30",
        f"{SPEC}/ogcapi-common-2/1.0/conf/collections",
    ),
    router=router,
    links=_landing_links,
)
