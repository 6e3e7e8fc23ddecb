"""Shapes of the answers to questions: about places, networks, names, divisions, what changed."""

from __future__ import annotations

from geoservice.api.shape_words import (
    ANY,
    LINKS,
    NUMBER,
    POSITION,
    TEXT,
    TRUTH,
    WHOLE,
    Shape,
    named,
    optional,
    record,
    several,
)
from geoservice.http.negotiation import GEOJSON, JSON, SCHEMA_JSON

_WAY = record((), mode=TEXT, preference=TEXT, edition=optional("integer"), network=TEXT, closures=ANY)
_FEATURES = record(
    ("type", "features"),
    type={"type": "string", "enum": ["FeatureCollection"]},
    features=several(named("PlainFeature")),
)

QUESTION_SHAPES: dict[str, Shape] = {
    "Titles": record(("zh", "en"), zh=optional("string"), en=optional("string")),
    "PlainFeature": record(
        ("type", "geometry", "properties"),
        type={"type": "string", "enum": ["Feature"]},
        geometry=named("Geometry"),
        properties=ANY,
    ),
    "Place": record(("origin",), origin=TEXT, boxes=several(several(NUMBER)), tolerance=NUMBER),
    "FoundFeature": record(
        ("id", "properties"), id=TEXT, distance=NUMBER, geometry=named("Geometry"), properties=ANY, codes=ANY
    ),
    "FoundCollection": record(
        ("id", "features"),
        id=TEXT,
        title=named("Titles"),
        edition=optional("integer"),
        more=TRUTH,
        features=several(named("FoundFeature")),
    ),
    "BandValue": record(("band", "value"), band=TEXT, value=optional("number"), unit=optional("string"), code=ANY),
    "RasterValues": record(
        ("id", "values"),
        id=TEXT,
        title=named("Titles"),
        values=several(named("BandValue")),
        point=POSITION,
        method=TEXT,
    ),
    "FoundHere": record(
        ("place", "collections"),
        place=named("Place"),
        collections=several(named("FoundCollection")),
        rasters=several(named("RasterValues")),
    ),
    "Joined": record(
        ("collection", "found", "properties"),
        collection=TEXT,
        edition=optional("integer"),
        found=TRUTH,
        properties=optional("object"),
    ),
    "NearestFeatures": record(
        ("collection", "point", "features"),
        collection=TEXT,
        point=POSITION,
        features=several(named("FoundFeature")),
    ),
    "Profile": record(
        ("collection", "bands", "values"), collection=TEXT, method=TEXT, bands=several(ANY), values=several(ANY)
    ),
    "Networks": record(("networks",), networks=several(record(("network",), network=TEXT, modes=ANY, links=LINKS))),
    "Route": {
        "allOf": [
            _WAY,
            _FEATURES,
            record(("status",), status=TEXT, distance_m=NUMBER, duration_s=NUMBER, reason=TEXT),
        ]
    },
    "Ways": {"allOf": [_WAY, _FEATURES]},
    "Matrix": {
        "allOf": [
            _WAY,
            record(
                ("sources", "targets"),
                sources=several(ANY),
                targets=several(ANY),
                durations_s=several(several(optional("number"))),
                distances_m=several(several(optional("number"))),
            ),
        ]
    },
    "FoundName": record(
        ("id", "collection", "name"),
        id=TEXT,
        collection=TEXT,
        name=TEXT,
        names=named("Titles"),
        point={**POSITION, "type": ["array", "null"]},
        adcode=optional("string"),
        distance=optional("number"),
        score=NUMBER,
        href=TEXT,
    ),
    "FoundNames": record(("q", "results"), q=TEXT, results=several(named("FoundName")), links=LINKS),
    "Division": record(("code", "level"), code=TEXT, level=TEXT, parent=optional("string"), links=LINKS),
    "Divisions": record(("divisions",), divisions=several(named("Division")), links=LINKS),
    "Conversion": record(("code", "divisions"), code=TEXT, divisions=several(ANY), links=LINKS),
    "Geocoded": record(
        ("level", "confidence", "line"),
        level=TEXT,
        confidence=NUMBER,
        point={**POSITION, "type": ["array", "null"]},
        line=TEXT,
        adcode=optional("string"),
    ),
    "Geocoding": record(("q", "results"), q=TEXT, parts=ANY, results=several(named("Geocoded")), links=LINKS),
    "Coordinates": record(("readings",), readings=several(record(("lon", "lat"), lon=NUMBER, lat=NUMBER)), links=LINKS),
    "Zone": record(("sections",), zone=ANY, as_of=optional("string"), sections=several(ANY), method=ANY, computed=TEXT),
    "Impact": record(("zone", "sections"), zone=ANY, sections=several(ANY), needs=several(ANY), ways=ANY, method=ANY),
    "Compliance": record(
        ("red_line", "verdict", "rules", "sections"),
        red_line=ANY,
        verdict=TEXT,
        rules=several(ANY),
        sections=several(ANY),
    ),
    "ImpactDifference": record(("first", "second", "sections"), first=ANY, second=ANY, sections=several(ANY)),
    "Changes": record(
        ("collection", "since", "until", "changes"),
        collection=TEXT,
        since=WHOLE,
        until=WHOLE,
        numberReturned=WHOLE,
        changes=several(ANY),
        links=LINKS,
    ),
    "Functions": record(("functions",), functions=several(record(("name",), name=TEXT)), links=LINKS),
}
"""JSON Schemas of answers, as OpenAPI 3.1 writes them."""

QUESTION_ANSWERS: dict[tuple[str, str], tuple[str, str]] = {
    **{
        (method, f"/query/{name}"): ("FoundHere", JSON)
        for method in ("get", "post")
        for name in ("identify", "intersects", "within")
    },
    ("get", "/query/buffer"): ("PlainFeature", JSON),
    ("post", "/query/buffer"): ("PlainFeature", JSON),
    ("get", "/query/join"): ("Joined", JSON),
    ("get", "/query/nearest"): ("NearestFeatures", JSON),
    ("get", "/query/values"): ("RasterValues", JSON),
    ("post", "/query/values"): ("Profile", JSON),
    ("post", "/analysis/zone"): ("Zone", JSON),
    ("post", "/impact"): ("Impact", JSON),
    ("post", "/impact/compare"): ("ImpactDifference", JSON),
    ("post", "/compliance"): ("Compliance", JSON),
    ("post", "/compliance/file"): ("Compliance", JSON),
    ("get", "/routing"): ("Networks", JSON),
    ("get", "/routing/routes"): ("Route", GEOJSON),
    ("post", "/routing/routes"): ("Route", GEOJSON),
    **{
        (method, f"/routing/{name}"): ("Ways", GEOJSON)
        for method in ("get", "post")
        for name in ("nearest", "isochrones")
    },
    ("post", "/routing/matrix"): ("Matrix", JSON),
    ("get", "/gazetteer/names"): ("FoundNames", JSON),
    ("get", "/gazetteer/divisions"): ("Divisions", JSON),
    ("get", "/gazetteer/divisions/at"): ("Divisions", JSON),
    ("get", "/gazetteer/divisions/{division_code}"): ("Division", JSON),
    ("get", "/gazetteer/divisions/{division_code}/children"): ("Divisions", JSON),
    ("get", "/gazetteer/divisions/{division_code}/chain"): ("Divisions", JSON),
    ("get", "/gazetteer/convert"): ("Conversion", JSON),
    ("get", "/gazetteer/geocode"): ("Geocoding", JSON),
    ("get", "/gazetteer/coordinates"): ("Coordinates", JSON),
    ("get", "/collections/{collection_id}/changes"): ("Changes", JSON),
    ("get", "/collections/{collection_id}/queryables"): ("JsonSchema", SCHEMA_JSON),
    ("get", "/queryables"): ("JsonSchema", SCHEMA_JSON),
    ("get", "/functions"): ("Functions", JSON),
}
"""Method and path of a resource -> the shape of its answer, and its media type."""
