"""What a hostile or careless client sends to the rooms of danger: each is a clear refusal or an answer, and soon."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import shapely

from geoservice.db.engine import Database
from tests.support.alerts import CATALOG, Watch, cap, info, keeping_watch

SOON = 60.0
"""Seconds in which an answer has to be there, on a machine that does many other things as well."""
SQUARE = shapely.geometry.mapping(shapely.box(80.0, 40.0, 80.05, 40.05))
LABEL = {"zh": "试", "en": "x"}
METHOD = {"id": "m", "version": "1", "source": "s", "title": LABEL}
DEEP: Any = "x"
for _ in range(900):
    DEEP = [DEEP]
HALF = "\ud800"


def zone(*classes: Any, **more: Any) -> dict[str, Any]:
    return {"hazard": {"kind": "flood", "label": LABEL, "method": METHOD, "classes": list(classes), **more}}


def graded(rank: int = 1, geometry: Any = SQUARE, **more: Any) -> dict[str, Any]:
    return {"rank": rank, "code": f"c{rank}", "label": LABEL, "geometry": geometry, **more}


MANY = [graded(n) for n in range(1, 3000)]
IMPACTS: dict[str, Any] = {
    "nothing": {},
    "two-ways": {"bbox": [80, 40, 80.1, 40.1], "adcode": "1"},
    "nul-code": {"adcode": "a\0b"},
    "half-code": {"adcode": HALF},
    "nul-zone": {"zone": "a\0b"},
    "half-feature": {"feature": {"collection": HALF, "id": HALF}},
    "nul-feature": {"feature": {"collection": "division", "id": "\0"}},
    "nul-alert": {"alert": "x\0"},
    "half-alert": {"alert": HALF},
    "nul-layer": {"bbox": [80, 40, 80.1, 40.1], "layers": ["\0"]},
    "half-layer": {"bbox": [80, 40, 80.1, 40.1], "layers": [HALF]},
    "half-facility": {"bbox": [80, 40, 80.1, 40.1], "facilities": [HALF, "\0"]},
    "huge-minutes": {"bbox": [80, 40, 80.1, 40.1], "minutes": [1e308]},
    "no-number": {"bbox": [80, 40, 80.1, "NaN"]},
    "far-past": {"bbox": [80, 40, 80.1, 40.1], "as_of": "0001-01-01T00:00:00Z"},
    "edge-past": {"bbox": [80, 40, 80.1, 40.1], "as_of": "0001-01-01T00:00:00+23:59"},
    "far-future": {"bbox": [80, 40, 80.1, 40.1], "as_of": "9999-12-31T23:59:59Z"},
    "half-at": {"bbox": [80, 40, 80.1, 40.1], "at": HALF},
    "whole-world": {"bbox": [-180, -90, 180, 90], "ways": False},
    "hair": {"bbox": [80, 40, 80.0000000001, 40.0000000001]},
    "pole": {"bbox": [80, 89.9999, 80.1, 90]},
    "deep": {"hazard": DEEP},
    "deep-parameters": zone(graded(), parameters={"x": DEEP}),
    "half-label": zone(graded(), label={"zh": HALF, "en": HALF}),
    "half-code-of-class": zone({**graded(), "code": HALF}),
    "nul-note": zone(graded(), notes=[{"zh": "\0", "en": "\0"}]),
    "bell": zone({**graded(), "label": {"zh": "\a", "en": "\x1b"}}, label={"zh": "\a", "en": "\x1b[2J"}),
    "half-parameter": zone(graded(), parameters={HALF: HALF}),
    "same-places": zone(graded(1), graded(2)),
    "many-classes": zone(*MANY),
    "huge-rank": zone({**graded(), "rank": 10**30}),
    "no-ring": zone(graded(geometry={"type": "Polygon", "coordinates": []})),
    "no-corner": zone(graded(geometry={"type": "Polygon", "coordinates": [[[]]]})),
    "corner-of-text": zone(graded(geometry={"type": "Polygon", "coordinates": [[["a", "b"]] * 4]})),
    "point": zone(graded(geometry={"type": "Point", "coordinates": [80, 40]})),
    "reference": zone(graded(geometry={"$ref": "#"})),
    "beyond": zone(graded(geometry=shapely.geometry.mapping(shapely.box(179, 40, 200, 41)))),
    "bounds-alone": zone(graded(), low=[graded(geometry={"type": "Polygon", "coordinates": []})]),
    "looked-nowhere": zone(looked=[80, 40, 80, 40]),
    "looked-everywhere": zone(looked=[-180, -90, 180, 90]),
    "looked-back": zone(looked=[180, 40, -180, 41]),
    "looked-text": zone(looked=["80", "40", "81", "41"]),
    "looked-infinite": zone(looked=[80, 40, 1e999, 41]),
    "backwards": zone(graded(), start="2026-07-02T00:00:00Z", end="2026-07-01T00:00:00Z"),
    "own-id": zone(graded(), id="0" * 32),
}


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with keeping_watch(module_database) as found:
        yield found


def sound(answer: Any, begun: float) -> Any:
    assert answer.status_code < 500, answer.text
    assert time.monotonic() - begun < SOON
    if answer.status_code >= 400:
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert len(problem["detail"]) > 15, "it says what was expected"
    return answer


def send(watch: Watch, path: str, body: Any, who: str | None = "author") -> Any:
    # A report has five files, and a map that is drawn in a process of its own.
    begun = time.monotonic() + (5 * SOON if path == "/reports" else 0.0)
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return sound(watch.ask("POST", path, who, content=content, headers={"Content-Type": "application/json"}), begun)


REPORTED = ("nul-code", "deep-parameters", "half-parameter", "nul-note", "bell", "looked-nowhere", "same-places")
"""Those that are asked for as a report, too, which takes much longer."""


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *(("/impact", name) for name in IMPACTS),
        *(("/impact/alert-drafts", name) for name in IMPACTS),
        *(("/reports", name) for name in REPORTED),
    ],
)
def test_impacts_that_mean_harm(watch: Watch, path: str, name: str) -> None:
    body: dict[str, Any] = IMPACTS[name]
    if path == "/reports":
        body = {"impact": body}
    elif path == "/impact/alert-drafts":
        alert = {"status": "Test", "category": ["Met"], "event": LABEL, "urgency": "Immediate", "severity": "Severe"}
        body = {"impact": body, "alert": {**alert, "certainty": "Likely", "expires": "2027-01-01T00:00:00Z"}}
    send(watch, path, body)


def test_keep_nothing_of_a_report_that_was_refused(watch: Watch) -> None:
    before = watch.ask("GET", "/reports", "author").json()["reports"]
    for more in ({"title": HALF}, {"note": "\0"}, {"lang": HALF}, {"title": "x" * 10_000}, {"reply": {"alert": 1}}):
        send(watch, "/reports", {"impact": {"bbox": [80, 40, 80.1, 40.1]}, **more})
    assert watch.ask("GET", "/reports", "author").json()["reports"] == before


@pytest.mark.parametrize("number", ["%00", "a%00b", "%ED%A0%80", "..%2F..%2Fetc", "'%3B--", "x" * 5000, "%F0%9F%98%80"])
def test_names_that_are_none(watch: Watch, number: str) -> None:
    for method, path in (
        ("GET", f"/reports/{number}"),
        ("DELETE", f"/reports/{number}"),
        ("GET", f"/reports/{number}/shares"),
        ("DELETE", f"/reports/{number}/shares/{number}"),
        ("GET", f"/shared/{number}"),
        ("GET", f"/hazards/zones/{number}"),
        ("GET", f"/subscriptions/{number}"),
        ("DELETE", f"/subscriptions/{number}"),
        ("GET", f"/subscriptions/{number}/deliveries"),
        ("GET", f"/subscriptions/{number}/leave?token={number[:90]}"),
        ("POST", f"/subscriptions/{number}/confirm?token={number[:90]}"),
        ("GET", f"/alerts/{number}"),
        ("GET", f"/alerts/{number}/zone"),
        ("GET", f"/alerts/drafts/{number}"),
        ("GET", f"/situation/units/{number}"),
        ("GET", f"/situation/marks/{number}"),
        ("GET", f"/situation/exercises/{number}"),
        ("GET", f"/stations/{number}"),
        ("GET", f"/collections/observations/locations/{number}"),
    ):
        begun = time.monotonic()
        answer = sound(watch.ask(method, path, "author"), begun)
        assert answer.status_code >= 400, path


SUBSCRIPTIONS: dict[str, Any] = {
    "nul-property": {"kind": "exceedance", "property": "\0", "above": 1},
    "half-property": {"kind": "exceedance", "property": HALF, "above": 1},
    "half-unit": {"kind": "exceedance", "property": "pm25", "above": 1, "unit": HALF},
    "half-url": {"url": f"https://ok.example/{HALF}"},
    "mapped": {"url": "https://[::ffff:127.0.0.1]/"},
    "nat64": {"url": "https://[64:ff9b::7f00:1]/"},
    "user": {"url": "https://ok.example@127.0.0.1/"},
    "line": {"mail": "a@b.example\r\nBcc: c@d.example", "kind": "alert"},
    "encoded": {"mail": "=?utf-8?q?a=0ABcc:x?=@b.example", "kind": "alert"},
    "several": {"mail": "a@b.example,c@d.example", "kind": "alert"},
    "half-mail": {"mail": f"{HALF}@b.example", "kind": "alert"},
    "infinite": '{"kind": "exceedance", "url": "https://ok.example/x", "property": "pm25", "above": 1e999}',
    "half-collection": {"url": "https://ok.example/x", "collections": [HALF]},
    "nul-collection": {"url": "https://ok.example/x", "collections": ["\0"]},
    "area": {"kind": "alert", "url": "https://ok.example/x", "area": {"zone": DEEP}},
}


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
def test_subscriptions_that_mean_harm(watch: Watch, name: str) -> None:
    body = SUBSCRIPTIONS[name]
    if isinstance(body, dict) and body.get("kind") == "exceedance":
        body = {"url": "https://ok.example/x", **body}
    assert send(watch, "/subscriptions", body).status_code >= 400
    assert watch.ask("GET", "/subscriptions", "author").json()["subscriptions"] == []


BOMBS = {
    "deep-coords": "/collections/observations/area?coords=POLYGON(" + "(" * 4000,
    "long-coords": "/collections/observations/position?coords=MULTIPOINT(" + ",".join(["(1 1)"] * 3000) + ")",
    "huge-coords": "/collections/observations/position?coords=POINT(1e308 1e308)",
    "nan-coords": "/collections/observations/position?coords=POINT(nan nan)",
    "long-way": "/collections/observations/trajectory?coords=LINESTRING(-179 -89,179 89)",
    "still": "/collections/observations/trajectory?coords=LINESTRING(1 1,1 1)",
    "around": "/collections/observations/trajectory?coords=LINESTRING(170 0,-170 0)",
    "polar": "/collections/observations/trajectory?coords=LINESTRING(-180 90,180 90)",
    "filter-deep": "/v1.1/Things?$filter=" + "(" * 3000 + "id eq 1" + ")" * 3000,
    "filter-long": "/v1.1/Things?$filter=" + " or ".join(["id eq 1"] * 700),
    "filter-nots": "/v1.1/Things?$filter=" + "not " * 2000 + "true",
    "filter-sums": "/v1.1/Things?$filter=id eq " + "1%2B" * 2000 + "1",
    "filter-huge": "/v1.1/Observations?$filter=result gt 1e999",
    "filter-zero": "/v1.1/Things?$filter=id div 0 eq 1",
    "filter-mod": "/v1.1/Observations?$filter=result mod 0 eq 1",
    "filter-nul": "/v1.1/Things?$filter=name eq '%00'",
    "filter-half": "/v1.1/Things?$filter=name eq '%ED%A0%80'",
    "filter-time": "/v1.1/Observations?$filter=phenomenonTime gt 99999-01-01T00:00:00Z",
    "filter-wkt": "/v1.1/Locations?$filter=st_within(location,geography'POLYGON((" + "1 1," * 3000 + "1 1))')",
    "filter-bad-wkt": "/v1.1/Locations?$filter=st_within(location,geography'POLYGON((0 0,nan 1,1 1,0 0))')",
    "filter-like": "/v1.1/Things?$filter=substringof('" + "%25" * 500 + "',name)",
    "expand-deep": "/v1.1/Things?$expand=" + "/".join(["Datastreams", "Thing"] * 40),
    "expand-wide": "/v1.1/Things?$expand=" + ",".join(["Datastreams($expand=Observations)"] * 60),
    "top-huge": "/v1.1/Things?$top=99999999999999999999999",
    "skip-huge": "/v1.1/Things?$skip=99999999999999999999999",
    "id-huge": "/v1.1/Things(99999999999999999999999999)",
    "select": "/v1.1/Things?$select=" + ",".join(["name"] * 5000),
    "orderby": "/v1.1/Things?$orderby=" + ",".join(["name"] * 2000),
    "odd-date": "/exceedances?datetime=0001-01-01T00:00:00Z/9999-12-31T23:59:59Z",
    "odd-station": "/exceedances?station=%00",
    "odd-grade": "/exceedances/now?grade=%00&property=%00",
    "odd-frames": "/station-frames?datetime=9999-12-31T23:59:59Z&index=aqi&hours=99999999",
    "odd-board": "/situation?level=%00&exercise=%00",
    "odd-alerts": "/alerts?limit=99999999999999999999&cursor=%00",
    "odd-alerts-time": "/alerts?at=9999-12-31T23:59:59Z",
    "latest": "/observations/latest?station=%00&after=%00",
}


@pytest.mark.parametrize("name", BOMBS)
def test_questions_that_mean_harm(watch: Watch, name: str) -> None:
    begun = time.monotonic()
    sound(watch.ask("GET", BOMBS[name], "author"), begun)


BATCHES: dict[str, Any] = {
    "deep": {"requests": [{"id": "1", "method": "post", "url": "Things", "body": DEEP}]},
    "circle": {"requests": [{"id": "1", "method": "post", "url": "$1", "body": {}, "atomicityGroup": "g"}]},
    "same": {"requests": [{"id": "1", "method": "get", "url": "Things"}] * 3},
    "inside": {"requests": [{"id": "1", "method": "post", "url": "$batch", "body": {"requests": []}}]},
    "outside": {
        "requests": [
            {"id": "1", "method": "get", "url": "http://127.0.0.1:1/"},
            {"id": "2", "method": "get", "url": "../../alerts"},
        ]
    },
    "many": {"requests": [{"id": str(n), "method": "get", "url": "Things"} for n in range(5000)]},
    "half": {"requests": [{"id": HALF, "method": "get", "url": HALF}]},
    "nul": {"requests": [{"id": "1", "method": "get", "url": "Things?$filter=name eq '\0'"}]},
    "line": {"requests": [{"id": "1", "method": "get\r\nX: y", "url": "Things"}]},
    "text": {"requests": "x"},
    "numbers": {"requests": [1, None, []]},
}


@pytest.mark.parametrize("name", BATCHES)
def test_batches_that_mean_harm(watch: Watch, name: str) -> None:
    send(watch, "/v1.1/$batch", BATCHES[name])


PLACE = {"name": "a", "description": "a", "encodingType": "application/geo+json"}
SENSOR = {"name": "a", "description": "a", "encodingType": "text/html", "metadata": "a"}
NONE = {"type": "GeometryCollection", "geometries": []}
ENTITIES: dict[str, Any] = {
    "deep": ("Things", {"name": "a", "description": "a", "properties": {"x": DEEP}}),
    "nul": ("Things", {"name": "a\0", "description": "a"}),
    "half": ("Things", {"name": HALF, "description": "a"}),
    "wide": ("Things", {"name": "a", "description": "a", "Locations": [{"@iot.id": n} for n in range(5000)]}),
    "infinite": ("Observations", '{"result": 1e999, "Datastream": {"@iot.id": 1}}'),
    "digits": ("Observations", '{"result": ' + "9" * 400 + ', "Datastream": {"@iot.id": 1}}'),
    "many-digits": ("Observations", '{"result": ' + "9" * 6000 + ', "Datastream": {"@iot.id": 1}}'),
    "place": ("Locations", {**PLACE, "location": {"type": "Point", "coordinates": [1e308, 0]}}),
    "no-place": ("Locations", {**PLACE, "location": {**NONE, "geometries": [NONE]}}),
    "calibrated": ("Sensors", {**SENSOR, "properties": {"calibrations": "twice"}}),
}


@pytest.mark.parametrize("name", ENTITIES)
def test_entities_that_mean_harm(watch: Watch, name: str) -> None:
    path, body = ENTITIES[name]
    send(watch, f"/v1.1/{path}", body)


DOCUMENTS = {
    "bomb": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
    "outside": b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "deep": b"<a>" * 5000 + b"</a>" * 5000,
    "empty": b"",
    "nul": b"\0\0\0",
    "utf-16": cap("utf16").decode().encode("utf-16"),
    "no-end": cap("no-end")[:-20],
    "far": cap("far", info().replace("<expires>", "<expires>9999-12-31T23:59:59+00:00</expires><x>")),
    "many": cap("many", info() * 400),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_messages_that_mean_harm(watch: Watch, name: str) -> None:
    begun = time.monotonic()
    sound(watch.hand_in(DOCUMENTS[name]), begun)


def test_the_layers_are_those_of_alerts() -> None:
    assert "cap_alert" in CATALOG.layers
