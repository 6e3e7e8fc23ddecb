"""What answers look like: JSON Schemas by name, and which resource answers with which. Clients are made from these."""

from __future__ import annotations

from geoservice.api.shape_words import ANY, BOX, LINKS, TEXT, TIME, WHOLE, Shape, named, optional, record, several
from geoservice.http.negotiation import GEOJSON, JSON, SCHEMA_JSON

_STATUSES = ["accepted", "running", "successful", "failed", "dismissed"]

SHAPES: dict[str, Shape] = {
    "Link": record(("href", "rel"), href=TEXT, rel=TEXT, type=TEXT, title=TEXT, length=WHOLE),
    "SensorThingsRoot": record(
        ("value", "serverSettings"),
        value=several(record(("name", "url"), name=TEXT, url=TEXT)),
        serverSettings=record(("conformance",), conformance=several(TEXT)),
    ),
    # An entity of any type, or a set of them.
    "SensorThings": record((), **{"@iot.id": WHOLE, "@iot.selfLink": TEXT, "@iot.count": WHOLE, "@iot.nextLink": TEXT}),
    "Landing": record(("links",), title=TEXT, description=TEXT, links=LINKS),
    "Conformance": record(("conformsTo",), conformsTo=several(TEXT)),
    "Extent": record(
        (),
        spatial=record(("bbox",), bbox=several(BOX), crs=TEXT),
        temporal=record(("interval",), interval=several(several({"type": ["string", "null"]}))),
    ),
    "Collection": record(
        ("id", "links"),
        id=TEXT,
        title=TEXT,
        description=TEXT,
        extent=named("Extent"),
        crs=several(TEXT),
        storageCrs=TEXT,
        itemType=TEXT,
        links=LINKS,
    ),
    "Collections": record(("collections", "links"), collections=several(named("Collection")), links=LINKS),
    "Geometry": {
        "type": ["object", "null"],
        "description": "GeoJSON geometry (RFC 7946)",
        "properties": {"type": TEXT, "coordinates": {"type": "array", "items": {}}},
    },
    "Feature": record(
        ("type", "geometry", "properties"),
        type={"type": "string", "enum": ["Feature"]},
        id=TEXT,
        geometry=named("Geometry"),
        properties={"type": ["object", "null"]},
        edition=WHOLE,
        links=LINKS,
    ),
    "FeatureCollection": record(
        ("type", "features"),
        type={"type": "string", "enum": ["FeatureCollection"]},
        features=several(named("Feature")),
        numberMatched=WHOLE,
        numberReturned=WHOLE,
        links=LINKS,
    ),
    "StatusInfo": record(
        ("jobID", "status", "type"),
        jobID=TEXT,
        processID=TEXT,
        type={"type": "string", "enum": ["process"]},
        status={"type": "string", "enum": _STATUSES},
        message=TEXT,
        progress={"type": "integer", "minimum": 0, "maximum": 100},
        created=TIME,
        started=TIME,
        finished=TIME,
        updated=TIME,
        links=LINKS,
    ),
    "JobList": record(("jobs", "links"), jobs=several(named("StatusInfo")), links=LINKS),
    "ProcessSummary": record(
        ("id", "version"),
        id=TEXT,
        title=TEXT,
        description=TEXT,
        version=TEXT,
        jobControlOptions=several(TEXT),
        outputTransmission=several(TEXT),
        links=LINKS,
    ),
    "ProcessList": record(("processes", "links"), processes=several(named("ProcessSummary")), links=LINKS),
    "Process": {"allOf": [named("ProcessSummary"), record(("inputs", "outputs"), inputs=ANY, outputs=ANY)]},
    "Results": {"type": "object", "additionalProperties": {}},
    "Sheet": record(
        ("number", "scale", "bbox"), number=TEXT, scale=WHOLE, bbox=BOX, former_number=TEXT, other_number=TEXT
    ),
    "Sheets": record(("sheets", "numberMatched"), numberMatched=WHOLE, sheets=several(named("Sheet")), links=LINKS),
    "Statistics": record(
        ("collection", "measures", "total", "groups"),
        collection=TEXT,
        edition=optional("object"),
        asOf=optional("string"),
        groupBy=several(record(("name",), name=TEXT, titles=ANY, level=TEXT, period=TEXT, list=TEXT)),
        within=optional("string"),
        measures=several(record(("name",), name=TEXT, titles=ANY, unit=optional("string"))),
        total=ANY,
        numberOfGroups=WHOLE,
        groups=several(
            record(("keys", "labels", "values"), keys=several(optional("string")), labels=several(ANY), values=ANY)
        ),
        rest=optional("object"),
        outside=optional("object"),
        histogram=optional("object"),
        method=ANY,
        links=LINKS,
    ),
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
    "/collections/{collection_id}/statistics": ("Statistics", JSON),
    "/processes": ("ProcessList", JSON),
    "/processes/{process_id}": ("Process", JSON),
    "/jobs": ("JobList", JSON),
    "/jobs/{job_id}": ("StatusInfo", JSON),
    "/jobs/{job_id}/results": ("Results", JSON),
    "/sensorthings/v1.1": ("SensorThingsRoot", JSON),
    "/sensorthings/v1.1/{entity_path}": ("SensorThings", JSON),
    "/gazetteer/sheets": ("Sheets", JSON),
    "/gazetteer/sheets/{sheet_number}": ("Sheet", JSON),
}
"""Path of a resource -> the shape of what GET answers, and its media type."""
