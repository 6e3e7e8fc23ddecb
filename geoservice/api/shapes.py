"""What answers look like: JSON Schemas by name, and which resource answers with which. Clients are made from these."""

from __future__ import annotations

from typing import Any

from geoservice.http.negotiation import GEOJSON, JSON, SCHEMA_JSON

Shape = dict[str, Any]


def _is(name: str) -> Shape:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: tuple[str, ...], **properties: Shape) -> Shape:
    # Version 3.0 takes no empty list of what is required.
    return {"type": "object", **({"required": list(required)} if required else {}), "properties": properties}


def _list(of: Shape) -> Shape:
    return {"type": "array", "items": of}


_TEXT, _WHOLE, _NUMBER, _ANY = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "object"}
_TIME = {"type": "string", "format": "date-time"}
_BOX = {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 6}
_LINKS = _list(_is("Link"))
_STATUSES = ["accepted", "running", "successful", "failed", "dismissed"]

SHAPES: dict[str, Shape] = {
    "Link": _object(("href", "rel"), href=_TEXT, rel=_TEXT, type=_TEXT, title=_TEXT, length=_WHOLE),
    "Landing": _object(("links",), title=_TEXT, description=_TEXT, links=_LINKS),
    "Conformance": _object(("conformsTo",), conformsTo=_list(_TEXT)),
    "Extent": _object(
        (),
        spatial=_object(("bbox",), bbox=_list(_BOX), crs=_TEXT),
        temporal=_object(("interval",), interval=_list(_list({"type": ["string", "null"]}))),
    ),
    "Collection": _object(
        ("id", "links"),
        id=_TEXT,
        title=_TEXT,
        description=_TEXT,
        extent=_is("Extent"),
        crs=_list(_TEXT),
        storageCrs=_TEXT,
        itemType=_TEXT,
        links=_LINKS,
    ),
    "Collections": _object(("collections", "links"), collections=_list(_is("Collection")), links=_LINKS),
    "Geometry": {
        "type": ["object", "null"],
        "description": "GeoJSON geometry (RFC 7946)",
        "properties": {"type": _TEXT, "coordinates": {"type": "array", "items": {}}},
    },
    "Feature": _object(
        ("type", "geometry", "properties"),
        type={"type": "string", "enum": ["Feature"]},
        id=_TEXT,
        geometry=_is("Geometry"),
        properties={"type": ["object", "null"]},
        edition=_WHOLE,
        links=_LINKS,
    ),
    "FeatureCollection": _object(
        ("type", "features"),
        type={"type": "string", "enum": ["FeatureCollection"]},
        features=_list(_is("Feature")),
        numberMatched=_WHOLE,
        numberReturned=_WHOLE,
        links=_LINKS,
    ),
    "StatusInfo": _object(
        ("jobID", "status", "type"),
        jobID=_TEXT,
        processID=_TEXT,
        type={"type": "string", "enum": ["process"]},
        status={"type": "string", "enum": _STATUSES},
        message=_TEXT,
        progress={"type": "integer", "minimum": 0, "maximum": 100},
        created=_TIME,
        started=_TIME,
        finished=_TIME,
        updated=_TIME,
        links=_LINKS,
    ),
    "JobList": _object(("jobs", "links"), jobs=_list(_is("StatusInfo")), links=_LINKS),
    "ProcessSummary": _object(
        ("id", "version"),
        id=_TEXT,
        title=_TEXT,
        description=_TEXT,
        version=_TEXT,
        jobControlOptions=_list(_TEXT),
        outputTransmission=_list(_TEXT),
        links=_LINKS,
    ),
    "ProcessList": _object(("processes", "links"), processes=_list(_is("ProcessSummary")), links=_LINKS),
    "Process": {"allOf": [_is("ProcessSummary"), _object(("inputs", "outputs"), inputs=_ANY, outputs=_ANY)]},
    "Results": {"type": "object", "additionalProperties": {}},
    "Sheet": _object(
        ("number", "scale", "bbox"), number=_TEXT, scale=_WHOLE, bbox=_BOX, former_number=_TEXT, other_number=_TEXT
    ),
    "Sheets": _object(("sheets", "numberMatched"), numberMatched=_WHOLE, sheets=_list(_is("Sheet")), links=_LINKS),
    "JsonSchema": {"type": "object", "description": "JSON Schema 2020-12"},
}
"""JSON Schemas of answers, as OpenAPI 3.1 writes them."""

ANSWERS: dict[str, tuple[str, str]] = {
    "/": ("Landing", JSON),
    "/conformance": ("Conformance", JSON),
    "/collections": ("Collections", JSON),
    "/collections/{collection_id}": ("Collection", JSON),
    "/collections/{collection_id}/items": ("FeatureCollection", GEOJSON),
    "/collections/{collection_id}/items/{feature_id}": ("Feature", GEOJSON),
    "/collections/{collection_id}/schema": ("JsonSchema", SCHEMA_JSON),
    "/processes": ("ProcessList", JSON),
    "/processes/{process_id}": ("Process", JSON),
    "/jobs": ("JobList", JSON),
    "/jobs/{job_id}": ("StatusInfo", JSON),
    "/jobs/{job_id}/results": ("Results", JSON),
    "/gazetteer/sheets": ("Sheets", JSON),
    "/gazetteer/sheets/{sheet_number}": ("Sheet", JSON),
}
"""Path of a resource -> the shape of what GET answers, and its media type."""
