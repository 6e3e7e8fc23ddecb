"""The parameters of features in the OpenAPI document, in the words of the standards.

The routes take each parameter as text and judge it themselves, so that every refusal says what was expected. Clients
and test suites want the schemas that the standards prescribe: Features Part 1 (7.15.2 to 7.15.4), Part 2 (6.2), and the
drafts of Parts 6 (properties), 7 (zoom-level) and 8 (sortby).
"""

from __future__ import annotations

from typing import Any

from geoservice.settings import Settings
from layers.crs import CRS84_URI

LISTS = ("/collections/{collection_id}/items", "/collections/{collection_id}/items/{feature_id}", "/search")
_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_CRS: dict[str, Any] = {"type": "string", "format": "uri", "default": CRS84_URI}
_BOX: dict[str, Any] = {
    "type": "array",
    "items": {"type": "number"},
    "minItems": 4,
    "maxItems": 6,
    "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
}
_SCHEMAS: dict[str, Any] = {
    "bbox": _BOX,
    "bbox-crs": _CRS,
    "datetime": {"type": "string"},
    "ids": _TEXTS,
    "collections": _TEXTS,
    "sortby": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": r"^[+-]?[^+\-\s].*$"}},
    "crs": _CRS,
    "properties": _TEXTS,
    "exclude-properties": _TEXTS,
    "skipGeometry": {"type": "boolean", "default": False},
    "zoom-level": {"type": "number", "minimum": 0, "maximum": 24},
    "max-allowable-offset": {"type": "number", "minimum": 0},
    "as-of": {"type": "string", "format": "date-time"},
    "edition": {"type": "integer"},
}


def with_item_parameters(body: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The document with the parameters of features as the standards define them; it is changed in place.

    Args:
        body: An OpenAPI document.
        settings: For the limits of pages.
    """
    most = max(settings.max_limit, settings.stream_max_limit)
    limit = {"type": "integer", "minimum": 1, "maximum": most, "default": settings.default_limit}
    schemas = {**_SCHEMAS, "limit": limit}
    for path in LISTS:
        for parameter in body["paths"].get(path, {}).get("get", {}).get("parameters", []):
            if parameter["in"] == "query" and parameter["name"] in schemas:
                parameter |= {"schema": schemas[parameter["name"]], "style": "form", "explode": False}
    return body
