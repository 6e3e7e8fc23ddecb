"""OGC API Features Part 3: what features can be filtered by, for each reader, and the functions a filter may call."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document, language_of
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, HTML, JSON, SCHEMA_JSON, negotiate
from geoservice.ogc.block import SPEC, Block
from geoservice.ogc.common import Format, Language
from geoservice.ogc.features import open_rows, schema_of
from layers.access import Decision, Principal
from layers.filter import queryables_of
from layers.filter.functions import FUNCTIONS, Argument, Function
from layers.filter.queryables import ID, common_queryables
from layers.filter.tree import Kind
from layers.model import RasterLayer, RowLayer

router = APIRouter(tags=["filter"])
QUERYABLES_REL = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
FUNCTIONS_REL = "http://www.opengis.net/def/rel/ogc/1.0/functions"
_FORMATS = {"json": SCHEMA_JSON, "html": HTML}
_TITLE = {"zh": "可过滤属性", "en": "Queryables"}
_ID_TITLE = {"zh": "要素标识", "en": "Public id of the feature"}
_TYPES = {
    Kind.TEXT: "string",
    Kind.INTEGER: "integer",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "datetime",
    Kind.DATETIME: "datetime",
    Kind.GEOMETRY: "geometry",
}


@router.get("/collections/{collection_id}/queryables", summary="What features of a collection can be filtered by")
async def queryables(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """JSON Schema 2020-12 of the properties that a filter may name, without those the principal may not see."""
    chosen = negotiate(request, f, _FORMATS)
    layer, decision = open_rows(house, asker, collection_id)
    language = language_of(request, lang) if chosen == "html" else lang or "en"
    address = url(request, f"/collections/{layer.name}/queryables")
    body = queryables_schema(layer, decision, address, language)
    return document(request, "schema", body, chosen, lang, media=SCHEMA_JSON)


@router.get("/queryables", summary="What features of several collections can be filtered by")
async def all_queryables(
    request: Request,
    house: Inside,
    asker: Asker,
    collections: Annotated[
        str | None, Query(description="Collections, separated by commas; without it all that have features.")
    ] = None,
    f: Format = None,
    lang: Language = None,
) -> Response:
    """JSON Schema 2020-12 of the properties that all of these collections have, with the same type in each."""
    chosen = negotiate(request, f, _FORMATS)
    opened = _opened(house, asker, collections)
    language = language_of(request, lang) if chosen == "html" else lang or "en"
    address = url(request, "/queryables", collections=collections)
    body = _common_schema(opened, address, language)
    return document(request, "schema", body, chosen, lang, media=SCHEMA_JSON)


@router.get("/functions", summary="Functions that filters may call")
async def functions(request: Request, f: Format = None, lang: Language = None) -> Response:
    """Names, arguments and results of the functions that a filter may call; there are no others."""
    chosen = negotiate(request, f, DOCUMENT)
    language = language_of(request, lang) if chosen == "html" else lang or "en"
    body = {
        "functions": [_described(one, language) for one in FUNCTIONS.values()],
        "links": self_links(request, "/functions", chosen, DOCUMENT),
    }
    return document(request, "functions", body, chosen, lang)


def queryables_schema(layer: RowLayer, decision: Decision, address: str, language: str) -> dict[str, Any]:
    """The schema of a collection's features as far as they can be filtered by, with the public id as `id`."""
    schema = schema_of(layer, decision, address, language)
    schema.pop("required")
    own = {ID: {"type": "string", "title": _ID_TITLE[language], "x-ogc-role": "id"}}
    title = f"{_TITLE[language]}: {layer.title.of(language)}"
    return {**schema, "title": title, "properties": {**own, **schema["properties"]}}


def _common_schema(opened: list[tuple[RowLayer, Decision]], address: str, language: str) -> dict[str, Any]:
    """The schema of what all collections share; without any collection there is nothing to filter by."""
    title = _TITLE[language]
    if not opened:
        names: list[str] = []
        properties: dict[str, Any] = {}
    else:
        names = list(common_queryables([queryables_of(*one) for one in opened]).names)
        properties = queryables_schema(*opened[0], address, language)["properties"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": address,
        "type": "object",
        "title": title,
        "properties": {name: properties[name] for name in names},
        "additionalProperties": False,
    }


def _opened(house: House, asker: Principal, collections: str | None) -> list[tuple[RowLayer, Decision]]:
    if collections is None:
        names = [layer.name for layer in house.visible(asker) if not isinstance(layer, RasterLayer)]
    else:
        names = list(dict.fromkeys(collections.split(",")))
    return [open_rows(house, asker, name) for name in names]


def _described(function: Function, language: str) -> dict[str, Any]:
    return {
        "name": function.name,
        "description": function.zh if language == "zh" else function.en,
        "arguments": [{"title": one.title, "type": _types(one)} for one in function.arguments],
        "returns": [_TYPES[function.returns]],
    }


def _types(argument: Argument) -> list[str]:
    kinds = (*argument.kinds, Kind.INTEGER) if Kind.NUMBER in argument.kinds else argument.kinds
    return list(dict.fromkeys(_TYPES[kind] for kind in kinds))


def _links(request: Request) -> list[dict[str, Any]]:
    return [
        link(url(request, "/queryables"), QUERYABLES_REL, SCHEMA_JSON, "Queryables of all collections"),
        link(url(request, "/functions"), FUNCTIONS_REL, JSON, "Functions of filters"),
    ]


_CQL2 = f"{SPEC}/cql2/1.0/conf"
_PART3 = f"{SPEC}/ogcapi-features-3/1.0/conf"
BLOCK = Block(
    name="filter",
    spec="https://docs.ogc.org/is/19-079r2/19-079r2.html",
    maturity="stable",
    conformance=(
        f"{_PART3}/queryables",
        f"{_PART3}/queryables-query-parameters",
        f"{_PART3}/filter",
        f"{_PART3}/features-filter",
        f"{_CQL2}/cql2-text",
        f"{_CQL2}/cql2-json",
        f"{_CQL2}/basic-cql2",
        f"{_CQL2}/advanced-comparison-operators",
        f"{_CQL2}/case-insensitive-comparison",
        f"{_CQL2}/accent-insensitive-comparison",
        f"{_CQL2}/basic-spatial-functions",
        f"{_CQL2}/basic-spatial-functions-plus",
        f"{_CQL2}/spatial-functions",
        f"{_CQL2}/temporal-functions",
        f"{_CQL2}/property-property",
        f"{_CQL2}/functions",
        f"{_CQL2}/arithmetic",
    ),
    router=router,
    links=_links,
)
