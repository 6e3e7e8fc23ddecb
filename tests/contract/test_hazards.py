"""Hazard zones through the service: methods, zones of visible layers, kept zones, and naming them elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import shapely
from psycopg import sql

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.hazards.registry import METHODS
from layers.access import Clearance
from layers.area import ellipsoidal_area
from layers.catalog import Catalog, read_catalog
from layers.hazard import HazardZone
from tests.geoservice.hazards.made import shape, whole
from tests.support.loading import count
from tests.support.service import Service, running
from tests.support.zones import plant, prepare

ALL = read_catalog()
NAMES = ("earthquake", "active_fault", "active_fire", "cap_alert", "hazard_source", "flood_extent", "dam", "elevation")
CATALOG = Catalog({name: ALL.layer(name) for name in NAMES}, ALL.codelists)
ORIGIN = dt.datetime(2008, 5, 12, 6, 28, tzinfo=dt.UTC)
SHOCK = {"event": "wenchuan", "relation": "west"}
POINT = {"type": "Point", "coordinates": [104.0, 31.0]}
RINGS = {"geometry": POINT, "radii": [1000]}


@pytest.fixture(scope="module")
def service(module_database: Database) -> Iterator[Service]:
    prepare(module_database, CATALOG)
    _plant(module_database)
    with running(module_database, CATALOG, zones_each=6, max_zone_vertices=2000, hazard_max_vertices=2000) as started:
        yield started


def _plant(database: Database) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        "earthquake": [
            {"event_id": "wenchuan", "time": ORIGIN, "magnitude": 8.0, "geom": shapely.Point(103.4, 31.0)},
            {"event_id": "hidden", "time": ORIGIN, "magnitude": 7.0, "geom": shapely.Point(104, 31), "clearance": 2},
        ],
        "active_fault": [{"fault_id": "f", "geom": shapely.LineString([(103.0, 30.6), (104.0, 31.6)])}],
        "active_fire": [
            {"key": str(n), "acquired": ORIGIN, "confidence": "h", "geom": shapely.Point(104 + n / 300, 31)}
            for n in range(5)
        ],
        "hazard_source": [
            {"source_id": "open", "grade": "4", "geom": shapely.Point(104.0, 31.0), "clearance": 2},
        ],
        "flood_extent": [
            {"flood_id": "x", "depth": 1.5, "observed": ORIGIN, "geom": shapely.box(104, 31, 104.1, 31.1)}
        ],
    }
    for name, planted in rows.items():
        plant(database, CATALOG.layer(name), [_row(one) for one in planted])  # type: ignore[arg-type]


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "clearance": Clearance(one["clearance"])} if "clearance" in one else one


def post(service: Service, path: str, body: Any, who: Clearance | None = None) -> Any:
    headers = {} if who is None else {"X-API-Key": service.keys[who]}
    return service.client.post(path, json=body, headers=headers)


def make(service: Service, method: str, body: Any, who: Clearance | None = None, query: str = "") -> Any:
    return post(service, f"/hazards/zones/{method}{query}", body, who)


def test_methods_say_what_they_take(service: Service) -> None:
    listed = service.get("/hazards/methods").json()["methods"]
    assert [one["id"] for one in listed] == list(METHODS)
    for one in listed:
        jsonschema.Draft202012Validator.check_schema(one["parameters"])
        assert one["source"]
        assert one["uncertainty"]["zh"]
        assert one["links"][0]["href"].endswith(f"/hazards/zones/{one['id']}")
    assert {one["id"] for one in listed if one["screening"]} == {"river-flood", "dam-break"}
    wrong = jsonschema.Draft202012Validator(next(one for one in listed if one["id"] == "fire")["parameters"])
    assert not wrong.is_valid({"gap": -1})


def test_an_earthquake_of_the_catalogue_takes_the_strike_of_a_fault(service: Service) -> None:
    answer = make(service, "earthquake", SHOCK)
    assert answer.status_code == 200, answer.text
    zone = answer.json()
    assert zone["parameters"]["fault"] == "f"
    assert zone["parameters"]["strike"] == pytest.approx(40.5, abs=0.5)
    assert zone["start"] == "2008-05-12T06:28:00Z"
    assert [one["name"] for one in zone["inputs"]] == ["earthquake", "active_fault"]
    assert all(one["edition"]["number"] for one in zone["inputs"])
    assert zone["classes"][0]["code"] == "X"
    assert make(service, "earthquake", SHOCK).content == answer.content


def test_rows_above_the_asker_do_not_exist(service: Service) -> None:
    hidden, missing = (make(service, "earthquake", {"event": name}) for name in ("hidden", "nowhere"))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace("hidden", "nowhere") == missing.text
    assert make(service, "earthquake", {"event": "hidden"}, Clearance.RESTRICTED).status_code == 200
    body = {"collection": "hazard_source", "bbox": [103, 30, 105, 32], "radii": [500]}
    above = make(service, "buffer", body)
    none = make(service, "buffer", {**body, "collection": "hazard_sauce"})
    assert above.status_code == none.status_code == 404
    assert above.text.replace("source", "sauce") == none.text
    assert make(service, "buffer", body, Clearance.RESTRICTED).status_code == 200


def test_fires_and_floods_of_collections(service: Service) -> None:
    fires = make(service, "fire", {"bbox": [103.9, 30.9, 104.2, 31.1], "seen_until": "2008-05-13T00:00:00Z"}).json()
    assert fires["parameters"]["points_used"] == 5
    later = make(service, "fire", {"bbox": [103.9, 30.9, 104.2, 31.1], "seen_from": "2009-01-01T00:00:00Z"}).json()
    assert (later["classes"], later["looked"]) == ([], [103.9, 30.9, 104.2, 31.1])
    flood = make(service, "flood-extent", {"ids": ["x"]}, query="?f=geojson").json()
    assert flood["type"] == "FeatureCollection"
    assert flood["hazard"]["kind"] == "flood"
    properties = flood["features"][0]["properties"]
    assert (properties["code"], properties["estimate"], properties["at_least"]) == ("1-2", "best", 1.0)


def test_the_process_gives_the_same_zone(service: Service) -> None:
    direct = make(service, "earthquake", SHOCK)
    through = post(service, "/processes/hazard-earthquake/execution", {"inputs": SHOCK})
    assert through.status_code == 200, through.text
    assert through.json() == direct.json()


def test_only_keys_keep_zones(service: Service) -> None:
    refused = make(service, "buffer", RINGS, query="?keep=true")
    assert refused.status_code == 401
    assert count(service.database, "meta.hazard_zone") == 0


def test_a_kept_zone_is_named_wherever_an_area_is_taken(service: Service) -> None:
    kept = make(service, "flood-extent", {"ids": ["x"]}, Clearance.INTERNAL, "?keep=true&clearance=public")
    assert kept.status_code == 201
    zone, place = kept.json(), kept.headers["location"]
    assert kept.headers["geoservice-clearance"] == "public"
    assert place.endswith(zone["id"])
    assert service.get(f"/hazards/zones/{zone['id']}").content == kept.content
    asked = post(service, "/analysis/zone", {"zone": zone["id"]}).json()["zone"]
    box = shapely.box(104, 31, 104.1, 31.1)
    assert asked["area_m2"] == pytest.approx(float(ellipsoidal_area(box)), rel=1e-6)
    assert asked["origin"] == f"zone:{zone['id']}"
    here = service.get(f"/query/intersects?zone={zone['id']}&collections=active_fire")
    assert len(here.json()["collections"][0]["features"]) == 5
    through = post(service, "/processes/zone/execution", {"inputs": {"zone": zone["id"]}})
    assert through.json()["zone"]["area_m2"] == asked["area_m2"]
    assert make(service, "buffer", {"place": {"zone": zone["id"]}, "radii": [100]}).status_code == 200
    listed = service.get("/hazards/zones").json()["zones"]
    assert zone["id"] in {one["id"] for one in listed}


def test_a_zone_in_which_nothing_lies_is_kept_and_names_no_area(service: Service) -> None:
    """It is said, listed and asked about as an impact; where an area is taken, nothing is there to be taken."""
    calm = {"epicentre": [104, 31], "magnitude": 3.0, "strike": 0}
    kept = make(service, "earthquake", calm, Clearance.RESTRICTED, "?keep=true&clearance=public")
    assert kept.status_code == 201, kept.text
    zone = kept.json()
    assert (zone["classes"], zone["looked"]) == ([], [104.0, 31.0, 104.0, 31.0])
    assert service.get(f"/hazards/zones/{zone['id']}").content == kept.content
    drawn = service.get(f"/hazards/zones/{zone['id']}?f=geojson").json()
    assert (drawn["features"], drawn["hazard"]["looked"]) == ([], zone["looked"])
    answer = post(service, "/impact", {"zone": zone["id"], "ways": False})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["zone"]["area_m2"], answer.json()["zone"]["kind"]) == (0.0, "earthquake")
    for path, body in (("/analysis/zone", {"zone": zone["id"]}), ("/compliance", {"zone": zone["id"]})):
        refused = post(service, path, body)
        assert refused.status_code == 422, refused.text
        assert "nothing lies in danger" in refused.json()["detail"]
    assert zone["id"] not in service.get("/situation").text
    assert zone["id"] in {one["id"] for one in service.get("/hazards/zones").json()["zones"]}


def test_a_kept_zone_has_the_clearance_of_its_keeper(service: Service) -> None:
    zone = make(service, "buffer", RINGS, Clearance.RESTRICTED, "?keep=true").json()
    for who, status in ((None, 404), (Clearance.INTERNAL, 404), (Clearance.RESTRICTED, 200)):
        assert service.get(f"/hazards/zones/{zone['id']}", who).status_code == status
        assert post(service, "/analysis/zone", {"zone": zone["id"]}, who).status_code == status
        listed = {one["id"] for one in service.get("/hazards/zones", who).json()["zones"]}
        assert (zone["id"] in listed) == (status == 200)
    hidden = service.get(f"/hazards/zones/{zone['id']}")
    missing = service.get(f"/hazards/zones/{'0' * 32}")
    assert hidden.text.replace(zone["id"], "0" * 32) == missing.text
    # Somebody below keeps the same: they learn nothing, and find their own.
    again = make(service, "buffer", RINGS, Clearance.INTERNAL, "?keep=true")
    assert (again.status_code, again.json()["id"]) == (201, zone["id"])
    assert service.get(f"/hazards/zones/{zone['id']}", Clearance.INTERNAL).status_code == 200
    assert service.get(f"/hazards/zones/{zone['id']}").status_code == 404


def test_the_database_hides_kept_zones_too(service: Service) -> None:
    """Negative control of the condition on the clearance: without it, the policy still hides what is above."""
    make(service, "buffer", {**RINGS, "radii": [1500]}, Clearance.RESTRICTED, "?keep=true")
    for role, most in ((Role.READER_PUBLIC, 0), (Role.READER_INTERNAL, 1), (Role.READER_RESTRICTED, 2)):
        with service.database.psycopg(role) as connection:
            found = connection.execute(sql.SQL("SELECT max(clearance) FROM meta.hazard_zone")).fetchone()
        assert (found or (None,))[0] in (most, None)
        assert role is not Role.READER_RESTRICTED or found == (2,)


def test_no_zone_is_kept_below_what_it_was_made_from(service: Service) -> None:
    body = {"collection": "hazard_source", "ids": ["open"], "radii": [500]}
    for level, status in (("public", 400), ("internal", 400), ("secret", 400), ("restricted", 201)):
        answer = make(service, "buffer", body, Clearance.RESTRICTED, f"?keep=true&clearance={level}")
        assert answer.status_code == status, answer.text
    above = make(service, "buffer", RINGS, Clearance.INTERNAL, "?keep=true&clearance=restricted")
    assert above.status_code == 400
    # What a name stands for may be hidden from those below, so the zone around it is too.
    named = {"place": {"feature": "flood_extent/x"}, "radii": [100]}
    assert make(service, "buffer", named, Clearance.INTERNAL, "?keep=true&clearance=public").status_code == 400


def test_a_key_keeps_so_many_zones(service: Service) -> None:
    answers = [
        make(service, "buffer", {**RINGS, "radii": [radius]}, Clearance.PUBLIC, "?keep=true") for radius in range(1, 9)
    ]
    assert [one.status_code for one in answers] == [201] * 6 + [429] * 2
    assert make(service, "buffer", {**RINGS, "radii": [1]}, Clearance.PUBLIC, "?keep=true").status_code == 201


BOW = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
MANY = shapely.geometry.mapping(shapely.Point(104, 31).buffer(1, 600))


@pytest.mark.parametrize(
    ("method", "body", "status", "word"),
    [
        (
            "model-polygons",
            {"features": {"type": "FeatureCollection", "features": []}, "field": "c", "breaks": [1]},
            422,
            "No polygon",
        ),
        ("earthquake", {"epicentre": [104, 31]}, 400, "epicentre and magnitude"),
        ("earthquake", {"event": "x\x00"}, 400, "NUL"),
        ("earthquake", {"event": "x", "colour": "red"}, 400, "colour"),
        ("earthquake", [], 400, "body"),
        ("drawn", {"classes": [{"code": "red", "area": BOW}]}, 422, "Self-intersection"),
        ("drawn", {"classes": [{"code": "red", "area": MANY}]}, 413, "more than 2000 vertices"),
        ("buffer", {"collection": "dam", "bbox": [0, 0, 1, 1], "radii": [5], "by": "nothing"}, 400, "no attribute"),
        ("buffer", {"collection": "elevation", "bbox": [0, 0, 1, 1], "radii": [5]}, 400, "no geometries"),
        ("flood-depth", {"collection": "dam", "bbox": [0, 0, 1, 1]}, 400, "no raster"),
        ("flood-depth", {"collection": "elevation", "bbox": [170, 0, -170, 1]}, 400, "180 degrees"),
        ("river-flood", {"bbox": [0, 0, 1, 1], "level": 1}, 404, "no raster there"),
        (
            "model-polygons",
            {"collection": "dam", "bbox": [0, 0, 1, 1], "field": "x", "breaks": [1]},
            400,
            "no attribute",
        ),
        ("nothing", {}, 405, "method"),
    ],
)
def test_what_cannot_be_made_is_told(service: Service, method: str, body: Any, status: int, word: str) -> None:
    answer = make(service, method, body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.text


def test_zones_cover_what_their_classes_cover(service: Service) -> None:
    """Estimates of an answer are nested: what is hit at best is hit at worst."""
    zone = HazardZone.model_validate_json(make(service, "earthquake", SHOCK).content)
    low, best, high = (whole(zone.bound(bound)) for bound in ("low", "best", "high"))
    assert shapely.covers(best, low)
    assert shapely.covers(high, best)
    assert shape(zone.classes[0]).area < best.area
    assert zone.identified().id == zone.id
